"""Tables, pictures and page of a validation, of values made up."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from lammpsfit.report.facts import (
    Fact,
    errors_off,
    facts_html,
    facts_json,
    print_facts,
    value_words,
)
from lammpsfit.report.panels import Curve, Panel, Picture, panels_markup, plot_panels
from lammpsfit.report.unit_progress import UnitProgress
from lammpsfit.report.validation_page import Validation, validation_page
from lammpsfit.structure.blocks import Estimate

NAN = float("nan")
FACTS = [
    Fact("liquid", "R", "%", {"BKS": Estimate(17.05, 0.07), "mine": Estimate(NAN, NAN)}),
    Fact("liquid", "a <b>", "", {"BKS": Estimate(1.0, 0.1), "reference": Estimate(1.5, NAN)}),
    Fact("zero", "density", "g/cm³", {"BKS": Estimate(2.4, 0.01)}),
]
X = np.linspace(0.1, 5, 50)


def picture(**changes):
    curve = Curve(X, np.sin(X) ** 2, 0.01 * X)
    panels = [
        Panel("A-A", {"BKS": curve, "mine": Curve(X, X)}, {"reference": curve}),
        Panel("A-B", {"mine": curve}, guides={"∝ t": Curve(X, X)}),
    ]
    return Picture("liquid-gr", "Curves: liquid", "x", "y", "x_A", panels, **changes)


def console():
    return Console(file=io.StringIO(), width=120)


@pytest.mark.parametrize(
    ("mean", "error", "words"),
    [
        (1.607571, 0.00046, "1.60757 ± 0.00046"),
        (-1.899, 0.037, "-1.899 ± 0.037"),
        (3602.3, 41.0, "3602 ± 41"),
        (2.0, 0.0, "2"),
        (108.7, NAN, "108.7"),
        (NAN, 1.0, "–"),
    ],
)
def test_values_have_the_digits_of_their_errors(mean, error, words):
    assert value_words(Estimate(mean, error)) == words


def test_a_table_for_each_part_with_its_own_columns():
    out = console()
    print_facts(FACTS, out)
    first, second = out.file.getvalue().split("zero")
    assert all(label in first.splitlines()[0] for label in ("BKS", "mine", "reference"))
    assert "17.050 ± 0.070" in first
    assert first.index("reference") < first.index("BKS")  # what is known stands first
    assert "reference" not in second
    assert "density (g/cm³)" in second


def test_errors_of_both_count_and_none_is_no_deviation():
    off = errors_off(Estimate(2.0, 0.3), Estimate(1.0, 0.4))
    assert off == pytest.approx(2.0)
    assert errors_off(Estimate(1.0, 0.5), Estimate(2.0, NAN)) == pytest.approx(-2.0)
    assert errors_off(Estimate(1.0, NAN), Estimate(2.0, NAN)) is None
    assert errors_off(Estimate(1.0, 0.0), Estimate(2.0, NAN)) is None
    assert errors_off(Estimate(NAN, 0.1), Estimate(2.0, NAN)) is None


def test_what_is_off_the_reference_is_marked_in_words_too():
    values = {
        "near": Estimate(1.19, 0.1),
        "above": Estimate(1.2, 0.1),
        "below": Estimate(0.45, 0.1),
        "far": Estimate(9.0, 0.01),
        "sure": Estimate(9.0, NAN),
        "reference": Estimate(1.0, NAN),
    }
    page = facts_html([Fact("p", "x", "", values), Fact("p", "y", "", {"near": values["far"]})], "")
    head, marked = page.split("</thead>")[0], page.split("</table>")[0].split("<span ")[1:]
    assert head.index("reference") < head.index("near")
    assert [x.split('"')[1] for x in marked] == ["off", "far off", "far off"]
    for words, one in zip(("+2.0σ", "−5.5σ", "+&gt;99σ"), marked, strict=True):
        assert f"<small>{words}</small>" in one
    assert "5.5 standard errors below the reference" in marked[1]
    assert "Unmarked: less" in page
    assert '<td data-head="near">1.19 ±\N{NO-BREAK SPACE}0.10</td>' in page
    assert "<span" not in facts_html([Fact("p", "y", "", {"near": values["far"]})], "")


def test_plain_data_has_no_nan():
    content = facts_json(FACTS)
    assert content["liquid"]["R"]["values"]["mine"] == {"mean": None, "error": None}
    assert content["zero"]["density"] == {
        "unit": "g/cm³",
        "values": {"BKS": {"mean": 2.4, "error": 0.01}},
    }


def test_a_picture_has_all_curves_and_one_legend(tmp_path):
    figure = plot_panels(picture(), tmp_path / "a.png", "A $title")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["reference", "BKS", "mine", "∝ t"]
    first, second, *_ = figure.axes
    assert [line.get_label() for line in first.lines] == ["reference", "BKS", "mine"]
    colours = [
        line.get_color()
        for axes in (first, second)
        for line in axes.lines
        if line.get_label() == "mine"
    ]
    assert colours[0] == colours[1]  # a potential keeps its colour where another is missing
    (band,) = first.collections  # of twice the error
    assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(
        np.max(np.sin(X) ** 2 + 0.02 * X), abs=1e-9
    )


def test_a_single_point_is_seen_and_no_curve_lies_on_the_frame():
    x = np.array([10.0, 20.0])
    curves = {"many": Curve(x, np.array([0.105, 0.104])), "one": Curve(x[:1], np.array([0.1]))}
    figure = plot_panels(Picture("p", "", "x", "y", "x", [Panel("errors", curves)]), None)
    (axes,) = figure.axes
    many, one = axes.lines
    assert many.get_marker() == "None"
    assert one.get_marker() == "o"
    low, high = axes.get_ylim()
    assert low == 0.0
    assert high >= 1.05 * 0.105


def test_panels_stand_one_below_the_other_where_the_screen_is_narrow():
    many = picture()
    assert len(many.panels) > 1
    wide, narrow = plot_panels(many, None), plot_panels(many, None, columns=1)
    assert narrow.get_figwidth() < wide.get_figwidth()
    assert narrow.get_figheight() > wide.get_figheight()
    assert panels_markup(many, "two").count("<source") == 1
    assert "<source" not in panels_markup(replace(many, panels=many.panels[:1]), "one")


def test_logarithmic_axes_have_plain_numbers():
    figure = plot_panels(picture(logarithmic=True), None)
    figure.canvas.draw()
    labels = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert {"0.1", "0.2", "0.5", "1"} <= set(labels)


def test_the_page_holds_what_was_found(read_page):
    view = Validation(
        "job <1>", FACTS, [picture()], {"mine npt": "lost atoms"}, ["bonds"], "lammpsfit validate"
    )
    page = read_page(validation_page(view))
    assert len(page.pictures) == 1
    names = [words for _, words in page.headings]
    assert names == ["job <1>: validation", "Runs that failed", "liquid", "zero"]
    assert view.lines == ["mine npt: failed: lost atoms", "bonds"]


def test_progress_in_plain_lines():
    out = console()
    progress = UnitProgress(out)
    progress.begin(["BKS liquid", "BKS npt"], 1)
    for name in ("BKS liquid", "BKS npt"):
        progress.started(name)
    progress.finished("BKS npt", "failed (lost atoms)", 130.0)
    progress.finished("BKS liquid", "done", 42.0)
    progress.end()
    assert out.file.getvalue().splitlines() == [
        "1 finished run(s) are on disk already",
        "2 run(s) to do: BKS liquid, BKS npt",
        "BKS liquid: running",
        "BKS npt: running",
        "BKS npt: failed (lost atoms) after 2 min 10 s (1 of 2)",
        "BKS liquid: done after 42 s (2 of 2)",
    ]


def test_progress_on_a_terminal_is_a_bar():
    out = Console(file=io.StringIO(), force_terminal=True, width=100)
    progress = UnitProgress(out)
    progress.begin(["BKS liquid"], 0)
    progress.started("BKS liquid")
    progress.finished("BKS liquid", "done", 1.0)
    progress.end()
    assert "1/1" in out.file.getvalue()
    assert "running" not in out.file.getvalue()
