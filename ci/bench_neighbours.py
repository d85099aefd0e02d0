"""Compare neighbour searches of libraries: `python ci/bench_neighbours.py --json FILE`.

Each finds the distances of all pairs of atoms of random boxes of the density of silica, within half
the box or 10 Å: what a histogram of g(r) takes. vesin counts pairs once; the others can only count
them from both ends. freud (single precision; no cutoff beyond half the box) is measured where it
is installed. CPU seconds, the best of several; what matters is the ratio to vesin within one run.
"""

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np
from ase.neighborlist import primitive_neighbor_list

from lammpsfit.structure.neighbours import pairs_within

DENSITY = 0.0662
SIZES = (114, 648, 3000)
REPEATS = 5


def by_vesin(x, cell, cutoff):
    return pairs_within(x, cell, cutoff)[2]


def by_ase(x, cell, cutoff):
    return primitive_neighbor_list("d", [True] * 3, cell, x, cutoff)


def by_matscipy(x, cell, cutoff):
    from matscipy.neighbours import neighbour_list

    return neighbour_list("d", cutoff=cutoff, positions=x, cell=cell, pbc=[True] * 3)


def by_freud(x, cell, cutoff):
    import freud

    length = cell[0, 0]
    query = freud.locality.AABBQuery(freud.box.Box.cube(length), x - length / 2)
    found = query.query(x - length / 2, {"r_max": cutoff, "exclude_ii": True})
    return found.toNeighborList().distances


SEARCHES = {"vesin": by_vesin, "ase": by_ase, "matscipy": by_matscipy, "freud": by_freud}


def seconds(search, *arguments):
    best = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        search(*arguments)
        best = min(best, time.process_time() - began)
    return best


def measure(n):
    length = (n / DENSITY) ** (1 / 3)
    cutoff = min(10.0, 0.499 * length)
    x = np.random.default_rng(0).uniform(0.0, length, (n, 3))
    arguments = x, np.eye(3) * length, cutoff
    installed = {k: f for k, f in SEARCHES.items() if importlib.util.find_spec(k) is not None}
    pairs = len(by_vesin(*arguments))
    for name, search in installed.items():
        assert len(search(*arguments)) in (pairs, 2 * pairs), name
    taken = {name: seconds(search, *arguments) for name, search in installed.items()}
    ratios = {name: taken[name] / taken["vesin"] for name in taken}
    return {"atoms": n, "cutoff_A": cutoff, "pairs": pairs, "seconds": taken, "ratio": ratios}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers here")
    options = parser.parse_args()
    results = [measure(n) for n in SIZES]
    for row in results:
        ratios = ", ".join(f"{name} {ratio:.1f}" for name, ratio in row["ratio"].items())
        print(f"{row['atoms']} atoms, {row['cutoff_A']:.1f} Å, {row['pairs']} pairs: {ratios}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
