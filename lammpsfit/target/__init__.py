"""What is fitted: terms, and the objective they make together.

In comes the sample of a run, out come residuals, their derivatives and an objective. A
:class:`Term` is one thing that is wanted, such as partial g(r) or a pressure; a
:class:`Target` is a list of terms; an evaluation (:mod:`lammpsfit.target.evaluate`) runs a
potential and says how far it is from the target. Nobody but :data:`TERMS` knows terms by name.
"""

from lammpsfit.target.curve_term import Curve, CurveTerm
from lammpsfit.target.objective import MAIN, Evaluation, Reached, Target, together
from lammpsfit.target.term import Column, ScalarTerm, Setting, Term
from lammpsfit.target.terms import TERMS, build_terms

__all__ = [
    "MAIN",
    "TERMS",
    "Column",
    "Curve",
    "CurveTerm",
    "Evaluation",
    "Reached",
    "ScalarTerm",
    "Setting",
    "Target",
    "Term",
    "build_terms",
    "together",
]
