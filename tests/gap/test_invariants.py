"""Invariants of up to four atoms, and the dot-product kernel they enter."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.polynomial import legendre
from scipy.spatial.transform import Rotation

from lammpsfit.gap.covariance import scaling_of
from lammpsfit.gap.descriptors import Descriptors, Settings, make_descriptors
from lammpsfit.gap.descriptors.invariants import Invariants
from lammpsfit.gap.descriptors.settings import raw_descriptors
from lammpsfit.gap.fit import FitOptions, fit_model
from lammpsfit.gap.gp import covariances, describe
from lammpsfit.gap.hyperparameters import Hyperparameters, Noises
from lammpsfit.gap.likelihood import (
    Hyper,
    describe_all,
    gradient_in_parameters,
    negative_log_likelihood,
    variables_of,
)
from lammpsfit.gap.model import Model
from lammpsfit.gap.predict import predict
from lammpsfit.gap.problem import make_problem

SETTINGS = Settings(
    radial_cutoff=4.0,
    radial_count=2,
    radial_width=1.2,
    angular_count=0,
    invariant_cutoff=3.4,
    invariant_count=2,
    invariant_width=0.8,
    invariant_degrees=(3, 2),
    first_centre=1.8,
)
HYPER = Hyperparameters((1.5,), 0.8, Noises(0.01, 0.05, 0.002), slope=0.3)
OFFSETS = {"Al": -3.0, "Ni": -4.0}
STEP = 1e-5
"""Of differences of energies, Å or strain."""

LOSS_STEP = 3e-4
"""Of differences of the loss, which has lost digits to the inverse of a matrix."""


@pytest.fixture(scope="module")
def made(small):
    """The invariants with a radial part beside them, and alone."""
    both = make_descriptors(SETTINGS, small.frames)
    alone = make_descriptors(replace(SETTINGS, radial_count=0), small.frames)
    return SimpleNamespace(both=both, alone=alone, frames=small.frames, frame=small.frame)


def options(made, alone, **changed):
    theta = () if alone else HYPER.theta
    return FitOptions(hyper=replace(HYPER, theta=theta), offsets=OFFSETS, core=False, **changed)


def written_out(frame, layout, parameters, species):
    """Sums over pairs and triples of neighbours; the mean over the sphere by other points."""
    part = layout.invariants
    eta, centre = (np.asarray(parameters[f"invariant_{name}"]) for name in ("eta", "centre"))
    rng = np.random.default_rng(0)
    z, weight = np.polynomial.legendre.leggauss(9)
    phi = 2 * np.pi * np.arange(11) / 11 + 0.3
    ring = np.sqrt(1 - z[:, None] ** 2)
    grid = [ring * np.cos(phi), ring * np.sin(phi), z[:, None] + 0 * phi]
    turn = Rotation.random(rng=rng).as_matrix()
    sphere = np.stack(grid, axis=-1).reshape(-1, 3) @ turn
    weight = np.repeat(weight, 11) / 22
    shifts = np.array(list(np.ndindex(7, 7, 7))) - 3
    rows = []
    for i in range(len(frame)):
        row = []
        for n in range(part.count):
            first, moments = [], []
            for s, name in enumerate(species):
                own = [frame.positions[j] for j, x in enumerate(frame.symbols) if x == name]
                u = (np.array(own)[:, None] + shifts @ frame.cell).reshape(-1, 3)
                u = u - frame.positions[i]
                r = np.linalg.norm(u, axis=1)
                u, r = u[(r > 0) & (r < part.cutoff)], r[(r > 0) & (r < part.cutoff)]
                width = part.cutoff * np.exp(eta[s, n])
                R = np.exp(-(((r - part.cutoff * centre[s, n]) / width) ** 2))
                R *= 0.5 * (np.cos(np.pi * r / part.cutoff) + 1)
                first.append(R.sum())
                moments.append((R, u / r[:, None]))
            row += first
            for s, t in ((0, 0), (0, 1), (1, 1)):
                (R, u), (Q, v) = moments[s], moments[t]
                row += [
                    R @ legendre.legval(u @ v.T, [0.0] * degree + [1.0]) @ Q
                    for degree in range(part.pair_degree + 1)
                ]
            for R, u in moments:
                rho = [
                    legendre.legval(sphere @ u.T, [0.0] * degree + [1.0]) @ R
                    for degree in range(part.triple_degree + 1)
                ]
                row += [weight @ (rho[a] * rho[b] * rho[c]) for a, b, c in part.triples]
        rows.append(row)
    return np.array(rows)


def test_they_are_the_sums_over_pairs_and_the_means_over_the_sphere(made):
    descriptors, parameters = made.alone
    found = raw_descriptors(descriptors.layout, parameters, descriptors.species, [made.frames[1]])
    expected = written_out(made.frames[1], descriptors.layout, parameters, descriptors.species)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_the_third_order_has_the_triples_that_do_not_vanish():
    triples = Invariants(7.0, 1, 8, 4).triples
    assert len(triples) == 14
    assert (1, 1, 2) in triples
    assert (1, 1, 3) not in triples  # no triangle
    assert (1, 2, 2) not in triples  # odd
    assert Invariants(7.0, 18, 8, 4).length(1) == 432


def test_rotations_leave_them(made):
    descriptors, parameters = made.alone
    frame = made.frames[0]
    R = Rotation.random(rng=np.random.default_rng(4)).as_matrix()
    turned = replace(frame, positions=frame.positions @ R.T, cell=frame.cell @ R.T)
    args = (descriptors.layout, parameters, descriptors.species)
    one, other = (raw_descriptors(*args, [f]) for f in (frame, turned))
    np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12)


def test_forces_and_stress_are_derivatives_of_the_energy(made):
    model = fit_model(made.frames, *made.both, options(made, alone=False))
    frame = made.frame(11)
    found = predict(model, frame)
    assert np.abs(found.forces).max() > 1e-2
    for atom, axis in ((0, 0), (1, 2), (2, 1)):
        energies = []
        for sign in (1, -1):
            positions = np.array(frame.positions)
            positions[atom, axis] += sign * STEP
            energies.append(predict(model, replace(frame, positions=positions)).energy)
        slope = (energies[0] - energies[1]) / (2 * STEP)
        assert found.forces[atom, axis] == pytest.approx(-slope, rel=1e-6, abs=1e-7)
    energies = []
    for sign in (1, -1):
        F = np.eye(3)
        F[0, 1] += sign * STEP / 2
        F[1, 0] += sign * STEP / 2
        strained = replace(frame, positions=frame.positions @ F, cell=frame.cell @ F)
        energies.append(predict(model, strained).energy)
    slope = (energies[0] - energies[1]) / (2 * STEP) / frame.volume
    assert found.stress[5] == pytest.approx(slope, rel=1e-6, abs=1e-9)


def test_weights_and_errors_are_those_of_bayesian_regression(made):
    """Shares in the weights from differences of energies of unit weights, then textbook lines."""
    descriptors, parameters = made.alone
    model = fit_model(made.frames, descriptors, parameters, options(made, alone=True))
    (new,) = describe([made.frame(30)], descriptors, parameters, model.hyper, OFFSETS)
    described = describe(made.frames, descriptors, parameters, model.hyper, OFFSETS)
    X = np.vstack([_with_constant(one) for one in described])
    y = np.concatenate([one.targets for one in described])
    variances = np.concatenate([one.variances for one in described])
    prior = np.r_[[model.hyper.amplitude] * 2, np.full(X.shape[1] - 2, model.hyper.slope)]
    K = (X * prior**2) @ X.T + np.diag(variances)
    h = _with_constant(new)
    shared = (h * prior**2) @ X.T
    mean = shared @ np.linalg.solve(K, y)
    covariance = (h * prior**2) @ h.T - shared @ np.linalg.solve(K, shared.T)
    error = np.sqrt(np.diag(covariance))
    found = predict(model, made.frame(30), uncertainty=True)
    assert found.energy + 10.0 == pytest.approx(mean[0], rel=1e-8)
    np.testing.assert_allclose(found.forces.ravel(), mean[1:10], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.stress, mean[10:], rtol=1e-7, atol=1e-10)
    assert found.energy_error == pytest.approx(error[0], rel=1e-6)
    np.testing.assert_allclose(found.forces_error.ravel(), error[1:10], rtol=1e-6)
    np.testing.assert_allclose(found.stress_error, error[10:], rtol=1e-6)


def _with_constant(one):
    """Shares in a constant for each species, Al (two atoms) and Ni (one), and in the weights."""
    counts = np.zeros((len(one.rows), 2))
    counts[0] = 2.0, 1.0
    return np.hstack([counts, one.phi])


def test_exact_and_lean_models_agree_where_nothing_is_left_out(made):
    frames = [replace(frame, forces=None, stress=None) for frame in made.frames]
    exact, lean = (
        fit_model(frames, *made.both, options(made, alone=False, inducing=count))
        for count in (None, 9)
    )
    a, b = (predict(model, made.frame(5), uncertainty=True) for model in (exact, lean))
    assert b.energy == pytest.approx(a.energy, rel=1e-8)
    np.testing.assert_allclose(b.forces, a.forces, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(b.forces_error, a.forces_error, rtol=1e-5)


def test_a_lean_model_keeps_its_errors_without_frames(made):
    model = fit_model(made.frames, *made.both, options(made, alone=False, inducing=3))
    again = Model.from_dict(model.as_dict())
    assert not again.training
    one, other = (predict(m, made.frame(5), uncertainty=True) for m in (model, again))
    np.testing.assert_array_equal(one.forces_error, other.forces_error)


def test_a_model_of_version_1_is_read(small):
    data = small.model.as_dict()
    data["version"] = 1
    del (
        data["factor"],
        data["descriptors"]["invariants"],
        data["centres"]["w"],
        data["hyper"]["slope"],
    )
    found = predict(Model.from_dict(data), small.frame(5))
    np.testing.assert_array_equal(found.forces, predict(small.model, small.frame(5)).forces)


def _problem(made):
    descriptors = made.both[0]
    frames = [*made.frames, made.frame(40), made.frame(41)]
    problem = make_problem(frames, descriptors, OFFSETS)
    scaling = scaling_of(descriptors, (1.0,))
    return frames, problem, scaling


@pytest.mark.parametrize("blocks", [0, 2])
def test_the_loss_is_that_of_refits_and_its_gradient_that_of_differences(made, blocks):
    descriptors, parameters = made.both
    layout = descriptors.layout
    frames, problem, scaling = _problem(made)
    variables = variables_of(parameters, HYPER)

    def loss(parameters, hyper):
        described = describe_all(layout, parameters, scaling, problem)
        return negative_log_likelihood(layout, hyper, described, problem, blocks=blocks)

    hyper = Hyper(*variables[1:])
    found = loss(variables.parameters, hyper)
    expected = _refitted(frames, descriptors, parameters, blocks)
    assert float(found.loss) == pytest.approx(expected, rel=1e-8)

    by_parameter = gradient_in_parameters(
        layout, variables.parameters, scaling, problem, found.by_feature
    )
    for field in ("log_theta", "log_amplitude", "log_slope", "log_noises"):
        step = np.zeros(np.shape(getattr(hyper, field)))
        step.flat[0] = LOSS_STEP
        up, down = (
            loss(variables.parameters, hyper._replace(**{field: getattr(hyper, field) + s * step}))
            for s in (1, -1)
        )
        slope = float(up.loss - down.loss) / (2 * LOSS_STEP)
        given = float(np.asarray(getattr(found.by_hyper, field)).flat[0])
        assert given == pytest.approx(slope, rel=1e-4), field
    for name in ("invariant_eta", "invariant_centre", "radial_eta"):
        step = np.zeros(np.shape(parameters[name]))
        step[0, 1] = LOSS_STEP
        up, down = (
            loss({**variables.parameters, name: parameters[name] + s * step}, hyper)
            for s in (1, -1)
        )
        slope = float(up.loss - down.loss) / (2 * LOSS_STEP)
        assert float(by_parameter[name][0, 1]) == pytest.approx(slope, rel=1e-4), name


def _refitted(frames, descriptors: Descriptors, parameters, blocks):
    """Each block by a Gaussian process that has not seen it; or all at once."""
    described = describe(frames, descriptors, parameters, HYPER, OFFSETS)
    K = covariances(described, HYPER) + np.diag(np.concatenate([d.variances for d in described]))
    y = np.concatenate([d.targets for d in described])
    if not blocks:
        whole = np.linalg.slogdet(K)[1] + y @ np.linalg.solve(K, y)
        return 0.5 * (whole + len(y) * np.log(2 * np.pi))
    rows = len(y) // len(frames)
    ends = np.linspace(0, len(frames), blocks + 1).round().astype(int) * rows
    total = 0.0
    for begin, end in itertools.pairwise(ends):
        out = np.zeros(len(y), dtype=bool)
        out[begin:end] = True
        shared = np.linalg.solve(K[np.ix_(~out, ~out)], K[np.ix_(~out, out)]).T
        error = y[out] - shared @ y[~out]
        variance = np.diag(K[np.ix_(out, out)] - shared @ K[np.ix_(~out, out)])
        total += 0.5 * np.sum(error**2 / variance + np.log(2 * np.pi * variance))
    return total
