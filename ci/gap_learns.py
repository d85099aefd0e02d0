"""Active learning of aluminium from ten frames at 1000 K, labelled by DFT: docs/gap_work.md.

Needs ``pw.x``. Usage: python ci/gap_learns.py FOLDER [--only-page]

``gap learn`` with ``examples/aluminium/learn.toml`` until liquid at 1500 K and crystal at 300 K
both run for 100 ps within errors that are trusted. The same command goes on after a stop. What it
found is written into the page, with a picture.
"""

import argparse
import json
import time
from pathlib import Path

import ase.io
import numpy as np
from ase.build import bulk
from commands import gap
from gap_at_work import EXAMPLE, PAGE, ROOT
from pages import write_between
from truth import machine

from lammpsfit.gap.calculator import GapCalculator
from lammpsfit.report.panels import Curve, Panel, Picture, plot_panels

TIME, LOOK, TRUST = 100.0, 0.3, 0.06
TEMPERATURES = (1500, 300)

TEN = 10
"""The first so many frames of the set at 1000 K are those of the job."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only-page", action="store_true", help="write the page, run nothing")
    options = parser.parse_args()
    if not options.only_page:
        run(options.folder)
    folder = options.folder / "learnt"
    write(json.loads((folder / "learn.json").read_text(encoding="utf-8")), folder)


def run(folder):
    folder.mkdir(parents=True, exist_ok=True)
    start = folder / "fcc32.xyz"
    if not start.exists():
        ase.io.write(start, bulk("Al", cubic=True, a=4.05).repeat(2), "extxyz")
    words = [EXAMPLE / "learn.toml", "-o", folder / "learnt", "--start", start]
    words += ["--calculator", "espresso_pbe:shifted", "--time", TIME, "--timestep", 3]
    words += ["--look", LOOK, "--trust", TRUST, "--lammps"]
    words += [word for T in TEMPERATURES for word in ("--temperature", T)]
    gap("learn", *words, modules=EXAMPLE)


def write(found, folder):
    """Write what is between the markers of the page."""
    parts = [f"{time.strftime('%Y-%m-%d')}; {machine()}.\n\n", *table(found)]
    parts += errors({"first": folder / "model-0.json", "last": folder / "learnt.json"})
    draw(found["rounds"])
    write_between(PAGE, "ci/gap_learns.py", parts)


def table(found):
    yield f"**{found['labels']} labels** in {len(found['rounds'])} rounds.\n\n"
    yield "![Predicted errors over time](gap-learn.png)\n\n"
    yield "| round | labels before it | " + " | ".join(f"{T} K: ps" for T in TEMPERATURES)
    yield " | largest predicted error (eV/Å) |\n|--:|--:|" + "--:|" * (len(TEMPERATURES) + 1) + "\n"
    labels = 0
    for number, runs in enumerate(found["rounds"]):
        times = " | ".join(f"({r['time']:g})" if r["carried"] else f"{r['time']:g}" for r in runs)
        largest = max(max(r["errors"], default=0.0) for r in runs if not r["carried"])
        yield f"| {number} | {labels} | {times} | {largest:.3f} |\n"
        labels += sum(r["frame"] is not None for r in runs)
    if any(r["carried"] for runs in found["rounds"] for r in runs):
        yield "\nIn parentheses: not run again in that round.\n"
    yield "\n"


def errors(models):
    """Say how far forces of frames are off that no round has seen."""
    sets = {"bulk, 1000 K": ("bulk1000", TEN), "bulk, 2000 K": ("bulk2000", 0)}
    yield f"| force MAE (eV/Å) | {' | '.join(f'{name} model' for name in models)} |\n"
    yield f"|---|{'--:|' * len(models)}\n"
    for words, (name, skip) in sets.items():
        frames = ase.io.read(EXAMPLE / "sets" / f"{name}.extxyz", f"{skip}:")
        cells = [f"{force_mae(GapCalculator.load(path), frames):.3f}" for path in models.values()]
        yield f"| {words}, {len(frames)} frames | {' | '.join(cells)} |\n"
    yield "\n"


def force_mae(calculator, frames):
    off = []
    for frame in frames:
        atoms = frame.copy()
        atoms.calc = calculator
        off.append(np.abs(atoms.get_forces() - frame.arrays["REF_forces"]).ravel())
    return float(np.mean(np.concatenate(off)))


def draw(rounds):
    panels = []
    shown = sorted({0, len(rounds) // 2, len(rounds) - 1})
    for k, temperature in enumerate(TEMPERATURES):
        curves = {}
        for number in shown:
            errors = np.array(rounds[number][k]["errors"])
            if len(errors) and not rounds[number][k]["carried"]:
                curves[f"round {number}"] = Curve(LOOK * np.arange(1.0, len(errors) + 1.0), errors)
        panels.append(Panel(f"{temperature} K", curves))
    picture = Picture("learn", "", "time (ps)", "largest predicted error (eV/Å)", "time_ps", panels)
    plot_panels(picture, ROOT / "docs" / "gap-learn.png")


if __name__ == "__main__":
    main()
