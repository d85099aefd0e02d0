import io

import numpy as np
import pytest
from rich.console import Console

from lammpsfit.report import count_progress
from lammpsfit.report.count_progress import FrameProgress, StepProgress
from lammpsfit.report.structure import plot_structure
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.bonding import BondAngles
from lammpsfit.structure.rdf import PartialRdf


def make_angles(triples):
    theta = np.arange(0.5, 180.0)
    p = np.full((len(triples), 180), 1 / 180)
    return BondAngles(triples, theta, p, 0.1 * p, (Estimate(90.0, 1.0),) * len(triples))


@pytest.mark.parametrize(
    ("pairs", "triples", "panels"),
    [
        (("Si-O",), (), 1),
        (("Si-Si", "Si-O", "O-O"), ("O-Si-O", "Si-O-Si", "O-O-O"), 5),
        (("A-A", "A-B", "B-B", "A-C"), ("A-A-A", "A-B-A", "A-C-A"), 7),
    ],
)
def test_a_panel_for_each_pair_and_each_centre(tmp_path, pairs, triples, panels):
    blocks = np.random.default_rng(0).uniform(0.5, 1.5, (4, len(pairs), 50))
    rdf = PartialRdf.from_blocks(pairs, 0.1 * (np.arange(50) + 0.5), blocks)
    angles = make_angles(triples) if triples else None
    figure = plot_structure(rdf, tmp_path / "s.png", "$ [x]", {pairs[0]: 2.0}, angles)
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == panels
    assert [axes.get_title() for axes in shown[: len(pairs)]] == list(pairs)
    assert shown[0].collections  # the band of errors
    assert any(np.allclose(line.get_xdata(), 2.0) for line in shown[0].lines)
    lines = [line.get_label() for axes in shown[len(pairs) :] for line in axes.lines]
    assert sorted(lines) == sorted(f"{triple}  90.0°" for triple in triples)
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")


def test_lines_where_there_is_no_terminal(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(count_progress.time, "monotonic", lambda: 0.6 * next(clock))
    out = io.StringIO()
    with FrameProgress(Console(file=out, width=80)) as progress:
        for k in range(1, 5):
            progress("reading", k, None)
        progress("g(r)", 1, 4)
    lines = out.getvalue().splitlines()
    assert lines
    assert all(line.startswith(("reading: ", "g(r): ")) for line in lines)
    assert len(lines) < 5


def test_steps_say_their_first_line_and_then_one_now_and_then(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(count_progress.time, "monotonic", lambda: 0.4 * next(clock))
    out = io.StringIO()
    with StepProgress(Console(file=out, width=80)) as progress:
        for k in range(1, 4):
            progress("theta", k, 4, "loss 1.0")
        progress("eta", 1, 4, "held out 0.05 eV/Å")
    said = out.getvalue().splitlines()
    assert said[0] == "theta 1/4: loss 1.0"
    assert said[-1] == "eta 1/4: held out 0.05 eV/Å"
    assert len(said) < 4


def test_a_bar_on_a_terminal():
    out = io.StringIO()
    with FrameProgress(Console(file=out, width=80, force_terminal=True)) as progress:
        progress("reading", 7, None)
        for k in range(1, 5):
            progress("g(r)", k, 4)
    assert "reading" in out.getvalue()
    assert "4/4" in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K")  # nothing of it is left
