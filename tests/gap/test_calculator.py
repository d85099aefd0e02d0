"""The calculator of a GAP: conformance, its own uncertainty, MD, and models in files."""

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.verlet import VelocityVerlet

import lammpsfit
from lammpsfit.errors import InputError
from lammpsfit.gap.calculator import GapCalculator
from lammpsfit.gap.descriptors import Settings, make_descriptors
from lammpsfit.gap.fit import FitOptions, fit_model
from lammpsfit.gap.hyperparameters import Hyperparameters, Noises
from lammpsfit.gap.model_file import load_model, save_model
from lammpsfit.gap.predict import predict
from lammpsfit.gap.work.remembered import Remembering
from lammpsfit.labelled.frames import Keys, from_atoms

SPEC = importlib.util.spec_from_file_location(
    "conformance", Path(__file__).with_name("conformance.py")
)
conformance = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(conformance)

NOISES = Noises(energy=1e-3, forces=0.01, stress=1e-3)


def skewed(seed, mixed=False):
    """Four atoms in a skewed cell less than half as wide as the cutoff reaches."""
    atoms = bulk("Al", cubic=True)
    rng = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array + rng.normal(0, 0.1, (3, 3)), scale_atoms=True)
    atoms.rattle(0.1, seed=seed)
    if mixed:
        atoms.symbols[0] = "Cu"
    return atoms


def labelled(atoms):
    atoms.calc = EMT()
    atoms.get_potential_energy()
    atoms.get_stress()
    return from_atoms(atoms, Keys("energy", "forces", "stress"), "EMT")


def fitted(settings, mixed=False, inducing=None):
    frames = [labelled(skewed(seed, mixed and seed % 2 == 0)) for seed in range(6)]
    described, parameters = make_descriptors(settings, frames)
    parts = len(described.layout.parts)
    hyper = Hyperparameters((8.0,) * parts, 20.0, NOISES)
    return fit_model(frames, described, parameters, FitOptions(hyper=hyper, inducing=inducing))


RADIAL = Settings(radial_cutoff=6.0, radial_count=5, angular_count=0)


@pytest.fixture(scope="module")
def model():
    return fitted(RADIAL)


@pytest.fixture(scope="module")
def angular():
    settings = Settings(
        radial_cutoff=5.0, radial_count=3, angular_cutoff=4.5, angular_count=2, degrees=(1, 2)
    )
    return fitted(settings, mixed=True)


@pytest.fixture(scope="module")
def sparse():
    return fitted(RADIAL, inducing=9)


@pytest.mark.parametrize(
    ("name", "mixed"), [("model", False), ("angular", True), ("sparse", False)]
)
def test_it_conforms(request, name, mixed):
    calculator = GapCalculator(request.getfixturevalue(name))
    conformance.check(calculator, skewed(31, mixed), np.random.default_rng(5))


def test_the_one_that_remembers_conforms(tmp_path):
    remembering = Remembering(EMT(), "EMT", tmp_path / "energies.jsonl")
    conformance.check(remembering, skewed(31), np.random.default_rng(5))


def test_there_is_no_calculator_that_is_not_checked():
    """Whoever adds one runs the conformance check on it, and names it here."""
    sources = sorted(Path(lammpsfit.__file__).parent.rglob("*.py"))
    found = [re.findall(r"class (\w+)\(.*Calculator", path.read_text()) for path in sources]
    assert [name for names in found for name in names] == ["GapCalculator", "Remembering"]


def test_it_has_learnt_the_forces(model):
    atoms = skewed(77)
    reference = labelled(atoms.copy())
    atoms.calc = GapCalculator(model)
    error = np.abs(atoms.get_forces() - reference.forces).mean()
    assert error < 0.15 * np.abs(reference.forces).mean()


def test_errors_are_computed_only_when_asked_for(model):
    atoms = skewed(8)
    calculator = atoms.calc = GapCalculator(model)
    forces = atoms.get_forces()
    assert "forces_error" not in calculator.results
    expected = predict(model, from_atoms(atoms, labelled=False), uncertainty=True)
    np.testing.assert_array_equal(
        calculator.get_property("forces_error", atoms), expected.forces_error
    )
    assert calculator.get_property("energy_error", atoms) == expected.energy_error
    np.testing.assert_array_equal(calculator.results["forces"], forces)
    atoms.rattle(0.01, seed=1)
    assert calculator.get_property("forces_error", atoms, allow_calculation=False) is None
    atoms.get_forces()
    assert calculator.get_property("forces_error", atoms, allow_calculation=False) is None
    moved = predict(model, from_atoms(atoms, labelled=False), uncertainty=True)
    assert calculator.get_property("energy_error", atoms) == moved.energy_error
    assert moved.energy_error != expected.energy_error


def test_results_can_be_kept_by_ase_after_errors_were_asked_for(model):
    atoms = skewed(8)
    atoms.calc = GapCalculator(model)
    atoms.calc.get_property("forces_error", atoms)
    kept = SinglePointCalculator(atoms, **atoms.calc.results)
    np.testing.assert_array_equal(kept.get_forces(atoms), atoms.get_forces())


def test_a_model_without_training_frames_says_it_has_no_errors(model):
    atoms = skewed(8)
    atoms.calc = GapCalculator(replace(model, training=()))
    atoms.get_forces()
    with pytest.raises(InputError, match="training frames were left out"):
        atoms.calc.get_property("forces_error", atoms)


def test_what_the_atoms_must_be(model):
    atoms = skewed(8, mixed=True)
    atoms.calc = GapCalculator(model)
    with pytest.raises(InputError, match=r"CuAl3: Cu is none of the species .*\(Al\)"):
        atoms.get_potential_energy()
    atoms = skewed(8)
    atoms.positions[2, 1] = np.nan
    atoms.calc = GapCalculator(model)
    with pytest.raises(InputError, match="positions of atom 3 not finite"):
        atoms.get_potential_energy()


def test_atoms_on_one_another_are_no_forces(model):
    atoms = skewed(8)
    atoms.positions[1] = atoms.positions[0]
    atoms.calc = GapCalculator(model)
    with pytest.raises(InputError, match=r"Al4: its forces are not finite: do two atoms overlap"):
        atoms.get_forces()


def test_atoms_in_the_open(model):
    """A cluster has no stress, and the energy of a cluster in the middle of a large cell."""
    atoms = Atoms("Al3", [[0, 0, 0], [2.6, 0.2, 0], [1.1, 2.4, 0.3]])
    atoms.calc = GapCalculator(model)
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()
    boxed = atoms.copy()
    boxed.set_cell([20, 20, 20])
    boxed.pbc = True
    boxed.calc = GapCalculator(model)
    assert energy == pytest.approx(boxed.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(forces, boxed.get_forces(), atol=1e-9)


def drift(atoms, calculator, steps, timestep):
    """Change of the total energy over a run, and how far it wanders, eV per atom."""
    atoms.calc = calculator
    spread = np.sqrt(600 * units.kB * atoms.get_masses())[:, None]
    atoms.set_momenta(spread * np.random.default_rng(2).normal(size=(len(atoms), 3)))
    totals = []
    md = VelocityVerlet(atoms, timestep * units.fs)
    md.attach(lambda: totals.append(atoms.get_total_energy() / len(atoms)))
    md.run(steps)
    totals = np.array(totals[5:])
    half = len(totals) // 2
    return abs(totals[half:].mean() - totals[:half].mean()), totals.std()


def test_energy_is_conserved_and_better_with_a_shorter_step(model):
    """The error of Verlet's method goes with the square of the step, if the forces are right."""
    atoms = bulk("Al", a=4.05, cubic=True)
    slow, far = drift(atoms.copy(), GapCalculator(model), 100, 2.0)
    _, near = drift(atoms.copy(), GapCalculator(model), 200, 1.0)
    assert slow < 1e-4
    assert near < 0.4 * far


def test_a_file_gives_back_the_same_bits(model, angular, tmp_path):
    for one, atoms in ((model, skewed(3)), (angular, skewed(4, mixed=True))):
        save_model(one, tmp_path / "m.json")
        again = GapCalculator.load(tmp_path / "m.json")
        frame = from_atoms(atoms, labelled=False)
        ours = predict(one, frame, uncertainty=True)
        theirs = predict(again.model, frame, uncertainty=True)
        for name, value in vars(ours).items():
            np.testing.assert_array_equal(getattr(theirs, name), value, err_msg=name)


def cut(content, name):
    """Take the last row off one of the arrays of the centres."""
    centres = content["model"]["centres"]
    rows, *rest = centres[name]["shape"]
    values = np.zeros((rows - 1, *rest))
    centres[name] = {"array": values.tolist(), "shape": list(values.shape)}


def changed(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c.update(version=7),
            r"a model file of version 7, written by lammpsfit .* reads",
        ),
        (lambda c: c["model"].update(version=9), "this GAP is of version 9"),
        (lambda c: c.update(format="soup"), "not the model file of a GAP"),
        (lambda c: c["model"].pop("centres"), "this is no GAP potential: KeyError"),
        (lambda c: c.pop("model"), "damaged: KeyError"),
        (lambda c: c["model"]["centres"]["z"].update(base64="AAAA"), "damaged: ValueError"),
        (lambda c: c["model"]["centres"]["z"].update(base64="!"), "damaged: Error"),
        (lambda c: c["model"]["hyper"].update(theta=["wide"]), "this is no GAP potential"),
        (lambda c: c.update(model=[1]), "this is no GAP potential: list"),
        (lambda c: c["model"]["hyper"].update(theta=[1.0, 2.0]), "damaged: theta missing"),
        (lambda c: c["model"]["hyper"].update(theta=[-1.0]), "theta must be positive"),
        (
            lambda c: c["model"]["hyper"].update(amplitude=float("nan")),
            "damaged: amplitude missing",
        ),
        (lambda c: c["model"]["hyper"]["noises"].update(forces=0.0), "noises must be positive"),
        (lambda c: c["model"]["parameters"].clear(), "damaged: radial_eta missing"),
        (
            lambda c: c["model"]["descriptors"]["radial"].update(cutoff="5.0"),
            "damaged: a cutoff must be a length up to 20 Å, got '5.0'",
        ),
        (
            lambda c: c["model"]["descriptors"]["radial"].update(cutoff=None),
            "a length up to 20 Å, got None",
        ),
        (
            lambda c: c["model"]["descriptors"].update(offset=[float("nan")] * 5),
            "damaged: offset missing, not finite",
        ),
        (lambda c: c["model"]["offsets"].update(Al=float("nan")), "damaged: offsets missing"),
        (lambda c: c["model"].update(offsets={"Cu": -1.0}), "damaged: offsets missing"),
        (lambda c: cut(c, "z"), "damaged: z missing"),
        (lambda c: cut(c, "b"), "damaged: b missing"),
        (lambda c: cut(c, "species"), "damaged: species missing"),
        (lambda c: c["model"]["centres"]["species"].update(array=[7.0] * 24), "of no species"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_a_line(model, tmp_path, change, message):
    path = tmp_path / "m.json"
    save_model(model, path)
    load_model(path)
    changed(path, change)
    with pytest.raises(InputError, match=message) as caught:
        load_model(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_cut_short_or_missing(model, tmp_path):
    path = tmp_path / "m.json"
    save_model(model, path)
    path.write_text(path.read_text()[:-200])
    with pytest.raises(InputError, match=r"m\.json: not valid JSON"):
        load_model(path)
    with pytest.raises(InputError, match="no such model file"):
        load_model(tmp_path / "other.json")
    with pytest.raises(InputError, match="cannot be read"):
        load_model(tmp_path)
