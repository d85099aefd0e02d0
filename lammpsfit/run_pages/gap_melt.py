"""The page of a melting point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lammpsfit.gap.work.literature import Known
from lammpsfit.gap.work.melt import Melting
from lammpsfit.gap.work.two_phase import TwoPhase
from lammpsfit.report.html import (
    Markup,
    Section,
    element,
    items,
    join,
    page,
    paragraph,
    table,
)
from lammpsfit.report.panels import Curve, Panel, Picture, panels_markup
from lammpsfit.structure.rdf import FloatArray

LOST: Final = {"solid": "all froze", "liquid": "all melted"}
"""What became of a cell in which a phase died."""

Values = Callable[[TwoPhase], FloatArray]

Rows = Iterator[tuple[str, str, str]]


def _rows(found: Melting, known: Mapping[str, Known]) -> Rows:
    """Yield name, value and literature of what a melting point comes with."""

    def beside(name: str) -> str:
        return f"{known[name].value:g}" if name in known else ""

    yield "melting point (K)", _pm(found.temperature, 1), beside("temperature")
    yield "heat of fusion (eV/atom)", _pm(found.enthalpy, 4), beside("heat_of_fusion")
    yield "change of volume (Å³/atom)", _pm(found.volume, 3), ""
    yield "dT/dP (K/GPa)", _pm((1e4 * found.slope[0], 1e4 * found.slope[1]), 1), ""


def _pm(value: tuple[float, float], digits: int) -> str:
    return f"{value[0]:.{digits}f} ± {value[1]:.{digits}f}"


def melt_lines(found: Melting, known: Mapping[str, Known]) -> Iterator[str]:
    """Say a melting point, a line for each seed and quantity."""
    for seed, start, why in found.lost:
        yield f"seed {seed} from {start:.0f} K: {LOST[why]}"
    for run in found.runs:
        yield (
            f"seed {run.seed} from {run.start:.0f} K: both phases at "
            f"{_pm(run.said.temperature, 1)} K, {_pm(run.said.normal, 0)} bar along z; "
            f"{found.at_zero(run.said)[0]:.1f} K at zero pressure; drift "
            f"{run.said.drift:.3f} meV/atom"
        )
    for name, value, beside in _rows(found, known):
        yield f"{name:>27}: {value}" + (f"  (literature {beside})" if beside else "")


def melt_page(symbol: str, name: str, found: Melting, known: Mapping[str, Known]) -> str:
    """Make the page of the melting point of an element by the potential `name`."""
    heading = join(
        [
            element("h1", f"{symbol}: melting point"),
            paragraph(
                f"Potential: {name}. {len(found.runs[0].atoms)} atoms, half solid and half liquid, "
                f"without a thermostat."
            ),
        ]
    )
    head = (
        "seed",
        "from (K)",
        "T (K)",
        "P along z (bar)",
        "mean P (bar)",
        "T at P = 0 (K)",
        "solid at the end",
        "drift (meV/atom)",
        *(("largest grade",) if found.runs[0].grade is not None else ()),
    )
    rows = [
        (
            str(run.seed),
            f"{run.start:.0f}",
            _pm(run.said.temperature, 1),
            _pm(run.said.normal, 0),
            _pm(run.said.pressure, 0),
            _pm(found.at_zero(run.said), 1),
            f"{100.0 * run.said.solid[-len(run.said.solid) // 4 :].mean():.0f} %",
            f"{run.said.drift:.3f}",
            *(() if run.grade is None else (f"{run.grade:.2f}",)),
        )
        for run in found.runs
    ]
    lost = [
        paragraph(f"Seed {seed} from {start:.0f} K: {LOST[why]}.", soft=True)
        for seed, start, why in found.lost
    ]
    numbers = table(("quantity", "value", "literature"), list(_rows(found, known)))
    sections = [
        Section("numbers", "Melting point", numbers),
        Section("seeds", "Seeds", join([table(head, rows), *lost])),
        Section("course", "Course of the runs", _course(found)),
        Section("profile", "Density along the cell", _profile(found)),
        Section("moves", "Displacements of the halves", _displacements(found)),
    ]
    if known:
        sections.append(
            Section("literature", "Literature", items(k.source for k in known.values()))
        )
    return page(f"{symbol}: melting point", heading, sections)


def swing(series: FloatArray) -> FloatArray:
    """Return a series less its mean, smoothed over a hundredth of it: what changes slowly."""
    from scipy.ndimage import gaussian_filter1d

    smooth: FloatArray = gaussian_filter1d(series - series.mean(), len(series) / 100.0)
    return smooth


def _course(found: Melting) -> Markup:
    def of(x: Values, y: Values) -> dict[str, Curve]:
        return {f"seed {run.seed}": Curve(x(run.said), y(run.said)) for run in found.runs}

    panels = [
        Panel(
            "temperature less its mean (K), smoothed",
            of(lambda s: s.series_time, lambda s: swing(s.series_temperature)),
        ),
        Panel("share of solid", of(lambda s: s.time, lambda s: s.solid)),
    ]
    return panels_markup(
        Picture("course", "", "time (ps)", "", "time_ps", panels),
        "temperature and share of solid over time",
    )


def _profile(found: Melting) -> Markup:
    panels = [
        Panel(f"seed {run.seed}", {"last quarter": Curve(run.said.z, run.said.density)})
        for run in found.runs
    ]
    shown = Picture("profile", "", "z (Å)", "atoms per Å³", "z_A", panels)
    return panels_markup(shown, "density in 100 layers along z")


def _displacements(found: Melting) -> Markup:
    panels = [
        Panel(
            f"seed {run.seed}",
            {
                "half that began solid": Curve(run.said.time, run.said.msd_solid),
                "half that began liquid": Curve(run.said.time, run.said.msd_liquid),
            },
        )
        for run in found.runs
    ]
    shown = Picture("moves", "", "time (ps)", "mean squared displacement (Å²)", "time_ps", panels)
    return panels_markup(shown, "mean squared displacements of both halves")
