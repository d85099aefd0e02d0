import math
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from lammpsfit.errors import InputError
from lammpsfit.report.convergence import Point, plot_convergence
from lammpsfit.report.figures import DPI
from lammpsfit.report.pair_plot import plot_pair_curves
from lammpsfit.report.rdf_plot import plot_rdf
from lammpsfit.structure.rdf import PartialRdf

R = np.arange(0.05, 6.0, 0.1)
PAIRS = ("Si-O", "O-O", "Si-Si")
REFERENCE = PartialRdf(PAIRS, R, np.vstack([np.tanh(R), np.tanh(R) ** 2, np.tanh(R) ** 3]))
POINTS = [
    Point(0, 0.60, 0.01, "design"),
    Point(1, None, stage="design", reason="guard"),
    Point(2, 0.30, 0.01, "design"),
    Point(3, 0.40, math.nan, "gp"),
    Point(4, None, stage="gp", reason="lost atoms"),
    Point(5, 0.09, 0.004, "gp"),
    Point(6, None, stage="gp", reason="guard"),
]


def check_png(path, figure):
    """The file is a PNG of the figure's size, and it is not blank."""
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = imread(path)
    width, height = figure.get_size_inches() * DPI
    assert pixels.shape[:2] == (round(height), round(width))
    assert pixels[..., :3].std() > 0.01
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def overlaps(figure):
    """Texts outside the axes (legends, titles, level labels) that lie on each other."""
    renderer = figure.canvas.get_renderer()
    texts = [text for axes in figure.axes for text in axes.texts if text.get_text()]
    texts += [text for legend in figure.legends for text in legend.get_texts()]
    texts += [legend.get_title() for legend in figure.legends if legend.get_title().get_text()]
    # The extent of an annotation has its connecting line in it: ask for the text alone.
    boxes = [Text.get_window_extent(text, renderer) for text in texts]
    return [
        (texts[i].get_text(), texts[j].get_text())
        for i in range(len(boxes))
        for j in range(i)
        if boxes[i].overlaps(boxes[j])
    ]


def test_rdf_figure(tmp_path):
    other = PartialRdf(PAIRS, R, 1.1 * REFERENCE.g)
    finer = np.arange(0.025, 5.0, 0.05)
    partial = PartialRdf(PAIRS, finer, np.ones((3, finer.size)))
    path = tmp_path / "g.png"
    figure = plot_rdf(
        REFERENCE,
        {"fit": other, "ones": partial},
        path,
        title="made up",
        costs={"fit": 0.1},
        definition="R = what it is",
    )
    check_png(path, figure)
    assert len(figure.axes) == 6
    for k, pair in enumerate(PAIRS):
        upper, lower = figure.axes[k], figure.axes[3 + k]
        assert upper.get_title() == pair
        assert lower.get_xlabel() == "r (Å)"
        drawn = {line.get_label(): line for line in upper.lines}
        np.testing.assert_array_equal(drawn["reference"].get_ydata(), REFERENCE.g[k])
        np.testing.assert_array_equal(drawn["fit"].get_ydata(), other.g[k])
        np.testing.assert_allclose(lower.lines[1].get_ydata(), 0.1 * REFERENCE.g[k], atol=1e-12)
        assert lower.lines[2].get_xdata().max() < 5.0
    assert legend_of(figure) == ["reference", "fit  R = 10.0 %", "ones"]
    assert figure.legends[0].get_title().get_text() == "R = what it is"
    assert overlaps(figure) == []


def test_rdf_panels_of_many_pairs(tmp_path):
    pairs = (*PAIRS, "Na-O", "Na-Na")
    reference = PartialRdf(pairs, R, np.ones((5, R.size)))
    blocks = 1.0 + 0.1 * np.random.default_rng(0).normal(size=(4, 5, R.size))
    path = tmp_path / "g.png"
    figure = plot_rdf(reference, {"run": PartialRdf.from_blocks(pairs, R, blocks)}, path)
    check_png(path, figure)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == list(pairs)
    bands = [axes for axes in figure.axes if axes.collections]
    assert len(bands) == 5


def test_rdf_of_a_missing_pair(tmp_path):
    with pytest.raises(InputError, match="no pair Si-Si"):
        plot_rdf(REFERENCE, {"x": REFERENCE.reorder(PAIRS[:2])}, tmp_path / "g.png")
    assert list(tmp_path.iterdir()) == []


def test_convergence_figure(tmp_path):
    path = tmp_path / "c.png"
    levels = {"BKS": 0.176, "CHIK": 0.109, "ML": 0.108, "ML-ALL": 0.107}
    figure = plot_convergence(POINTS[::-1], path, "made up", levels)
    check_png(path, figure)
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "R (%)"
    assert legend_of(figure) == [
        "design (2)",
        "gp (2)",
        "best so far: 9.00 %",
        "failed: 3 (guard 2, lost atoms 1)",
    ]
    drawn = {line.get_label(): line for line in axes.lines}
    best = drawn["best so far: 9.00 %"]
    assert list(best.get_xdata()) == [0, 2, 3, 5]
    np.testing.assert_allclose(best.get_ydata(), [60.0, 30.0, 30.0, 9.0])
    assert list(drawn["failed: 3 (guard 2, lost atoms 1)"].get_xdata()) == [1, 4, 6]
    heights = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert sorted(heights) == pytest.approx([10.7, 10.8, 10.9, 17.6])
    assert [text.get_text() for text in axes.texts] == [
        "ML-ALL 10.7 %",
        "ML 10.8 %",
        "CHIK 10.9 %",
        "BKS 17.6 %",
    ]
    assert overlaps(figure) == []
    low, high = axes.get_ylim()
    assert low < 8.6
    assert high > 61.0


def test_what_was_given_up_is_hollow_and_never_the_best(tmp_path):
    points = [Point(1, 0.2, 0.01, "gp"), Point(2, 0.1, 0.01, "gp", given_up=True)]
    figure = plot_convergence(points, tmp_path / "c.png")
    assert legend_of(figure) == ["gp (1)", "gp, given up (1)", "best so far: 20.00 %"]
    full, hollow = (line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert (full.get_markerfacecolor(), hollow.get_markerfacecolor()) == ("#0072B2", "none")
    assert full.get_color() == hollow.get_color()


def test_convergence_is_linear_over_a_small_span(tmp_path):
    points = [Point(i, 0.09 + 0.001 * i, 0.002, "cg") for i in range(5)]
    axes = plot_convergence(points, tmp_path / "c.png").axes[0]
    assert axes.get_yscale() == "linear"


def test_many_reasons_are_summed_up(tmp_path):
    points = [Point(i, None, reason=f"reason {i} " + 50 * "x") for i in range(6)]
    figure = plot_convergence(points, tmp_path / "c.png")
    assert legend_of(figure)[0].endswith("others 3)")
    assert len(legend_of(figure)[0]) < 140


@pytest.mark.parametrize("points", [[], POINTS[1:2], POINTS[:1]], ids=["none", "failed", "one"])
def test_convergence_of_little(tmp_path, points):
    path = tmp_path / "c.png"
    check_png(path, plot_convergence(points, path))


def test_pair_curves_cut_walls_and_show_wells(tmp_path):
    r = np.linspace(0.5, 8.0, 500)
    well = 4.0 * 0.4 * ((2.6 / r) ** 12 - (2.6 / r) ** 6)
    coulomb = 14.4 / r
    path = tmp_path / "u.png"
    figure = plot_pair_curves(
        {"Al-Al": {"LJ": (r, well)}, "O-O": {"LJ": (r, well), "bare": (r, coulomb)}}, path
    )
    check_png(path, figure)
    first, second = figure.axes
    assert first.get_ylabel() == "U(r) (eV)"
    assert first.get_xlabel() == second.get_xlabel() == "r (Å)"
    low, high = first.get_ylim()
    assert -0.5 < low < -0.4
    assert 0.3 < high < 1.0
    assert second.get_ylim()[1] > 14.4 / 2.25
    assert legend_of(figure) == ["LJ", "bare"]


def test_pair_curves_show_the_barrier_but_not_the_wall(tmp_path):
    # O-O of BKS (doi:10.1103/PhysRevLett.64.1955) with a steep wall: the barrier is at 1.44 Å.
    r = np.linspace(0.6, 8.0, 800)
    damped = np.exp(-0.3 * r)
    U = 14.4 * 1.44 / r * damped + 1388.773 * np.exp(-2.76 * r) - 175.0 / r**6 + 113.0 / r**24
    low, high = plot_pair_curves({"O-O": {"x": (r, U)}}, tmp_path / "u.png").axes[0].get_ylim()
    barrier = U[(r > 1.2) & (r < 2.0)].max()
    assert high >= barrier
    assert high < 4.0 * barrier
    assert low > -4.0 * barrier


def test_one_label_has_one_colour_in_every_panel(tmp_path):
    r = np.linspace(1.0, 6.0, 20)
    figure = plot_pair_curves(
        {"A-A": {"one": (r, 1 / r), "two": (r, 2 / r)}, "A-B": {"two": (r, 3 / r)}},
        tmp_path / "u.png",
    )
    colours = [
        {line.get_label(): line.get_color() for line in axes.lines}["two"] for axes in figure.axes
    ]
    assert colours[0] == colours[1]


def test_a_band_is_about_the_first_curve_and_as_far_as_the_error_is_known(tmp_path):
    r = np.linspace(1.0, 6.0, 51)
    curves = {"Si-O": {"fit": (r, -1 / r), "known": (r, -2 / r)}}
    errors = {"Si-O": (r[10:], np.full(41, 0.2))}
    (axes,) = plot_pair_curves(curves, tmp_path / "u.png", errors=errors).axes
    (band,) = axes.collections
    x, y = band.get_paths()[0].vertices.T
    assert x.min() == pytest.approx(r[10])
    at = np.isclose(x, 3.0)
    assert sorted(y[at]) == pytest.approx([-1 / 3 - 0.2, -1 / 3 + 0.2])
    bare = plot_pair_curves(curves, tmp_path / "u.png", errors={"O-O": errors["Si-O"]})
    assert not bare.axes[0].collections


def test_plots_need_no_pyplot():
    code = "import sys, lammpsfit.report; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        plot_convergence(POINTS, tmp_path / "none" / "c.png")
