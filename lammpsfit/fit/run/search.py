"""The search: ask the optimiser, run, record, tell."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lammpsfit.errors import RunError, StoppedError
from lammpsfit.farm.base import Farm
from lammpsfit.farm.journal import JournalWriter, Record
from lammpsfit.fit.base import Ask
from lammpsfit.fit.newton.optimiser import GaussNewton
from lammpsfit.fit.run.ask_order import AskOrder, Eager, Ordered
from lammpsfit.fit.run.build import build_optimiser
from lammpsfit.fit.run.confirm import Result
from lammpsfit.fit.run.job_killers import start_of
from lammpsfit.fit.run.open_fit import Fit, Monitor
from lammpsfit.fit.run.records import evaluation_record
from lammpsfit.fit.run.result import failures
from lammpsfit.fit.run.warm_start import hand_on
from lammpsfit.fit.seeds import Runs, run_seed
from lammpsfit.forcefield import Potential
from lammpsfit.target import Evaluation
from lammpsfit.target.evaluate import Evaluate, EvaluateSeveral
from lammpsfit.words import FITTED, WARM


def search(
    fit: Fit,
    farm: Farm[Evaluation],
    journal: JournalWriter,
    monitor: Monitor,
    stop: Callable[[], str | None],
) -> dict[str, Potential]:
    """Search, and return the candidates for confirmation by label."""
    structures = fit.structures(fit.conditions, monitor, stop)
    optimiser = build_optimiser(fit.job, fit.conditions, fit.space)
    fit.leave_out_unreadable(monitor.say)
    limit = fit.job.limits.evaluations or math.inf
    total = None if math.isinf(limit) else int(limit)
    monitor.begin("search", total, fit.evaluated)
    _try_suspects(fit, farm, journal, monitor, stop, structures)
    if isinstance(optimiser, GaussNewton):
        hand_on(fit, optimiser, monitor.say)
    ahead, ours = fit.job.farm.ordered, [r for r in fit.records if r["stage"] != WARM]
    order: AskOrder = (
        Eager(optimiser, ours, fit.told)
        if ahead is None
        else Ordered(optimiser, ours, ahead, fit.told)
    )
    running: dict[int, Ask] = {}
    while (why := stop()) is None:
        for ask in _wanted(fit, farm, order, limit):
            running[ask.id] = ask
            if fit.exposed:
                journal.append(start_of(ask, order.note(ask)))
            farm.submit(ask.id, *_task(fit, ask, structures))
        if not farm.busy:
            why = "walltime" if fit.late else None
            break
        finished: list[Record] = []
        for back in sorted(farm.wait(0.5), key=lambda back: str(back.key)):
            assert isinstance(back.key, int)
            ask = running.pop(back.key)
            record = _record(fit, journal, ask, back.result, back.seconds) | order.note(ask)
            journal.append(record)
            finished.append(record)
        # an optimiser may think for seconds: first whatever is finished is on disk
        for record in finished:
            fit.records.append(record)
            order.take(record)
            monitor.finished(record)
    monitor.end()
    if why is not None:
        raise StoppedError(why)
    if fit.best_so_far() is None:
        raise RunError(f"no evaluation gave a cost: {failures(fit.records)}")
    return {
        f"{FITTED}-{candidate.ask.id}": fit.space.potential(candidate.ask.x)
        for candidate in optimiser.ranking(fit.job.confirm.candidates)
    }


def _wanted(fit: Fit, farm: Farm[Evaluation], order: AskOrder, limit: float) -> Iterator[Ask]:
    """Yield points while workers have nothing to do, each to be handed out before the next.

    Each takes as many workers as there are conditions, the last one what is left of them. Points
    are asked for together, as an optimiser thinks once for all of them.
    """
    conditions = len(fit.conditions.every)
    while not fit.late and farm.idle:
        room = min(math.ceil(farm.idle / conditions), limit - fit.evaluated - farm.busy)
        if not (asks := order.ask(int(room))):
            return
        yield from asks


def _try_suspects(
    fit: Fit,
    farm: Farm[Evaluation],
    journal: JournalWriter,
    monitor: Monitor,
    stop: Callable[[], str | None],
    structures: Mapping[str, Path],
) -> None:
    """Run again what may have killed the job, one at a time; who did it twice has failed."""
    limit = fit.job.limits.evaluations or math.inf
    for suspect in fit.suspects:
        if (ask := suspect.ask) is None or fit.evaluated >= limit:
            continue
        result: Result | None = suspect.failure
        seconds = 0.0
        if result is None:
            while not farm.idle:
                farm.wait(0.5)
            journal.append(suspect.start)
            farm.submit(ask.id, *_task(fit, ask, structures))
            while not (done := farm.wait(0.5)):
                if (why := stop()) is not None:
                    raise StoppedError(why)
            result, seconds = done[0].result, done[0].seconds
        record = _record(fit, journal, ask, result, seconds) | suspect.start["note"]
        journal.append(record)
        fit.records.append(record)
        monitor.finished(record)


def _task(
    fit: Fit, ask: Ask, structures: Mapping[str, Path]
) -> tuple[Evaluate | EvaluateSeveral, float]:
    """Make the task of a point, and its timeout in s."""
    conditions = fit.conditions
    if ask.origin is not None:
        origin = f"{ask.origin:06d}"
        structures = {name: fit.folder.configuration(origin, name) for name in conditions.names}
    task = conditions.task(
        fit.space.potential(ask.x),
        structures,
        run_seed(fit.job.seed, Runs.SEARCH, ask.id),
        level=ask.level,
        keep=ask.keep,
    )
    return task, fit.job.limits.evaluation_s or conditions.timeout


def _record(fit: Fit, journal: JournalWriter, ask: Ask, result: Result, seconds: float) -> Record:
    """Keep the samples of an evaluation, then make its record."""
    if isinstance(result, Evaluation):
        journal.check_alone()
        fit.save(f"{ask.id:06d}", result, tell=ask.keep)
    seed = run_seed(fit.job.seed, Runs.SEARCH, ask.id)
    record = evaluation_record(ask, fit.space.values(ask.x), seed, result, seconds)
    return record | {"wall": round(fit.wall, 3)}
