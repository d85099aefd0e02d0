import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.forcefield import FORMS, Potential, Species, Term, library_names, load_potential
from lammpsfit.units import COULOMB_CONSTANT

R = np.linspace(1.0, 7.4, 100)


def potential_of(pairs, **changes):
    species = {"Si": Species(28.0, 0.0), "O": Species(16.0, 0.0)}
    given = {"name": "x", "species": species, "pairs": pairs, "coulomb": None, "cutoff": 8.0}
    return Potential(**(given | changes))


def buck(A=1000.0, rho=0.3, C=10.0):
    return Term(FORMS["buckingham"], {"A": A, "rho": rho, "C": C})


def test_energy_is_the_formula(bks):
    r = 1.7
    beta = math.sqrt(math.pi)
    edge = math.erfc(2.0) / 64 + 0.5 / beta * math.exp(-4.0) / 8
    dsf = math.erfc(0.25 * r) / r - math.erfc(2.0) / 8 + edge * (r - 8)
    short = 18003.7572 * math.exp(-r * 4.87318) - 133.5381 / r**6 + 29 / r**24
    expected = -2.4 * 1.2 * COULOMB_CONSTANT * dsf + short
    assert bks.energy("Si-O", r) == pytest.approx(expected, rel=1e-12)
    assert bks.energy("Si-O", r, core=False) == pytest.approx(expected - 29 / r**24, rel=1e-12)


def test_slope_is_the_derivative_of_the_energy(three):
    step = 1e-5
    for pair in three.pair_names:
        for core in (True, False):
            up, down = (three.energy(pair, R + s, core=core) for s in (step, -step))
            slope = three.slope(pair, R, core=core)
            np.testing.assert_allclose(slope, (up - down) / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("of", ["energy", "slope"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_gradient_is_the_derivative_in_every_parameter(three, of, smoothing):
    three = replace(three, smoothing=smoothing)
    for pair in three.pair_names:
        gradient = (three.gradient if of == "energy" else three.slope_gradient)(pair, R)
        for name, value in three.parameters.items():
            step = 1e-5 * max(1.0, abs(value))
            ends = (three.replace({name: value + s}) for s in (step, -step))
            up, down = (getattr(end, of)(pair, R) for end in ends)
            expected = (up - down) / (2 * step)
            found = gradient.get(name, np.zeros_like(R))
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7, err_msg=name)


def test_terms_end_at_their_cutoff_and_coulomb_at_its_own(three):
    r = np.array([np.nextafter(7.5, 0), 7.5, 8.4, 8.5])
    between = 2.4 * -1.2 * COULOMB_CONSTANT * three.coulomb.energy(r)
    U = three.energy("Si-O", r)
    assert U[0] != pytest.approx(between[0], rel=1e-6)
    np.testing.assert_array_equal(U[1:], between[1:])
    assert U[3] == 0.0
    assert three.slope("Si-O", r)[3] == 0.0
    assert not any(row[3] for row in three.gradient("Si-O", r).values())
    assert three.outer_cutoff == 8.5


def test_pair_names_are_taken_in_either_order(three):
    assert "Na-O" in three.pairs
    np.testing.assert_array_equal(three.energy("O-Na", R), three.energy("Na-O", R))
    with pytest.raises(InputError, match="unknown species"):
        three.energy("K-O", R)


def test_parameters_are_named_and_replaced(bks):
    assert list(bks.parameters)[:4] == ["q_Si", "q_O", "A_Si-Si", "rho_Si-Si"]
    changed = bks.replace({"q_Si": 2.0, "C_O-O": 100.0})
    assert changed.parameters == bks.parameters | {"q_Si": 2.0, "C_O-O": 100.0}
    assert bks.parameters["q_Si"] == 2.4
    assert bks.replace({}) == bks


def test_replace_refuses_unknown_names_and_values_that_make_no_sense(bks):
    with pytest.raises(InputError, match="no parameter 'A_Si_O': did you mean 'A_Si-O'"):
        bks.replace({"A_Si_O": 1.0})
    with pytest.raises(InputError, match="rho_Si-O must be positive, got -0"):
        bks.replace({"rho_Si-O": -0.2})
    with pytest.raises(InputError, match="q_Si must be a finite number"):
        bks.replace({"q_Si": math.nan})


def test_without_coulomb_there_are_no_charges():
    bare = potential_of({"Si-O": (buck(),)})
    assert list(bare.parameters) == ["A_Si-O", "rho_Si-O", "C_Si-O"]
    assert set(bare.gradient("Si-O", R)) == {"A_Si-O", "rho_Si-O", "C_Si-O"}
    assert not bare.energy("O-O", R).any()
    assert bare.outer_cutoff == 8.0
    bare.check_neutral({"Si": 1, "O": 1})


def test_one_charge_follows_from_the_composition(three):
    rule = replace(three, balance="O")
    silica = rule.for_composition({"Si": 1, "O": 2})
    assert list(silica.species) == ["Si", "O"]
    assert silica.parameters["q_O"] == -1.2
    rich = rule.for_composition({"O": 3, "Na": 4, "Si": 1})
    assert list(rich.species) == ["O", "Na", "Si"]
    assert rich.parameters["q_O"] == pytest.approx(-(4 * 0.6 + 2.4) / 3)
    rich.check_neutral({"Na": 4, "Si": 1, "O": 3})
    assert three.for_composition({"Na": 1, "O": 1}) == three.restricted(("Na", "O"))
    assert rule.restricted(("Na", "Si")).balance is None
    with pytest.raises(InputError, match="unknown species 'N' to balance charges"):
        replace(three, balance="N")
    with pytest.raises(InputError, match="has no charges: remove the balance"):
        replace(three, coulomb=None, balance="O")
    with pytest.raises(InputError, match="must have atoms of O"):
        three.balanced("O", {"Si": 1})


def test_net_charge(bks, three):
    assert bks.net_charge({"Si": 3, "O": 5}) == pytest.approx(1.2)
    bks.check_neutral({"Si": 1000, "O": 2000})
    three.check_neutral({"Na": 2, "Si": 1, "O": 3})
    message = r"charges of Si1 O1 must add up to zero, got \+1.2 e with q_Si = 2.4.*let one species"
    with pytest.raises(InputError, match=message):
        bks.check_neutral({"Si": 1, "O": 1})
    with pytest.raises(InputError, match="no species 'Na': known: Si, O"):
        bks.net_charge({"Na": 1})


def test_restricted_keeps_what_belongs_to_the_species_in_their_order(three):
    part = three.restricted(("O", "Na"))
    assert list(part.species) == ["O", "Na"]
    assert set(part.pairs) == {"O-Na", "O-O"}
    np.testing.assert_array_equal(part.energy("O-Na", R), three.energy("Na-O", R))
    with pytest.raises(InputError, match="no species 'K'"):
        three.restricted(("K",))


def test_survives_the_way_to_another_process(three):
    assert pickle.loads(pickle.dumps(three)) == three


@pytest.mark.parametrize(
    ("pairs", "changes", "message"),
    [
        ({"Si-O": (buck(rho=-1.0),)}, {}, "rho_Si-O must be positive, got -1.0"),
        (
            {"Si-O": (buck(A=math.nan),)},
            {},
            "A_Si-O must be a finite number up to",
        ),
        ({"Si-O": (buck(A=-1.0),)}, {}, "A_Si-O must be zero or positive"),
        ({"Si-O": (buck(),), "O-Si": (buck(),)}, {}, "pair Si-O is given twice"),
        ({"Si-O": (buck(), buck())}, {}, "Si-O has two terms with a parameter A"),
        ({"Si-Na": (buck(),)}, {}, "unknown species 'Na'"),
        ({"Si-O": (Term(FORMS["repulsion"], {}),)}, {}, "repulsion of pair Si-O needs D"),
        ({"Si-O": (Term(FORMS["repulsion"], {"E": 1.0}),)}, {}, "has no parameter 'E'"),
        ({}, {"cutoff": 0.0}, "cutoff must be positive"),
        ({}, {"cutoff": math.nan}, "cutoff must be positive"),
        ({}, {"species": {}}, "at least one species"),
        ({}, {"species": {"Si": Species(0.0, 1.0)}}, "mass of Si must be positive"),
        ({}, {"species": {"Si-": Species(1.0, 1.0)}}, "a species name must be letters"),
    ],
)
def test_refuses_what_makes_no_sense(pairs, changes, message):
    with pytest.raises(InputError, match=message):
        potential_of(pairs, **changes)


@pytest.mark.parametrize("name", library_names())
def test_library_force_is_minus_the_energy_derivative(name):
    potential, step = load_potential(name), 1e-5
    for pair in potential.pair_names:
        up, down = (potential.energy(pair, R + s) for s in (step, -step))
        expected = (up - down) / (2 * step)
        np.testing.assert_allclose(potential.slope(pair, R), expected, rtol=1e-5, atol=1e-6)
