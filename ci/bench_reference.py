"""Time ``lammpsfit reference`` on a long trajectory: `python ci/bench_reference.py --json FILE`.

The trajectory is that of an AIMD run of silica as users have it: 10 000 frames of 114 atoms in
extended xyz, half the box 6 Å. It is made here, by a random walk about the sites of a crystal. The
command is timed as a whole: start of Python, reading, partial g(r), bond angles, coordination
numbers and their errors. CPU seconds of its process, as the machine may be shared.

Beside it the partial g(r) alone by ASE, which is how it is often done: read and `get_rdf`, on fewer
frames and per frame.
"""

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import ase.io
import numpy as np
from ase.geometry.rdf import get_rdf

SPECIES = ["Si"] * 38 + ["O"] * 76
LENGTH = 12.0
DR = 0.02
STEP = 0.05
SEED = 1


def write_trajectory(path, frames):
    rng = np.random.default_rng(SEED)
    grid = np.array(list(itertools.product(range(5), repeat=3)))[: len(SPECIES)] * LENGTH / 5
    sites = rng.permutation(grid)
    moved = np.zeros_like(sites)
    lattice = " ".join(f"{x:g}" for x in np.diag([LENGTH] * 3).ravel())
    head = f'{len(SPECIES)}\nLattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="T T T"\n'
    with path.open("w", encoding="ascii") as file:
        for _ in range(frames):
            moved = 0.99 * moved + STEP * rng.standard_normal(moved.shape)
            file.write(head)
            rows = zip(SPECIES, sites + moved, strict=True)
            file.writelines(f"{s} {x:.6f} {y:.6f} {z:.6f}\n" for s, (x, y, z) in rows)


def command_seconds(path, folder):
    """CPU and wall seconds of the command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    script = "from lammpsfit.cli import main; main()"
    table = str(folder / "reference.csv")
    subprocess.run(
        [sys.executable, "-c", script, "reference", str(path), "-o", table],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall


def by_ase(atoms):
    bins = round(LENGTH / 2 / DR) - 1  # ASE refuses half the box itself
    for a, b in ((14, 14), (14, 8), (8, 8)):
        get_rdf(atoms, bins * DR, bins, elements=(a, b))


def peer_seconds(path, frames):
    """CPU seconds for each frame."""
    began = time.process_time()
    count = 0
    for atoms in ase.io.iread(path, index=f":{frames}"):
        by_ase(atoms)
        count += 1
    return (time.process_time() - began) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--peer-frames", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "trajectory.xyz"
        write_trajectory(path, options.frames)
        ours, walls, peer = [], [], []
        for _ in range(options.repeats):
            cpu, wall = command_seconds(path, folder)
            ours.append(cpu)
            walls.append(wall)
            peer.append(peer_seconds(path, options.peer_frames))
    result = {
        "frames": options.frames,
        "lammpsfit": {"cpu_s": median(ours), "wall_s": median(walls)},
        "ase_ms_per_frame": 1e3 * median(peer),
    }
    print(
        f"lammpsfit reference: {median(ours):.1f} s CPU for {options.frames} frames "
        f"({1e3 * median(ours) / options.frames:.2f} ms a frame), {median(walls):.1f} s wall"
    )
    ratio = median(peer) * options.frames / median(ours)
    print(f"g(r) by ASE: {1e3 * median(peer):.2f} ms a frame, {ratio:.1f} times as long")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
