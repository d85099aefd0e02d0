"""A GAP of 50 frames of aluminium at work, beside DFT and experiment: docs/gap_work.md.

    python ci/gap_at_work.py FOLDER [--model MODEL] [--cells 3 8] [--time 30] [--seeds 2]

fits a model with eight radial descriptors (to 50 of 31 hot frames and 25 strained cells of
``examples/aluminium``), runs ``gap phonons``, ``gap properties`` and ``gap melt`` with it, and
writes what they found into the page, and ``docs/gap-phonons.png`` and ``docs/gap-melt.png``. All
steps go on after a stop. What ``ci/check_melting.py -o FOLDER/eam`` found, the page has too.
What is not there yet is left out of the page: ``--only`` takes the steps to run.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
from pages import at_markers

from lammpsfit.gap.work.literature import MELTING, PHONONS
from lammpsfit.gap.work.phonons import FREQUENCIES, PATH, Phonons
from lammpsfit.report.panels import Curve, Panel, Picture, plot_panels
from lammpsfit.report.phonon_plot import Dispersion, plot_phonons
from lammpsfit.run_pages.gap_melt import swing

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "aluminium"
PAGE = ROOT / "docs" / "gap_work.md"

JOB = """title = "aluminium, radial, 50 frames hot and strained"

[data]
files = ["bulk.extxyz", "strained.extxyz"]

[split]
how = "random"
train = 50
held_out = 5

[descriptors]
angular_count = 0

[training]
steps = 40

[model]
likelihood_components = 96
uncertainty = false
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, help="instead of fitting one")
    parser.add_argument("--cells", type=int, nargs=2, default=(4, 10))
    parser.add_argument("--time", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=("fit", "phonons", "properties", "melt"))
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    model = options.model or fitted(folder, "fit" in options.only)
    dft = EXAMPLE / "phonons_dft.json"
    across, along = map(str, options.cells)
    settle = str(options.time / 3.0)
    steps = {
        "phonons": (model, "--supercell", "2", "--beside", dft),
        "properties": (model,),
        "melt": (
            *(model, "--across", across, "--along", along, "--seeds", str(options.seeds)),
            *("--time", str(options.time), "--settle", settle),
        ),
    }
    for name, arguments in steps.items():
        if name in options.only:
            call(name, *arguments, "-o", folder / name)
    write(folder)


def call(name, *arguments):
    program = [sys.executable, "-c", "from lammpsfit.cli import main; main()"]
    subprocess.run([*program, "gap", name, *map(str, arguments)], check=True)


def fitted(folder, fit):
    """Return the model, fitted to files whose energies have one zero: hot frames lose theirs."""
    run = folder / "fit"
    if fit:
        hot = ase.io.read(EXAMPLE / "bulk1000.extxyz", "30::7")
        for frame in hot:
            del frame.info["REF_energy"]
        ase.io.write(folder / "bulk.extxyz", hot)
        ase.io.write(folder / "strained.extxyz", ase.io.read(EXAMPLE / "strained.extxyz", ":"))
        (folder / "job.toml").write_text(JOB, encoding="utf-8")
        call("fit", folder / "job.toml", "-o", run)
    return run / "model.json"


def write(folder):
    parts = [*phonons(folder), *properties(folder), *melting(folder, "the model", "gap-melt")]
    parts += melting(folder / "eam", "the EAM of Mendelev et al.", "gap-melt-eam")
    before, _, after = at_markers(PAGE.read_text(encoding="utf-8"), "ci/gap_at_work.py")
    PAGE.write_text(f"{before}\n\n{''.join(parts)}{after}", encoding="utf-8")


def read(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def phonons(folder):
    found, dft = read(folder / "phonons/phonons.json"), read(EXAMPLE / "phonons_dft.json")
    if found is None:
        return
    both = {"GAP": Phonons.from_dict(found), "DFT": Phonons.from_dict(dft)}
    shown = {
        name: Dispersion(one.distances, one.bands, one.frequency, one.density)
        for name, one in both.items()
    }
    known = {"experiment": [(k.split("_")[0], one.value) for k, one in PHONONS["Al"].items()]}
    plot_phonons(shown, PATH, known, ROOT / "docs" / "gap-phonons.png")
    yield "### Phonons\n\n![Phonons of the model and of DFT](gap-phonons.png)\n\n"
    yield "| frequency (THz) | GAP | DFT | off | experiment |\n|---|--:|--:|--:|--:|\n"
    for name in FREQUENCIES:
        gap, ab_initio = both["GAP"].special[name], both["DFT"].special[name]
        off = 100.0 * (gap / ab_initio - 1.0)
        experiment = PHONONS["Al"][name].value
        yield f"| {name} | {gap:.2f} | {ab_initio:.2f} | {off:+.1f} % | {experiment:g} |\n"
    yield f"\nLattice constants: {both['GAP'].lattice:.4f} and {both['DFT'].lattice:.4f} Å.\n\n"


def properties(folder):
    found = read(folder / "properties/properties.json")
    if found is None:
        return
    yield "### Properties\n\n"
    yield "| property | GAP | its error | literature | unit |\n|---|--:|--:|--:|---|\n"
    for name, one in found["properties"].items():
        known = found["literature"].get(name)
        beside = f"{known['value']:g}" if known else ""
        error = "" if one["error"] is None else f"{one['error']:.3g}"
        value = "not found" if one["value"] is None else f"{one['value']:.4g}"
        yield f"| {name} | {value} | {error} | {beside} | {one['unit']} |\n"
    yield "\n"


def melting(folder, whose, name):
    found = read(folder / "melt/melt.json")
    if found is None:
        return
    panels = [
        Panel("temperature less its mean (K)", temperatures(found)),
        Panel("share of solid", course(found, "time", "solid")),
        Panel("atoms per Å³, along z (Å)", course(found, "z", "density")),
    ]
    picture = Picture("melt", "", "time (ps), or z (Å)", "", "x", panels)
    plot_panels(picture, ROOT / "docs" / f"{name}.png")
    value, error = found["temperature"]["value"], found["temperature"]["error"]
    known = MELTING["Al"]["temperature"].value
    yield f"### Melting point by {whose}\n\n![Courses and profile of the runs]({name}.png)\n\n"
    yield (
        f"**{value:.0f} ± {error:.0f} K** at zero pressure ({found['atoms']} atoms, "
        f"{len(found['runs'])} seeds; experiment {known:.0f} K). "
    )
    slope, heat = found["slope_K_per_GPa"], found["heat_of_fusion"]
    yield (
        f"dT/dP {slope[0]:.0f} ± {slope[1]:.0f} K/GPa, heat of fusion {heat[0]:.3f} ± "
        f"{heat[1]:.3f} eV/atom (experiment {MELTING['Al']['heat_of_fusion'].value:g}).\n\n"
    )
    yield "| seed | from (K) | T (K) | P along z (bar) | T at P = 0 (K) | drift (meV/atom) |\n"
    yield "|--:|--:|--:|--:|--:|--:|\n"
    for run in found["runs"]:
        (t, dt), (p, dp), (t0, dt0) = run["temperature"], run["normal"], run["at_zero_pressure"]
        yield (
            f"| {run['seed']} | {run['start']:.0f} | {t:.1f} ± {dt:.1f} | {p:.0f} ± {dp:.0f} | "
            f"{t0:.1f} ± {dt0:.1f} | {run['drift']:.3f} |\n"
        )
    for run in found["lost"]:
        yield f"\nSeed {run['seed']} from {run['start']:.0f} K: {run['verdict']}.\n"
    yield "\n"


def temperatures(found):
    return {
        label: Curve(one.x, swing(one.y))
        for label, one in course(found, "series_time", "series_temperature").items()
    }


def course(found, x, y):
    return {
        f"seed {run['seed']}": Curve(np.array(run[x]), np.array(run[y])) for run in found["runs"]
    }


if __name__ == "__main__":
    main()
