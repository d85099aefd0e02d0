"""Many evaluations at once, and the journal that keeps them.

In come tasks with their keys, out come results or failures, in the order in which they are ready
(:class:`Farm`). The front door is :func:`open_farm`: processes of this machine
(:class:`LocalFarm`), which is the default, or the ranks of ``mpiexec`` where it is started under
one. The conditions of one evaluation run beside each other (:mod:`lammpsfit.farm.parts`).
:class:`JournalWriter` puts each result on disk before anyone hears of it.
"""

from lammpsfit.farm.base import Farm, Finished
from lammpsfit.farm.journal import Journal, JournalWriter, Record, read_journal
from lammpsfit.farm.launch import launched, open_farm
from lammpsfit.farm.local import LocalFarm

__all__ = [
    "Farm",
    "Finished",
    "Journal",
    "JournalWriter",
    "LocalFarm",
    "Record",
    "launched",
    "open_farm",
    "read_journal",
]
