"""GAPs of 50 frames of aluminium at work, beside DFT and experiment: docs/gap_work.md.

    python ci/gap_at_work.py FOLDER [--models radial ...] [--only melt ...] [--only-page]

fits ``examples/aluminium/work.toml`` with each kind of descriptors of ``MODELS``, runs ``gap
phonons``, ``gap properties``, ``gap melt`` and ``gap md`` of a liquid with each, and writes what
they found into the page, with pictures. All steps go on after a stop. What ``ci/check_melting.py
-o FOLDER/eam`` found, the page has too. What is not there yet is left out of the page.
"""

import argparse
import json
import re
import time
from pathlib import Path

import ase.io
import numpy as np
from commands import gap
from pages import write_between
from truth import machine

from lammpsfit.files import write_json, write_text
from lammpsfit.gap.calculator import GapCalculator
from lammpsfit.gap.work.literature import MELTING, PHONONS
from lammpsfit.gap.work.phonons import FREQUENCIES, PATH, Phonons
from lammpsfit.report.panels import Curve, Panel, Picture, plot_panels
from lammpsfit.report.phonon_plot import Dispersion, plot_phonons
from lammpsfit.run_pages.gap_melt import LOST, swing

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "aluminium"
PAGE = ROOT / "docs" / "gap_work.md"

MODELS = {
    "original": ("radial, original widths", "angular_count = 0", "optimise = false"),
    "radial": ("radial, optimised widths", "angular_count = 0", "steps = 60"),
    "invariants": (
        "invariants of up to four atoms",
        "radial_count = 0\nangular_count = 0\ninvariant_count = 14\nfirst_centre = 1.4",
        "optimise = false",
    ),
    "angular": ("radial and angular, optimised", "angular_count = 5\nangular_cutoff = 7.0", ""),
}
"""Kinds of models: words, and what of the job is theirs."""

LIQUID = 19.01
"""Å^3 per atom of the liquid at 1000 K: density by Assael et al. 2006, doi:10.1063/1.2149380."""

STEPS = ("fit", "errors", "phonons", "properties", "melt", "large", "liquid")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="*", default=[*MODELS], choices=[*MODELS])
    parser.add_argument("--only", nargs="*", default=STEPS, choices=STEPS)
    parser.add_argument("--cells", type=int, nargs=2, default=(4, 10))
    parser.add_argument("--time", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--temperature", type=float, help="where to look for the melting point")
    parser.add_argument("--only-page", action="store_true", help="write the page, run nothing")
    options = parser.parse_args()
    for name in () if options.only_page else options.models:
        folder = options.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for step, do in steps(name, folder, options).items():
            if step in options.only:
                do()
                write(options.folder)
    write(options.folder)


def steps(name, folder, options):
    """Return what does each step of a model."""
    model = folder / "fit" / "model.json"
    across, along = options.cells
    times = ("--time", options.time, "--settle", options.time / 3.0)
    return {
        "fit": lambda: gap("fit", job(name, folder), "-o", folder / "fit"),
        "errors": lambda: write_json(folder / "errors.json", errors_by_kind(model)),
        "phonons": lambda: gap(
            *("phonons", model, "--supercell", 2, "--beside", EXAMPLE / "phonons_dft.json"),
            *("-o", folder / "phonons"),
        ),
        "properties": lambda: gap("properties", model, "--cells", 2, "-o", folder / "properties"),
        "melt": lambda: gap(
            *("melt", model, "--across", across, "--along", along, "--seeds", options.seeds),
            *(*times, "-o", folder / "melt"),
            *(() if options.temperature is None else ("--temperature", options.temperature)),
        ),
        "large": lambda: gap(
            *("melt", model, "--across", 2 * across, "--along", along, "--seeds", 1, *times),
            *("--temperature", found_by(folder / "melt"), "-o", folder / "large"),
        ),
        "liquid": lambda: gap(
            *("md", liquid(folder), "--model", model, "--repeat", 5, "--temperature", 1000),
            *("--ensemble", "npt", "--timestep", 3, "--equilibrate", 4, "--time", 3, "--lammps"),
            *("-o", folder / "liquid"),
        ),
    }


def found_by(melt):
    """Return the temperature of a melting point, K."""
    found = read(melt / "melt.json")
    if found is None:
        raise SystemExit(f"{melt}: there is no melting point yet: run the step melt first")
    return round(found["temperature"]["value"])


def job(name, folder):
    """Write the job of a model."""
    _, descriptors, training = MODELS[name]
    text = (EXAMPLE / "work.toml").read_text("utf-8")
    text = re.sub(r'"(\w+\.extxyz)"', lambda found: f'"{EXAMPLE / found[1]}"', text)
    text = re.sub(r"(?ms)^\[descriptors\].*?(?=^\[)", f"[descriptors]\n{descriptors}\n\n", text)
    text = re.sub(r"(?ms)^\[training\].*?(?=^\[)", f"[training]\n{training}\n\n", text)
    write_text(folder / "job.toml", text)
    return folder / "job.toml"


def liquid(folder):
    """Write a frame of the liquid: 32 atoms, whose copies part within picoseconds."""
    hot = next(atoms for atoms in hot_frames() if atoms.info["config_type"] == "npt 2000 K")
    path = folder / "liquid.xyz"
    ase.io.write(path, ase.Atoms(hot.symbols, hot.positions, cell=hot.cell, pbc=True), "extxyz")
    return path


def hot_frames(files=("hot.extxyz", "hot_forces.extxyz")):
    """Return all labelled frames of crystal and liquid, those with a stress first."""
    return [frame for name in files for frame in ase.io.read(EXAMPLE / name, ":")]


def errors_by_kind(model):
    """Return mean and scatter of energies (meV/atom) and rms of forces (eV/Å) of hot frames."""
    calculator, found = GapCalculator.load(model), {}
    for frame in hot_frames(("hot.extxyz", "hot_forces.extxyz", "vacancy.extxyz")):
        atoms = frame.copy()
        atoms.calc = calculator
        energy = 1e3 * (atoms.get_potential_energy() - frame.info["REF_energy"]) / len(atoms)
        forces = float(((atoms.get_forces() - frame.arrays["REF_forces"]) ** 2).mean())
        found.setdefault(frame.info["config_type"], []).append((energy, forces))
    return {
        kind: {
            "frames": len(both),
            "mean": float(np.mean([e for e, _ in both])),
            "scatter": float(np.std([e for e, _ in both])),
            "forces": float(np.sqrt(np.mean([f for _, f in both]))),
        }
        for kind, both in sorted(found.items())
    }


def write(folder):
    """Write what is between the markers of the page; what was not run stays as it is."""
    parts = [f"{time.strftime('%Y-%m-%d')}; {machine()}.\n\n"]
    parts += [*errors(folder), *phonons(folder), *properties(folder)]
    for name, (words, *_) in MODELS.items():
        parts += melting(folder / name / "melt", f"the GAP, {words}", f"gap-melt-{name}")
        large = "the same in a cell four times as large"
        parts += melting(folder / name / "large", large, f"gap-melt-{name}-large")
    parts += liquids(folder)
    between("ci/gap_at_work.py", parts)
    between(
        "ci/check_melting.py",
        [*melting(folder / "eam" / "melt", "the EAM of Mendelev et al.", "gap-melt-eam")],
    )


def between(script, parts):
    """Replace what is between the markers of a script, if there is something."""
    if parts:
        write_between(PAGE, script, parts)


def read(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def of_models(folder, step):
    """Return what a step found, by model."""
    found = {name: read(folder / name / step / f"{step}.json") for name in MODELS}
    return {name: one for name, one in found.items() if one is not None}


def errors(folder):
    found = {name: read(folder / name / "errors.json") for name in MODELS}
    found = {name: one for name, one in found.items() if one is not None}
    if not found:
        return
    yield "### Errors of the hot frames, most of which were fitted to\n\n"
    yield "| | frames | " + " | ".join(f"{name}: energy | forces" for name in found) + " |\n"
    yield "|---|--:|" + "--:|--:|" * len(found) + "\n"
    for kind, first in next(iter(found.values())).items():
        of_kind = [one[kind] for one in found.values()]
        cells = (
            f"{one['mean']:+.1f}, scatter {one['scatter']:.1f} | {one['forces']:.3f}"
            for one in of_kind
        )
        yield f"| {kind} | {first['frames']} | {' | '.join(cells)} |\n"
    yield "\nEnergies: mean error and its scatter in meV/atom; forces: rms in eV/Å.\n\n"


def phonons(folder):
    found, dft = of_models(folder, "phonons"), read(EXAMPLE / "phonons_dft.json")
    if not found:
        return
    named = {f"GAP, {MODELS[name][0]}": Phonons.from_dict(one) for name, one in found.items()}
    named["DFT"] = Phonons.from_dict(dft)
    shown = {
        name: Dispersion(one.distances, one.bands, one.frequency, one.density)
        for name, one in named.items()
    }
    known = {"experiment": [(k.split("_")[0], one.value) for k, one in PHONONS["Al"].items()]}
    plot_phonons(shown, PATH, known, ROOT / "docs" / "gap-phonons.png")
    yield "### Phonons\n\n![Phonons of the models and of DFT](gap-phonons.png)\n\n"
    yield f"| frequency (THz) | {' | '.join(found)} | DFT | experiment |\n"
    yield f"|---|{'--:|' * (len(found) + 2)}\n"
    for name in FREQUENCIES:
        ab_initio = named["DFT"].special[name]
        cells = []
        for one in list(named.values())[:-1]:
            off = 100.0 * (one.special[name] / ab_initio - 1.0)
            cells.append(f"{one.special[name]:.2f} ({off:+.1f} %)")
        experiment = PHONONS["Al"][name].value
        yield f"| {name} | {' | '.join(cells)} | {ab_initio:.2f} | {experiment:g} |\n"
    lattices = ", ".join(f"{one.lattice:.4f} ({name})" for name, one in named.items())
    yield f"\nLattice constants in Å: {lattices}.\n\n"


def properties(folder):
    found = of_models(folder, "properties")
    if not found:
        return
    yield "### Properties\n\n"
    yield f"| property | unit | {' | '.join(found)} | DFT | experiment |\n"
    yield f"|---|---|{'--:|' * (len(found) + 2)}\n"
    first, dft = next(iter(found.values())), ab_initio()
    for name, one in first["properties"].items():
        known = first["literature"].get(name)
        cells = " | ".join(
            beside(model["properties"][name], dft.get(name)) for model in found.values()
        )
        theirs = value(dft[name]) if name in dft else ""
        measured = f"{known['value']:g}" if known else ""
        yield f"| {name} | {one['unit']} | {cells} | {theirs} | {measured} |\n"
    yield "\n"


def ab_initio():
    """Return the properties that the calculators of the frames give, by name."""
    files = (read(EXAMPLE / name) for name in ("vacancy_dft.json", "properties_dft.json"))
    return {name: one for file in files if file for name, one in file["properties"].items()}


def beside(one, dft):
    """Return a property with its error, and how far it is from that of DFT."""
    if dft is None or dft["value"] is None or one["value"] is None:
        return value(one)
    return f"{value(one)} ({100.0 * (one['value'] / dft['value'] - 1.0):+.1f} %)"


def value(one):
    """Return a property with its error."""
    if one["value"] is None:
        return "not found"
    error = "" if one["error"] is None else f" ± {one['error']:.2g}"
    return f"{one['value']:.4g}{error}"


def liquids(folder):
    found = {name: read(folder / name / "liquid" / "md.json") for name in MODELS}
    found = {name: one for name, one in found.items() if one is not None}
    if not found:
        return
    curves = {
        name: Curve(np.array(one["r"]), np.array(one["rdf"]["Al-Al"]))
        for name, one in found.items()
    }
    picture = Picture("liquid", "", "r (Å)", "", "x", [Panel("g(r) at 1000 K", curves)])
    plot_panels(picture, ROOT / "docs" / "gap-liquid.png")
    yield "### The liquid at 1000 K and zero pressure\n\n![g(r) of the liquid](gap-liquid.png)\n\n"
    yield "| | atoms | T (K) | volume (Å³/atom) | highest g(r) | at (Å) |\n"
    yield "|---|--:|--:|--:|--:|--:|\n"
    for name, one in found.items():
        (t, dt), (v, dv) = (one["means"][key].values() for key in ("temperature", "volume"))
        top = int(np.argmax(curves[name].y))
        yield (
            f"| {name} | {one['atoms']} | {t:.0f} ± {dt:.0f} | {v:.2f} ± {dv:.2f} | "
            f"{curves[name].y[top]:.2f} | {curves[name].x[top]:.2f} |\n"
        )
    yield f"| experiment | | 1000 | {LIQUID:.2f} | | |\n\n"


def melting(folder, whose, name):
    found = read(folder / "melt.json")
    if found is None:
        return
    panels = [
        Panel("temperature less its mean (K)", temperatures(found)),
        Panel("share of solid", course(found, "time", "solid")),
        Panel("atoms per Å³, along z (Å)", course(found, "z", "density")),
        Panel("displacement² of the first solid half (Å²)", course(found, "time", "msd_solid")),
        Panel("displacement² of the first liquid half (Å²)", course(found, "time", "msd_liquid")),
    ]
    picture = Picture("melt", "", "time (ps), or z (Å)", "", "x", panels)
    plot_panels(picture, ROOT / "docs" / f"{name}.png")
    value, error = found["temperature"]["value"], found["temperature"]["error"]
    known = MELTING["Al"]["temperature"].value
    yield f"### Melting point by {whose}\n\n![Courses and profile of the runs]({name}.png)\n\n"
    yield (
        f"**{value:.0f} ± {error:.0f} K** at zero pressure ({found['atoms']} atoms, "
        f"seeds: {len(found['runs'])}; experiment {known:.0f} K). "
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
        yield f"\nSeed {run['seed']} from {run['start']:.0f} K: {LOST[run['verdict']]}.\n"
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
