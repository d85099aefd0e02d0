"""What 1, 4 and 16 starts find, and how sure one can be that nothing better is near.

One fit with 16 starts to the ab initio liquid: 7 parameters of silica in wide bounds, 300 atoms.
The first descent begins at BKS, the others at Sobol points of all that the guard allows. Each
descent's best point is then run three times as long with a fresh seed, which ranks them
without the luck of the search. Both go on from what is in the folder, so that they can be made
in pieces.

    python ci/bench_starts.py --keep FOLDER [--limit-s SECONDS] [--ends]
    python ci/bench_starts.py --keep FOLDER --table

The last table says what the best of n descents is, over all choices among those that came to a
minimum. What better minima may have been missed is a statement about shares of the starts: if none
of n descents reached a set of minima, then, with a confidence of 95 %, this set draws less than
1 - 0.05^(1/n) of all starts.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

import numpy as np
from rich.console import Console
from scipy.stats import beta

from lammpsfit.config import ConfirmTable, Job, read_job
from lammpsfit.errors import StoppedError
from lammpsfit.farm.local import LocalFarm
from lammpsfit.farm.stop import Stop
from lammpsfit.farm.sturdy import SturdyFarm
from lammpsfit.files import write_json
from lammpsfit.fit.newton.descent import End, Seen, Trail, length, ranked
from lammpsfit.fit.newton.optimiser import GaussNewton
from lammpsfit.fit.run.build import build_optimiser
from lammpsfit.fit.run.loop import run_fit
from lammpsfit.fit.run.open_fit import Fit, open_fit
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.inputs import read_json
from lammpsfit.report.progress import ProgressMonitor
from lammpsfit.target import MAIN, Evaluation
from lammpsfit.target.evaluate import Evaluate

EXAMPLE = Path(__file__).parent.parent / "examples" / "silica" / "paper.toml"
STARTS = 16
LONGER = 3.0
"""Times the sampling of the search: the run that ranks the ends."""

SEED = 77
HUNG_S = 600.0
SURE = 0.95
ENDS = {End.QUIET: "minimum", End.MET: "met another", End.FAILED: "runs failed"}
WIDE = {"A": 4.0, "rho": 1.5, "C": 4.0}


@dataclass(frozen=True)
class Descent:
    """What one descent did.

    Attributes
    ----------
    number
        From 1; the first begins at the start potential.
    evaluations, failed
        Its runs.
    first, searched
        Cost of its first run, and the pooled cost of its best point.
    confirmed, error
        Cost of the longer run there; infinite where that failed.
    ended
        Why it ended; "goes on" where it has not.
    """

    number: int
    evaluations: int
    failed: int
    first: float
    searched: float
    confirmed: float
    error: float
    ended: str


def job() -> Job:
    """Make the job."""
    content = read_job(EXAMPLE).model_dump(mode="json", exclude_none=True)
    content["reference"].pop("angles", None)
    content |= {"title": f"{STARTS} starts", "seed": SEED}
    content["system"] |= {"atoms": 300, "structure": "random"}
    content["protocol"] |= {"relax": 0.3, "sample": 1.5, "every_fs": 15.0, "blocks": 10}
    bounds = {f"{name}_{pair}": {"factor": WIDE[name]} for name in WIDE for pair in ("Si-O", "O-O")}
    content["parameters"] = {"q_Si": {"min": 1.2, "max": 2.8}} | bounds
    content["strategy"] = {"name": "gauss-newton", "starts": STARTS, "quiet": 6}
    content["confirm"] = {"candidates": 1, "repeats": 1}
    return Job.model_validate(content)


def search(path: Path, stop: Stop) -> None:
    """Run the fit, or go on with it."""
    if not path.exists():
        create_run(path, job())
    fit = open_fit(*open_run(path))
    fit.deadline = stop.deadline
    run_fit(fit, SturdyFarm(LocalFarm(1), print), ProgressMonitor(Console()), stop)


def told(fit: Fit) -> GaussNewton:
    """Return the search as the journal has it."""
    optimiser = build_optimiser(fit.job, fit.conditions, fit.space)
    assert isinstance(optimiser, GaussNewton)
    for record in fit.records:
        optimiser.tell(*fit.told(record))
    return optimiser


def best_of(trail: Trail) -> tuple[Seen, float] | None:
    """Return the best point of a descent and its pooled cost."""
    for seen, cost2 in ranked(trail, 1):
        return seen, float(np.sqrt(max(cost2.mean, 0.0)))
    return None


def confirm(fit: Fit, search: GaussNewton, keep: Path, stop: Stop) -> None:
    """Run the best point of each descent again, for longer, one after the other.

    What is kept is by the number of the evaluation: a descent that goes on has other best points.
    """
    longer = ConfirmTable(sample=LONGER * fit.job.protocol.sample)
    problem = fit.problem.of_size(longer)
    file = keep / "confirmed.json"
    done = read_json(file) if file.exists() else {}
    for number, running in enumerate(search.descents):
        best = best_of(running.trail)
        if best is None or str(best[0].id) in done:
            continue
        if (why := stop()) is not None:
            raise StoppedError(f"stopped ({why}) with {len(done)} ends confirmed")
        seen = best[0]
        box = fit.folder.configuration(f"{seen.id:06d}", MAIN)
        potential = fit.space.potential(seen.x)
        task = Evaluate(potential, problem.protocol, box, SEED + number, problem.target)
        with LocalFarm[Evaluation](1) as farm:
            farm.submit(number, task, HUNG_S)
            while not (back := farm.wait(1.0)):
                pass
        found = back[0].result
        ok = isinstance(found, Evaluation)
        done[str(seen.id)] = [found.objective.mean, found.objective.error] if ok else None
        write_json(file, done)
        print(f"end of descent {number + 1}: {done[str(seen.id)]}", flush=True)


def descents(fit: Fit, search: GaussNewton, keep: Path) -> list[Descent]:
    """Read what each descent did."""
    file = keep / "confirmed.json"
    confirmed = read_json(file) if file.exists() else {}
    found = []
    for number, running in enumerate(search.descents):
        records = [r for r in fit.records if r["stage"] == running.stage]
        costs = [r["cost"] for r in records if r["status"] == "ok"]
        best = best_of(running.trail)
        if best is None:
            continue
        mean, error = confirmed.get(str(best[0].id)) or (np.inf, np.inf)
        ended = "goes on" if running.end is None else ENDS[running.end]
        counts = len(records), len(records) - len(costs)
        found.append(Descent(number + 1, *counts, costs[0], best[1], mean, error, ended))
    return found


def meetings(search: GaussNewton) -> list[list[int]]:
    """Return whose best points are no farther apart than runs that are pooled, from 1."""
    groups: list[list[int]] = []
    ends = [(n + 1, d, best_of(d.trail)) for n, d in enumerate(search.descents)]
    known = {n: (d.trail, best[0]) for n, d, best in ends if best is not None}

    def near(a: int, b: int) -> bool:
        (one, here), (other, there) = known[a], known[b]
        s = here.x - there.x
        metrics = one.metric(here), other.metric(there)
        return max(length(s, F) for F in metrics) <= one.settings.reach

    for number in known:
        joined = [group for group in groups if any(near(number, other) for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append(sorted([number, *(n for group in joined for n in group)]))
    return sorted(groups)


def missed(n: int) -> float:
    """Return the share of starts that minima nobody of n reached may draw, at most."""
    return 1.0 - (1.0 - SURE) ** (1.0 / n)


def best_of_n(costs: Sequence[float], n: int) -> tuple[float, float, float]:
    """Return mean, median and 90 % quantile of the best of n, over all choices of n costs."""
    ordered = np.sort(costs)
    total = len(ordered)
    # the k-th lowest is the best of those choices whose others are all above it
    weights = np.array([comb(total - 1 - k, n - 1) for k in range(total)], dtype=float)
    weights /= weights.sum()
    upto = np.cumsum(weights)
    median, high = (float(ordered[np.searchsorted(upto, q - 1e-12)]) for q in (0.5, 0.9))
    return float(weights @ ordered), median, high


def table(fit: Fit, search: GaussNewton, keep: Path) -> None:
    """Print what was found."""
    every = descents(fit, search, keep)
    print("| descent | evaluations | failed | R at its start % | search % | confirmed % | end |")
    print("|---|" + "--:|" * 5 + "---|")
    for one in every:
        print(
            f"| {one.number} | {one.evaluations} | {one.failed} | {100 * one.first:.1f} "
            f"| {100 * one.searched:.2f} | {100 * one.confirmed:.2f} ± {100 * one.error:.2f} "
            f"| {one.ended} |"
        )
    groups = meetings(search)
    print(f"\nmet at their ends: {[g for g in groups if len(g) > 1] or 'none'}")
    spread = [one for one in every if one.ended == ENDS[End.QUIET] and np.isfinite(one.confirmed)]
    if not spread:
        print("no descent has come to a minimum and been run again yet")
        return
    costs = [one.confirmed for one in spread]
    best = min(spread, key=lambda one: one.confirmed)
    as_good = sum(
        one.confirmed - best.confirmed <= 2.0 * np.hypot(one.error, best.error) for one in spread
    )
    n = len(spread)
    low = beta.ppf(1 - SURE, as_good, n - as_good + 1)
    print(
        f"of {n} that came to a minimum {as_good} are as good as the best, within two errors: with "
        f"95 % confidence at least {low:.0%} of all descents are; minima that none of them "
        f"found draw at most {missed(n):.0%} of the starts"
    )
    print("\n| starts | best R %: mean | median | 9 of 10 below | missed, at most |")
    print("|--:|--:|--:|--:|--:|")
    for k in sorted({1, min(4, n), n}):
        mean, median, worst = (100 * x for x in best_of_n(costs, k))
        print(f"| {k} | {mean:.2f} | {median:.2f} | {worst:.2f} | {missed(k):.0%} of starts |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--limit-s", type=float, help="stop cleanly after so long")
    parser.add_argument("--ends", action="store_true", help="search no more, run the ends again")
    parser.add_argument("--table", action="store_true", help="print what is there")
    options = parser.parse_args()
    path = options.keep / "run"
    with Stop(options.limit_s) as stop:
        try:
            if not (options.table or options.ends):
                options.keep.mkdir(parents=True, exist_ok=True)
                search(path, stop)
            fit = open_fit(*open_run(path))
            known = told(fit)
            if not options.table:
                confirm(fit, known, options.keep, stop)
        except StoppedError as stopped:
            print(stopped)
            return
    table(fit, known, options.keep)


if __name__ == "__main__":
    main()
