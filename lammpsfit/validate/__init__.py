"""Longer runs of given potentials: everything they are judged by, beside what is known.

In come potentials and a job, out come tables, pictures and JSON: liquid, density, glass, g(r),
angles, coordination, diffraction, diffusion. :func:`build_plan` checks everything before any time
is spent; the front door is :func:`validate`, which goes on where it was interrupted. Runs are twice
as long as evaluations unless told otherwise.
"""

from lammpsfit.validate.command import validate
from lammpsfit.validate.plan import Plan, Request, build_plan

__all__ = ["Plan", "Request", "build_plan", "validate"]
