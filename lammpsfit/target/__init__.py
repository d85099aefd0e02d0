"""What is fitted: terms, and the objective they make together.

In comes the sample of a run, out come residuals, their derivatives and an objective. A
:class:`Term` is one thing that is wanted of it, such as partial g(r) or a pressure, a
:class:`StaticTerm` one that is wanted of the potential itself, such as forces, a
:class:`JointTerm` one that is wanted of several conditions together, such as a bulk modulus; a
:class:`Target` is a list of terms; an evaluation (:mod:`lammpsfit.target.evaluate`) runs a
potential and says how far it is from the target. Nobody but :data:`TERMS` knows terms by name.
"""

from lammpsfit.target.curve_term import Curve, Curves, CurveTerm
from lammpsfit.target.joint_term import JointTerm
from lammpsfit.target.objective import MAIN, Evaluation, Reached, Target, together
from lammpsfit.target.static_term import StaticTerm
from lammpsfit.target.term import AnyTerm, Column, ScalarTerm, Setting, Term
from lammpsfit.target.terms import TERMS, build_terms

__all__ = [
    "MAIN",
    "TERMS",
    "AnyTerm",
    "Column",
    "Curve",
    "CurveTerm",
    "Curves",
    "Evaluation",
    "JointTerm",
    "Reached",
    "ScalarTerm",
    "Setting",
    "StaticTerm",
    "Target",
    "Term",
    "build_terms",
    "together",
]
