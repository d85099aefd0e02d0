"""The search: ask the optimiser, run, record, tell."""

import math
from collections.abc import Callable
from pathlib import Path

from lammpsfit.errors import RunError, StoppedError
from lammpsfit.farm.base import Farm
from lammpsfit.farm.journal import JournalWriter, Record
from lammpsfit.fit.base import Ask
from lammpsfit.fit.confirm import SEARCH, Result, run_seed
from lammpsfit.fit.dialogue import Dialogue, Eager, Ordered
from lammpsfit.fit.problem import BEST, build_optimiser
from lammpsfit.fit.records import evaluation_record
from lammpsfit.fit.result import failures
from lammpsfit.fit.state import Fit, Monitor
from lammpsfit.fit.suspects import start_of
from lammpsfit.forcefield import Potential
from lammpsfit.md.evaluate import Evaluate, Evaluation
from lammpsfit.md.sample_file import save_sample


def search(
    fit: Fit,
    farm: Farm[Evaluation],
    journal: JournalWriter,
    monitor: Monitor,
    stop: Callable[[], str | None],
) -> dict[str, Potential]:
    """Search, and return the candidates for confirmation by label."""
    structure = fit.structure(fit.problem, stop)
    optimiser = build_optimiser(fit.job, fit.problem, fit.space)
    limit = fit.job.limits.evaluations or math.inf
    total = None if math.isinf(limit) else int(limit)
    monitor.begin("search", total, len(fit.records))
    _try_suspects(fit, farm, journal, monitor, stop, structure)
    ahead = fit.job.farm.ordered
    dialogue: Dialogue = (
        Eager(optimiser, fit.records) if ahead is None else Ordered(optimiser, fit.records, ahead)
    )
    running: dict[int, Ask] = {}
    while (why := stop()) is None:
        room = 0 if fit.late else min(farm.idle, limit - len(fit.records) - farm.busy)
        for ask in dialogue.ask(int(room)):
            running[ask.id] = ask
            if fit.exposed:
                journal.append(start_of(ask, dialogue.note(ask)))
            farm.submit(ask.id, *_task(fit, ask, structure))
        if not farm.busy:
            why = "walltime" if fit.late else None
            break
        for back in sorted(farm.wait(0.5), key=lambda back: str(back.key)):
            assert isinstance(back.key, int)
            ask = running.pop(back.key)
            record = _record(fit, ask, back.result, back.seconds) | dialogue.note(ask)
            journal.append(record)
            fit.records.append(record)
            dialogue.take(record)
            monitor.finished(record)
    monitor.end()
    if why is not None:
        raise StoppedError(why)
    if fit.best_so_far() is None:
        raise RunError(f"no evaluation gave a cost: {failures(fit.records)}")
    return {
        f"{BEST}-{candidate.ask.id}": fit.space.potential(candidate.ask.x)
        for candidate in optimiser.ranking(fit.job.confirm.candidates)
    }


def _try_suspects(
    fit: Fit,
    farm: Farm[Evaluation],
    journal: JournalWriter,
    monitor: Monitor,
    stop: Callable[[], str | None],
    structure: Path,
) -> None:
    """Run again what may have killed the job, one at a time; who did it twice has failed."""
    limit = fit.job.limits.evaluations or math.inf
    for suspect in fit.suspects:
        if (ask := suspect.ask) is None or len(fit.records) >= limit:
            continue
        result: Result | None = suspect.failure
        seconds = 0.0
        if result is None:
            while not farm.idle:
                farm.wait(0.5)
            journal.append(suspect.start)
            farm.submit(ask.id, *_task(fit, ask, structure))
            while not (done := farm.wait(0.5)):
                if (why := stop()) is not None:
                    raise StoppedError(why)
            result, seconds = done[0].result, done[0].seconds
        record = _record(fit, ask, result, seconds) | suspect.start["note"]
        journal.append(record)
        fit.records.append(record)
        monitor.finished(record)


def _task(fit: Fit, ask: Ask, structure: Path) -> tuple[Evaluate, float]:
    """Make the task of a point, and its timeout in s."""
    problem = fit.problem
    task = Evaluate(
        fit.space.potential(ask.x),
        problem.protocol,
        structure,
        run_seed(fit.job.seed, SEARCH, ask.id),
        problem.target,
        level=ask.level,
    )
    hung = fit.job.limits.evaluation_s or problem.protocol.timeout(problem.system.atoms)
    return task, hung


def _record(fit: Fit, ask: Ask, result: Result, seconds: float) -> Record:
    """Keep the sample of an evaluation, then make its record."""
    if isinstance(result, Evaluation):
        save_sample(fit.folder.sample(f"{ask.id:06d}"), result.sample)
    seed = run_seed(fit.job.seed, SEARCH, ask.id)
    record = evaluation_record(ask, fit.space.values(ask.x), seed, result, seconds)
    return record | {"wall": round(fit.wall, 3)}
