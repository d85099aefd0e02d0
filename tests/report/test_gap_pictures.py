"""Pictures of GAP potentials: what is in them is what was given."""

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.report.gap import Parity, plot_calibration, plot_parity, plot_training
from lammpsfit.report.gap_curves import LearningCurve, plot_learning_curves
from lammpsfit.report.ratio_plot import Ratio, plot_ratios

PNG = b"\x89PNG"


def texts(axes):
    return "\n".join(text.get_text() for text in axes.texts)


def test_parity_says_the_errors_it_shows(tmp_path):
    x = np.linspace(-1, 1, 50)
    error = np.where(np.arange(50) % 2 == 0, 0.1, -0.3)
    figure = plot_parity([Parity("forces", "eV/Å", x, x + error)], tmp_path / "p.png", "a $ b")
    assert (tmp_path / "p.png").read_bytes().startswith(PNG)
    upper, lower = figure.axes
    assert "MAE 0.2 eV/Å\nRMSE 0.224 eV/Å\n50 values" in texts(upper)
    np.testing.assert_allclose(upper.lines[1].get_xydata(), np.column_stack([x, x + error]))
    np.testing.assert_allclose(lower.lines[1].get_ydata(), error)


def test_wild_errors_are_counted_and_drawn_at_the_edge():
    x = np.linspace(0, 1, 1000)
    error = np.full(1000, 0.01)
    error[10] = 5.0
    figure = plot_parity([Parity("forces", "eV/Å", x, x + error)], None)
    lower = figure.axes[1]
    assert "1 beyond the range" in texts(lower)
    assert lower.get_ylim()[1] < 0.1
    assert lower.lines[1].get_ydata().max() == pytest.approx(lower.get_ylim()[1])


def test_many_points_are_drawn_by_their_density():
    x = np.random.default_rng(0).normal(size=5000)
    figure = plot_parity([Parity("forces", "eV/Å", x, x + 0.1)], None)
    counts = figure.axes[0].collections[0].get_array()
    assert counts.sum() == 5000
    assert "5000 values, darker: more of them" in texts(figure.axes[0])


def test_one_value_and_no_error_can_be_drawn():
    one = np.array([1.0])
    plot_parity([Parity("energy", "meV/atom", one, one)], None)


def test_calibration_shows_bins_and_fractions(tmp_path):
    predicted, made = np.array([0.01, 0.03]), np.array([0.02, 0.05])
    figure = plot_calibration(predicted, made, (0.5, 0.8), "eV/Å", tmp_path / "c.png")
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.lines[1].get_xydata(), np.column_stack([predicted, made]))
    assert "within 1 σ: 50 % (normal: 68 %)\nwithin 2 σ: 80 %" in texts(axes)
    assert axes.get_xlim() == axes.get_ylim()


def test_learning_curves_show_means_and_leave_out_what_is_not_there():
    sizes = np.array([5.0, 10.0, 20.0])
    forces = np.array([[0.3, 0.1], [0.2, 0.1], [np.nan, np.nan]])
    curves = {
        "original": LearningCurve(sizes, forces, 10 * forces),
        "optimised": LearningCurve(sizes, 0.5 * forces, 5 * forces),
    }
    figure = plot_learning_curves(curves, None, "Al")
    left, right, pairs = figure.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == list(curves)
    assert left.get_xticks().tolist() == [5, 10, 20]
    lines = [container.lines[0] for container in left.containers]
    np.testing.assert_allclose(lines[0].get_ydata(), [0.2, 0.15])
    np.testing.assert_allclose(lines[1].get_ydata(), [0.1, 0.075])
    assert len({line.get_color() for line in lines}) == 2
    assert len({line.get_marker() for line in lines}) == 2
    # every training set stands in the panels, whole; and in pairs, half as far up as to the right
    for axes, values in ((left, [0.3, 0.1, 0.2, 0.1]), (right, [3.0, 1.0, 2.0, 1.0])):
        rings = np.concatenate([line.get_ydata() for line in axes.lines if line.get_ls() == "None"])
        assert set(values) < set(np.round(rings, 12))
        low, high = axes.get_ylim()
        assert low < np.nanmin(rings)
        assert high > np.nanmax(rings)
    for line, size, row in zip(pairs.lines[1:], sizes, forces, strict=True):
        assert line.get_label() == f"{size:g}"
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([row, 0.5 * row]))
    assert pairs.get_xlim() == pairs.get_ylim()
    assert "original" in pairs.get_xlabel()
    assert "optimised" in pairs.get_ylabel()


def test_one_learning_curve_has_nothing_to_be_paired_with():
    one = LearningCurve(np.array([5.0]), np.array([[0.3]]), np.array([[1.0]]))
    assert len(plot_learning_curves({"original": one}, None).axes) == 2


def test_training_shows_every_step_and_the_one_that_is_kept():
    values = np.array([3.0, np.nan, 1.0, 2.0])
    figure = plot_training(
        {"loss": {"": values}, "error": {"MAE": values, "RMSE": values}}, 2, None
    )
    for axes in figure.axes:
        assert axes.lines[0].get_xdata() == [2, 2]
        np.testing.assert_allclose(axes.lines[1].get_xydata(), [[0, 3], [2, 1], [3, 2]])
        assert "kept" in texts(axes)
    assert figure.axes[0].get_legend() is None
    assert len(figure.axes[1].get_legend().get_texts()) == 2


def test_a_picture_that_cannot_be_written_is_said(tmp_path):
    one = np.array([1.0, 2.0])
    with pytest.raises(InputError, match="cannot write"):
        plot_parity([Parity("energy", "eV", one, one)], tmp_path / "none" / "p.png")


def test_ratios_have_their_names_and_twice_their_errors():
    figure = plot_ratios([Ratio("a", 1.1, 0.05), Ratio("b", 0.7)], None)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    (bars,) = axes.containers
    assert list(bars.lines[0].get_xdata()) == [1.1, 0.7]
    (segments,) = (one.get_segments() for one in bars.lines[2])
    np.testing.assert_allclose(segments[0][:, 0].astype(float), [1.0, 1.2])
