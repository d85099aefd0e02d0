from dataclasses import replace

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.forcefield import (
    FORMS,
    Free,
    ParameterSpace,
    collapse,
    library_names,
    load_potential,
)
from lammpsfit.forcefield.guard import BARRIER, SpaceGuard
from lammpsfit.forcefield.term import term_on_knots
from lammpsfit.units import BOLTZMANN_CONSTANT

T = 3600.0
KT = BOLTZMANN_CONSTANT * T


@pytest.mark.parametrize("name", library_names())
def test_potentials_of_the_literature_are_sound(name):
    guard = collapse(load_potential(name), T)
    assert guard.sound, guard.reason
    assert guard.margin >= 0
    assert guard.reason == ""


def test_findings_on_known_curves(bks):
    """Extremes of the curves, from a scan in steps of 0.002 Å."""
    oxygen = collapse(bks, T).pairs["O-O"]
    assert oxygen.r_barrier == pytest.approx(1.438, abs=0.006)
    assert oxygen.height == pytest.approx(15.171, abs=2e-3)
    assert oxygen.depth == pytest.approx(15.170 + 8.602, abs=0.01)
    shallow = collapse(load_potential("ML"), T).pairs["O-O"]
    assert shallow.height == pytest.approx(16.563, abs=2e-3)
    assert shallow.depth == pytest.approx(0.059, abs=2e-3)
    assert collapse(load_potential("CHIK"), T).pairs["O-O"].height == np.inf


def test_a_low_barrier_before_a_deep_well_is_refused(bks):
    guard = collapse(bks.replace({"A_O-O": 0.8 * 1388.773}), T)
    oxygen = guard.pairs["O-O"]
    assert 7.0 < oxygen.height < 12.0
    assert oxygen.depth > 20.0
    assert not guard.sound
    assert guard.margin == pytest.approx(oxygen.height - BARRIER * KT)
    assert "O-O: barrier of" in guard.reason
    assert "Si-O" not in guard.reason


def test_the_barrier_asked_for_scales_with_temperature(bks):
    weak = bks.replace({"A_O-O": 0.9 * 1388.773})
    assert not collapse(weak, T, barrier=45.0).sound
    assert collapse(weak, 3000.0, barrier=45.0).sound
    assert collapse(weak, T, barrier=40.0).sound
    assert collapse(bks, 5000.0).sound
    assert not collapse(bks, 5200.0).sound


@pytest.mark.parametrize("factor", [0.0, 0.3, 0.7, 0.9])
def test_a_pair_held_by_its_core_alone_is_refused(bks, factor):
    pair = collapse(bks.replace({"A_Si-O": factor * 18003.7572}), T).pairs["Si-O"]
    assert not pair.sound
    assert pair.core > KT
    assert "only the core" in pair.reason


def test_a_pair_held_by_nothing_is_refused(bks):
    pair = collapse(bks.replace({"A_Si-O": 0.0, "D_Si-O": 0.0}), T).pairs["Si-O"]
    assert not pair.sound
    assert "nothing holds the atoms apart" in pair.reason


def test_no_core_is_needed_where_the_barrier_is_high(bks):
    hole = load_potential("CHIK").replace({"D_O-O": 0.0})
    pair = collapse(hole, T).pairs["O-O"]
    assert pair.sound
    assert pair.height == pytest.approx(32.36, abs=0.02)
    assert pair.depth > 1000


def test_a_dip_high_up_is_empty_whatever_the_barrier():
    """ML's O-O dip lies 16.5 eV up: asking for a barrier of 100 kT does not make it a danger."""
    assert collapse(load_potential("ML"), T, barrier=100.0).sound
    assert not collapse(load_potential("BKS"), T, barrier=100.0).sound


def test_a_well_with_its_own_wall_is_a_bond_unless_the_charges_repel(bks):
    """Strong dispersion behind a hard exponential wall: a deep well at 2 Å, without any core."""
    deep = {"A": 2e9, "rho": 0.1, "C": 1500.0, "D": 0.0}
    oxygen = collapse(bks.replace({f"{k}_O-O": v for k, v in deep.items()}), T).pairs["O-O"]
    assert 0 < oxygen.height < BARRIER * KT
    assert 2.0 < oxygen.r_barrier < 4.0
    assert oxygen.depth > 5.0
    assert not oxygen.sound
    bond = collapse(bks.replace({f"{k}_Si-O": v for k, v in deep.items()}), T).pairs["Si-O"]
    assert bond.sound


def test_bare_coulomb_is_sound(bks):
    for name in ("Si-Si", "O-O"):
        bare = bks.replace({f"A_{name}": 0.0, f"C_{name}": 0.0, f"D_{name}": 0.0})
        assert collapse(bare, T).pairs[name].sound


@pytest.mark.parametrize(
    ("name", "lower", "upper"),
    [("A_O-O", 300.0, 3000.0), ("C_O-O", 20.0, 400.0), ("rho_O-O", 0.3, 0.4), ("q_Si", 1.2, 3.2)],
)
def test_margin_is_continuous_and_changes_sign(bks, name, lower, upper):
    space = ParameterSpace(
        bks, (Free(name, lower, upper),), balance="O", composition={"Si": 1, "O": 2}
    )
    oxygen = np.array(
        [collapse(space.potential([u]), T).pairs["O-O"].margin for u in np.linspace(0, 1, 1000)]
    )
    assert np.abs(np.diff(oxygen)).max() < 0.12
    if name != "q_Si":
        assert oxygen.min() < 0 < oxygen.max()


def test_margins_of_points_are_those_of_their_potentials(bks):
    space = ParameterSpace(bks, (Free("A_O-O", 700.0, 2000.0), Free("C_O-O", 100.0, 300.0)))
    points = np.random.default_rng(0).uniform(size=(20, 2))
    found = SpaceGuard(space, T).margins(points)
    assert found.shape == (20, 3)
    smallest = [collapse(space.potential(u), T).margin for u in points]
    np.testing.assert_array_equal(found.min(axis=1), smallest)
    assert found.min() < 0 <= found.max() <= KT


def test_three_species_and_no_coulomb(three):
    guard = collapse(three, T)
    assert set(guard.pairs) == set(three.pair_names)
    assert guard.sound, guard.reason


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"barrier": -1.0}])
def test_senseless_settings(bks, options):
    with pytest.raises(InputError, match=f"{next(iter(options))} must be positive"):
        collapse(bks, **({"temperature": T} | options))


@pytest.mark.parametrize("cutoff", [0.05, 0.3])
def test_a_cutoff_within_the_core_is_refused(bks, cutoff):
    with pytest.raises(InputError, match=f"cutoff must be above 0.3 Å, got {cutoff} Å"):
        collapse(replace(bks, cutoff=cutoff), T)


def test_the_shortest_cutoff_is_judged(bks):
    guard = collapse(replace(bks, cutoff=0.3000001), T)
    assert "Si-O: only the core holds the atoms apart" in guard.reason


def with_spline(potential, pair, knots):
    """Add a spline that is zero."""
    added = term_on_knots(FORMS["spline"], pair, knots)
    return replace(potential, pairs={**potential.pairs, pair: (*potential.pairs[pair], added)})


def test_a_spline_may_shape_a_curve_but_dig_no_hole():
    oxygen = with_spline(load_potential("CHIK"), "O-O", (1.2, 1.6, 2.0, 2.4, 2.8, 3.2, 3.6))
    bent = oxygen.replace({"c5_O-O": -1.5, "c6_O-O": 0.3})
    assert collapse(bent, T).sound
    hole = oxygen.replace({"c4_O-O": -30.0})
    found = collapse(hole, T).pairs["O-O"]
    assert not found.sound
    assert found.depth > 1.0
    bond = with_spline(load_potential("CHIK"), "Si-O", (0.9, 1.1, 1.3, 1.5, 1.7, 1.9))
    assert collapse(bond.replace({"c5_Si-O": -2.0}), T).sound
    held = collapse(bond.replace({"c1_Si-O": -500.0, "c2_Si-O": -200.0}), T).pairs["Si-O"]
    assert not held.sound


@pytest.mark.parametrize(
    ("name", "spline", "temperature"),
    [("BKS", False, T), ("BKS", True, T), ("BKS-Ewald", False, T), ("ML", False, 3 * T)],
)
def test_slopes_are_those_of_the_margins(name, spline, temperature):
    """Against differences of margins, at points where both sides agree: margins have kinks.

    What decides is the barrier, the core, or, where it is hot, how empty and shallow a well is.
    """
    base = load_potential(name)
    if spline:
        base = with_spline(base, "O-O", (0.8, 1.1, 1.4, 1.7, 2.0, 2.4, 3.0))
        # where BKS has its hole and its barrier
        base = base.replace({f"c{k}_O-O": 1.0 for k in range(1, 7)})
    names = [name for name in base.parameters if not name.startswith("q_")]
    free = tuple(
        Free(name, 0.7 * base.parameters[name], 1.4 * base.parameters[name])
        for name in names
        if base.parameters[name]
    )
    space = ParameterSpace(
        base,
        (Free("q_Si", 2.0, 2.8), *free),
        balance="O",
        composition={"Si": 1, "O": 2},
    )
    guard, rng = SpaceGuard(space, temperature), np.random.default_rng(3)
    compared = 0
    for u in 0.3 + 0.3 * rng.random((16, space.dim)):
        slopes = guard.slopes(u)
        for axis, shift in enumerate(1e-5 * np.eye(space.dim)):
            here, up, down = guard.margins([u, u + shift, u - shift])
            ahead, behind = (up - here) / 1e-5, (here - down) / 1e-5
            smooth = np.abs(ahead - behind) <= 1e-2 * (1e-3 + np.abs(ahead))
            middle = (ahead + behind) / 2
            np.testing.assert_allclose(slopes[smooth, axis], middle[smooth], rtol=1e-6, atol=1e-6)
            compared += np.count_nonzero(smooth & (middle != 0))
    assert compared > 25
