"""Conformance of every registered form: a new form is checked without a line here."""

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.forcefield import FORMS, Potential, Species, Term, collapse
from lammpsfit.forcefield.lammps_text import (
    combined_pair_lines,
    inner_radius,
    overlay_pair_lines,
    table_text,
)

STEP = 1e-5
R = np.linspace(0.9, 7.9, 200)

every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def some_values(form, seed):
    generator = np.random.default_rng(seed)
    while True:
        values = {name: float(generator.uniform(0.3, 3.0)) for name in form.parameter_names}
        if form.refused(values) is None:
            return values


def alone(form, seed):
    """A potential of one species that has nothing but the form."""
    return Potential(
        form.name,
        {"Ar": Species(39.9)},
        {"Ar-Ar": (Term(form, some_values(form, seed)),)},
        None,
        8.0,
    )


@every_form
@pytest.mark.parametrize("seed", range(3))
def test_slope_is_the_derivative_of_the_energy(form, seed):
    values = some_values(form, seed)
    difference = form.energy(R + STEP, values) - form.energy(R - STEP, values)
    slope = form.slope(R, values)
    np.testing.assert_allclose(slope, difference / (2 * STEP), rtol=1e-6, atol=1e-9)


@every_form
@pytest.mark.parametrize("seed", range(3))
def test_parameter_gradient_is_the_derivative_of_the_energy(form, seed):
    values = some_values(form, seed)
    gradient = form.parameter_gradient(R, values)
    assert gradient.shape == (len(form.parameters), R.size)
    for name, row in zip(form.parameter_names, gradient, strict=True):
        up, down = (values | {name: values[name] + s} for s in (STEP, -STEP))
        difference = (form.energy(R, up) - form.energy(R, down)) / (2 * STEP)
        np.testing.assert_allclose(row, difference, rtol=1e-6, atol=1e-8)


@every_form
@pytest.mark.parametrize("seed", range(3))
def test_slope_gradient_is_the_derivative_of_the_parameter_gradient(form, seed):
    values = some_values(form, seed)
    ends = (form.parameter_gradient(R + step, values) for step in (STEP, -STEP))
    difference = np.subtract(*ends) / (2 * STEP)
    np.testing.assert_allclose(form.slope_gradient(R, values), difference, rtol=1e-6, atol=1e-8)


@every_form
def test_shapes_follow_the_distances(form):
    values = some_values(form, 0)
    for shape in ((), (3,), (2, 3)):
        r = np.full(shape, 2.0)
        assert np.shape(form.energy(r, values)) == shape
        assert np.shape(form.slope(r, values)) == shape
        assert np.shape(form.parameter_gradient(r, values)) == (len(form.parameters), *shape)
        assert np.shape(form.slope_gradient(r, values)) == (len(form.parameters), *shape)


@every_form
def test_form_describes_itself(form):
    assert form.formula
    assert all(parameter.unit for parameter in form.parameters)
    assert len(set(form.parameter_names)) == len(form.parameters)
    if form.lammps:
        assert {name.lstrip("-") for name in form.lammps.coefficients} <= set(form.parameter_names)


@every_form
def test_core_falls_inward_of_nothing(form):
    """A core term only pushes apart, or the guard would misjudge it."""
    if form.core:
        assert np.all(form.slope(R, some_values(form, 1)) < 0)


@pytest.mark.lammps
def test_lammps_computes_the_same_energy_and_forces(tmp_path, oracle):
    """By its own style, to rounding, where there is one; by a table for every form."""
    positions, types = oracle.configuration(1, seed=11)
    jobs, tolerances = [], []
    for form in FORMS.values():
        potential = alone(form, 5)
        table = f"{form.name}.table"
        (tmp_path / table).write_text(table_text(potential), encoding="utf-8")
        jobs.append((potential, positions, types, combined_pair_lines(potential, table)))
        tolerances.append(1e-4)
        if form.lammps:
            jobs.append((potential, positions, types, overlay_pair_lines(potential, "none")))
            tolerances.append(1e-10)
    for job, (U, F), close in zip(jobs, oracle.lammps(tmp_path, *jobs), tolerances, strict=True):
        energy, forces = oracle.direct_sum(*job[:3])
        scale = max(1.0, np.sqrt(np.mean(forces**2)))
        name = f"{job[0].name}: {job[3][0]}"
        assert np.sqrt(np.mean((F - forces) ** 2)) < close * scale, name
        assert abs(U - energy) < 10 * close * max(1.0, abs(energy)), name


@every_form
def test_guard_and_inner_cutoff_know_the_form(form):
    """No entry of a table is huge or not finite, and the guard comes to a verdict."""
    potential = alone(form, 6)
    inner = inner_radius(potential, "Ar-Ar")
    r = np.linspace(inner, 7.9, 500)
    assert 0.1 <= inner < 2.5
    assert np.all(np.abs(potential.energy("Ar-Ar", r)) < 1.1e6)
    assert np.all(np.isfinite(potential.slope("Ar-Ar", r)))
    assert np.isfinite(collapse(potential, 300.0).margin)


def test_morse_has_its_minimum_at_r0_of_depth_de():
    values = {"De": 0.34, "a": 2.0, "r0": 2.1}
    r = np.array([2.1])
    assert FORMS["morse"].energy(r, values) == pytest.approx(-0.34)
    assert FORMS["morse"].slope(r, values) == pytest.approx(0.0, abs=1e-12)


def test_mie_is_lennard_jones_for_12_and_6_and_has_depth_epsilon():
    values = {"epsilon": 0.01, "sigma": 3.4}
    as_mie = FORMS["mie"].energy(R, values | {"n": 12.0, "m": 6.0})
    np.testing.assert_allclose(as_mie, FORMS["lennard-jones"].energy(R, values), rtol=1e-12)
    deep = FORMS["mie"].energy(np.linspace(3.4, 4.4, 20001), values | {"n": 9.0, "m": 5.0})
    assert deep.min() == pytest.approx(-0.01, rel=1e-6)
    refused = FORMS["mie"].refused(values | {"n": 6.0, "m": 6.0})
    assert refused == "n must be above m, got n = 6 and m = 6"
    with pytest.raises(InputError, match="mie of pair Ar-Ar: n must be above m"):
        alone(FORMS["mie"], 0).replace({"n_Ar-Ar": 0.1})


def test_born_mayer_huggins_is_buckingham_without_sigma_and_d8():
    values = {"A": 1000.0, "rho": 0.3, "C": 20.0}
    both = (
        (FORMS["born-mayer-huggins"], values | {"sigma": 0.0, "D8": 0.0}),
        (FORMS["buckingham"], values),
    )
    first, second = (form.energy(R, given) for form, given in both)
    np.testing.assert_allclose(first, second, rtol=1e-12)
    attracted = FORMS["born-mayer-huggins"].energy(R, values | {"sigma": 0.0, "D8": 5.0})
    np.testing.assert_allclose(first - attracted, 5.0 / R**8, rtol=1e-9)


KNOTS = (1.2, 1.5, 1.75, 2.5, 3.0, 4.5)


def test_spline_is_that_of_scipy_between_its_knots():
    from scipy.interpolate import BSpline

    form = FORMS["spline"].on_knots(KNOTS)
    assert form.parameter_names == ("c1", "c2", "c3", "c4", "c5")
    c = np.array([3.0, -1.0, 0.5, 2.0, -0.7])
    t = [0.3, 0.6, 0.9, *KNOTS, 6.0, 7.5, 9.0]
    oracle = BSpline(t, [*c, 0.0, 0.0, 0.0], 3)
    r = np.linspace(KNOTS[0], KNOTS[-1], 200)
    values = dict(zip(form.parameter_names, c, strict=True))
    np.testing.assert_allclose(form.energy(r, values), oracle(r), atol=1e-13)
    np.testing.assert_allclose(form.slope(r, values), oracle.derivative()(r), atol=1e-12)


def test_spline_ends_smoothly_and_goes_on_straight_inwards():
    form = FORMS["spline"].on_knots(KNOTS)
    values = dict.fromkeys(form.parameter_names, 1.0)
    beyond = np.array([KNOTS[-1], 5.0, 7.0])
    assert not form.energy(beyond, values).any()
    assert not form.slope(beyond, values).any()
    near = form.parameter_gradient(np.array([KNOTS[-1] - 1e-3]), values)
    assert 0 < near.sum() < 1e-9  # as the cube of the distance
    inner = np.array([0.1, 0.5, 1.2])
    assert np.ptp(form.slope(inner, values)) == 0
    np.testing.assert_allclose(
        np.diff(form.energy(inner, values)) / np.diff(inner), form.slope(inner, values)[0]
    )


def test_a_coefficient_acts_between_four_knots_only():
    form = FORMS["spline"].on_knots((1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    rows = form.parameter_gradient(np.arange(1.5, 6.0), {})
    reached = [np.flatnonzero(row).tolist() for row in rows]
    assert reached == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("knots", "message"),
    [
        ((1.0, 2.0), "there must be 3 to 101 knots, got 2"),
        (np.linspace(1.0, 9.0, 102), "there must be 3 to 101 knots, got 102"),
        ((1.0, 3.0, 2.0), "knots must rise by 0.02 Å or more, got 2.0 after 3.0"),
        ((1.0, 1.01, 2.0), "knots must rise by 0.02 Å or more, got 1.01 after 1.0"),
        ((0.0, 1.0, 2.0), "knots must be above 0 and up to 30 Å, got 0"),
        ((1.0, 2.0, np.nan), "knots must be above 0 and up to 30 Å, got nan"),
    ],
)
def test_knots_that_make_no_spline_are_refused(knots, message):
    with pytest.raises(InputError, match=message):
        FORMS["spline"].on_knots(knots)
