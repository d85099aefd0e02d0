"""Conformance of every registered form: a new form is checked without a line here."""

import numpy as np
import pytest

from lammpsfit.forcefield import FORMS

STEP = 1e-5
R = np.linspace(0.9, 7.9, 200)

every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def some_values(form, seed):
    generator = np.random.default_rng(seed)
    return {name: float(generator.uniform(0.3, 3.0)) for name in form.parameter_names}


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
def test_shapes_follow_the_distances(form):
    values = some_values(form, 0)
    for shape in ((), (3,), (2, 3)):
        r = np.full(shape, 2.0)
        assert np.shape(form.energy(r, values)) == shape
        assert np.shape(form.slope(r, values)) == shape
        assert np.shape(form.parameter_gradient(r, values)) == (len(form.parameters), *shape)


@every_form
def test_form_describes_itself(form):
    assert form.formula
    assert all(parameter.unit for parameter in form.parameters)
    assert len(set(form.parameter_names)) == len(form.parameters)
    if form.lammps:
        assert set(form.lammps.coefficients) <= set(form.parameter_names)


@every_form
def test_core_falls_inward_of_nothing(form):
    """A core term only pushes apart, or the guard would misjudge it."""
    if form.core:
        assert np.all(form.slope(R, some_values(form, 1)) < 0)
