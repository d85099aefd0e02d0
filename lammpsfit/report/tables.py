"""Costs of several potentials side by side, for a terminal and as plain data."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lammpsfit.errors import InputError
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.cost import Cost
from lammpsfit.target import Column, Reached
from lammpsfit.units import BAR_PER_GPA

UNKNOWN: Final = "–"
FAILED: Final = "failed"
WANTED: Final = "wanted"
PIPE_WIDTH: Final = 120
"""Columns of output that is not a terminal, unless COLUMNS says otherwise."""


@dataclass(frozen=True)
class Row:
    """One potential's line of the table.

    Attributes
    ----------
    label : str
        Name of the potential.
    cost : Cost or None
        None where the run failed, or no g(r) is wanted.
    temperature : Estimate or None, K
    pressure_bar : Estimate or None, bar
    note : str
        Printed under the table; why the run failed, where it did.
    objective : Estimate or None
        What is minimised, as a fraction, where it is more than R.
    terms : sequence of Reached
        What was reached of each term.
    density : Estimate or None, g/cm³
        None where the volume was constant.
    """

    label: str
    cost: Cost | None
    temperature: Estimate | None = None
    pressure_bar: Estimate | None = None
    note: str = ""
    objective: Estimate | None = None
    terms: Sequence[Reached] = ()
    density: Estimate | None = None

    @property
    def failed(self) -> bool:
        """Whether nothing came of it."""
        return self.cost is None and not self.terms and self.temperature is None


def cost_table(
    rows: Sequence[Row], *, drift: str = "quarters", pairs: bool = True, terms: bool = True
) -> Table:
    """Lay out the costs of several potentials.

    Parameters
    ----------
    rows : sequence of Row
        In the order to be printed.
    drift : {"quarters", "ends"}
        All quarters of the run, or the first and the last only.
    pairs : bool
        Whether to give each pair a column.
    terms : bool
        Whether to give each term that wants one number a column.

    Returns
    -------
    rich.table.Table
        Costs in %, T in K, P in GPa, density in g/cm³; columns that no row fills are left out.
    """
    table = _empty_table()
    names, scalars = _pair_names(rows) if pairs else (), _scalars(rows)
    structure = any(row.cost for row in rows) or not any(row.terms for row in rows)
    wanted = {_head(column): wanted_words(column) for column in scalars}
    columns = [
        *((f"{pair}\n%", [_pair_cost(row, pair) for row in rows]) for pair in names),
        ("R\n%", [_value(row, of_structure=structure) for row in rows]),
        ("R_c\n%", [_corrected(row) for row in rows]),
        ("drift\n%", [_drift(row, drift) for row in rows]),
        *(_term_columns(rows) if terms else ()),
        ("objective\n%", [_objective(row, of_structure=structure) for row in rows]),
        ("T\nK", [_estimate(row.temperature, 1.0, 0) for row in rows]),
    ]
    averages = [
        ("P\nGPa", [_estimate(r.pressure_bar, 1 / BAR_PER_GPA, 2) for r in rows]),
        ("density\ng/cm³", [_estimate(r.density, 1.0, 3) for r in rows]),
    ]
    columns += [average for average in averages if average[0] not in wanted]
    filled = [(title, cells) for title, cells in columns if any(cells)]
    for title, _ in filled:
        table.add_column(title, justify="right", no_wrap=True)
    if wanted and terms:
        table.add_row(WANTED, *(wanted.get(title, "") for title, _ in filled))
    for i, row in enumerate(rows):
        table.add_row(Text(row.label), *(cells[i] for _, cells in filled))
    return table


def print_costs(rows: Sequence[Row], console: Console | None = None) -> None:
    """Print the costs, what R means, and notes; it fits 80 columns or more.

    Where the full table is too wide, drift shrinks to first and last quarter, then the pairs
    move to a table of their own, then the terms do.

    Parameters
    ----------
    rows : sequence of Row
        In the order to be printed.
    console : rich.console.Console, optional
        Where to; standard output by default.
    """
    console = output_console() if console is None else console
    for table in _fitting_tables(rows, console):
        console.print(table, highlight=False)
        console.print()
    for line in _legend(rows):
        # A pipe gets one line per statement, to be searched; a terminal is wrapped at words.
        console.print(
            line, highlight=False, markup=False, emoji=False, soft_wrap=not console.is_terminal
        )


def cost_json(cost: Cost) -> dict[str, Any]:
    """Turn a cost into plain data: fractions keyed by pair; unknown numbers are None."""
    return {
        "cost": cost.value,
        "cost_error": _number(cost.error),
        "cost_corrected": cost.corrected,
        "pair_costs": {pair: one.cost for pair, one in cost.pairs.items()},
        "pair_cost_errors": {pair: _number(one.error) for pair, one in cost.pairs.items()},
        "segments": list(cost.segments),
        "definition": cost.definition,
        "r_min": cost.r_min,
        "r_max": cost.r_max,
        "weights": dict(cost.weights),
    }


def costs_json(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Turn the table into plain data, keyed by label; a failed row has cost None and its note.

    Raises
    ------
    InputError
        If two rows have the same label.
    """
    labels = [row.label for row in rows]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise InputError(f"labels must differ, got {', '.join(twice)} twice: rename one of them")
    return {
        row.label: {
            **(cost_json(row.cost) if row.cost else {"cost": None}),
            "temperature": _estimate_json(row.temperature),
            "pressure_bar": _estimate_json(row.pressure_bar),
            **({"density": _estimate_json(row.density)} if row.density else {}),
            "terms": {one.column.name: _term_json(one) for one in row.terms},
            "note": row.note,
        }
        for row in rows
    }


def output_console() -> Console:
    """Make the console for standard output; a pipe gets PIPE_WIDTH columns."""
    console = Console()
    if console.is_terminal or "COLUMNS" in os.environ:
        return console
    return Console(width=PIPE_WIDTH)


def _empty_table() -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("potential", overflow="fold")
    return table


def _fitting_tables(rows: Sequence[Row], console: Console) -> list[Table]:
    """Choose the fullest layout whose natural width the console holds."""
    layouts = [
        [cost_table(rows)],
        [cost_table(rows, drift="ends")],
        [_pair_table(rows), cost_table(rows, drift="ends", pairs=False)],
        [_pair_table(rows), cost_table(rows, drift="ends", pairs=False, terms=False)],
    ]
    # Rich clips a measurement to the width it is told, so it is told a generous one.
    options = console.options.update(width=1000)
    for tables in layouts[:-1]:
        widths = (Measurement.get(console, options, table).maximum for table in tables)
        if max(widths) <= console.width:
            return tables
    return [*layouts[-1], *_term_tables(rows, console)]


def _term_tables(rows: Sequence[Row], console: Console) -> list[Table]:
    """Lay out the terms in as many tables as the width needs."""
    options = console.options.update(width=1000)
    tables: list[Table] = []
    columns: list[tuple[str, list[str]]] = []
    for column in _term_columns(rows):
        wider = _term_table(rows, [*columns, column])
        if columns and Measurement.get(console, options, wider).maximum > console.width:
            tables.append(_term_table(rows, columns))
            columns = []
        columns.append(column)
    return [*tables, _term_table(rows, columns)] if columns else tables


def _term_columns(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """Return head and cells of the column of each term that wants one number."""
    return [(_head(column), [_reached(row, column) for row in rows]) for column in _scalars(rows)]


def _term_table(rows: Sequence[Row], columns: Sequence[tuple[str, list[str]]]) -> Table:
    table = _empty_table()
    wanted = {_head(column): wanted_words(column) for column in _scalars(rows)}
    for title, _ in columns:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_row(WANTED, *(wanted[title] for title, _ in columns))
    for i, row in enumerate(rows):
        table.add_row(Text(row.label), *(cells[i] for _, cells in columns))
    return table


def _pair_table(rows: Sequence[Row]) -> Table:
    table = _empty_table()
    names = _pair_names(rows)
    for pair in names:
        table.add_column(f"{pair}\n%", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(Text(row.label), *(_pair_cost(row, pair) for pair in names))
    return table


def _legend(rows: Sequence[Row]) -> Iterable[str]:
    costs = [row.cost for row in rows if row.cost]
    yield from dict.fromkeys(cost.definition for cost in costs)
    if costs:
        yield (
            "R_c: R without its statistical noise; ±: standard error (block jackknife); "
            "drift: R by quarters of the run"
        )
    if scalars := _scalars(rows):
        parts = "R and of the other terms" if costs else "all terms"
        yield (
            f"objective: root of the sum of squares of {parts}; "
            "(n %): share of a term in the squared objective"
        )
        yield "; ".join(column.words for column in scalars)
    for row in rows:
        if row.failed:
            yield f"{row.label}: {FAILED}: {row.note or 'no reason recorded'}"
        elif row.note:
            yield f"{row.label}: {row.note}"


def _pair_names(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pair for row in rows if row.cost for pair in row.cost.pairs))


def _pair_cost(row: Row, pair: str) -> str:
    if row.cost is None or pair not in row.cost.pairs:
        return ""
    return _percent(row.cost.pairs[pair].cost, 1)


def _objective(row: Row, *, of_structure: bool) -> str:
    if row.failed and not of_structure:
        return FAILED
    return _estimate(row.objective, 100.0, 2)


def _value(row: Row, *, of_structure: bool) -> str:
    if row.failed and of_structure:
        return FAILED
    if row.cost is None:
        return ""
    error = _percent(row.cost.error, 2)
    value = _percent(row.cost.value, 2) + (f" ± {error}" if error != UNKNOWN else "")
    ours = next((one for one in row.terms if one.column.wanted is None), None)
    return value if ours is None or len(row.terms) == 1 else f"{value} {share_words(ours.share)}"


def share_words(share: float) -> str:
    """Give a share in the squared objective."""
    return f"({100 * share:.0f} %)"


def wanted_words(column: Column) -> str:
    """Give what is wanted, in the unit of the column."""
    if column.wanted is None:
        return ""
    return f"{column.wanted * column.factor:z.{column.digits}f}"


def _head(column: Column) -> str:
    return f"{column.label}\n{column.unit}"


def _scalars(rows: Sequence[Row]) -> list[Column]:
    """Columns of the terms that want one number, each once."""
    found = {one.column.name: one.column for row in rows for one in row.terms}
    return [column for column in found.values() if column.wanted is not None]


def _reached(row: Row, column: Column) -> str:
    one = next((one for one in row.terms if one.column.name == column.name), None)
    if one is None:
        return ""
    return f"{_estimate(one.value, column.factor, column.digits)} {share_words(one.share)}"


def _corrected(row: Row) -> str:
    """Give R_c where there is an estimate of the noise to correct for."""
    if row.cost is None or not math.isfinite(row.cost.error):
        return ""
    return _percent(row.cost.corrected, 2)


def _drift(row: Row, style: str) -> str:
    if row.cost is None or not row.cost.segments:
        return ""
    quarters = [_percent(segment, 1) for segment in row.cost.segments]
    return " ".join(quarters) if style == "quarters" else f"{quarters[0]}→{quarters[-1]}"


def _percent(fraction: float, digits: int) -> str:
    return f"{100.0 * fraction:.{digits}f}" if math.isfinite(fraction) else UNKNOWN


def _estimate(estimate: Estimate | None, factor: float, digits: int) -> str:
    if estimate is None:
        return ""
    mean = f"{estimate.mean * factor:z.{digits}f}"
    error = estimate.error * factor
    # what needs no run has no error
    return f"{mean} ± {error:.{digits}f}" if math.isfinite(error) and error > 0 else mean


def _term_json(one: Reached) -> dict[str, Any]:
    return {
        "wanted": one.column.wanted,
        "value": _estimate_json(one.value),
        "deviation": _estimate_json(one.deviation),
        "share": one.share,
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _estimate_json(estimate: Estimate | None) -> dict[str, float | None] | None:
    if estimate is None:
        return None
    return {"mean": _number(estimate.mean), "error": _number(estimate.error)}
