"""Pages of GAP potentials at work: properties beside what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from lammpsfit.gap.work.literature import Known
from lammpsfit.gap.work.properties import Property
from lammpsfit.report.html import (
    Section,
    element,
    items,
    join,
    page,
    paragraph,
    picture,
    pictures,
    table,
)
from lammpsfit.report.ratio_plot import Ratio, plot_ratios

NAMES: Final = {
    "a0": "lattice constant a₀",
    "B": "bulk modulus B",
    "C11": "C₁₁",
    "C12": "C₁₂",
    "C44": "C₄₄",
    "bcc": "bcc above fcc",
    "hcp": "hcp above fcc (ideal c/a)",
    "vacancy": "vacancy, relaxed",
    "surface_100": "surface (100)",
    "surface_110": "surface (110)",
    "surface_111": "surface (111)",
}
"""Names of properties for people."""

Beside = Mapping[str, Mapping[str, Property]]
"""Properties by name, by what found them."""

DIGITS: Final = {"Å": 4, "GPa": 1, "meV/atom": 1, "eV": 3, "J/m²": 3}

DOUBT: Final = 0.2
"""A value whose error is more than this part of it is not resolved."""


def _value(one: Property) -> str:
    if one.value is None:
        return "not found"
    digits = DIGITS[one.unit]
    if one.error is None:
        return f"{one.value:.{digits}f}"
    return f"{one.value:.{digits}f} ± {one.error:.{digits}f}"


def doubtful(one: Property) -> bool:
    """Tell whether a property is not resolved, by the error the potential predicts."""
    if one.value is None or one.error is None:
        return bool(one.reason)
    return one.error > DOUBT * abs(one.value)


def property_line(one: Property, known: Known | None = None, beside: Beside | None = None) -> str:
    """Say a property in a line, with what others found and what is known of it."""
    line = f"{one.name:>11}: {_value(one):>18} {one.unit}"
    named = {
        label: theirs[one.name] for label, theirs in (beside or {}).items() if one.name in theirs
    }
    others = [f"{label} {_value(theirs)}" for label, theirs in named.items()]
    if known is not None:
        others.append(f"literature {known.value:g}")
    if others:
        line += f"  ({', '.join(others)})"
    if one.reason:
        line += f"  {one.reason}"
    elif doubtful(one):
        line += "  not resolved: the potential extrapolates"
    return line


def properties_page(
    symbol: str,
    calculator: str,
    found: Sequence[Property],
    known: Mapping[str, Known],
    beside: Beside | None = None,
) -> str:
    """Make the page of the properties of an element, beside those of other calculators."""
    rows, others = [], beside or {}
    for one in found:
        literature = known.get(one.name)
        rows.append(
            (
                NAMES[one.name],
                _value(one),
                *(
                    _value(all_of[one.name]) if one.name in all_of else ""
                    for all_of in others.values()
                ),
                "" if literature is None else f"{literature.value:g}",
                one.unit,
                one.reason or ("not resolved" if doubtful(one) else ""),
            )
        )
    sources = dict.fromkeys(f"{NAMES[name]}: {value.source}" for name, value in known.items())
    heading = join(
        [
            element("h1", f"{symbol}: properties of a crystal"),
            paragraph(f"Calculator: {calculator}. Errors are those the potential predicts itself."),
        ]
    )
    head = ("property", "value", *others, "literature", "unit", "remark")
    shown = table(head, rows, words=(len(head) - 1,))
    sections = [Section("properties", "Properties", shown)]
    if ratios := list(_ratios(found, known)):
        figure = plot_ratios(ratios, None)
        caption = "Bars are two standard errors that the potential predicts."
        shown = pictures([picture(figure, "values over those of the literature", caption)])
        sections.insert(0, Section("picture", "Beside the literature", shown))
        sections.append(Section("literature", "Literature", items(sources)))
    return page(f"{symbol}: properties", heading, sections)


def _ratios(found: Sequence[Property], known: Mapping[str, Known]) -> Iterator[Ratio]:
    for one in found:
        if one.value is not None and one.name in known:
            scale = known[one.name].value
            error = None if one.error is None else one.error / abs(scale)
            yield Ratio(NAMES[one.name], one.value / scale, error)
