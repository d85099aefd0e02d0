"""What the figures show, in numbers: those that docs/figures.md states."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from runs import FITTED, HERE, KNOWN
from searches import AXES, SEARCHES, read, told
from structures import ANGLES_OF, TRIPLES, rdf_of

from lammpsfit.reference import read_rdf_table
from lammpsfit.reference.angle_table import OWN, read_angle_table
from lammpsfit.structure.cost import cost
from lammpsfit.structure.curves import mean, overlap
from lammpsfit.units import BAR_PER_GPA

SILICA = HERE.parent
FAR = 3.0
"""Å: beyond the first peak of O-O."""


def of_charge(data: Path) -> Iterator[str]:
    """Tell where the surrogate sees the lowest R, as the search goes on."""
    records = read(data, "line")["records"]
    given = sum(record["stage"] != "explore" for record in records)
    for n in range(given, len(records) + 1):
        (line,) = told(data, "line", n).slices.lines
        mean_R = np.where(line.allowed, line.mean, np.inf)
        k, top = int(np.argmin(mean_R)), float(np.nanmax(line.gain))
        band = 100 * (line.high[k] - line.low[k]) / 2
        nxt = f", next q_Si {records[n]['parameters']['q_Si']:.3f}" if n < len(records) else ""
        yield (
            f"after {n:2d} runs: lowest {100 * line.mean[k]:.2f} ± {band:.2f} % (95 %) at q_Si "
            f"{line.values[k]:.3f}; largest EI {100 * top:.3g} % of R{nxt}"
        )
    allowed = line.values[line.allowed]
    yield f"the guard allows q_Si from {allowed[0]:.2f} to {allowed[-1]:.2f}"
    yield from _confirmed(data, "line")


def of_paths(data: Path) -> Iterator[str]:
    """Tell how low each search came after how many runs, and whether that is confirmed."""
    ground = read(data, "map")["records"]
    yield f"map: {_counts(ground)}; {_lowest(ground)}"
    yield from _confirmed(data, "map")
    for name in SEARCHES:
        records = read(data, name)["records"]
        yield f"{name}: {_counts(records)}; start {_R(records[0])}; {_lowest(records)}"
        for stage in dict.fromkeys(record["stage"] for record in records):
            ours = [record for record in records if record["stage"] == stage]
            yield f"  {stage}: {_counts(ours)}; {_lowest(ours)}"
        yield from _confirmed(data, name)


def of_complexity(data: Path) -> Iterator[str]:
    """Tell what each fit came to, and the potentials run beside it."""
    yield _run_to_run(data)
    for name in FITTED:
        records = read(data, name)["records"]
        yield f"{name}: {_counts(records)}; start {_R(records[0])}; {_lowest(records)}"
        yield from _confirmed(data, name)


def of_classics(data: Path) -> Iterator[str]:
    """Compare g(r) of the classics, run here, with the published curves and the reference."""
    reference = read_rdf_table(SILICA / "gr_aimd_3600K.csv")
    for name in KNOWN:
        own = rdf_of(data, name)
        published = read_rdf_table(SILICA / f"gr_{name.lower()}_3600K.csv")
        yield f"{name}, run here: {_cost(cost(own, reference))}"
        yield f"{name}, published curve: {_cost(cost(published, reference))}"
        yield f"{name}, run here against its published curve: {_cost(cost(own, published))}"


def of_fits(data: Path) -> Iterator[str]:
    """Compare g(r) of the fits with the reference."""
    reference = read_rdf_table(SILICA / "gr_aimd_3600K.csv")
    for name in FITTED:
        own = rdf_of(data, name).reorder(reference.pairs)
        beyond = (own.g - reference.g)[reference.pairs.index("O-O"), reference.r > FAR]
        yield (
            f"{name}, trajectory: {_cost(cost(own, reference))}; O-O beyond {FAR:g} Å is above the "
            f"reference in {100 * np.mean(beyond > 0):.0f} % of the bins, by {beyond.mean():.3f}"
        )


def of_angles(data: Path) -> Iterator[str]:
    """Tell the mean of each angle, and how much it has in common with the ab initio liquid."""
    published = read_angle_table(SILICA / "bond_angles_3600K.csv")
    for triple in TRIPLES:
        theta, target = published.theta, published.curves["aimd"][triple]
        yield f"{triple}, ab initio: mean {mean(theta, target):.1f}°"
        for name in ANGLES_OF:
            own = read_angle_table(data / f"angles_{name}.csv")
            p = own.at(OWN, triple, theta)
            assert p is not None
            said = f"{triple}, {name}: mean {mean(theta, p):.1f}°, overlap {overlap(p, target):.3f}"
            if name in KNOWN:
                theirs = published.curves[name.lower()][triple]
                said += (
                    f"; published curve: mean {mean(theta, theirs):.1f}°, overlap "
                    f"{overlap(theirs, target):.3f}, with ours {overlap(theirs, p):.3f}"
                )
            yield said


def work(data: Path) -> str:
    """Tell what all searches and trajectories took."""
    tables = [read(data, path.stem) for path in sorted(data.glob("*.json"))]
    steps = sum(table["result"]["atom_steps"] for table in tables)
    runs = sum(len(table["records"]) + len(table["confirmations"]) for table in tables)
    return f"{len(tables)} searches: {runs} runs, {1e-6 * steps:.0f} million atom steps"


def _run_to_run(data: Path) -> str:
    """Compare the spread of R from run to run, with fresh seeds, with the errors runs state."""
    spreads, errors = [], []
    for name in FITTED:
        by_label: dict[str, list[Mapping[str, Any]]] = {}
        for record in read(data, name)["confirmations"]:
            if record["status"] == "ok":
                by_label.setdefault(record["label"], []).append(record)
        for runs in by_label.values():
            if len(runs) > 1:
                spreads.append(np.var([record["cost"] for record in runs], ddof=1))
                errors.append(np.mean([record["cost_error"] ** 2 for record in runs]))
    return (
        f"{len(spreads)} potentials, each run with fresh seeds: R scatters by "
        f"{100 * np.sqrt(np.mean(spreads)):.2f} points from run to run, the blocks of a run say "
        f"{100 * np.sqrt(np.mean(errors)):.2f}"
    )


def _counts(records: list[dict[str, Any]]) -> str:
    failed = sum(record["status"] == "failed" for record in records)
    return f"{len(records)} runs, {failed} failed"


def _lowest(records: list[dict[str, Any]]) -> str:
    ok = [record for record in records if record["status"] == "ok"]
    if not ok:
        return "none with a cost"
    best = min(ok, key=lambda record: float(record["cost"]))
    where = ", ".join(
        f"{name} {best['parameters'][name]:.5g}" for name in AXES if name in best["parameters"]
    )
    return f"lowest {_R(best)} in run {records.index(best) + 1} ({where})"


def _R(record: Mapping[str, Any]) -> str:
    if "cost" not in record:
        return f"failed ({record.get('reason')})"
    return f"R {100 * record['cost']:.2f} ± {100 * record['cost_error']:.2f} %"


def _confirmed(data: Path, name: str) -> Iterator[str]:
    result = read(data, name)["result"]
    for label, found in result["confirmed"].items():
        P, error = (value / BAR_PER_GPA for value in found["pressure"])
        yield f"  {name}, fresh seeds, {label}: {_R(found)}, P {P:.2f} ± {error:.2f} GPa"


def _cost(found: Any) -> str:
    pairs = ", ".join(f"{pair} {100 * one.cost:.1f}" for pair, one in found.pairs.items())
    return f"R {100 * found.value:.2f} % ({pairs})"
