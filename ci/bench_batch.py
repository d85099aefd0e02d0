"""What a batch costs in quality: `python ci/bench_batch.py --json FILE`.

The analytic costs of tests/fit/conftest.py, the 2-d one with two minima and the curved valley in
10-d, are searched with as many asks at a time as there are workers; all are told before the next
are asked. Counted are the evaluations, and the rounds of them, until a cost near the deep
minimum is found (noise aside): what a large farm gains in time, and what it spends. Each row is
the median of some seeds; a search that did not get there counts as infinite.
"""

import argparse
import importlib.util
import json
import statistics
import sys
from pathlib import Path

import numpy as np

from lammpsfit.fit.paper import ExploreSettings, PaperSettings, PaperStrategy

CONFTEST = Path(__file__).parent.parent / "tests" / "fit" / "conftest.py"
BATCHES = (1, 4, 16, 64, 256)
NOISE = 0.02


def analytic():
    spec = importlib.util.spec_from_file_location("costs", CONFTEST)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cases(costs):
    """Name, dimension, cost, target, design and most explored points."""
    return (
        ("two minima", 2, costs._two_minima, 0.08, 16, 600),
        ("curved valley", 10, costs._curved_valley, 0.08, 80, 1500),
    )


def reach(costs, d, cost, target, design, most, batch, seed):
    """Return evaluations and rounds until a point at or below the target was told."""
    explore = ExploreSettings(n_design=design, plateau=10_000, max_explore=most)
    strategy = PaperStrategy(d, PaperSettings(explore, None), seed=seed)
    told = rounds = 0
    while asks := strategy.ask(batch):
        rounds += 1
        for ask in asks:
            told += 1
            strategy.tell(ask, costs._outcome(cost, ask, NOISE))
        if min(cost(ask.x) for ask in asks) <= target:
            return told, rounds
    return np.inf, np.inf


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="searches per row")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    options = parser.parse_args()
    costs, results = analytic(), []
    print("cost           d  batch  evaluations  rounds  rounds gained")
    for name, d, cost, target, design, most in cases(costs):
        alone = None
        for batch in BATCHES:
            found = [
                reach(costs, d, cost, target, design, most, batch, seed)
                for seed in range(options.seeds)
            ]
            evaluations, rounds = (statistics.median(column) for column in zip(*found, strict=True))
            alone = alone or rounds
            print(
                f"{name:13s} {d:2d}  {batch:5d}  {evaluations:11g}  {rounds:6g}"
                f"  {alone / rounds:12.1f}x",
                flush=True,
            )
            results.append(
                {"cost": name, "dimension": d, "batch": batch}
                | {"evaluations": evaluations, "rounds": rounds}
            )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
