"""Frames in and out, and everything a file of them can have wrong."""

from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from lammpsfit.errors import InputError, RunError
from lammpsfit.labelled.frame import OVERLAP, Frame, check_overlap, roomy_cell
from lammpsfit.labelled.frames import Keys, from_atoms, read_frames, write_frames
from lammpsfit.structure.neighbours import bonds_within

BARE = Keys("energy", "forces", "stress")


def labelled(seed=0, **info):
    atoms = bulk("Al", cubic=True)
    atoms.rattle(0.1, seed=seed)
    atoms.calc = EMT()
    atoms.info["REF_energy"] = atoms.get_potential_energy()
    atoms.arrays["REF_forces"] = atoms.get_forces()
    atoms.info["REF_stress"] = atoms.get_stress()
    atoms.calc = None
    atoms.info |= info
    return atoms


def file_of(path, *images):
    ase.io.write(path / "f.extxyz", images, format="extxyz")
    return [path / "f.extxyz"]


def test_what_is_written_is_read(tmp_path):
    frames = read_frames(file_of(tmp_path, labelled(0), labelled(1)))
    write_frames(tmp_path / "g.extxyz", frames)
    for one, other in zip(frames, read_frames([tmp_path / "g.extxyz"]), strict=True):
        assert one.symbols == other.symbols
        assert one.energy == other.energy
        np.testing.assert_array_equal(one.stress, other.stress)
        np.testing.assert_allclose(one.positions, other.positions, atol=1e-8)
        np.testing.assert_allclose(one.forces, other.forces, atol=1e-8)


def test_labels_are_those_of_the_calculator(tmp_path):
    atoms = labelled()
    frame = read_frames(file_of(tmp_path, atoms))[0]
    assert frame.energy == pytest.approx(atoms.info["REF_energy"], abs=1e-12)
    np.testing.assert_allclose(frame.stress, atoms.info["REF_stress"], rtol=1e-12)
    assert frame.labels == ("energy", "forces", "stress")
    assert frame.unlabelled().labels == ()


def test_a_virial_is_minus_volume_times_stress(tmp_path):
    atoms = labelled()
    s = atoms.info.pop("REF_stress")
    full = np.array([[s[0], s[5], s[4]], [s[5], s[1], s[3]], [s[4], s[3], s[2]]])
    atoms.info["REF_virial"] = (-full * atoms.get_volume()).ravel()
    np.testing.assert_allclose(read_frames(file_of(tmp_path, atoms))[0].stress, s, atol=1e-9)


def test_a_molecule_has_no_stress_of_its_virial(tmp_path):
    water = molecule("H2O")
    water.info |= {"REF_energy": -14.0, "REF_virial": np.eye(3).ravel()}
    assert read_frames(file_of(tmp_path, water))[0].labels == ("energy",)


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    kept = tmp_path / "g.extxyz"
    frames = read_frames(file_of(tmp_path, labelled()))
    write_frames(kept, frames)
    before = kept.read_bytes()

    def fail(path, images, **how):
        path.write_text("4\nhalf of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ase.io.write", fail)
    with pytest.raises(RunError, match="No space left"):
        write_frames(kept, frames)
    assert kept.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"f.extxyz", "g.extxyz"}


def test_ases_own_names_are_read_when_asked_for(tmp_path):
    atoms = labelled()
    held = atoms.copy()
    forces = held.arrays.pop("REF_forces")
    energy, stress = held.info.pop("REF_energy"), held.info.pop("REF_stress")
    held.calc = SinglePointCalculator(held, energy=energy, forces=forces, stress=stress)
    files = file_of(tmp_path, held)
    with pytest.raises(InputError, match=r"no REF_energy or REF_forces, but energy and forces"):
        read_frames(files)
    frame = read_frames(files, BARE)[0]
    assert frame.energy == pytest.approx(energy)
    np.testing.assert_allclose(frame.stress, stress)


def test_forces_go_with_the_free_energy():
    atoms = bulk("Al", cubic=True)
    results = {"energy": -1.0, "free_energy": -1.5, "forces": np.zeros((4, 3))}
    atoms.calc = SinglePointCalculator(atoms, **results)
    assert from_atoms(atoms, BARE).energy == -1.5


def without(name):
    atoms = labelled(1)
    atoms.info.pop(name, None)
    atoms.arrays.pop(name, None)
    return atoms


def with_forces(forces):
    atoms = labelled()
    del atoms.arrays["REF_forces"]
    atoms.set_array("REF_forces", np.array(forces))
    return atoms


def near(distance):
    return Atoms("Al2", [[0, 0, 0], [0, 0, 8 - distance]], cell=[8, 8, 8], pbc=True)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([labelled(), without("REF_forces")], "frame 2: has energy and stress, but .*frame 1"),
        ([without("REF_energy"), labelled()], "frame 2: has energy and forces and stress"),
        ([labelled(), without("REF_stress")], "frame 2: has energy and forces, but"),
        ([bulk("Al")], r"no energy \(REF_energy\) and no forces \(REF_forces\); there is: nothing"),
        ([labelled(REF_energy=float("nan"))], "the energy is not finite"),
        ([labelled(REF_energy="low")], "energy must be one number, got 'low'"),
        ([labelled(REF_stress=[1.0, 2.0])], "six or nine numbers, got 2"),
        ([labelled(REF_stress=[1.0, 2, 3, 4, 5, np.nan])], "frame 1: stress not finite"),
        ([labelled(REF_stress=[1.0, 2, 3, 4, 5, 6, 7, 8, 9])], "must be symmetric"),
        ([with_forces([[0.0, 0, 0]] * 3 + [[0, np.nan, 0]])], "forces of atom 4 not finite"),
        ([with_forces([[0.0, 0]] * 4)], r"forces must have the shape \(4, 3\), got \(4, 2\)"),
    ],
)
def test_bad_labels_are_refused(tmp_path, images, message):
    with pytest.raises(InputError, match=message) as caught:
        read_frames(file_of(tmp_path, *images))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("distance", [0.0, 0.4 * OVERLAP])
def test_overlapping_atoms_are_refused_also_across_the_boundary(tmp_path, distance):
    with pytest.raises(InputError, match="frame 1: atoms 1 and 2 overlap"):
        read_frames(file_of(tmp_path, near(distance)), labelled=False)
    check_overlap(from_atoms(near(1.1 * OVERLAP), labelled=False))


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_frames([tmp_path / "none.extxyz"])
    (tmp_path / "text.extxyz").write_text("once upon a time\n")
    with pytest.raises(InputError, match="must begin with the number of atoms"):
        read_frames([tmp_path / "text.extxyz"])
    with pytest.raises(InputError, match="no frames"):
        read_frames([])
    (tmp_path / "empty.extxyz").write_text("")
    with pytest.raises(InputError, match=r"empty\.extxyz: no f"):
        read_frames([tmp_path / "empty.extxyz"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"symbols": ()}, "no atoms"),
        ({"symbols": ("Al", "Xx")}, "'Xx' is no element"),
        ({"positions": np.full((2, 3), np.inf)}, "positions of atom 1 not finite"),
        ({"positions": "here"}, "positions must be numbers"),
        ({"cell": np.full((3, 3), np.nan)}, "cell not finite"),
        ({"cell": np.zeros((3, 3))}, "its cell has no volume"),
        ({"cell": np.diag([4.0, 4.0, 0.0])}, "its cell has no volume"),
        ({"stress": np.zeros((3, 3))}, r"stress must have the shape \(6,\)"),
    ],
)
def test_no_unsound_frame_can_exist(changed, message):
    sound = Frame(("Al", "Al"), np.eye(3)[:2], 4 * np.eye(3), (True, True, True))
    with pytest.raises(InputError, match=message):
        replace(sound, **changed)


def test_arrays_of_a_frame_cannot_be_written_to():
    positions = np.zeros((1, 3))
    frame = Frame(("Al",), positions, 4 * np.eye(3), (True, True, True))
    positions[:] = 1.0
    assert not frame.positions.any()
    with pytest.raises(ValueError, match="read-only"):
        frame.positions[0, 0] = 1.0


def test_molecules_and_crystals_share_a_file(tmp_path):
    water = molecule("H2O")
    water.info["REF_energy"], water.arrays["REF_forces"] = -14.0, np.zeros((3, 3))
    frames = read_frames(file_of(tmp_path, labelled(), water))
    assert [frame.labels for frame in frames] == [
        ("energy", "forces", "stress"),
        ("energy", "forces"),
    ]


@pytest.mark.parametrize("pbc", [(False,) * 3, (True, False, True), (False, True, False)])
def test_no_atom_sees_an_image_where_it_is_not_periodic(pbc):
    rng = np.random.default_rng(4)
    atoms = Atoms("Al9", rng.uniform(0, 6, (9, 3)), cell=rng.normal(0, 1, (3, 3)) + 6 * np.eye(3))
    atoms.pbc = pbc
    frame = from_atoms(atoms, labelled=False)
    bonds = bonds_within(frame.positions, roomy_cell(frame, 5.0), 5.0)
    # every image along the periodic directions, found one by one
    ranges = [range(-4, 5) if periodic else [0] for periodic in pbc]
    shifts = np.array([(i, j, k) for i in ranges[0] for j in ranges[1] for k in ranges[2]])
    d = frame.positions[None, :, None] + shifts @ frame.cell - frame.positions[:, None, None]
    lengths = np.linalg.norm(d, axis=-1).ravel()
    expected = np.sort(lengths[(lengths < 5.0) & (lengths > 1e-9)])
    np.testing.assert_allclose(np.sort(bonds.length), expected, rtol=1e-9)
