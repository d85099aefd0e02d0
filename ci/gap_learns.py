"""Active learning of aluminium from ten frames at 1000 K, labelled by DFT: docs/gap_work.md.

Needs ``pw.x``. Usage: python ci/gap_learns.py FOLDER [--only-page]

``gap learn`` with ``examples/aluminium/learn.toml`` until liquid at 1500 K and crystal at 300 K
both run for 100 ps within errors that are trusted. The same command goes on after a stop. What it
found is written into the page, with a picture.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import ase.io
import numpy as np
from ase.build import bulk
from gap_at_work import EXAMPLE, PAGE, ROOT
from pages import at_markers
from truth import machine

from lammpsfit.report.panels import Curve, Panel, Picture, plot_panels

TIME, LOOK, TRUST = 100.0, 0.3, 0.06
TEMPERATURES = (1500, 300)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only-page", action="store_true", help="write the page, run nothing")
    options = parser.parse_args()
    if not options.only_page:
        run(options.folder)
    write(json.loads((options.folder / "learnt" / "learn.json").read_text(encoding="utf-8")))


def run(folder):
    folder.mkdir(parents=True, exist_ok=True)
    start = folder / "fcc32.xyz"
    if not start.exists():
        ase.io.write(start, bulk("Al", cubic=True, a=4.05).repeat(2), "extxyz")
    program = [sys.executable, "-c", "from lammpsfit.cli import main; main()"]
    command = ["gap", "learn", EXAMPLE / "learn.toml", "-o", folder / "learnt", "--start", start]
    command += ["--calculator", "espresso_pbe:shifted", "--time", TIME, "--timestep", 3]
    command += ["--look", LOOK, "--trust", TRUST, "--lammps"]
    command += [word for T in TEMPERATURES for word in ("--temperature", T)]
    where = {**os.environ, "PYTHONPATH": str(EXAMPLE)}
    subprocess.run([*program, *map(str, command)], check=True, env=where, cwd=folder)


def write(found):
    """Write what is between the markers of the page."""
    parts = [f"{time.strftime('%Y-%m-%d')}; {machine()}.\n\n", *table(found)]
    draw(found["rounds"])
    before, _, after = at_markers(PAGE.read_text(encoding="utf-8"), "ci/gap_learns.py")
    PAGE.write_text(f"{before}\n\n{''.join(parts)}{after}", encoding="utf-8")


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
    yield "\nIn parentheses: not run again in that round.\n\n"


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
