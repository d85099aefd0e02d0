"""Original and optimised widths over numbers of frames, for crystal, liquid and grain boundaries.

    python ci/bench_gap_curves.py FOLDER [--sets sigma5 ...] [--splits blocks] [--only-page]

Table 1 and Figs. 2 to 4 of Gao, Wang and Sun (2019, doi:10.1063/1.5097293) on the sets of
``examples/aluminium/sets``: ``gap learning-curve`` with widths optimised on fifty frames (the
paper's "broad") and on ten ("local"). The work goes on after a stop. What is there is written into
docs/gap_curves.md, with a picture.
"""

import argparse
import json
import time
from pathlib import Path

import ase.io
import numpy as np
from commands import gap
from pages import write_between
from truth import machine

from lammpsfit.files import write_text
from lammpsfit.report.panels import Curve, Panel, Picture, plot_panels

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "examples" / "aluminium" / "sets"
PAGE = ROOT / "docs" / "gap_curves.md"

SETS = {
    "bulk1000": ("bulk, 1000 K", 0.14, 0.053),
    "bulk2000": ("bulk, 2000 K", 0.09, 0.082),
    "sigma5": ("Σ5(210)", 0.24, 0.064),
    "sigma13": ("Σ13(510)", 0.35, 0.067),
    "sigma5-eam": ("Σ5(210), labels of an EAM", None, None),
    "bulk2000-eam": ("bulk, 2000 K, labels of an EAM", None, None),
}
"""Words; of the paper: gain of optimised widths with ten frames, MAE of forces with fifty, eV/Å."""

REPEATS = {
    ("bulk", "random", "broad"): {10: 20, 20: 20, 30: 20, 40: 10, 50: 5},
    ("bulk", "random", "local"): {10: 20, 20: 20, 30: 20},
    ("bulk", "blocks", "broad"): {10: 20, 20: 10, 30: 5},
    ("bulk", "blocks", "local"): {10: 20, 20: 10, 30: 5},
    ("sigma", "random", "broad"): {10: 20, 20: 5, 40: 2},
    ("sigma", "random", "local"): {10: 20},
    ("sigma", "blocks", "broad"): {10: 10, 20: 3},
    ("sigma", "blocks", "local"): {10: 10},
}
"""Training sets of each number of frames, as far as there are so many: fifty frames of a boundary
take a minute, two hundred times as long as ten of the bulk."""

EAM = "-eam"
"""Ends the names of sets whose labels are those of the EAM that they were sampled with."""

KINDS = {"broad": (50, 10), "local": (10, 3)}
"""Frames that widths are optimised on, at most, and how many of them decide which step is kept."""

JOB = """\
title = "{words}, {split}, {kind}"

[data]
files = ["{file}"]

[split]
how = "{split}"
train = {train}
validation = {validation}
held_out = {held_out}

[descriptors]
angular_count = 0

[training]
steps = 100

[model]
likelihood_frames = 20

[learning_curve]
sizes = {sizes}
repeats = {repeats}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="*", default=[*SETS], choices=[*SETS])
    parser.add_argument("--splits", nargs="*", default=["random", "blocks"])
    parser.add_argument("--kinds", nargs="*", default=[*KINDS], choices=[*KINDS])
    parser.add_argument("--held-out", type=int, default=15)
    parser.add_argument("--only-page", action="store_true", help="write the page, run nothing")
    options = parser.parse_args()
    if not options.only_page:
        for split in options.splits:
            for name in options.sets:
                for kind in options.kinds:
                    run(options.folder, name, split, kind, options.held_out)
                    write(options.folder)
    write(options.folder)


def run(folder, name, split, kind, held_out):
    """Make the curves of a set; what is there is not made again."""
    place = folder / f"{name}-{split}-{kind}"
    place.mkdir(parents=True, exist_ok=True)
    train, validation = KINDS[kind]
    file = data(folder, name)
    pool = len(ase.io.read(file, ":")) - held_out
    repeats = {n: many for n, many in REPEATS[family(name), split, kind].items() if n <= pool}
    text = JOB.format(
        words=SETS[name][0],
        split=split,
        kind=kind,
        file=file.resolve(),
        train=min(train, pool),
        validation=validation,
        held_out=held_out,
        sizes=list(repeats),
        repeats=list(repeats.values()),
    )
    write_text(place / "job.toml", text)
    gap("learning-curve", place / "job.toml", "-o", place / "curve")


def data(folder, name):
    """Return the file of a set; its frames are labelled anew where labels are those of the EAM."""
    if not name.endswith(EAM):
        return DATA / f"{name}.extxyz"
    path = folder / f"{name}.extxyz"
    if not path.exists():
        plain = DATA / f"{name.removesuffix(EAM)}.extxyz"
        gap("label", plain, "--calculator", "eam_lammps:make", "-o", path, modules=DATA.parent)
    return path


def family(name):
    return "bulk" if name.startswith("bulk") else "sigma"


def curves_of(folder, name, split):
    """Return mean and standard deviation of the force MAE by descriptors, and what they are."""
    found = {}
    for kind in KINDS:
        path = folder / f"{name}-{split}-{kind}" / "curve" / "curve.json"
        if path.exists():
            content = json.loads(path.read_text(encoding="utf-8"))
            curves = content["curves"]
            for one in curves.values():
                one["repeats"] = content["repeats"]
            if "original" not in found:
                found["original"] = curves["original"]
            found[kind] = {**curves["optimised"], "first": curves["original"]}
    return found


def widths(folder, name, split, kind):
    """Return the optimised eta of a set, sorted."""
    state = folder / f"{name}-{split}-{kind}" / "curve" / "state.json"
    best = json.loads(state.read_text(encoding="utf-8"))["best"]
    return sorted(best[:8])


def write(folder):
    """Write what is between the markers of the page."""
    parts = [f"{time.strftime('%Y-%m-%d')}; {machine()}.\n\n"]
    for split in ("random", "blocks"):
        found = {name: curves_of(folder, name, split) for name in SETS}
        found = {name: one for name, one in found.items() if one}
        if found:
            parts += errors(found, split)
            parts += gains(found, split)
            parts += etas(folder, found, split)
            draw(found, split)
    write_between(PAGE, "ci/bench_gap_curves.py", parts)


def errors(found, split):
    sizes = sorted({n for curves in found.values() for n in curves["original"]["sizes"]})
    yield f"### Force MAE, {split} splits\n\n"
    yield f"![Errors over the number of frames](gap-curves-{split}.png)\n\n"
    yield "| set | widths | " + " | ".join(f"{n} frames" for n in sizes) + " |\n"
    yield "|---|---|" + "--:|" * len(sizes) + "\n"
    for name, curves in found.items():
        for kind, one in curves.items():
            both = one["force_mae_eV_per_A"]
            cells = dict.fromkeys(sizes, "")
            for n, mean, spread in zip(one["sizes"], both["mean"], both["std"], strict=True):
                cells[n] = f"{mean:.4f} ± {spread:.4f}"
            yield f"| {SETS[name][0]} | {kind} | {' | '.join(cells.values())} |\n"
    yield "\nIn eV/Å: mean and standard deviation over training sets.\n\n"


def gains(found, split):
    yield f"### What optimised widths gain, {split} splits\n\n"
    yield "| set | broad, 10 frames | local, 10 | most frames | broad, most | local, most | "
    yield "paper, 10 | MAE, broad, most | paper, 50 | broad, 10 / original, most |\n|---|"
    yield "--:|" * 9 + "\n"
    for name, curves in found.items():
        words, gain, best = SETS[name]
        mean = {kind: one["force_mae_eV_per_A"]["mean"] for kind, one in curves.items()}

        def gained(kind, at, curves=curves):
            """Return the gain over original widths on the same training sets."""
            if kind not in curves:
                return ""
            after, before = curves[kind], curves[kind]["first"]
            ratio = [one["force_mae_eV_per_A"]["mean"][at] for one in (after, before)]
            return f"{100.0 * (1.0 - ratio[0] / ratio[1]):.1f} %"

        cells = [gained("broad", 0), gained("local", 0), str(curves["original"]["sizes"][-1])]
        local = f" ({curves['local']['sizes'][-1]} frames)" if "local" in curves else ""
        cells += [gained("broad", -1), gained("local", -1) + local]
        broad = mean.get("broad", [np.nan])
        cells += ["" if gain is None else f"{100.0 * gain:.0f} %", f"{broad[-1]:.3f}"]
        cells += ["" if best is None else f"{best:.3f}", f"{broad[0] / mean['original'][-1]:.2f}"]
        yield f"| {words} | {' | '.join(cells)} |\n"
    yield "\n"


def etas(folder, found, split):
    yield f"### Optimised eta, {split} splits\n\n"
    yield "| set | widths | " + " | ".join(map(str, range(1, 9))) + " |\n"
    yield "|---|---|" + "--:|" * 8 + "\n"
    first = np.linspace(np.log(0.1), np.log(2.0), 8)
    yield f"| all | original | {' | '.join(f'{x:.2f}' for x in first)} |\n"
    for name, curves in found.items():
        for kind in (kind for kind in curves if kind != "original"):
            cells = (f"{x:.2f}" for x in widths(folder, name, split, kind))
            yield f"| {SETS[name][0]} | {kind} | {' | '.join(cells)} |\n"
    yield "\n"


def draw(found, split):
    panels = []
    for name, curves in found.items():
        shown = {}
        for kind, one in curves.items():
            both, sizes = one["force_mae_eV_per_A"], np.array(one["sizes"], float)
            error = np.array(both["std"]) / np.sqrt(one["repeats"])  # of the mean
            shown[kind] = Curve(sizes, np.array(both["mean"]), error)
        panels.append(Panel(SETS[name][0], shown))
    picture = Picture("curves", "", "training frames", "force MAE (eV/Å)", "frames", panels)
    plot_panels(picture, ROOT / "docs" / f"gap-curves-{split}.png", columns=2)


if __name__ == "__main__":
    main()
