import math

import numpy as np
import pytest
from matplotlib.image import imread

from lammpsfit.errors import InputError
from lammpsfit.report.figures import DPI
from lammpsfit.report.uncertainty import NOTHING_RESOLVED, plot_uncertainty, uncertainty_lines

NAMES = ("q_Si", "A_Si-O", "D_Si-O")
VALUES = dict(zip(NAMES, (2.0, 18000.0, -1.0), strict=True))


def by_name(*values):
    return dict(zip(NAMES, values, strict=True))


@pytest.fixture
def block():
    """The uncertainty of three parameters, one of which may be zero."""
    loadings = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    errors = np.array([0.004, 0.5, 0.1])
    correlation = np.array([[1.0, -0.95, 0.3], [-0.95, 1.0, 0.0], [0.3, 0.0, 1.0]])
    return {
        "cost": 0.1,
        "rise": 0.001,
        "relative": by_name(True, True, False),
        "bounds": by_name([1.0, 3.0], [9000.0, 20000.0], [-2.0, 2.0]),
        "errors": by_name(*errors),
        "reach": by_name(0.01, 0.2, 0.05),
        "offset": by_name(0.0, 0.0, 0.0),
        "at_bound": ["D_Si-O"],
        "covariance": (correlation * np.outer(errors, errors)).tolist(),
        "directions": [
            {
                "loadings": by_name(*loadings[:, k]),
                "curvature": 10.0**-k,
                "error": 0.01 * 10**k if k < 2 else None,
                "reach": 0.02 * 10**k if k < 2 else None,
                "resolved": k < 2,
                "words": f"words {k}",
            }
            for k in range(3)
        ],
        "ensemble": [{"parameters": VALUES, "predicted": 0.101}],
    }


def test_lines_give_errors_ranges_and_words(block):
    lines = [" ".join(line.split()) for line in uncertainty_lines(block, VALUES)]
    assert lines == [
        "parameters with errors, and how far each may go before R rises by 0.10 points "
        "(what is not resolved stays fixed):",
        f"q_Si = 2 ± 0.4 %, {2 * math.exp(-0.01):.4g} to {2 * math.exp(0.01):.4g}",
        f"A_Si-O = 18000 ×÷ 1.6, {18000 * math.exp(-0.2):.4g} to 2e+04",
        "D_Si-O = -1 ± 10 % of its range, -1.2 to -0.8, at its bound",
        "what the runs resolve, from the best known combination to the least:",
        "words 0",
        "words 1",
        "words 2",
    ]


def test_the_range_of_a_negative_parameter_is_in_order(block):
    (line,) = (x for x in uncertainty_lines(block, VALUES | {"q_Si": 1.0}) if "q_Si" in x)
    assert "1 to 1.01" in line
    block["bounds"]["q_Si"] = [-3.0, -1.0]
    (line,) = (x for x in uncertainty_lines(block, VALUES | {"q_Si": -2.0}) if "q_Si" in x)
    assert "-2.02 to -1.98" in line


def test_lines_compare_what_was_predicted_with_what_was_measured(block):
    member = block["ensemble"][0]
    block["ensemble"] = [
        member | {"measured": 0.102, "measured_error": 0.002},
        member | {"failed": "lost atoms"},
        member,
    ]
    assert list(uncertainty_lines(block, VALUES))[-3:] == [
        "potentials as good by these errors, R predicted and measured:",
        "  1: 10.10 %, 10.20 ± 0.20 %",
        "  2: 10.10 %, failed: lost atoms",
    ]


def test_what_is_not_resolved_has_no_number(block):
    block["errors"]["A_Si-O"] = block["reach"]["A_Si-O"] = None
    block["reach"]["q_Si"] = None
    lines = [" ".join(line.split()) for line in uncertainty_lines(block, VALUES)]
    assert lines[1:3] == [
        "q_Si = 2 ± 0.4 %, range not resolved",
        "A_Si-O = 18000 not resolved",
    ]


def test_where_nothing_is_resolved_it_is_said_what_to_do(block):
    for direction in block["directions"]:
        direction["resolved"] = False
    (line,) = uncertainty_lines(block, VALUES)
    assert line == NOTHING_RESOLVED
    assert "limits.evaluations" in line


def test_the_picture_shows_every_cell(block, tmp_path):
    path = tmp_path / "uncertainty.png"
    figure = plot_uncertainty(block, path, "silica")
    width, height = figure.get_size_inches() * DPI
    pixels = imread(path)
    assert pixels.shape[:2] == (round(height), round(width))
    assert pixels[..., :3].std() > 0.01
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    correlation, loadings = (cells for cells in texts if cells)
    assert correlation[:3] == ["1.00", "−.95", ".30"]
    assert len(loadings) == 6
    spectrum = figure.axes[1]
    (errors,) = (line.get_ydata() for line in spectrum.lines if line.get_marker() == "o")
    assert np.isnan(errors).tolist() == [False, False, True]


def test_a_picture_that_cannot_be_written_is_refused(block, tmp_path):
    with pytest.raises(InputError, match="missing"):
        plot_uncertainty(block, tmp_path / "missing" / "u.png")


def test_one_parameter_makes_a_picture(block, tmp_path):
    one = {key: {"q_Si": block[key]["q_Si"]} for key in ("errors", "reach", "relative")}
    direction = block["directions"][0] | {"loadings": {"q_Si": 1.0}}
    block |= one | {"covariance": [[1e-4]], "directions": [direction]}
    plot_uncertainty(block, tmp_path / "u.png", "one")
