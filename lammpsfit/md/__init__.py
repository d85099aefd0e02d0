"""Molecular dynamics: templates, one LAMMPS run in a child process, the sample it gives.

In come a potential, a start structure and a :class:`Protocol`, out comes a :class:`Sample`: g(r)
with errors, thermodynamics and frames. The front door is :mod:`lammpsfit.md.sample`; start
structures are made by :mod:`lammpsfit.md.melt`, LAMMPS files are written and run again by
:mod:`lammpsfit.md.export`, longer runs are in :mod:`lammpsfit.md.observe`. The only package that
knows LAMMPS.
"""

from lammpsfit.md.protocol import Protocol
from lammpsfit.md.sample import Sample, pool

__all__ = ["Protocol", "Sample", "pool"]
