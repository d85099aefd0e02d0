import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from lammpsfit.errors import InputError
from lammpsfit.report.tables import Row, cost_table, costs_json, print_costs
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.cost import cost
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import Column, Reached

R = np.arange(0.01, 6.0, 0.02)
SILICA = ("Si-O", "O-O", "Si-Si")
SODIUM = (*SILICA, "Na-O", "Na-Na", "Na-Si")


def rows(pairs=SILICA):
    """BKS with everything known, a curve without blocks, and a failed run."""
    reference = PartialRdf(pairs, R, np.ones((len(pairs), R.size)))
    rng = np.random.default_rng(0)
    blocks = 1.176 + 0.5 * rng.normal(size=(8, len(pairs), R.size))
    return [
        Row(
            "BKS",
            cost(PartialRdf.from_blocks(pairs, R, blocks), reference),
            Estimate(3600.4, 3.2),
            Estimate(-19000.0, 400.0),
        ),
        Row("curve", cost(PartialRdf(pairs, R, 1.098 * reference.g), reference)),
        Row("fit-7", None, note="lost atoms after 2.1 ps [guard]"),
    ]


def render(given, width, terminal=False):
    file = io.StringIO()
    print_costs(given, Console(file=file, width=width, force_terminal=terminal, color_system=None))
    return file.getvalue()


@pytest.mark.parametrize("pairs", [SILICA, SODIUM], ids=["3 pairs", "6 pairs"])
@pytest.mark.parametrize("width", [80, 120])
def test_fits_and_says_everything(width, pairs):
    text = render(rows(pairs), width, terminal=True)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for needed in (*pairs, "BKS", "curve", "fit-7", "3600 ± 3", "-1.90 ± 0.04", "9.80", "failed"):
        assert needed in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_many_terms_move_to_tables_of_their_own(width):
    kinds = ("forces", "stress")
    columns = [Column(f"{k} {n}", f"{k} {n}", "u", 1.0, 3, 0.5, "") for k in kinds for n in "abcd"]
    reached = tuple(
        Reached(column, Estimate(0.1 * k, 0.0), Estimate(0.01, 0.0), 0.01)
        for k, column in enumerate(columns, 1)
    )
    full = [replace(row, terms=reached if row.cost else ()) for row in rows()]
    text = render(full, width, terminal=True)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert text.count("wanted") >= 120 // width
    for k, column in enumerate(columns, 1):
        assert column.label in text
        assert f"{0.1 * k:.3f} (1 %)" in text


def test_wide_table_has_all_quarters():
    quarters = " ".join(f"{100 * x:.1f}" for x in rows()[0].cost.segments)
    assert quarters in render(rows(), 120)
    assert quarters not in render(rows(), 80)


def test_definition_stands_below_once_and_in_one_piece_in_a_pipe():
    text = render(rows(), 80)
    assert text.count(rows()[0].cost.definition) == 1
    assert text.index("R = sqrt") > text.index("curve")


def test_failed_row_gives_its_reason_unchanged():
    assert "fit-7: failed: lost atoms after 2.1 ps [guard]\n" in render(rows(), 80)


def test_no_escape_codes_in_a_pipe(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    print_costs(rows())
    text = capsys.readouterr().out
    assert not re.search(r"\x1b", text)
    assert " ".join(f"{100 * x:.1f}" for x in rows()[0].cost.segments) in text


def test_unknown_numbers_are_left_out():
    lines = render(rows(), 120).splitlines()
    curve = next(line for line in lines if line.startswith("curve"))
    assert "±" not in curve
    assert "nan" not in "".join(lines)


def test_columns_nobody_fills_are_left_out():
    headers = [str(column.header) for column in cost_table(rows()[1:]).columns]
    assert headers == ["potential", "Si-O\n%", "O-O\n%", "Si-Si\n%", "R\n%"]


def test_only_failures():
    text = render(rows()[2:], 80)
    assert "failed" in text
    assert "R = sqrt" not in text


def test_json_has_fractions_and_no_nan():
    result = json.loads(json.dumps(costs_json(rows()), allow_nan=False))
    assert result["curve"]["cost"] == pytest.approx(0.098)
    assert result["curve"]["cost_error"] is None
    assert result["curve"]["pair_costs"] == pytest.approx(dict.fromkeys(SILICA, 0.098))
    assert result["BKS"]["pressure_bar"] == {"mean": -19000.0, "error": 400.0}
    assert len(result["BKS"]["segments"]) == 4
    assert result["BKS"]["cost_corrected"] < result["BKS"]["cost"]
    assert result["fit-7"] == {
        "cost": None,
        "temperature": None,
        "pressure_bar": None,
        "terms": {},
        "note": "lost atoms after 2.1 ps [guard]",
    }


def test_json_refuses_to_lose_a_row():
    with pytest.raises(InputError, match="labels must differ, got BKS twice"):
        costs_json([rows()[0], rows()[0]])
