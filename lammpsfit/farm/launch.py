"""How we were started: by an MPI launcher or not, and whether all is as it must be then.

The environment is asked, before mpi4py is imported: without a launcher, MPI is never
touched. A launcher of another MPI library starts processes each of which believes it is rank 0 of
1; they would all write the same journal.
"""

import os
import signal
import socket
import sysconfig
import traceback
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from lammpsfit.errors import InputError
from lammpsfit.farm.abort import abort
from lammpsfit.farm.base import Farm
from lammpsfit.farm.environment import (
    Launcher,
    cannot_join,
    drop_stale,
    has_lost_its_launcher,
    read_launcher,
)
from lammpsfit.farm.local import LocalFarm, available_cores, worker_count
from lammpsfit.farm.stop import SIGNALS

if TYPE_CHECKING:
    from mpi4py import MPI


@dataclass(frozen=True)
class Place:
    """Where a rank runs: host and the cores it may use there."""

    host: str
    cores: frozenset[int]


@dataclass(frozen=True)
class Launch:
    """A sound launch. A context manager on rank 0: on leaving it, the workers leave too.

    Attributes
    ----------
    comm
        All processes.
    places
        Where each rank runs, on rank 0; empty on the others.
    lost
        Ranks that hang, as rank 0 has found out since.
    """

    comm: "MPI.Intracomm"
    places: tuple[Place, ...]
    lost: set[int] = field(default_factory=set)

    @property
    def rank(self) -> int:
        """Rank of this process; 0 runs the command, the others :meth:`serve`."""
        return int(self.comm.rank)

    def serve(self) -> None:
        """Run tasks for rank 0 until it leaves."""
        from lammpsfit.farm.mpi import serve

        try:
            serve(self.comm)
        except BaseException:
            # a bug: rank 0 would wait for this worker for ever
            traceback.print_exc()
            abort(self.comm, 1)

    def __enter__(self) -> "Launch":
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, _leave)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        from lammpsfit.farm.messages import LEAVE
        from lammpsfit.farm.mpi import dismiss

        _ignore_signals()  # batch systems send them twice, and we are leaving
        if self.lost or dismiss(self.comm, LEAVE):
            # a worker hangs in MPI, or in the kernel, say on a file system that is gone; at its
            # end MPI would wait for it. What is still to be said must be said before.
            if not isinstance(error, SystemExit | None):
                traceback.print_exception(error)
            abort(self.comm, _exit_code(error))


def launched() -> Launch | None:
    """Return how this process was started by a launcher, or None if it was not.

    All processes must call it.

    Raises
    ------
    InputError
        If the launcher belongs to another MPI library, or there is no worker. Of the processes
        of a launch the first raises it, the others leave without a word.
    """
    launcher = read_launcher(os.environ)
    if launcher is None:
        return None
    if launcher.rank > 0:
        # launchers and batch systems signal every rank; what to do about it, rank 0 decides
        _ignore_signals()
    try:
        return _join(launcher)
    except InputError as error:
        if launcher.rank == 0:
            raise
        raise SystemExit(error.exit_code) from None


def open_farm(
    launch: Launch | None, workers: int | None, oversubscribe: bool, ranks: int = 1
) -> Farm[Any]:
    """Make the farm: of the launch, or of `workers` local processes (default: one per core).

    Parameters
    ----------
    launch
        How we were started, None where by no launcher.
    workers
        Number of local processes.
    oversubscribe
        Whether there may be more workers than cores.
    ranks
        Ranks per evaluation.

    Raises
    ------
    InputError
        If there are more workers than cores and not `oversubscribe`, or `workers` are asked for
        where the launcher sets their number, or it started ranks that make no whole groups.
    """
    _check_groups(launch, ranks)
    if launch is None:
        count, cores = worker_count(workers), available_cores()
        if count > cores and not oversubscribe:
            raise InputError(
                f"--workers must be at most {cores}, the cores this process may use, got {count}: "
                "ask for more cores, or add --oversubscribe"
            )
        return LocalFarm(count)
    if workers is not None:
        raise InputError(
            "--workers is for runs without a launcher; here every rank but the first is one: "
            f"leave it out, or use -n {workers + 1}"
        )
    if not oversubscribe:
        check_cores(launch.places[1:])
    from lammpsfit.farm.mpi import MpiFarm

    return MpiFarm(launch.comm, ranks, launch.lost)


def open_parsl_farm(
    launch: Launch | None, path: Path | None, workers: int | None, tell: Callable[[str], None]
) -> Farm[Any]:
    """Make the farm of Parsl's workers.

    Parameters
    ----------
    launch, workers
        How we were started, and the number of local processes: both must be None.
    path
        Parsl's configuration file.
    tell
        Told in a line when the number of workers has changed.

    Raises
    ------
    InputError
        If there is no such file or it is no configuration, Parsl is not installed, or something
        else sets the number of workers.
    """
    if path is None:
        raise InputError("farm.engine = 'parsl' needs a configuration: --parsl FILE or farm.parsl")
    if launch is not None:
        raise InputError("Parsl starts workers of its own: leave mpiexec or srun away with it")
    if workers is not None:
        raise InputError("Parsl's configuration sets the number of workers: leave --workers away")
    from lammpsfit.farm.parsl_farm import ParslFarm

    return ParslFarm(path, tell)


def _check_groups(launch: Launch | None, ranks: int) -> None:
    """Refuse several ranks per evaluation where they cannot be had."""
    if ranks == 1:
        return
    if launch is None:
        raise InputError(
            f"farm.ranks_per_evaluation = {ranks} needs an MPI launcher: start with mpiexec -n "
            f"{1 + ranks}, or any multiple of {ranks} and one more, or leave it out of the job file"
        )
    others = launch.comm.size - 1
    if others % ranks:
        sizes = f"{1 + ranks}" if others < ranks else f"{1 + others - others % ranks}"
        raise InputError(
            f"the ranks beside the first must be a multiple of farm.ranks_per_evaluation "
            f"({ranks}), got {others}: use -n {sizes}"
        )


def check_cores(workers: Iterable[Place]) -> None:
    """Refuse more workers on a host than they have cores there.

    Rank 0 is not among them: it sleeps while they work.

    Raises
    ------
    InputError
        For the first such host.
    """
    on_host: dict[str, list[Place]] = defaultdict(list)
    for place in workers:
        on_host[place.host].append(place)
    for host, places in on_host.items():
        cores = len(frozenset[int]().union(*(place.cores for place in places)))
        if len(places) > cores:
            raise InputError(
                f"every worker must have a core of its own, but {len(places)} of them share "
                f"{cores} on {host}: start fewer ranks there (each is a worker, except the "
                "first of the job), give them more cores (binding), or add --oversubscribe"
            )


def _join(launcher: Launcher) -> Launch:
    """Import MPI, compare what it says with the launcher, and find out where everybody is."""
    if has_lost_its_launcher(os.environ):
        raise InputError(
            "this process must be started by the launcher itself, but a rank of its job started "
            f"it: {_remedy()}, or for a fit on this machine alone with env -u PMI_FD -u PMI_RANK"
        )
    try:
        import mpi4py

        mpi4py.rc.initialize, mpi4py.rc.finalize = False, True
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise InputError(f"the MPI library cannot be loaded ({error}): {_remedy()}") from error
    library = MPI.Get_library_version()
    if cannot_join(library, os.environ):
        raise InputError(_foreign(launcher, library))
    drop_stale(os.environ)
    with warnings.catch_warnings():
        # mpi4py, too, notices a launcher of another library; one line of ours says more
        warnings.simplefilter("ignore", RuntimeWarning)
        if not MPI.Is_initialized():
            MPI.Init()
    comm = MPI.COMM_WORLD
    if comm.size == 1 and launcher.size != 1:
        raise InputError(_foreign(launcher, library))
    if launcher.size not in (None, comm.size):
        raise InputError(
            f"the launcher started {launcher.size} processes, but MPI sees {comm.size}: {_remedy()}"
        )
    if comm.size == 1:
        raise InputError(
            "under a launcher there must be at least 2 processes, got 1: rank 0 hands out the work "
            "and the others do it: use -n 2 or more, or no launcher"
        )
    place = Place(socket.gethostname(), frozenset(os.sched_getaffinity(0)))
    return Launch(comm, tuple(comm.gather(place, root=0) or ()))


def _foreign(launcher: Launcher, library: str) -> str:
    started = "this process" if launcher.size is None else f"{launcher.size} processes"
    name = " ".join(library.split("\n")[0].split())
    return (
        f"the launcher that started {started} must belong to the MPI library in use ({name}), "
        f"which does not know it: {_remedy()}"
    )


def _remedy() -> str:
    ours = Path(sysconfig.get_path("scripts")) / "mpiexec"
    which = str(ours) if ours.exists() else "the mpiexec of that library"
    return f"start with {which}, or under Slurm with srun --mpi=pmi2"


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _leave(number: int, frame: FrameType | None) -> None:
    """End rank 0 on a signal in order, so that the workers are told."""
    _ignore_signals()
    raise SystemExit(128 + number)


def _exit_code(error: BaseException | None) -> int:
    if error is None:
        return 0
    code = error.code if isinstance(error, SystemExit) else 1
    return code if isinstance(code, int) else int(code is not None)
