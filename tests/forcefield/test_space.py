import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lammpsfit.errors import InputError
from lammpsfit.forcefield import Free, ParameterSpace, Tie, load_potential

BKS = load_potential("BKS")
SIO2 = {"Si": 1, "O": 2}
R = np.linspace(1.2, 7.9, 50)


def space_of(*free, base=BKS, balance="O", composition=SIO2, ties=()):
    return ParameterSpace(base, free, ties, balance, composition)


def wide_space(three):
    """Log, linear, a zero lower bound, ties to free and fixed ones, a tied charge, balance."""
    return ParameterSpace(
        three,
        (
            Free("q_Si", 1.6, 3.2),
            Free("A_Si-O", 5000.0, 40000.0),
            Free("rho_O-O", 0.2, 0.5, log=False),
            Free("C_Na-O", 0.0, 60.0, log=False),
        ),
        (
            Tie("q_Na", "q_Si", 0.25),
            Tie("A_Na-O", "A_Si-O", 0.3),
            Tie("rho_Na-O", "rho_O-O", 0.7),
            Tie("C_O-O", "C_Si-O", 3.0),
        ),
        balance="O",
        composition={"Na": 2, "Si": 1, "O": 3},
    )


def test_values_run_between_the_bounds_geometrically_or_linearly():
    space = space_of(Free("A_Si-O", 10.0, 1000.0), Free("C_O-O", 10.0, 30.0, log=False))
    assert (space.names, space.dim) == (("A_Si-O", "C_O-O"), 2)
    assert space.values([0.0, 0.0]) == {"A_Si-O": 10.0, "C_O-O": 10.0}
    assert space.values([1.0, 1.0]) == {"A_Si-O": 1000.0, "C_O-O": 30.0}
    assert space.values([0.5, 0.5]) == pytest.approx({"A_Si-O": 100.0, "C_O-O": 20.0})


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_unit_inverts_potential(u):
    space = space_of(
        Free("q_Si", 1.6, 3.2),
        Free("A_Si-O", 1.0, 1e5),
        Free("rho_O-O", 0.2, 0.5, log=False),
        Free("C_O-O", -10.0, 300.0, log=False),
    )
    np.testing.assert_allclose(space.unit(space.potential(u)), u, atol=1e-9)


@given(st.floats(0, 1), st.floats(0, 1))
def test_ties_and_balance_follow(x, y):
    free = (Free("q_Si", 1.6, 3.2), Free("rho_Si-O", 0.15, 0.3))
    space = space_of(*free, ties=(Tie("rho_O-O", "rho_Si-O", 1.5), Tie("C_O-O", "C_Si-O", 2.0)))
    potential = space.potential([x, y])
    parameters = potential.parameters
    assert parameters["rho_O-O"] == 1.5 * parameters["rho_Si-O"]
    assert parameters["C_O-O"] == 2 * BKS.parameters["C_Si-O"]
    assert parameters["q_O"] == -parameters["q_Si"] / 2
    potential.check_neutral(SIO2)


def test_balance_holds_for_three_species_with_a_tied_charge(three):
    space = wide_space(three)
    potential = space.potential([0.9, 0.5, 0.5, 0.5])
    potential.check_neutral({"Na": 2, "Si": 1, "O": 3})
    assert potential.species["Na"].charge == potential.species["Si"].charge / 4


@pytest.mark.parametrize("of", ["energy", "slope"])
@pytest.mark.parametrize("seed", range(3))
def test_gradient_is_the_derivative_in_the_unit_cube(three, seed, of):
    space = wide_space(three)
    u, step = np.random.default_rng(seed).uniform(0.1, 0.9, 4), 1e-6
    for pair in three.pair_names:
        gradient = (space.gradient if of == "energy" else space.slope_gradient)(u, pair, R)
        assert gradient.shape == (4, R.size)
        for k, e in enumerate(np.eye(4) * step):
            up, down = (getattr(space.potential(u + s * e), of)(pair, R) for s in (1, -1))
            expected = (up - down) / (2 * step)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(gradient[k], expected, rtol=1e-5, atol=1e-7 + 1e-7 * scale)


def test_names_are_taken_in_either_order_of_their_pair(three):
    ties = (Tie("A_O-Na", "A_O-Si", 0.3),)
    space = space_of(
        Free("rho_O-Si", 0.1, 0.3), base=three, balance=None, composition=None, ties=ties
    )
    assert space.names == ("rho_Si-O",)
    assert (space.ties[0].name, space.ties[0].to) == ("A_Na-O", "A_Si-O")
    turned = three.restricted(("O", "Si", "Na"))
    np.testing.assert_array_equal(space.unit(turned), space.unit(three))


def test_a_charge_that_follows_from_the_composition_has_derivatives_of_its_own(three):
    rule = replace(three, balance="O")
    space = ParameterSpace(
        rule, (Free("q_Si", 1.6, 3.2), Free("q_Na", 0.4, 0.9)), (), "O", {"Na": 2, "Si": 1, "O": 3}
    )
    there, u, step = space.under({"Na": 2, "Si": 3, "O": 7}), np.array([0.3, 0.6]), 1e-6
    q = there.potential(u).parameters
    assert q["q_O"] == pytest.approx(-(2 * q["q_Na"] + 3 * q["q_Si"]) / 7)
    gradient = there.gradient(u, "Na-O", R)
    for k, e in enumerate(np.eye(2) * step):
        up, down = (there.potential(u + s * e).energy("Na-O", R) for s in (1, -1))
        np.testing.assert_allclose(gradient[k], (up - down) / (2 * step), rtol=1e-5, atol=1e-6)
    assert not np.allclose(gradient, space.gradient(u, "Na-O", R))
    plain = replace(space, base=three)
    assert plain.under({"Na": 2, "Si": 3, "O": 7}) is plain


def test_potential_survives_rounding_at_the_faces_of_the_cube():
    space = space_of(Free("rho_Si-O", 0.15, 0.3))
    assert space.values([1 + 1e-12]) == {"rho_Si-O": 0.3}
    assert space.unit(BKS.replace({"rho_Si-O": 0.3 * (1 + 1e-12)})) == [1.0]


@pytest.mark.parametrize("u", [[0.5], [0.5, 0.5, 0.5], [[0.5, 0.5]]])
def test_wrong_shape(u):
    with pytest.raises(ValueError, match="u must have the shape"):
        space_of(Free("A_Si-O", 1.0, 2.0), Free("A_O-O", 1.0, 2.0)).values(u)


@pytest.mark.parametrize("x", [-0.01, 1.01, np.nan])
def test_outside_the_cube(x):
    with pytest.raises(ValueError, match="u must lie in the unit cube"):
        space_of(Free("A_Si-O", 1.0, 2.0)).potential([x])


def test_start_outside_the_bounds_names_the_parameter():
    space = space_of(Free("q_Si", 1.6, 2.0))
    message = "q_Si must be within its bounds 1.6 to 2, got 2.4: widen the bounds"
    with pytest.raises(InputError, match=message):
        space.unit(BKS)


def test_start_without_the_parameter(three):
    with pytest.raises(InputError, match="potential three has no parameter 'A_Si-Si'"):
        space_of(Free("A_Si-Si", 1.0, 2.0)).unit(three)


def test_survives_the_way_to_another_process(three):
    space = wide_space(three)
    copy = pickle.loads(pickle.dumps(space))
    assert copy == space
    assert copy.potential([0.1] * 4) == space.potential([0.1] * 4)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((2.0, 1.0), "lower bound of A_Si-O must be below the upper one, got 2.0 to 1.0"),
        ((1.0, 1.0), "lower bound of A_Si-O must be below"),
        ((0.0, 1.0), "bounds of A_Si-O must be positive on a log scale.*set log = false"),
        ((-1.0, 1.0), "must be positive on a log scale"),
        ((1.0, np.inf), "bounds of A_Si-O must be finite"),
        ((np.nan, 1.0), "bounds of A_Si-O must be finite"),
    ],
)
def test_senseless_bounds(bounds, message):
    with pytest.raises(InputError, match=message):
        Free("A_Si-O", *bounds)


A, Q = Free("A_Si-O", 1.0, 2.0), Free("q_Si", 1.6, 3.2)


@pytest.mark.parametrize(
    ("free", "options", "message"),
    [
        ([Free("A_SiO", 1.0, 2.0)], {}, "no parameter 'A_SiO': did you mean 'A_Si-O'"),
        ([A], {"ties": (Tie("A_O_O", "A_Si-O"),)}, "no parameter 'A_O_O'"),
        ([A], {"ties": (Tie("A_O-O", "B_Si-O"),)}, "no parameter 'B_Si-O'"),
        ([A, A], {}, "A_Si-O must be free or tied once, got it twice"),
        ([A], {"ties": (Tie("A_Si-O", "A_O-O"),)}, "A_Si-O must be free or tied once"),
        (
            [A],
            {"ties": (Tie("A_O-O", "A_Si-O"), Tie("A_Si-Si", "A_O-O"))},
            "A_Si-Si is tied to A_O-O, which is tied itself",
        ),
        (
            [Free("rho_Si-O", -1.0, 1.0, log=False)],
            {},
            "rho_Si-O must be positive, got -1.0",
        ),
        ([Free("q_O", -1.6, -0.8, log=False)], {}, "q_O balances the charges"),
        ([Q], {"ties": (Tie("q_O", "q_Si", -0.5),)}, "q_O balances the charges"),
        ([Q], {"balance": "N"}, "unknown species 'N' to balance charges"),
        ([Q], {"composition": {"Si": 1}}, "composition must have atoms of O"),
        ([Q], {"composition": {"Si": 1, "O": 2, "Na": 1}}, "no species 'Na'"),
        ([Q], {"composition": None}, "composition must have atoms of O"),
        ([Q], {"composition": None, "balance": None}, "need the composition to stay neutral"),
        ([Q], {"balance": None}, "must add up to zero"),
        ([A], {"balance": None, "composition": {"Si": 1, "O": 1}}, "must add up to zero"),
        ([Q], {"balance": None, "ties": (Tie("q_O", "q_Si", -0.4),)}, "must add up to zero"),
    ],
)
def test_senseless_spaces(free, options, message):
    with pytest.raises(InputError, match=message):
        space_of(*free, **options)


def test_tie_to_itself():
    with pytest.raises(InputError, match="A_Si-O is tied to itself"):
        Tie("A_Si-O", "A_Si-O")


def test_neutrality_may_also_come_from_a_tie():
    space = space_of(Q, balance=None, ties=(Tie("q_O", "q_Si", -0.5),))
    assert space.potential([0.3]).net_charge(SIO2) == pytest.approx(0.0)
