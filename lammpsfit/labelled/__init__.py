"""Labelled configurations: atoms in cells with energies, forces and stresses, from files.

In come extended xyz, vasprun.xml or whatever ASE reads, out come :class:`Frame` values whose labels
were checked. :func:`read_frames` is the front door. A GAP is trained on them, and a pair potential
may be fitted to them beside g(r).
"""

from lammpsfit.labelled.frame import Frame
from lammpsfit.labelled.frames import Keys, read_frames

__all__ = ["Frame", "Keys", "read_frames"]
