"""The approximation for many frames, where it is exact and where it is not."""

from dataclasses import replace

import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.gap.fit import fit_model
from lammpsfit.gap.gp import cross_covariances, describe
from lammpsfit.gap.predict import predict
from lammpsfit.gap.sparse import covariances_with_atoms, pivots
from lammpsfit.gap.variance import prediction_errors


@pytest.fixture(scope="module")
def described(small):
    return describe(
        small.frames, small.descriptors, small.parameters, small.hyper, small.options.offsets
    )


def test_with_all_atoms_it_is_the_exact_process_of_energies(small):
    """Energies are sums of the local energies of the inducing atoms: nothing is lost."""
    frames = [replace(frame, forces=None, stress=None) for frame in small.frames]
    exact, sparse = (
        fit_model(
            frames,
            small.descriptors,
            small.parameters,
            replace(small.options, inducing=count),
        )
        for count in (None, 9)
    )
    assert sparse.inducing
    assert not np.any(sparse.centres.b)
    new = small.frame(20)
    expected, found = (predict(model, new, uncertainty=True) for model in (exact, sparse))
    assert np.abs(expected.forces).max() > 1e-3
    assert found.energy == pytest.approx(expected.energy, rel=1e-8)
    np.testing.assert_allclose(found.forces, expected.forces, rtol=1e-5, atol=1e-7)
    assert found.energy_error == pytest.approx(expected.energy_error, rel=1e-6)
    np.testing.assert_allclose(found.forces_error, expected.forces_error, rtol=1e-6)
    np.testing.assert_allclose(found.stress_error, expected.stress_error, rtol=1e-6)


def test_far_away_the_errors_are_those_of_the_prior(small):
    """Few atoms tell little: what they leave open counts in full."""
    options = replace(small.options, inducing=2)
    model = fit_model(small.frames, small.descriptors, small.parameters, options)
    crowd = replace(small.frame(20), positions=0.35 * small.frame(20).positions)
    energy, forces, _ = prediction_errors(model, crowd)
    (alone,) = describe(
        [crowd], small.descriptors, small.parameters, small.hyper, small.options.offsets
    )
    prior = np.sqrt(np.diagonal(cross_covariances(alone, alone, small.hyper)))
    np.testing.assert_allclose([energy, *forces.ravel()], prior[:10], rtol=1e-3)


def test_covariances_with_the_atoms_of_a_frame_sum_to_those_with_its_energy(small, described):
    one, other = described[:2]
    n = other.atoms
    z, species = (np.asarray(part)[:n] for part in (other.features.z, other.features.species))
    found = np.asarray(covariances_with_atoms(one.features, z, species))[one.rows]
    expected = cross_covariances(one, other, replace(small.hyper, amplitude=1.0))[:, 0]
    np.testing.assert_allclose(found.sum(axis=1), expected, rtol=1e-10, atol=1e-12)


def test_weights_minimise_misfit_and_prior(small, described):
    """Against the normal equations, which do on a small problem with large noise."""
    count = 5
    model = fit_model(
        small.frames,
        small.descriptors,
        small.parameters,
        replace(small.options, inducing=count),
    )
    z, species = model.centres.z, model.centres.species
    rows = [np.asarray(covariances_with_atoms(d.features, z, species))[d.rows] for d in described]
    X = np.vstack(rows)
    y = np.concatenate([d.targets for d in described])
    precision = 1.0 / np.concatenate([d.variances for d in described])
    square = ((z[:, None] - z[None]) ** 2).sum(-1)
    K = np.exp(-0.5 * square) * (species[:, None] == species[None])
    normal = X.T @ (precision[:, None] * X) + K / small.hyper.amplitude**2
    expected = np.linalg.solve(normal, X.T @ (precision * y))
    assert len(z) == count
    np.testing.assert_allclose(model.centres.a, expected, rtol=1e-6)


def test_inducing_atoms_are_no_copies_of_one_another():
    z = np.array([[0.0], [1e-9], [3.0], [3.0], [1.0]])
    chosen = pivots(z, np.array([0, 0, 0, 1, 0]), 5)
    assert sorted(chosen) in ([0, 2, 3, 4], [1, 2, 3, 4])


def test_none_at_all_is_an_error(small):
    with pytest.raises(InputError, match="at least 1 inducing"):
        fit_model(
            small.frames,
            small.descriptors,
            small.parameters,
            replace(small.options, inducing=0),
        )
