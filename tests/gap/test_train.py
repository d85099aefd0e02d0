"""Training: gradients by differences, bounds, the fixed scale, and going on after a stop."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from lammpsfit.errors import InputError
from lammpsfit.gap.bounds import ETA, limits_of, variables_from, vector_of
from lammpsfit.gap.descriptors import Settings, make_descriptors
from lammpsfit.gap.descriptors.settings import SMALLEST_SCALE, raw_descriptors
from lammpsfit.gap.fit import FitOptions, fit_hyperparameters, fit_model
from lammpsfit.gap.likelihood import variables_of
from lammpsfit.gap.predict import predict
from lammpsfit.gap.train import TrainOptions, TrainState, _Loss, train
from lammpsfit.labelled.frames import Frame


@pytest.fixture(scope="module")
def taught(small):
    """Frames that another model of the same kind labelled, so that there is something to learn."""
    wider = {
        name: np.asarray(v) + 0.3 * name.endswith("eta") for name, v in small.parameters.items()
    }
    teacher = fit_model(small.frames, small.descriptors, wider, small.options)
    found = []
    for seed in range(20, 24):
        frame = small.frame(seed)
        truth = predict(teacher, frame)
        found.append(replace(frame, energy=truth.energy, forces=truth.forces, stress=truth.stress))
    return found


@pytest.fixture(scope="module")
def options(small):
    fit = FitOptions(
        offsets=small.options.offsets, likelihood_frames=2, likelihood_components=9, iterations=5
    )
    return TrainOptions(steps=6, rate=0.05, patience=6, fit=fit)


@pytest.fixture(scope="module")
def loss(small, taught, options):
    return _Loss.of(
        taught[:2],
        taught[2:],
        small.descriptors,
        small.parameters,
        small.options.offsets,
        options.fit,
    )


@pytest.fixture(scope="module")
def trained(small, taught, options, loss):
    states = []
    result = train(
        taught[:2],
        taught[2:],
        small.descriptors,
        small.parameters,
        options,
        lambda step, state: states.append(state),
    )
    return result, states


def test_the_gradient_of_the_loss_is_that_by_differences(small, loss):
    vector = vector_of(variables_of(small.parameters, small.hyper))
    slope = loss.judge(vector)[1]
    assert np.all(np.abs(slope) > 1e-8)
    step = 1e-5 * np.eye(len(vector))
    differences = [loss.judge(vector + h)[0] - loss.judge(vector - h)[0] for h in step]
    np.testing.assert_allclose(slope, np.array(differences) / 2e-5, rtol=1e-4, atol=1e-5)


def test_training_lowers_the_loss_and_the_error_of_frames_held_out(trained):
    result, _ = trained
    assert result.best.step > 0
    assert result.best.held_out_rmse < result.first.held_out_rmse
    assert result.state.steps[-1].loss < result.first.loss


def test_the_best_step_is_what_is_returned(small, trained, loss):
    result, _ = trained
    vector = vector_of(variables_of(result.parameters, result.hyper))
    *_, mae, rmse = loss.judge(vector)
    assert (mae, rmse) == pytest.approx(
        (result.best.held_out_mae, result.best.held_out_rmse), rel=1e-9
    )
    assert rmse == pytest.approx(min(step.held_out_rmse for step in result.state.steps), rel=1e-9)


def test_what_is_kept_is_not_the_last_nor_the_likeliest_step(
    small, taught, options, trained, monkeypatch
):
    """The likelihood grows with every step, the MAE falls with all but the last: RMSE decides."""
    seen = []

    def judge(self, vector):
        seen.append(np.array(vector))
        k = len(seen) - 1
        return -float(k), np.ones_like(vector), (4.0, 3.0, 1.0, 2.0)[k], (4.0, 2.0, 3.0, 5.0)[k]

    monkeypatch.setattr(_Loss, "judge", judge)
    result = train(
        taught[:2],
        taught[2:],
        small.descriptors,
        small.parameters,
        replace(options, steps=3),
        resume_state=replace(trained[1][0], steps=()),
    )
    assert (len(seen), result.best.step) == (4, 1)
    kept = vector_of(variables_of(result.parameters, result.hyper))
    np.testing.assert_allclose(kept, seen[1], rtol=1e-12)
    assert all(np.abs(kept - seen[k]).max() > 1e-3 for k in (0, 2, 3))


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(small, taught, options, trained):
    result, states = trained
    stopped = TrainState.from_dict(json.loads(json.dumps(states[2].as_dict())))
    again = train(
        taught[:2],
        taught[2:],
        small.descriptors,
        small.parameters,
        options,
        resume_state=stopped,
    )
    assert [step.loss for step in again.state.steps] == [s.loss for s in result.state.steps]
    assert again.hyper == result.hyper


def test_other_starts_begin_elsewhere_and_the_best_of_all_counts(small, taught, options):
    result = train(
        taught[:2],
        taught[2:],
        small.descriptors,
        small.parameters,
        replace(options, steps=1, starts=3),
    )
    places = [(step.start, step.step) for step in result.state.steps]
    assert places == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert len({step.loss for step in result.state.steps}) == 6
    best = min(result.state.steps, key=lambda step: step.held_out_rmse)
    assert result.best == best


def test_widths_that_run_away_are_held(small, taught, options):
    """A thousand times the rate: Adam would leave every bound with its first step."""
    result = train(
        taught[:2],
        taught[2:],
        small.descriptors,
        small.parameters,
        replace(options, rate=50.0, steps=2),
    )
    at = variables_from(result.state.vector, loss_like(small))
    trained = {name: ends for name, ends in ETA.items() if name in at.parameters}
    assert trained
    for name, (low, high) in trained.items():
        widths = np.exp(np.asarray(at.parameters[name]))
        assert np.all((widths > 0.999 * low) & (widths < 1.001 * high))
        assert np.any(np.isclose(widths, low) | np.isclose(widths, high))
        # with a cutoff of 8 Å the narrowest still sees neighbours at 2.5 Å, if faintly
        assert widths.min() > 0.08
        assert widths.max() < 4.0
    limits = limits_of(at)
    assert np.all(result.state.vector >= limits[:, 0])
    assert np.all(result.state.vector <= limits[:, 1])


def loss_like(small):
    return variables_of(small.parameters, small.hyper)


def test_a_descriptor_that_sees_nobody_is_not_blown_up(small):
    """The narrowest width of the paper sees no neighbour until two atoms come very near.

    Measured by its own spread over the training frames, which is next to nothing, it would be
    all that the kernel sees of a frame that has a shorter bond than they.
    """
    settings = Settings(radial_cutoff=8.0, radial_count=8, angular_count=0)
    frames = [small.frame(seed, ("Al",) * 3) for seed in range(3)]
    descriptors, parameters = make_descriptors(settings, frames)
    near = np.array(frames[0].positions)
    near[1] = near[0] + 0.75 * (near[1] - near[0])
    G = raw_descriptors(
        descriptors.layout, parameters, ("Al",), [*frames, replace(frames[0], positions=near)]
    )
    known, new = G[:9], G[9:]
    assert known[:, 0].std() < SMALLEST_SCALE * known.std(axis=0).max()
    z = (new - descriptors.offset) / descriptors.scale
    blown_up = (new - known.mean(axis=0)) / known.std(axis=0)
    assert np.abs(blown_up[:, 0]).max() > 5 * np.abs(blown_up[:, 1:]).max()
    assert np.abs(z[:, 0]).max() < np.abs(z[:, 1:]).max()


def test_one_crystal_at_rest_has_a_scale(small):
    """All its atoms are alike but for the last bits, which must not become the scale."""
    at = bulk("Al", cubic=True) * 2
    frame = Frame(("Al",) * len(at), at.positions, at.cell.array, (True,) * 3)
    descriptors, _ = make_descriptors(Settings(), [frame])
    assert set(descriptors.scale) == {1.0}


def test_first_widths_are_not_moved_in_silence(small, taught, options):
    for name, width in (("radial_eta", 0.06), ("angular_eta", 1.2)):
        odd = np.full(np.shape(small.parameters[name]), np.log(width))
        with pytest.raises(InputError, match=f"{name[:-4]}_width must be from 0.1 to [12] cutoffs"):
            train(
                taught[:2],
                taught[2:],
                small.descriptors,
                {**small.parameters, name: odd},
                options,
            )


def test_the_scale_stays_when_widths_change(small, taught):
    """The scaled value of a descriptor fades with its width; its own spread would hold it up."""
    narrow = {
        name: np.full(np.shape(v), np.log(0.02)) if name == "radial_eta" else np.asarray(v)
        for name, v in small.parameters.items()
    }
    layout, species = small.descriptors.layout, small.descriptors.species
    spread = [
        (raw_descriptors(layout, p, species, small.frames) / small.descriptors.scale).std(axis=0)
        for p in (small.parameters, narrow)
    ]
    radial = slice(0, layout.lengths[0])
    np.testing.assert_allclose(spread[0], 1.0, atol=1e-6)
    assert np.all(spread[1][radial] < 0.5)


def test_hyperparameters_grow_likely(small, taught, options):
    told = []
    found = fit_hyperparameters(
        taught[:2],
        small.descriptors,
        small.parameters,
        small.options.offsets,
        replace(options.fit, iterations=10),
        tell=told.append,
    )
    assert min(told) < told[0] - 1.0
    assert found.noises.forces < 0.05


@pytest.mark.parametrize("change", [{"steps": 0}, {"starts": 0}, {"patience": 0}, {"rate": 0.0}])
def test_options_that_make_no_sense_are_said(change):
    with pytest.raises(InputError, match=next(iter(change))):
        TrainOptions(**change)


def test_what_cannot_be_trained_is_said(small, taught, options, trained):
    args = (small.descriptors, small.parameters, options)
    with pytest.raises(InputError, match="held-out"):
        train(taught[:2], [], *args)
    state = trained[1][0]
    short = replace(state, vector=state.vector[:-1])
    with pytest.raises(InputError, match="other descriptors"):
        train(taught[:2], taught[2:], *args, resume_state=short)
    with pytest.raises(InputError, match="no state"):
        TrainState.from_dict({"steps": []})


@pytest.mark.parametrize(
    ("label", "far_below", "given"), [("energy", 1e-5, 0.5), ("stress", 1e-6, 0.3)]
)
def test_a_noise_stays_above_what_is_given(small, taught, options, label, far_below, given):
    """Left alone, the search goes far below: of few labels a model may describe all."""
    fit = replace(options.fit, iterations=10)
    args = (taught[:2], small.descriptors, small.parameters, small.options.offsets)

    def noise(least):
        bound = {f"least_{label}_noise": least}
        return getattr(fit_hyperparameters(*args, replace(fit, **bound)).noises, label)

    free, bounded = noise(far_below), noise(given)
    assert free < given <= bounded * (1.0 + 1e-9)
