"""What a crystal is at rest, as terms: against LAMMPS, and their derivatives."""

import pickle
from pathlib import Path

import ase.io
import numpy as np
import pytest

from lammpsfit.child.process import run_in_child
from lammpsfit.config import TermTables
from lammpsfit.errors import InputError
from lammpsfit.forcefield import Free, ParameterSpace, load_potential
from lammpsfit.labelled.frame import Frame
from lammpsfit.labelled.frames import read_frames
from lammpsfit.md.crystal import Crystal
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.read_structure import read_configuration
from lammpsfit.md.system import System
from lammpsfit.models import checked
from lammpsfit.target import Setting, build_terms
from lammpsfit.target.crystal_response import CrystalResponse, Response
from lammpsfit.target.crystal_terms import CellTerm, ElasticTerm, PlacesTerm

QUARTZ = Path(__file__).parents[2] / "examples" / "silica" / "alpha_quartz.cif"
WANTED = {"C11": 86.8, "C33": 105.8, "C44": 58.2, "C66": 39.9, "C12": 7.0, "C13": 11.9, "C14": 18.0}


@pytest.fixture(scope="module")
def chik():
    return load_potential("CHIK")


@pytest.fixture(scope="module")
def shik():
    """Its terms end smoothly: LAMMPS and we then see the same pairs, strained or not."""
    return load_potential("SHIK").restricted(("Si", "O"))


@pytest.fixture(scope="module")
def rested(shik):
    """Quartz at rest, as LAMMPS finds it: one cell, and its elastic constants."""
    task = Crystal("quartz", shik, read_configuration(QUARTZ), 3)
    solid = run_in_child(task, 300.0).solid
    repeats = np.array(task.repeats)
    inside = solid.positions @ np.linalg.inv(solid.cell) * repeats + 0.01
    first = np.all(np.floor(inside) % repeats == 0, axis=1)
    species = tuple(np.array(solid.species)[first].tolist())
    cell = solid.cell / repeats[:, None]
    return Frame(species, solid.positions[first], cell, (True,) * 3), solid.stiffness


@pytest.fixture(scope="module")
def space(chik):
    free = [Free("q_Si", 1.2, 2.8), Free("A_Si-O", 1e4, 4e4), Free("rho_O-O", 0.2, 0.5)]
    return ParameterSpace(chik, free, balance="O", composition={"Si": 1, "O": 2})


def elastic_term(crystal):
    return ElasticTerm("quartz", CrystalResponse.of(crystal), 5.0, WANTED)


def test_constants_are_those_of_lammps(rested, shik):
    crystal, expected = rested
    assert len(crystal) == 9
    term = elastic_term(crystal)
    assert term.stiffness(shik) == pytest.approx(expected, abs=0.2)
    y = term.residuals(shik)
    rms = np.sqrt(
        np.mean([(expected[int(c[1]) - 1, int(c[2]) - 1] - w) ** 2 for c, w in WANTED.items()])
    )
    assert np.linalg.norm(y) == pytest.approx(0.01 * rms / 5.0, rel=0.01)
    assert pickle.loads(pickle.dumps(term)).residuals(shik) == pytest.approx(y, rel=1e-12)


def test_it_does_not_matter_how_the_crystal_lies(rested, shik):
    crystal, _ = rested
    angle = 0.7
    turn = np.array(
        [[np.cos(angle), np.sin(angle), 0.0], [-np.sin(angle), np.cos(angle), 0.0], [0, 0, 1]]
    )[:, [2, 0, 1]]
    turned = Frame(crystal.symbols, crystal.positions @ turn, crystal.cell @ turn, (True,) * 3)
    one, other = (elastic_term(c) for c in (crystal, turned))
    assert other.stiffness(shik) == pytest.approx(one.stiffness(shik), abs=1e-6)


def test_a_crystal_at_rest_stays_and_a_strained_one_goes_back(rested, shik):
    crystal, _ = rested
    there = CrystalResponse.of(crystal)
    assert CellTerm("q", there, 1.0).residuals(shik) == pytest.approx(np.zeros(6), abs=1e-4)
    assert PlacesTerm("q", there, 1.0).residuals(shik) == pytest.approx(np.zeros(27), abs=2e-5)
    strain = np.diag([2e-3, -1e-3, 3e-3])
    moves = np.random.default_rng(1).normal(scale=2e-3, size=crystal.positions.shape)
    moves -= moves.mean(axis=0)
    errors = []
    for size in (1.0, 0.5):
        stretched = np.eye(3) + size * strain
        off = Frame(
            crystal.symbols,
            (crystal.positions + size * moves) @ stretched,
            crystal.cell @ stretched,
            (True,) * 3,
        )
        found = CrystalResponse.of(off).at(shik)
        wrong = found.strain + size * np.array([2e-3, -1e-3, 3e-3, 0.0, 0.0, 0.0])
        errors.append([np.abs(wrong).max(), np.abs(found.moves + size * moves.ravel()).max()])
    assert max(errors[0][0], errors[1][0]) < 3e-4
    # what is left of the moves is of second order
    assert errors[0][1] < 2e-3
    assert errors[1][1] < 0.35 * errors[0][1]


@pytest.mark.parametrize("kind", [CellTerm, PlacesTerm, ElasticTerm])
def test_the_jacobian_is_the_derivative_of_the_residuals(space, kind):
    (crystal,) = read_frames([QUARTZ], labelled=False)
    wanted = {"wanted": WANTED} if kind is ElasticTerm else {}
    term = kind("quartz", CrystalResponse.of(crystal), 5.0, **wanted)
    u, step = np.array([0.4, 0.5, 0.6]), 1e-5
    J = term.jacobian(space, u)
    assert J.shape == (len(term.residuals(space.base)), 3)
    for k, e in enumerate(np.eye(3) * step):
        up, down = (term.residuals(space.potential(u + s * e)) for s in (1, -1))
        assert J[:, k] == pytest.approx((up - down) / (2 * step), abs=1e-5 * np.abs(J).max())


def test_what_was_asked_last_is_not_taken_for_another_answer(space):
    (crystal,) = read_frames([QUARTZ], labelled=False)

    def asked(u, term):
        return term.residuals(space.potential(u)), term.jacobian(space, u)

    points = [np.full(3, 0.4), np.full(3, 0.6), np.full(3, 0.4)]
    kept = CellTerm("q", CrystalResponse.of(crystal), 0.3)
    for u in points:
        fresh = CellTerm("q", CrystalResponse.of(crystal), 0.3)
        for found, expected in zip(asked(u, kept), asked(u, fresh), strict=True):
            assert found == pytest.approx(expected, rel=1e-12)
    u = points[0]
    before = kept.jacobian(space, u)
    u[0] = 0.5
    assert kept.jacobian(space, u) != pytest.approx(before, rel=1e-3)


@pytest.mark.parametrize("hessian", [0.0, np.inf, np.nan])
def test_where_nothing_resists_there_is_no_rest(hessian):
    nothing = Response(
        *(50.0, np.zeros(6), np.zeros(6), np.zeros((6, 6)), np.zeros((6, 6))),
        np.full((6, 6), hessian),
    )
    assert np.all(np.isnan(nothing.strain))
    assert np.all(np.isnan(nothing.moves))
    assert np.all(np.isnan(nothing.strain_slope(nothing)))


def setting_of(potential):
    return Setting(potential, System("SiO2", 648, 2.2), Protocol(temperature=3600.0))


def crystal_terms(chik, **table):
    tables = checked(TermTables, {"crystal": [{"file": str(QUARTZ), "name": "q"} | table]}, "job")
    return build_terms(tables, setting_of(chik))


def test_a_job_asks_for_it_by_name(chik):
    terms = crystal_terms(chik, elastic={"C33": 105.8, "C12": 7.0}, elastic_per_percent=3.0)
    (term,) = [term for term in terms if term.name == "elastic q"]
    C = term.stiffness(chik)
    expected = 0.01 * np.array([C[2, 2] - 105.8, C[0, 1] - 7.0]) / 3.0 / np.sqrt(2.0)
    assert term.residuals(chik) == pytest.approx(expected)


def test_cell_and_places_at_rest_in_place_of_stress_and_forces(chik):
    terms = crystal_terms(
        chik, fit=["cell", "places"], cell_per_percent=0.5, places_per_percent=0.02
    )
    assert [term.name for term in terms] == ["g(r)", "cell q", "places q"][-len(terms) :]
    cell, places = terms[-2:]
    there = cell.response.at(chik)
    assert cell.residuals(chik) == pytest.approx(there.strain / 0.5 / np.sqrt(6.0))
    assert places.residuals(chik) == pytest.approx(0.01 * there.moves / 0.02 / np.sqrt(27.0))
    # LAMMPS finds 5.09 and 5.50 Å at rest (docs/which_silica_potential.md): 3.5 and 1.7 %
    assert there.strain[[0, 1, 2]] == pytest.approx([0.036, 0.036, 0.012], abs=0.004)


def test_a_labelled_crystal_is_not_at_rest(chik):
    with pytest.raises(InputError, match="cell are those of a crystal at rest, which one with"):
        crystal_terms(chik, fit="cell", labelled=True)


@pytest.mark.parametrize(
    ("elastic", "message"),
    [
        ({"C71": 1.0}, "must name some of C11, C12 to C66, got 'C71'"),
        ({"C21": 1.0}, "must name some of C11, C12 to C66, got 'C21'"),
        ({"C11": float("nan")}, "C11: input should be a finite number"),
        ({"C11": 1e9}, "must have C11 from -100000 to 100000 GPa"),
    ],
)
def test_what_is_no_elastic_constant_is_refused(chik, elastic, message):
    with pytest.raises(InputError, match=message):
        crystal_terms(chik, elastic=elastic)


def test_large_cells_and_several_crystals_are_refused(chik, tmp_path):
    atoms = ase.io.read(QUARTZ)
    ase.io.write(tmp_path / "large.xyz", atoms.repeat((3, 3, 2)), format="extxyz")
    with pytest.raises(InputError, match="has 162 atoms, and elastic, cell and places take at"):
        crystal_terms(chik, elastic={"C11": 1.0}, file=str(tmp_path / "large.xyz"))
    ase.io.write(tmp_path / "two.xyz", [atoms, atoms], format="extxyz")
    with pytest.raises(InputError, match="holds 2 crystals, and elastic are for one"):
        crystal_terms(chik, elastic={"C11": 1.0}, file=str(tmp_path / "two.xyz"))
