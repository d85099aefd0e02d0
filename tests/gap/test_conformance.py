"""The conformance check passes on calculators of ASE, and fails on sabotaged ones."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

SPEC = importlib.util.spec_from_file_location(
    "conformance", Path(__file__).with_name("conformance.py")
)
conformance = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(conformance)


def skewed(seed=0):
    """Four atoms of aluminium in a skewed cell far smaller than twice any cutoff."""
    atoms = bulk("Al", cubic=True)
    rng = np.random.default_rng(seed)
    atoms.set_cell(atoms.cell.array + rng.normal(0, 0.15, (3, 3)), scale_atoms=True)
    atoms.rattle(0.12, seed=seed)
    return atoms


@pytest.mark.parametrize(
    "calculator",
    [EMT(), LennardJones(sigma=2.5, epsilon=0.4, rc=6.0, ro=4.0, smooth=True)],
    ids=lambda calculator: calculator.name,
)
@pytest.mark.parametrize("seed", [0, 1])
def test_calculators_of_ase_pass(calculator, seed):
    conformance.check(calculator, skewed(seed), np.random.default_rng(seed))


class Sabotaged(EMT):
    def __init__(self, break_it):
        super().__init__()
        self.break_it = break_it

    def calculate(self, *arguments, **named):
        super().calculate(*arguments, **named)
        self.break_it(self.results, self.atoms)
        self.results["free_energy"] = self.results["energy"]


def times(name, factor):
    def break_it(results, atoms):
        results[name] = results[name] * factor

    return break_it


def of_one_atom(results, atoms):
    results["forces"][0] += 1e-4


def of_the_place(results, atoms):
    results["energy"] += 1e-4 * float(np.sum(atoms.positions[:, 0] ** 2))


def of_the_number(results, atoms):
    results["energy"] += 1e-4


def of_the_axes(results, atoms):
    results["stress"] = results["stress"][[0, 1, 2, 5, 4, 3]]


@pytest.mark.parametrize(
    ("name", "break_it"),
    [
        ("check_forces", times("forces", 1.0001)),
        ("check_stress", times("stress", -1.0)),
        ("check_stress", of_the_axes),
        ("check_rotation", of_the_axes),
        ("check_no_net_force", of_one_atom),
        ("check_permutation", of_one_atom),
        ("check_rotation", of_the_place),
        ("check_shifts", of_the_place),
        ("check_forces", of_the_place),
        ("check_extensivity", of_the_number),
        ("check_one_pass", lambda results, atoms: results.pop("stress")),
        ("check_one_pass", times("energies", 1.01)),
    ],
)
def test_sabotage_is_found(name, break_it):
    with pytest.raises(AssertionError):
        getattr(conformance, name)(Sabotaged(break_it), skewed(), np.random.default_rng(3))
