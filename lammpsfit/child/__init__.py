"""A task in a process of its own, and how it failed.

In comes a task, a callable that can be pickled; out comes its result, or the reason why there is
none. LAMMPS and ab initio codes can segfault, hang or fill the memory: a child that dies is a
failed task, not a dead job. The front door is :func:`run_in_child` for one task, and
:class:`ChildProcess` for one task after the other.
"""

from lammpsfit.child.failure import Failure, Reason, SimulationError
from lammpsfit.child.process import ChildProcess, ParentError, Task, run_in_child

__all__ = [
    "ChildProcess",
    "Failure",
    "ParentError",
    "Reason",
    "SimulationError",
    "Task",
    "run_in_child",
]
