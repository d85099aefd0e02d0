"""Measured values of several potentials side by side, each with its error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lammpsfit.report.html import Markup, element, join, paragraph
from lammpsfit.report.html import table as html_table
from lammpsfit.report.tables import UNKNOWN
from lammpsfit.structure.blocks import Estimate

REFERENCE: Final = "reference"
"""Label of what values are compared with: an experiment, or ab initio."""

OFF: Final = 2.0
"""Standard errors from which on a value is marked as off the reference."""

FAR_OFF: Final = 5.0
"""Standard errors from which on it is marked as far off."""

MOST_SHOWN: Final = 99.0
"""Standard errors beyond which their number is not told any more."""


@dataclass(frozen=True)
class Fact:
    """One quantity of several potentials.

    Attributes
    ----------
    part : str
        The run it comes from.
    name : str
        What it is.
    unit : str
        Its unit; empty where it has none.
    values : mapping of str to Estimate
        By label; the error is nan where it is not known, and labels without a value are left out.
    each : mapping of str to tuple of float
        Of several samples, the value of each, by label.
    """

    part: str
    name: str
    unit: str
    values: Mapping[str, Estimate]
    each: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def value_words(estimate: Estimate | None) -> str:
    """Give a value with its error, to two digits of that.

    >>> value_words(Estimate(1.61234, 0.0123)), value_words(Estimate(3602.3, 4.0))
    ('1.612 ± 0.012', '3602.3 ± 4.0')
    >>> value_words(Estimate(0.25, float("nan")))
    '0.25'
    """
    if estimate is None or not math.isfinite(estimate.mean):
        return UNKNOWN
    if not (math.isfinite(estimate.error) and estimate.error > 0):
        return f"{estimate.mean:.4g}"
    digits = min(6, max(0, 1 - math.floor(math.log10(estimate.error))))
    return f"{estimate.mean:.{digits}f} ± {estimate.error:.{digits}f}"


PART_WIDTH: Final = 16
"""Columns that the name of a part and its temperature take."""


def print_facts(facts: Sequence[Fact], console: Console) -> None:
    """Print a table for each part; labels that a part does not know have no column there."""
    for part, some in _parts(facts).items():
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        table.add_column(Text(part), overflow="fold", min_width=PART_WIDTH)
        labels = _labels(some)
        for label in labels:
            table.add_column(Text(label), justify="right", no_wrap=True)
        for fact in some:
            cells = [value_words(fact.values[x]) if x in fact.values else "" for x in labels]
            table.add_row(Text(_with_unit(fact)), *cells)
        console.print(table, highlight=False)
        console.print()


def facts_html(facts: Sequence[Fact], caption: str) -> Markup:
    """Lay out facts of one part for a page; what is off the reference is marked, with a legend."""
    labels = _labels(facts)
    rows = [[_with_unit(fact), *(_cell(fact, label) for label in labels)] for fact in facts]
    found = html_table(["", *labels], rows, caption=caption, breaks=True)
    compared = any(_off(fact, label) is not None for fact in facts for label in labels)
    return join([found, _legend()]) if compared else found


def errors_off(value: Estimate, known: Estimate) -> float | None:
    """Say by how many standard errors, those of both together, a value is above what is known.

    None where neither has an error.

    >>> errors_off(Estimate(2.3, 0.03), Estimate(2.2, 0.04))
    2.0
    """
    errors = [x.error for x in (value, known) if math.isfinite(x.error)]
    both = math.hypot(*errors)
    if not (both > 0.0 and math.isfinite(value.mean - known.mean)):
        return None
    return round((value.mean - known.mean) / both, 9)


def _off(fact: Fact, label: str) -> float | None:
    if label == REFERENCE or not {label, REFERENCE} <= fact.values.keys():
        return None
    return errors_off(fact.values[label], fact.values[REFERENCE])


def _cell(fact: Fact, label: str) -> Markup | str:
    if label not in fact.values:
        return ""
    off = _off(fact, label)
    words = value_words(fact.values[label]).replace("± ", "±\N{NO-BREAK SPACE}")
    return words if off is None or abs(off) < OFF else _marked(words, off)


def _marked(words: str, off: float) -> Markup:
    sign, number = "+" if off > 0 else "−", abs(off)
    shown = f">{MOST_SHOWN:g}" if number > MOST_SHOWN else f"{number:.{1 if number < 10 else 0}f}"
    where = "above" if off > 0 else "below"
    return element(
        "span",
        words,
        " ",
        element("small", f"{sign}{shown}σ"),
        class_="far off" if number >= FAR_OFF else "off",
        title=f"{shown} standard errors {where} the reference",
    )


def _legend() -> Markup:
    return paragraph(
        "Beside the reference: ",
        _marked(f"{OFF:g} to {FAR_OFF:g}", OFF),
        " or ",
        _marked(f"{FAR_OFF:g} and more", -FAR_OFF),
        " standard errors σ (of both together) above (+) or below (−) it. Unmarked: less, or "
        "without errors. A small error makes a small deviation many σ.",
        soft=True,
    )


def facts_json(facts: Sequence[Fact]) -> dict[str, dict[str, Any]]:
    """Turn facts into plain data: by part, then by name; errors that are not known are None."""
    return {
        part: {
            fact.name: {
                "unit": fact.unit,
                "values": {label: _plain(value) for label, value in fact.values.items()},
            }
            | ({"each": {x: list(found) for x, found in fact.each.items()}} if fact.each else {})
            for fact in some
        }
        for part, some in _parts(facts).items()
    }


def _parts(facts: Sequence[Fact]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = {}
    for fact in facts:
        found.setdefault(fact.part, []).append(fact)
    return found


def _labels(facts: Sequence[Fact]) -> list[str]:
    """Return the labels in the order they come in, the reference first."""
    found = dict.fromkeys(label for fact in facts for label in fact.values)
    return sorted(found, key=lambda label: label != REFERENCE)


def _with_unit(fact: Fact) -> str:
    return f"{fact.name} ({fact.unit})" if fact.unit else fact.name


def _plain(estimate: Estimate) -> dict[str, float | None]:
    mean, error = estimate.mean, estimate.error
    return {
        "mean": mean if math.isfinite(mean) else None,
        "error": error if math.isfinite(error) else None,
    }
