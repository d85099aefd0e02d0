"""Smallest neutral compounds. The oracle tries all numbers of atoms one after the other."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.forcefield import Species, load_potential
from lammpsfit.md import neutral
from lammpsfit.md.neutral import NEUTRAL, neutral_composition


def charged(**charges):
    """Return a potential with species of these charges in e."""
    species = {name: Species(20.0, charge) for name, charge in charges.items()}
    return replace(load_potential("BKS"), species=species, pairs={})


@pytest.mark.parametrize(
    ("name", "composition"),
    [
        ("BKS", {"Si": 1, "O": 2}),
        ("CHIK", {"Si": 1, "O": 2}),
        ("Teter", {"Na": 2, "Si": 1, "O": 3}),
    ],
)
def test_the_simplest_neutral_compound(name, composition):
    assert neutral_composition(load_potential(name)) == composition


@pytest.mark.parametrize(
    "composition",
    [
        {"Na": 2, "Si": 3, "O": 7},
        {"Na": 2, "Si": 5, "O": 12},
        {"Ca": 1, "Al": 2, "Si": 2, "O": 8},
        {"Na": 2, "Ca": 1, "Mg": 2, "Al": 1, "B": 3, "Si": 1, "O": 12},
    ],
    ids=lambda composition: "".join(f"{name}{n}" for name, n in composition.items()),
)
def test_charges_of_a_fit_leave_one_compound(composition):
    """Fits free the charges but one, which balances the compound."""
    *cations, anion = composition
    fitted = np.random.default_rng(1).uniform(0.5, 2.5, len(cations))
    charges = dict(zip(cations, fitted, strict=True))
    total = sum(composition[name] * charge for name, charge in charges.items())
    potential = charged(**charges, **{anion: -total / composition[anion]})
    assert neutral_composition(potential) == composition


@pytest.mark.parametrize("seed", range(40))
def test_no_smaller_one_is_missed(seed, monkeypatch):
    monkeypatch.setattr(neutral, "MOST", 4)
    rng = np.random.default_rng(seed)
    names = ("Na", "Mg", "Al", "Si", "O")[: rng.integers(1, 6)]
    potential = charged(**{name: rng.integers(-4, 5) * 0.3 for name in names})
    compounds = (
        dict(zip(names, numbers, strict=True))
        for numbers in product(range(1, 5), repeat=len(names))
    )
    sizes = [sum(c.values()) for c in compounds if abs(potential.net_charge(c)) < NEUTRAL]
    if not sizes:
        with pytest.raises(InputError, match="up to 4 atoms"):
            neutral_composition(potential)
        return
    found = neutral_composition(potential)
    assert tuple(found) == names
    assert abs(potential.net_charge(found)) < NEUTRAL
    assert sum(found.values()) == min(sizes)


@pytest.mark.parametrize(
    "charges",
    [{"Si": 2.4, "O": 1.2}, {"Si": 2.4, "O": -0.15}, {"Si": 2.4, "O": -1.20001}, {"Si": 2.4}],
    ids=str,
)
def test_no_neutral_compound(charges):
    with pytest.raises(InputError, match=r"up to 12 atoms of each .*: correct its charges"):
        neutral_composition(charged(**charges))


def test_many_species_make_no_compound_of_their_own():
    many = charged(**{f"X{k}": 0.0 for k in range(11)})
    with pytest.raises(InputError, match="BKS has 11 species: say with --formula which compound"):
        neutral_composition(many)
