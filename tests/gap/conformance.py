"""What every calculator of a potential has to hold, whatever the potential.

``check(calculator, atoms, rng)`` runs all of it. The tests run it on calculators of ASE too, so
that it is known to pass on what is right, and on sabotaged ones, so that it is known to fail.
"""

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress
from scipy.spatial.transform import Rotation

STEP = 1e-4
"""Step of the finite differences, Å or strain: their error is below 1e-7 of a force."""


def fresh(calculator, atoms):
    """The atoms with the calculator; it notices by itself that they changed."""
    copy = atoms.copy()
    copy.calc = calculator
    return copy


def close(found, expected, what, rtol=1e-6, atol=1e-8):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol, err_msg=what)


def check_one_pass(calculator, atoms, rng):
    made = fresh(calculator, atoms)
    made.get_potential_energy()
    assert {"energy", "free_energy", "forces", "stress"} <= set(calculator.results)
    assert calculator.results["forces"].shape == (len(atoms), 3)
    assert calculator.results["stress"].shape == (6,)
    close(made.get_potential_energy(), made.get_potential_energy(force_consistent=True), "free")
    if "energies" in calculator.implemented_properties:
        close(made.get_potential_energies().sum(), made.get_potential_energy(), "sum of energies")


def check_forces(calculator, atoms, rng):
    forces = fresh(calculator, atoms).get_forces()
    scale = np.abs(forces).max()
    for _ in range(6):
        atom, axis = rng.integers(len(atoms)), rng.integers(3)
        energies = []
        for sign in (1, -1):
            moved = fresh(calculator, atoms)
            moved.positions[atom, axis] += sign * STEP
            energies.append(moved.get_potential_energy())
        slope = (energies[0] - energies[1]) / (2 * STEP)
        close(forces[atom, axis], -slope, f"force on {atom}, {axis}", 1e-5, 1e-5 * scale)


def check_stress(calculator, atoms, rng):
    stress = fresh(calculator, atoms).get_stress()
    numeric = np.zeros((3, 3))
    for i in range(3):
        for j in range(i, 3):
            energies = []
            for sign in (1, -1):
                strain = np.zeros((3, 3))
                strain[i, j] += 0.5 * sign * STEP
                strain[j, i] += 0.5 * sign * STEP
                strained = fresh(calculator, atoms)
                strained.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
                energies.append(strained.get_potential_energy())
            slope = (energies[0] - energies[1]) / (2 * STEP) / atoms.get_volume()
            numeric[i, j] = numeric[j, i] = slope
    scale = np.abs(stress).max()
    close(stress, full_3x3_to_voigt_6_stress(numeric), "stress", 1e-5, 1e-5 * scale)


def check_extensivity(calculator, atoms, rng):
    one, many = fresh(calculator, atoms), fresh(calculator, atoms.repeat((2, 1, 2)))
    close(many.get_potential_energy(), 4 * one.get_potential_energy(), "energy of four cells")
    close(many.get_forces(), np.tile(one.get_forces(), (4, 1)), "forces of four cells", atol=1e-7)
    close(many.get_stress(), one.get_stress(), "stress of four cells")


def check_permutation(calculator, atoms, rng):
    one = fresh(calculator, atoms)
    energy, forces, stress = one.get_potential_energy(), one.get_forces(), one.get_stress()
    order = rng.permutation(len(atoms))
    other = fresh(calculator, atoms[order])
    close(other.get_potential_energy(), energy, f"energy in the order {order}")
    close(other.get_forces(), forces[order], f"forces in the order {order}", atol=1e-7)
    close(other.get_stress(), stress, f"stress in the order {order}")


def check_rotation(calculator, atoms, rng):
    one = fresh(calculator, atoms)
    energy, forces, stress = one.get_potential_energy(), one.get_forces(), one.get_stress()
    R = Rotation.random(rng=rng).as_matrix()
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ R.T)
    turned.positions = atoms.positions @ R.T
    other = fresh(calculator, turned)
    close(other.get_potential_energy(), energy, f"energy turned by {R.tolist()}")
    close(other.get_forces(), forces @ R.T, f"forces turned by {R.tolist()}", atol=1e-7)
    expected = R @ voigt_6_to_full_3x3_stress(stress) @ R.T
    close(other.get_stress(voigt=False), expected, f"stress turned by {R.tolist()}")


def check_shifts(calculator, atoms, rng):
    one = fresh(calculator, atoms)
    energy, forces, stress = one.get_potential_energy(), one.get_forces(), one.get_stress()
    images = rng.integers(-2, 3, (len(atoms), 3))
    moved = atoms.copy()
    moved.positions += images @ atoms.cell.array + rng.normal(size=3)
    other = fresh(calculator, moved)
    close(other.get_potential_energy(), energy, f"energy shifted by {images.tolist()}")
    close(other.get_forces(), forces, f"forces shifted by {images.tolist()}", atol=1e-7)
    close(other.get_stress(), stress, f"stress shifted by {images.tolist()}")


def check_no_net_force(calculator, atoms, rng):
    forces = fresh(calculator, atoms).get_forces()
    close(forces.sum(axis=0), 0.0, "sum of forces", atol=1e-9 * len(atoms))


CHECKS = (
    check_one_pass,
    check_forces,
    check_stress,
    check_extensivity,
    check_permutation,
    check_rotation,
    check_shifts,
    check_no_net_force,
)


def check(calculator, atoms, rng):
    """Run every check; the message of an error says which transform broke what."""
    for one in CHECKS:
        one(calculator, atoms, rng)
