"""Pair distributions that LAMMPS averaged: ``compute rdf`` by way of ``fix ave/time``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.inputs import SERIES_BYTES, open_input, text_lines
from lammpsfit.reference.convert import Converted, rdf_of
from lammpsfit.structure.rdf import FloatArray

LEAST_OUTPUTS: Final = 5
"""Outputs it takes to tell running averages from others."""

SHRINKS_AS_RUNNING: Final = -0.7
"""Power below which successive outputs are taken for running averages."""

ALIKE: Final = 0.5
"""Correlation above which successive outputs are no averages of their own."""


def read_lammps_rdf(path: Path, pairs: Sequence[str], blocks: int) -> Converted:
    """Read what ``fix ave/time ... c_ID[*] mode vector`` wrote of ``compute rdf``.

    Each output must be an average of its own (``ave one``, the default): they are divided into
    blocks, whose scatter is the error. Of running averages (``ave running``) the last is taken,
    without errors.

    Parameters
    ----------
    path : Path
        File of one fix.
    pairs : sequence of str
        The pairs in the order of the arguments of ``compute rdf``.
    blocks : int
        Blocks for the errors; fewer where there are fewer outputs.

    Returns
    -------
    Converted

    Raises
    ------
    InputError
        If the file is no such output, or has another number of pairs.
    """
    outputs, columns = _outputs(path)
    first = outputs[0]
    r = first[:, 1]
    width = first.shape[1]
    g_columns = _g_columns(columns, width)
    if len(g_columns) != len(pairs):
        raise InputError(
            f"{path}: --pairs must name the pairs of compute rdf in their order: {len(g_columns)} "
            f"of them, got {len(pairs)}"
        )
    if any(output.shape != first.shape or not np.allclose(output[:, 1], r) for output in outputs):
        raise InputError(f"{path}: every output must have the same bins")
    g = np.array(outputs)[:, :, g_columns].transpose(0, 2, 1)
    shrinks = _shrinking(g)
    if shrinks < SHRINKS_AS_RUNNING:
        note = (
            f"the {len(g)} outputs of fix ave/time differ less and less (as their number to the "
            f"power {shrinks:.2f}), as running averages do: the last is taken, without errors "
            f"(ave one gives errors)"
        )
        return Converted(rdf_of(pairs, r, g[-1:], path), (note,))
    number = min(blocks, len(g))
    length = len(g) // number
    means = g[len(g) - number * length :].reshape(number, length, *g.shape[1:]).mean(axis=1)
    notes = [
        f"{number * length} outputs of fix ave/time in {number} blocks, taken as averages of "
        f"their own (ave one)"
    ]
    if (alike := _alike(g)) > ALIKE:
        notes.append(
            f"successive outputs are alike (correlation {alike:.2f}), as those of ave window: "
            f"errors may be too small"
        )
    return Converted(rdf_of(pairs, r, means, path), tuple(notes))


def _shrinking(g: FloatArray) -> float:
    """Return the power of their number that the differences of successive outputs go with.

    It is 0 of averages of their own, and about -1 of running averages. Fewer than five outputs do
    not tell it, and give 0.
    """
    size = np.sqrt(np.mean(np.diff(g, axis=0) ** 2, axis=(1, 2)))
    if len(g) < LEAST_OUTPUTS or not np.all(size > 0.0):
        return 0.0
    return float(np.polyfit(np.log(np.arange(2, len(g) + 1)), np.log(size), 1)[0])


def _alike(g: FloatArray) -> float:
    """Return the correlation of successive outputs; 0 of fewer than five."""
    variance = float(np.mean(g.var(axis=0, ddof=1)))
    if len(g) < LEAST_OUTPUTS or variance == 0.0:
        return 0.0
    return 1.0 - float(np.mean(np.diff(g, axis=0) ** 2)) / (2.0 * variance)


def _outputs(path: Path) -> tuple[list[FloatArray], list[str]]:
    """Tables of all outputs, and the names of their columns if the file tells."""
    columns: list[str] = []
    outputs: list[FloatArray] = []
    rows: list[tuple[int, list[str]]] = []
    with open_input(path, SERIES_BYTES) as stream:
        for n, line in enumerate(text_lines(path, stream), start=1):
            words = line.split()
            if words[:2] == ["#", "Row"]:
                columns = words[1:]
            elif words and not words[0].startswith("#"):
                rows.append((n, words))
    k = 0
    while k < len(rows):
        n, words = rows[k]
        if len(words) != 2 or not all(word.isdecimal() for word in words):
            raise InputError(f"{path}, line {n}: must be a step and a number of rows")
        table = [row for _, row in rows[k + 1 : k + 1 + int(words[1])]]
        if len(table) < int(words[1]):
            break  # the run goes on, or was killed
        try:
            outputs.append(np.array(table, dtype=np.float64))
        except ValueError:
            raise InputError(f"{path}, line {n}: the rows below must be numbers") from None
        k += 1 + len(table)
    if not outputs or outputs[0].ndim != 2 or outputs[0].shape[1] < 3:
        raise InputError(f"{path}: no whole output of fix ave/time with row, r and g")
    return outputs, columns


def _g_columns(columns: Sequence[str], width: int) -> list[int]:
    """Columns of g: the 2nd, 4th, ... of compute rdf; r must be its 1st."""
    numbers = [re.search(r"\[(\d+)\]$", name) for name in columns]
    if len(columns) == width and all(numbers[1:]):
        of_compute = [int(found[1]) for found in numbers[1:] if found]
        return [k for k, number in enumerate(of_compute, start=1) if number % 2 == 0]
    return list(range(2, width, 2))
