"""The liquid of a GAP beside that of the DFT it was fitted to: a section of docs/gap_work.md.

    python ci/liquid_dft.py FOLDER --model MODEL [--frames 60] [--points thermal]

samples 32 atoms of liquid aluminium at 1000 K with the model, labels these frames by Quantum
ESPRESSO (`shifted` of examples/aluminium/espresso_pbe.py if nothing else is said), and gives each
frame the weight exp(-(E_DFT - E_GAP) / kT). Means with these weights are those of dynamics by DFT.
Without --model the frames of examples/aluminium/liquid.extxyz are taken, which came about that way.
"""

import argparse
from pathlib import Path

import ase.io
import numpy as np
from ase import units
from commands import gap
from gap_at_work import EXAMPLE, LIQUID, PAGE, ROOT, hot_frames
from pages import write_between
from scipy.ndimage import gaussian_filter1d

from lammpsfit.gap.calculator import GapCalculator
from lammpsfit.report.panels import Curve, Panel, Picture, plot_panels
from lammpsfit.structure.pair_counts import Composition, configuration_rdf

FRAMES = EXAMPLE / "liquid.extxyz"
TEMPERATURE = 1000.0
DR, REACH = 0.05, 8.0
PEAKS = {"first": (2.4, 3.3, 0.05, 0.2), "second": (4.4, 6.0, 0.25, 0.5)}
"""Where a peak is looked for; the width of the Gaussian that smoothes g(r) to find its top; what on
each side of the top a parabola is fitted to. All in Å."""
DRAWS = 500


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, help="make new frames with this model")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--points", default="shifted", choices=["shifted", "thermal"])
    options = parser.parse_args()
    frames = FRAMES if options.model is None else labelled(options)
    write(ase.io.read(frames, ":"))


def labelled(options):
    """Sample and label; both go on after a stop."""
    options.folder.mkdir(parents=True, exist_ok=True)
    names = ("start", "sampled", options.points)
    start, sampled, label = (options.folder / f"{name}.xyz" for name in names)
    hot = next(atoms for atoms in hot_frames() if atoms.info["config_type"] == "npt 2000 K")
    atoms = ase.Atoms(hot.symbols, hot.positions, cell=hot.cell, pbc=True)
    edge = (LIQUID * len(atoms)) ** (1.0 / 3.0)
    atoms.set_cell(np.eye(3) * edge, scale_atoms=True)
    ase.io.write(start, atoms, "extxyz")
    gap(
        *("sample", start, "--model", options.model, "--lammps", "--ensemble", "nvt"),
        *("--temperature", TEMPERATURE, "--equilibrate", 10, "--interval", 1.5),
        *("--frames", options.frames, "-o", sampled),
    )
    factory = f"espresso_pbe:{options.points}"
    gap("label", sampled, "--calculator", factory, "-o", label, modules=EXAMPLE)
    images = ase.io.read(label, ":")
    calculator = GapCalculator.load(options.model)
    for atoms in images:
        copy = atoms.copy()
        copy.calc = calculator
        atoms.info["GAP_energy"] = copy.get_potential_energy()
        atoms.info["GAP_pressure"] = -copy.get_stress()[:3].mean()
    found = options.folder / "liquid.extxyz"
    ase.io.write(found, images, "extxyz")
    return found


def write(frames):
    """Write the section and the picture."""
    composition = Composition.of(frames[0].get_chemical_symbols())
    n_bins = round(REACH / DR)
    r = DR * (np.arange(n_bins) + 0.5)
    g = np.array(
        [configuration_rdf(composition, f.positions, f.cell.array, DR, n_bins)[0] for f in frames]
    )
    shift = np.array([f.info["REF_energy"] - f.info["GAP_energy"] for f in frames])
    motion = len(frames[0]) * units.kB * TEMPERATURE / frames[0].get_volume()
    pressures = {
        "GAP": np.array([f.info["GAP_pressure"] for f in frames]) + motion,
        "DFT": np.array([-f.info["REF_stress"][:3].mean() for f in frames]) + motion,
    }
    weights = {"GAP": np.full(len(frames), 1.0 / len(frames)), "DFT": weights_of(shift)}
    found = {
        name: quantities(r, weight @ g, weight @ pressures[name])
        for name, weight in weights.items()
    }
    drawn = bootstrap(r, g, shift, pressures)
    effective = 1.0 / (weights["DFT"] ** 2).sum()
    curves = {f"{name}, 32 atoms": Curve(r, weights[name] @ g) for name in weights}
    picture = Picture("liquid", "", "r (Å)", "", "x", [Panel("g(r) at 1000 K", curves)])
    plot_panels(picture, ROOT / "docs" / "gap-liquid-dft.png")
    write_between(PAGE, "ci/liquid_dft.py", table(found, drawn, effective, shift / len(frames[0])))


def weights_of(shift):
    """Return exp(-shift / kT), with a sum of one."""
    found = np.exp(-(shift - shift.min()) / (units.kB * TEMPERATURE))
    return found / found.sum()


def quantities(r, g, pressure):
    """Return peaks of g(r) (Å, height) and the pressure (GPa)."""
    found = {}
    for name, (low, high, width, about) in PEAKS.items():
        inside = np.flatnonzero((r > low) & (r < high))
        top = r[inside[np.argmax(gaussian_filter1d(g, width / DR)[inside])]]
        near = np.abs(r - top) < about
        a, b, c = np.polyfit(r[near] - top, g[near], 2)
        found[f"{name} peak (Å)"] = top - b / (2.0 * a)
        found[f"{name} peak, height"] = c - b**2 / (4.0 * a)
    found["pressure (GPa)"] = pressure / units.GPa
    return found


def bootstrap(r, g, shift, pressures):
    """Return the scatter of all quantities over frames drawn anew: GAP, DFT, difference."""
    rng = np.random.default_rng(1)
    drawn = {"GAP": [], "DFT": [], "both": []}
    for _ in range(DRAWS):
        some = rng.integers(len(g), size=len(g))
        weight = weights_of(shift[some])
        one = quantities(r, g[some].mean(axis=0), pressures["GAP"][some].mean())
        other = quantities(r, weight @ g[some], weight @ pressures["DFT"][some])
        for name, values in (("GAP", one), ("DFT", other)):
            drawn[name].append(list(values.values()))
        drawn["both"].append([one[key] - other[key] for key in one])
    return {name: np.std(values, axis=0) for name, values in drawn.items()}


def table(found, drawn, effective, shift):
    """Yield the lines of the section; the shifts of energies are those per atom."""
    yield "![g(r) of the GAP and of DFT](gap-liquid-dft.png)\n\n"
    yield "| | GAP | DFT | difference |\n|---|--:|--:|--:|\n"
    for k, name in enumerate(found["GAP"]):
        one, other = found["GAP"][name], found["DFT"][name]
        relative = f" ({100.0 * (one / other - 1.0):+.1f} %)" if "height" in name else ""
        yield (
            f"| {name} | {one:.3f} ± {drawn['GAP'][k]:.3f} | {other:.3f} ± {drawn['DFT'][k]:.3f} | "
            f"{one - other:+.3f} ± {drawn['both'][k]:.3f}{relative} |\n"
        )
    yield (
        f"\n{len(shift)} frames, worth {effective:.0f} after weighing; energies of the GAP scatter "
        f"by {1e3 * shift.std():.1f} meV/atom about those of DFT.\n\n"
    )


if __name__ == "__main__":
    main()
