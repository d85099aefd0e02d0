"""Time and memory of one ask of the surrogate search: `python ci/bench_surrogate.py --json FILE`.

One full evaluation of silica takes about 80 s of one core; an ask must cost
clearly less. Each case runs in its own process, so that its peak memory is its
own. An ask conditions the surrogate on all points and maximises the expected
improvement; every so many asks, when the data have grown by a fifth, it fits
the hyper-parameters as well. The first ask of a case does so; "without" is the
median of those that follow, each told before the next; "amortised" adds the
refit's share at its rate.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from lammpsfit.fit import Outcome
from lammpsfit.fit.paper import PaperSettings, PaperStrategy
from lammpsfit.fit.paper.explore import ExploreSettings
from lammpsfit.fit.paper.hyperparameters import GROWTH

DIMENSION = 10
SIZES = (1000, 1600)
FAILED = 0.1


def outcome(number, x):
    rng = np.random.default_rng([1, number])
    if rng.random() < FAILED:
        return Outcome(None)
    valley = (x[1] - x[0] ** 2) ** 2 / 0.02 + np.mean((x - 0.5) ** 2)
    cost = 0.06 + 0.3 * np.log1p(valley)
    return Outcome(cost * (1 + 0.02 * rng.standard_normal()), 0.02 * cost)


def measure(n, asks):
    """Return seconds per ask with and without a refit, and the peak memory of this process."""
    settings = PaperSettings(ExploreSettings(n_design=n - asks, max_explore=2 * n))
    strategy = PaperStrategy(DIMENSION, settings, seed=0)
    for ask in strategy.ask(n - asks):
        strategy.tell(ask, outcome(ask.id, ask.x))
    seconds = []
    while len(seconds) < asks + 1:
        began = time.perf_counter()
        (ask,) = strategy.ask(1)
        seconds.append(time.perf_counter() - began)
        strategy.tell(ask, outcome(ask.id, ask.x))
    return {
        "points": n,
        "with_refit_s": seconds[0],
        "without_refit_s": statistics.median(seconds[1:]),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def in_child(n, asks):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result = pool.apply(measure, (n, asks))
    refit = result["with_refit_s"] - result["without_refit_s"]
    result["amortised_s"] = result["without_refit_s"] + max(refit, 0) / ((GROWTH - 1) * n)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asks", type=int, default=9, help="asks per case")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    options = parser.parse_args()
    results = [in_child(n, options.asks) for n in SIZES]
    print(f"one ask in {DIMENSION} dimensions, {FAILED:.0%} of the points failed")
    print("points  with refit  without (median)  amortised  peak memory")
    for r in results:
        print(
            f"{r['points']:6d}  {r['with_refit_s']:8.2f} s  {r['without_refit_s']:14.2f} s"
            f"  {r['amortised_s']:7.2f} s  {r['peak_mib']:7.0f} MiB"
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
