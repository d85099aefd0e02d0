"""The Gaussian process against the textbook formulas, written out with loops in dense.py."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.errors import InputError, RunError
from lammpsfit.gap.covariance import block, block_times
from lammpsfit.gap.descriptors.settings import raw_descriptors
from lammpsfit.gap.fit import fit_model, fit_offsets
from lammpsfit.gap.gp import condition, covariances, describe
from lammpsfit.gap.hyperparameters import Noises
from lammpsfit.gap.model import Model
from lammpsfit.gap.predict import predict
from lammpsfit.gap.variance import prediction_errors

SPEC = importlib.util.spec_from_file_location("dense", Path(__file__).with_name("dense.py"))
dense = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(dense)


@pytest.fixture(scope="module")
def written_out(small):
    """Training covariances and targets, and covariances with a fourth frame."""
    frames = (*small.frames, small.frame(7))
    seen = [
        dense.described(f, small.descriptors, small.parameters, small.hyper.theta) for f in frames
    ]
    blocks = [
        [
            dense.covariance(a, b, f, g, small.hyper.amplitude)
            for b, g in zip(seen, frames, strict=True)
        ]
        for a, f in zip(seen, frames, strict=True)
    ]
    noises = small.hyper.noises
    noise = np.array([3 * noises.energy, *[noises.forces] * 9, *[noises.stress] * 6] * 3)
    y = np.concatenate([[f.energy + 10.0, *f.forces.ravel(), *f.stress] for f in small.frames])
    K = np.block([row[:3] for row in blocks[:3]])
    return frames[3], K, K + np.diag(noise**2), y, np.block(blocks[3][:3]), blocks[3][3]


def test_descriptors_are_the_sums_over_neighbours_and_their_pairs(small):
    frame = small.frames[1]
    found = raw_descriptors(
        small.descriptors.layout, small.parameters, small.descriptors.species, [frame]
    )
    expected = dense.descriptors_of(frame, small.descriptors, small.parameters)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_covariances_are_those_of_the_explicit_hessians(small, written_out):
    described = describe(
        small.frames, small.descriptors, small.parameters, small.hyper, small.options.offsets
    )
    found = covariances(described, small.hyper)
    np.testing.assert_allclose(found, written_out[1], rtol=1e-4, atol=1e-5)


def test_a_block_times_a_vector_needs_no_block(small):
    one, other = (
        frame.features
        for frame in describe(
            small.frames[:2],
            small.descriptors,
            small.parameters,
            small.hyper,
            small.options.offsets,
        )
    )
    alpha = np.random.default_rng(1).standard_normal(1 + other.B.shape[1])
    expected = block(one, other) @ alpha
    np.testing.assert_allclose(block_times(one, other, alpha), expected, rtol=1e-10)


def test_predictions_are_the_textbook_ones(small, written_out):
    frame, _, K, y, shared, own = written_out
    mean = shared @ np.linalg.solve(K, y)
    found = predict(small.model, frame, uncertainty=True)
    assert found.energy == pytest.approx(mean[0] - 10.0, rel=1e-5)
    np.testing.assert_allclose(found.forces.ravel(), mean[1:10], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.stress, mean[10:], rtol=1e-4, atol=1e-5)
    error = np.sqrt(np.diag(own - shared @ np.linalg.solve(K, shared.T)))
    assert found.energy_error == pytest.approx(error[0], rel=1e-4)
    np.testing.assert_allclose(found.forces_error.ravel(), error[1:10], rtol=1e-4)
    np.testing.assert_allclose(found.stress_error, error[10:], rtol=1e-4)


def test_errors_are_small_at_the_training_frames_and_those_of_the_prior_far_away(small):
    exact = replace(small.hyper, noises=Noises(1e-5, 1e-4, 1e-5))
    model = fit_model(
        small.frames,
        small.descriptors,
        small.parameters,
        replace(small.options, hyper=exact),
    )
    energy, forces, _ = prediction_errors(model, small.frames[0])
    assert energy < 1e-4
    assert np.all(forces < 1e-3)
    new_energy, new_forces, _ = prediction_errors(model, small.frame(9))
    assert new_energy > 100 * energy
    assert np.all(new_forces > 10 * forces.max())


def test_a_missing_label_is_an_observation_less(small):
    frames = [replace(small.frames[0], stress=None), replace(small.frames[1], energy=None)]
    args = (small.descriptors, small.parameters, small.hyper, small.options.offsets)
    K = covariances(describe(frames, *args), small.hyper)
    full = covariances(describe(small.frames[:2], *args), small.hyper)
    kept = [*range(10), *range(17, 32)]
    np.testing.assert_allclose(K, full[np.ix_(kept, kept)], rtol=1e-12)


def test_frames_of_several_sizes(small):
    """A frame and its supercell, twice as many atoms: the same forces, twice the energy."""
    frame = small.frames[2]
    double = replace(
        frame,
        symbols=frame.symbols * 2,
        positions=np.vstack([frame.positions, frame.positions + frame.cell[0]]),
        cell=frame.cell * [[2.0], [1.0], [1.0]],
        energy=2 * frame.energy,
        forces=np.vstack([frame.forces] * 2),
    )
    model = fit_model([small.frames[0], double], small.descriptors, small.parameters, small.options)
    one, two = predict(model, frame), predict(model, double)
    assert two.energy == pytest.approx(2 * one.energy, rel=1e-12)
    np.testing.assert_allclose(two.forces[:3], one.forces, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(two.stress, one.stress, rtol=1e-9, atol=1e-12)


def test_two_equal_frames_without_noise_are_an_error(small):
    exact = replace(small.hyper, noises=Noises(0.0, 0.0, 0.0))
    described = describe(
        [small.frames[0]] * 2,
        small.descriptors,
        small.parameters,
        replace(exact, noises=Noises(1e-30, 1e-30, 1e-30)),
        small.options.offsets,
    )
    with pytest.raises(RunError, match="not positive definite"):
        condition(described, exact)


def test_offsets_are_those_of_the_composition():
    cell = 9.0 * np.eye(3)
    from lammpsfit.labelled.frames import Frame

    frames = [
        Frame(symbols, 2.0 * np.arange(9.0).reshape(3, 3), cell, (True,) * 3, energy=energy)
        for symbols, energy in ((("Al", "Al", "Ni"), -10.0), (("Al", "Ni", "Ni"), -11.0))
    ]
    assert fit_offsets(frames, ["Al", "Ni"]) == pytest.approx({"Al": -3.0, "Ni": -4.0})


def test_a_model_survives_plain_data(small):
    again = Model.from_dict(small.model.as_dict())
    frame = small.frame(5)
    one, two = (predict(model, frame, uncertainty=True) for model in (small.model, again))
    assert one.energy == two.energy
    assert np.array_equal(one.forces_error, two.forces_error)


@pytest.mark.parametrize(
    ("change", "match"), [({"version": 99}, "version 99"), ({"hyper": {}}, "no GAP")]
)
def test_what_is_no_model_is_said(small, change, match):
    with pytest.raises(InputError, match=match):
        Model.from_dict({**small.model.as_dict(), **change})


def test_what_cannot_be_fitted_is_said(small):
    bare = [frame.unlabelled() for frame in small.frames]
    with pytest.raises(InputError, match="nothing to fit to"):
        fit_model(bare, small.descriptors, small.parameters)
    foreign = replace(small.frames[0], symbols=("Al", "Cu", "Al"))
    with pytest.raises(InputError, match="Cu is none of the species"):
        fit_model([foreign], small.descriptors, small.parameters, small.options)
    with pytest.raises(InputError, match="Cu is none of the species"):
        predict(small.model, foreign)


def test_a_model_without_training_frames_has_no_errors(small):
    model = replace(small.model, training=())
    with pytest.raises(InputError, match="no errors"):
        predict(model, small.frames[0], uncertainty=True)
