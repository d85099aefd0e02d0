"""A fit from its run folder: search, then confirm the best."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.errors import InputError, StoppedError
from lammpsfit.farm.base import Farm
from lammpsfit.farm.journal import JournalWriter
from lammpsfit.fit.run.conditions import Samples
from lammpsfit.fit.run.confirm import Repeat, Result, repeated
from lammpsfit.fit.run.ensemble import members
from lammpsfit.fit.run.job_killers import session_records, start_of
from lammpsfit.fit.run.open_fit import Fit, Monitor
from lammpsfit.fit.run.records import result_fields
from lammpsfit.fit.run.result import FitResult, best_confirmed, evaluation_of, finished, unfinished
from lammpsfit.fit.run.run_folder import check_places
from lammpsfit.fit.run.search import search
from lammpsfit.forcefield import Potential
from lammpsfit.target import Evaluation


def run_fit(
    fit: Fit,
    farm: Farm[Evaluation],
    monitor: Monitor,
    stop: Callable[[], str | None],
) -> FitResult:
    """Run a fit to its end, from wherever its journal is.

    Parameters
    ----------
    fit
        The open fit.
    farm
        Idle workers; they are ended here.
    monitor
        Sees every evaluation.
    stop
        Says why to stop, or None to go on. What runs then is dropped; what is finished is in
        the journal.

    Raises
    ------
    InputError
        If the run folder cannot take what comes of it.
    RunError
        If no evaluation gave a cost, or every candidate failed its confirmation.
    """
    check_places(fit.folder)
    try:
        with JournalWriter(fit.folder.journal) as journal, _session(fit, journal), farm:
            candidates = search(fit, farm, journal, monitor, stop)
            compared = fit.conditions.of_size(fit.job.confirm).load_known(fit.job.confirm.compare)
            pooled = _confirm(fit, candidates | compared, farm, journal, monitor, stop)
            as_good = members(fit, evaluation_of(best_confirmed(candidates, pooled)))
            ensemble = _confirm(fit, as_good, farm, journal, monitor, stop) if as_good else {}
    except StoppedError as stopped:
        return unfinished(fit, str(stopped))
    finally:
        monitor.end()
    return finished(fit, candidates, pooled, ensemble)


def _session(fit: Fit, journal: JournalWriter) -> AbstractContextManager[None]:
    return session_records(journal) if fit.exposed else nullcontext()


def _confirm(
    fit: Fit,
    potentials: dict[str, Potential],
    farm: Farm[Evaluation],
    journal: JournalWriter,
    monitor: Monitor,
    stop: Callable[[], str | None],
) -> dict[str, Result]:
    """Run potentials with fresh seeds, but for runs that the journal has."""
    table = fit.job.confirm
    conditions = fit.conditions.of_size(table)
    structures = fit.structures(conditions, monitor, stop)
    known = _known_confirmations(fit)

    def record_of(run: Repeat, result: Result, seconds: float) -> None:
        if isinstance(result, Evaluation):
            journal.check_alone()
            fit.save(run.name, result)
        record = {
            "type": "confirmation",
            "label": run.label,
            "repeat": run.number,
            "seconds": round(seconds, 3),
            "wall": round(fit.wall, 3),
        } | result_fields(result)
        journal.append(record)
        fit.confirmations.append(record)
        monitor.finished(record)

    def starting(run: Repeat) -> None:
        if fit.exposed:
            journal.append(start_of(run))

    suspects = {s.repeat: s.failure for s in fit.suspects if s.repeat is not None}
    runs = len(potentials) * table.repeats
    monitor.begin("confirmation", runs, sum(run.label in potentials for run in known))
    for suspect, failure in suspects.items():
        if failure is not None and suspect not in known:
            record_of(suspect, failure, 0.0)
            known[suspect] = failure
    pooled = repeated(
        potentials,
        table.repeats,
        conditions,
        structures,
        fit.job.seed,
        farm,
        known,
        record_of,
        stop,
        starting,
        suspects,
    )
    monitor.end()
    return pooled


def _known_confirmations(fit: Fit) -> dict[Repeat, Samples | Failure]:
    """Take in the confirmations of the journal, but for those whose sample was lost."""
    known: dict[Repeat, Samples | Failure] = {}
    for record in fit.confirmations:
        run = Repeat(record["label"], record["repeat"])
        if record["status"] == "ok":
            with suppress(InputError):
                known[run] = fit.samples(run.name)
        else:
            known[run] = Failure(Reason(record["reason"]), record["detail"])
    return known
