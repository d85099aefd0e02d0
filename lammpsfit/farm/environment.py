"""What the environment says of the launcher that started us, and what in it is of another one.

A shell that runs within a job hands its variables on, and so do batch systems: a process may find
those of several launchers, of which the innermost is its own.
"""

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Final

HYDRA: Final = "HYDI_CONTROL_FD"
"""Set by MPICH's own launcher, and by no other."""

VARIABLES: Final = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI
    ("PMI_RANK", "PMI_SIZE"),  # MPICH's Hydra, Cray's PALS, srun --mpi=pmi2
    ("PALS_RANKID", "PMI_SIZE"),
    ("FLUX_TASK_RANK", "FLUX_JOB_SIZE"),
    ("PMIX_RANK", ""),  # PRRTE, srun --mpi=pmix: they do not tell the size
)
"""Where launchers write rank and size, the innermost one first where they may be nested."""

PMIX_MARKS: Final = frozenset({"PMIX_RANK", "PMIX_NAMESPACE", "PRTE_LAUNCHED"})
"""What MPICH looks at to tell that it was started by a launcher that speaks PMIx."""

STALE: Final = frozenset({"PMI_SPAWNED"})
"""Of an outer job too, beside all of PMIx."""

SPECIAL_STEPS: Final = 0xFFFFFFF0
"""Slurm's steps from this number on are no launch: batch script, interactive shell, extern."""


@dataclass(frozen=True)
class Launcher:
    """What the environment says: rank of this process, and number of processes if it is told."""

    rank: int
    size: int | None


def read_launcher(environment: Mapping[str, str]) -> Launcher | None:
    """Read rank and size from the environment, None where there was no launcher.

    Examples
    --------
    >>> read_launcher({"PMI_RANK": "3", "PMI_SIZE": "4"})
    Launcher(rank=3, size=4)
    >>> read_launcher({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"})
    """
    slurm = _slurm_step(environment)
    # nobody starts another launcher from within Hydra's
    known = VARIABLES[1:2] if HYDRA in environment else VARIABLES
    for rank, size in known:
        if (found := _number(environment, rank)) is not None:
            launcher = Launcher(found, _number(environment, size))
            break
    else:
        return slurm if slurm is not None and slurm.size != 1 else None
    # a shell that srun opened is a step of one task, and no launch of what is typed there
    shell = slurm is not None and slurm.size == 1 and launcher.size in (1, None)
    return None if shell else launcher


def drop_stale(environment: MutableMapping[str, str]) -> None:
    """Remove what would make MPICH abort although its launcher is one that it knows.

    A rank of a launcher that speaks PMI, such as Hydra and ``srun --mpi=pmi2``, was not started by
    PMIx, nor spawned by another rank: variables that say so are left over from an outer job.

    Examples
    --------
    >>> environment = {"PMI_RANK": "0", "PMI_SIZE": "3", "PMI_FD": "9", "PMIX_NAMESPACE": "x"}
    >>> drop_stale(environment)
    >>> sorted(environment)
    ['PMI_FD', 'PMI_RANK', 'PMI_SIZE']
    """
    if "PMI_RANK" not in environment or not ({"PMI_FD", "PMI_PORT"} & environment.keys()):
        return
    for name in [name for name in environment if name.startswith("PMIX_") or name in STALE]:
        del environment[name]


def has_lost_its_launcher(environment: Mapping[str, str]) -> bool:
    """Whether the connection to the launcher that the environment tells of is closed.

    So it is where a rank started this process, as Python's ``subprocess`` does: MPICH would abort.
    """
    descriptor = _number(environment, "PMI_FD")
    if descriptor is None:
        return False
    try:
        os.fstat(descriptor)
    except OSError:
        return True
    return False


def cannot_join(library: str, environment: Mapping[str, str]) -> bool:
    """Whether the MPI library would abort the process, with a page of text, on joining.

    MPICH does where the launcher speaks PMIx and it was built without.
    """
    pmix = bool(PMIX_MARKS & environment.keys()) and "PMI_RANK" not in environment
    return pmix and "MPICH" in library and "pmix" not in library.lower()


def _slurm_step(environment: Mapping[str, str]) -> Launcher | None:
    """Read the step of srun this process is a task of. A batch script is none."""
    step = _number(environment, "SLURM_STEP_ID")
    rank = _number(environment, "SLURM_PROCID")
    if step is None or rank is None or step >= SPECIAL_STEPS:
        return None
    size = _number(environment, "SLURM_STEP_NUM_TASKS")
    return Launcher(rank, _number(environment, "SLURM_NTASKS") if size is None else size)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    return int(text) if text.isdecimal() else None
