"""The core repulsion: LAMMPS's numbers, smooth, and nothing at all where frames have been."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.gap.core import Core, core_of, shortest_distance
from lammpsfit.gap.fit import fit_model
from lammpsfit.gap.model_file import load_model, save_model
from lammpsfit.gap.predict import predict
from lammpsfit.labelled.frames import Frame

CORE = Core(1.5, 2.3)
LAMMPS = Path(__file__).parents[1] / "forcefield" / "lammps_forces.py"


def crowded(small, seed=0):
    """A frame of aluminium and nickel with atoms nearer than those of the training frames."""
    frame = small.frame(seed)
    return replace(frame, positions=0.8 * frame.positions, cell=0.8 * frame.cell)


def test_lammps_has_the_same_energy_and_forces(small, tmp_path):
    box, rng = 7.0, np.random.default_rng(3)
    grid = np.indices((4, 4, 4)).reshape(3, -1).T * box / 4
    positions = grid + rng.normal(0.0, 0.1, grid.shape) + 0.5
    kinds = rng.integers(0, 2, len(grid))
    job = {
        "box": box,
        "positions": positions.tolist(),
        "types": (kinds + 1).tolist(),
        "n_types": 2,
        "lines": [
            "mass * 1.0",
            f"pair_style zbl {CORE.inner} {CORE.outer}",
            "pair_coeff 1 1 13.0 13.0",
            "pair_coeff 1 2 13.0 28.0",
            "pair_coeff 2 2 28.0 28.0",
        ],
    }
    files = [str(tmp_path / name) for name in ("jobs.json", "results.json")]
    Path(files[0]).write_text(json.dumps([job]))
    subprocess.run([sys.executable, str(LAMMPS), *files], check=True, capture_output=True)
    (expected,) = json.loads(Path(files[1]).read_text())
    symbols = tuple(np.array(["Al", "Ni"])[kinds].tolist())
    frame = Frame(symbols, positions, box * np.eye(3), (True,) * 3)
    bare, cored = (predict(replace(small.model, core=core), frame) for core in (None, CORE))
    assert expected["energy"] > 1.0
    assert cored.energy - bare.energy == pytest.approx(expected["energy"], rel=1e-6)
    np.testing.assert_allclose(cored.forces - bare.forces, expected["forces"], rtol=1e-5, atol=1e-6)


def test_the_stress_is_the_slope_of_the_energy_in_a_strain(small):
    model, frame = replace(small.model, core=CORE), crowded(small)
    strain, energies = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]) * 0.5e-4, []
    for sign in (1, -1):
        deform = np.eye(3) + sign * strain
        moved = replace(frame, positions=frame.positions @ deform, cell=frame.cell @ deform)
        energies.append(predict(model, moved).energy)
    slope = (energies[0] - energies[1]) / 2e-4 / frame.volume
    assert predict(model, frame).stress[5] == pytest.approx(slope, rel=1e-5)


def test_forces_are_the_slope_of_the_energy(small):
    model, frame = replace(small.model, core=CORE), crowded(small)
    forces = predict(model, frame).forces
    for atom, axis in ((0, 0), (1, 2), (2, 1)):
        energies = []
        for step in (1e-4, -1e-4):
            moved = np.array(frame.positions)
            moved[atom, axis] += step
            energies.append(predict(model, replace(frame, positions=moved)).energy)
        slope = (energies[0] - energies[1]) / 2e-4
        assert forces[atom, axis] == pytest.approx(-slope, rel=1e-5, abs=1e-5)


def test_it_ends_smoothly_at_both_ends_of_the_switch():
    Z = np.full(2, 13.0)
    for end in (CORE.inner, CORE.outer):
        r = np.array([end - 1e-6, end + 1e-6])
        energy, slope = CORE.pair(Z, Z, r)
        assert energy[0] == pytest.approx(energy[1], abs=1e-4)
        assert slope[0] == pytest.approx(slope[1], abs=1e-3)


def test_it_only_repels_and_more_the_nearer():
    r = np.linspace(0.2, 2.2999, 400)
    Z = np.full(len(r), 13.0)
    energy, slope = CORE.pair(Z, Z, r)
    assert np.all(slope < 0)
    assert np.all(np.diff(slope) > 0)
    np.testing.assert_allclose(np.gradient(energy, r)[1:-1], slope[1:-1], rtol=0.02, atol=0.1)


def test_the_fit_gives_a_core_that_is_zero_in_every_training_frame(small):
    model = small.model
    nearest = min(shortest_distance(frame, model.cutoff) for frame in small.frames)
    assert model.core is not None
    assert model.core.outer == nearest
    for frame in small.frames:
        with_core, without = predict(model, frame), predict(replace(model, core=None), frame)
        np.testing.assert_array_equal(with_core.forces, without.forces)
        assert with_core.energy == without.energy
    squeezed = crowded(small)
    lower = predict(replace(model, core=None), squeezed).energy
    assert predict(model, squeezed).energy > lower + 0.1


def test_a_fit_can_go_without(small):
    options = replace(small.options, core=False)
    assert fit_model(small.frames, small.descriptors, small.parameters, options).core is None


def test_a_lone_atom_has_no_core():
    frame = Frame(("Al",), np.zeros((1, 3)), 20.0 * np.eye(3), (True,) * 3, energy=0.0)
    assert core_of([frame], 6.0) is None


def test_models_keep_it_and_older_files_have_none(small, tmp_path):
    path = tmp_path / "model.json"
    save_model(small.model, path)
    assert load_model(path).core == small.model.core
    content = json.loads(path.read_text())
    content["model"]["version"] = 1
    del content["model"]["core"]
    path.write_text(json.dumps(content))
    assert load_model(path).core is None


@pytest.mark.parametrize("core", [(2.0, 1.0), (0.0, 1.0), (1.0, float("nan"))])
def test_a_wrong_core_is_refused(core, small, tmp_path):
    with pytest.raises(InputError, match="0 < inner < outer"):
        Core(*core)
    path = Path(tmp_path / "model.json")
    save_model(small.model, path)
    content = json.loads(path.read_text())
    content["model"]["core"] = {"inner": core[0], "outer": core[1]}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="0 < inner < outer"):
        load_model(path)
