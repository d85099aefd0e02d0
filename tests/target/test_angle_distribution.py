"""Distributions of bond angles: their distance, what a frame shows, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.config import TermTables, read_job
from lammpsfit.errors import InputError
from lammpsfit.fit.run.problem import build_problem
from lammpsfit.fit.run.run_folder import create_run, open_run
from lammpsfit.structure.curves import overlap
from lammpsfit.structure.pair_counts import Composition
from lammpsfit.target import Setting, build_terms

TABLE = Path(__file__).parents[2] / "examples" / "silica" / "bond_angles_3600K.csv"
KEYS = {"angle": "Si-O-Si", "file": TABLE, "whose": "aimd", "cutoffs": {"Si-O": 2.2}}


@pytest.fixture(scope="module")
def setting(problem):
    return Setting(problem.potential, problem.system, problem.protocol)


def term_of(setting, **changes):
    tables = TermTables.model_validate({"angle_distribution": [KEYS | changes]})
    (term,) = build_terms(tables, setting)
    return term


def residuals(term, p):
    return float(np.linalg.norm((p - term.wanted) * term.scale))


def gaussian(theta, mean, sd):
    p = np.exp(-0.5 * ((theta - mean) / sd) ** 2)
    return p / (p.sum() * (theta[1] - theta[0]))


@pytest.mark.parametrize(
    ("change", "agreement"), [((1.5, 0.0), 0.005), ((-2.0, 0.0), 0.005), ((0.0, 0.6), 0.03)]
)
def test_a_small_distance_is_the_fraction_of_angles_out_of_place(setting, change, agreement):
    term = term_of(setting)
    shift, wider = change
    term = replace(term, curve_wanted=gaussian(term.x, 120.0, 12.0))
    p = gaussian(term.x, 120.0 + shift, 12.0 + wider)
    out_of_place = 1.0 - overlap(p, term.wanted)
    d = residuals(term, p) * term.per_percent / 0.01
    assert d == pytest.approx(out_of_place, rel=agreement)
    assert 0.01 < out_of_place < 0.1


def test_what_is_wanted_is_the_table(setting):
    term = term_of(setting, width=1.0)
    assert term.wanted.sum() == pytest.approx(1.0)
    assert term.wanted @ term.x == pytest.approx(136.2, abs=0.5)  # mean of the ab initio liquid
    wide = term_of(setting, width=3.0)
    assert wide.wanted == pytest.approx(term.wanted.reshape(-1, 3).mean(axis=1))


def test_per_percent_scales_residuals(setting):
    ones, twos = term_of(setting), term_of(setting, per_percent=0.02)
    assert ones.scale == pytest.approx(2 * twos.scale)
    assert "2 % of the angles out of place count as much as R = 1 %" in twos.column.words


def test_a_frame_shows_the_angles_that_it_has(setting):
    """One Si in a tetrahedron of O, of which one has another Si at 150°."""
    term = term_of(setting, angle="O-Si-O", width=1.0)
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 1.6 / np.sqrt(3)
    side = np.cross(corners[0], [1.0, 0.0, 0.0])
    out, side = corners[0] / 1.6, side / np.linalg.norm(side)
    angle = np.radians(150.0 + 1e-3)
    second = corners[0] + 1.6 * (-np.cos(angle) * out + np.sin(angle) * side)
    positions = np.array([[0.0, 0, 0], second, *corners]) + 10.0
    composition = Composition.of(["Si", "Si", "O", "O", "O", "O"])
    cell = 20.0 * np.eye(3)
    tetrahedra = term.measure(composition, positions, cell)
    assert tetrahedra.sum() == pytest.approx(1.0)
    assert tetrahedra[109] == pytest.approx(1.0)  # 109.47°
    bridge = term_of(setting, width=1.0).measure(composition, positions, cell)
    assert bridge[150] == pytest.approx(1.0)
    bare = term_of(setting).measure(composition, 3.0 * positions, 3.0 * cell)
    assert not bare.any()


def test_both_orders_of_an_angle_are_one(setting, problem, tmp_path):
    table = tmp_path / "angles.csv"
    rows = "".join(f"{t},{np.exp(-(((t - 90) / 20) ** 2)):.5f}\n" for t in range(180))
    table.write_text(f"theta_deg,Si-Si-O\n{rows}")
    cutoffs = {"Si-Si": 3.5, "O-Si": 2.2}
    term = term_of(setting, angle="O-Si-Si", file=table, whose=None, cutoffs=cutoffs)
    rng = np.random.default_rng(3)
    composition = Composition.of(["Si"] * 20 + ["O"] * 40)
    p = term.measure(composition, 10.0 * rng.random((60, 3)), 10.0 * np.eye(3))
    assert p.sum() * 3.0 == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"angle": "Si-O"}, r"three species joined by '-', .* got 'Si-O'"),
        ({"angle": "Si-Na-Si"}, r"of Si, O, got 'Si-Na-Si'"),
        ({"cutoffs": {}}, r"cutoffs of Si-O-Si must be of Si-O, got none"),
        ({"cutoffs": {"Si-Si": 3.0}}, r"must be of Si-O, got Si-Si"),
        ({"cutoffs": {"Si-O": 9.0}}, r"cutoffs.Si-O must be at most .* \(8 Å\), got 9 Å"),
        ({"whose": None}, r"whose must say which of aimd, bks, ml"),
        ({"whose": "chik"}, r"the angle Si-O-Si of 'chik', but that is there of aimd, bks, ml"),
        ({"angle": "Si-Si-Si", "cutoffs": {"Si-Si": 3.5}}, r"Si-Si-Si .* there of nobody"),
        ({"width": 7.0}, r"width must be 1, 2, 3, 4, 5, 6, 9 or 10 degrees, got 7"),
    ],
)
def test_what_cannot_be_is_refused(setting, change, match):
    with pytest.raises(InputError, match=match):
        term_of(setting, **change)


def test_a_table_that_is_cut_off_is_refused(setting, tmp_path):
    table = tmp_path / "angles.csv"
    rows = "".join(f"{t},{np.exp(-(((t - 136) / 15) ** 2)):.5f}\n" for t in range(130, 181))
    table.write_text(f"theta_deg,Si-O-Si\n{rows}")
    with pytest.raises(InputError, match=r"Si-O-Si must fall to nothing .* cut off at 130°"):
        term_of(setting, file=table, whose=None)


def test_its_file_goes_with_the_run(job_file, tmp_path):
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "angles.csv").write_text(TABLE.read_text("utf-8"), "utf-8")
    text = job_file.read_text("utf-8") + (
        '[[angle_distribution]]\nangle = "Si-O-Si"\nfile = "angles.csv"\nwhose = "aimd"\n'
        'cutoffs = { "Si-O" = 2.2 }\n'
    )
    (folder / "job.toml").write_text(text, "utf-8")
    job = read_job(folder / "job.toml")
    assert folder / "angles.csv" in job.files
    run = create_run(tmp_path / "run", job)
    (folder / "angles.csv").unlink()
    _, again, _ = open_run(run.path)
    (term,) = build_problem(again).target.others
    assert term.name == "angle distribution Si-O-Si"
    assert [curve.name for curve in build_problem(again).target.curves] == [term.name]
