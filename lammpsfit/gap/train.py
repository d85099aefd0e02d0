"""Train the parameters of the descriptors, end to end.

First theta, the amplitude and the noises are fitted with the first descriptors; then all of it
moves together with Adam on the marginal likelihood of the training frames. It is the one loss
that knows both how well a descriptor explains forces and how much freedom it takes to do so, and
it needs no second set of frames. Which step is kept is decided by the forces of frames held out:
the likelihood does not know how far its own assumptions hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import optax
from numpy.typing import NDArray

from lammpsfit.errors import InputError
from lammpsfit.gap.backend import jnp
from lammpsfit.gap.bounds import (
    check_widths,
    hyper_count,
    limits_of,
    variables_from,
    vector_of,
)
from lammpsfit.gap.covariance import Scaling, scaling_of
from lammpsfit.gap.descriptors.base import Parameters
from lammpsfit.gap.descriptors.combined import Descriptors, Layout
from lammpsfit.gap.fit import FIRST, FitOptions, evenly, fit_hyperparameters, fit_offsets
from lammpsfit.gap.hyperparameters import Hyperparameters
from lammpsfit.gap.likelihood import (
    Hyper,
    Variables,
    describe_all,
    gradient_in_parameters,
    hyperparameters_of,
    negative_log_likelihood,
    predicted,
    variables_of,
)
from lammpsfit.gap.problem import Problem, make_problem
from lammpsfit.gap.train_state import Step, TrainOptions, TrainState
from lammpsfit.labelled.frames import Frame

__all__ = ["Step", "TrainOptions", "TrainResult", "TrainState", "train"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What training found.

    Attributes
    ----------
    parameters : dict of ndarray
        Of the descriptors, at the best step.
    hyper : Hyperparameters
        Of that step; :func:`lammpsfit.gap.fit.fit_model` can take them or fit them again.
    best, first : Step
        That step, and the one before any training.
    state : TrainState
        The last one.
    """

    parameters: dict[str, FloatArray]
    hyper: Hyperparameters
    best: Step
    first: Step
    state: TrainState


def train(
    frames: Sequence[Frame],
    held_out: Sequence[Frame],
    descriptors: Descriptors,
    parameters: Parameters,
    options: TrainOptions | None = None,
    callback: Callable[[Step, TrainState], None] = lambda step, state: None,
    resume_state: TrainState | None = None,
    tell: Callable[[float], None] = lambda loss: None,
) -> TrainResult:
    """Train the parameters of descriptors, within bounds.

    Parameters
    ----------
    frames
        To train on: the likelihood is of those :class:`FitOptions` chooses.
    held_out
        Whose forces decide which step is best; none of the frames.
    descriptors, parameters
        What to train, and where to begin.
    options
        How.
    callback
        Called after each step, with it and the state to resume from.
    resume_state
        Where an earlier training of the same frames, descriptors and options has got to.
    tell
        Told the loss at each evaluation of the search before the first step.

    Returns
    -------
    TrainResult

    Raises
    ------
    InputError
        If there are no frames, or no forces are held out, a first width is out of bounds, or
        the state is of something else.
    RunError
        If the covariances are not positive definite where it begins.
    """
    options = options or TrainOptions()
    if not any(frame.forces is not None for frame in held_out):
        raise InputError("training needs held-out frames with forces, which decide when it ends")
    check_widths(descriptors.layout, parameters)
    offsets = options.fit.offsets or fit_offsets(frames, descriptors.species)
    state = resume_state
    if state is None:
        hyper = fit_hyperparameters(
            frames, descriptors, parameters, offsets, options.fit, tell=tell
        )
        origin = vector_of(variables_of(parameters, hyper))
        state = TrainState((), origin, origin, 0.0 * origin, 0.0 * origin, origin)
    loss = _Loss.of(frames, held_out, descriptors, parameters, offsets, options.fit)
    if state.vector.shape != vector_of(loss.like).shape:
        raise InputError("this state is of a training of other descriptors")
    while (place := _next_place(state, options)) is not None:
        state = _one_step(*place, state, loss, options)
        callback(state.steps[-1], state)
    best = min(state.steps, key=lambda step: step.held_out_rmse)
    found = variables_from(state.best, loss.like)
    trained = {name: np.asarray(values) for name, values in found.parameters.items()}
    return TrainResult(trained, hyperparameters_of(found), best, state.steps[0], state)


@dataclass(frozen=True, eq=False)
class _Loss:
    """The marginal likelihood of some frames, and the forces of others."""

    layout: Layout
    scaling: Scaling
    problem: Problem
    held_out: Problem
    like: Variables
    blocks: int

    @classmethod
    def of(
        cls,
        frames: Sequence[Frame],
        held_out: Sequence[Frame],
        descriptors: Descriptors,
        parameters: Parameters,
        offsets: Mapping[str, float],
        options: FitOptions,
    ) -> _Loss:
        chosen = evenly(frames, options.likelihood_frames)
        problem = make_problem(
            chosen, descriptors, offsets, options.likelihood_components, options.seed
        )
        asked = make_problem(held_out, descriptors, offsets)
        ones = (1.0,) * len(descriptors.layout.parts)
        like = variables_of(parameters, Hyperparameters(ones, 1.0, FIRST))
        scaling = scaling_of(descriptors, ones)
        return cls(descriptors.layout, scaling, problem, asked, like, options.likelihood_blocks)

    def judge(self, vector: FloatArray) -> tuple[float, FloatArray, float, float]:
        """Return the loss, its gradient, and MAE and RMSE of the forces of held-out frames."""
        at = variables_from(vector, self.like)
        hyper = Hyper(*at[1:])
        fixed = (self.layout, at.parameters, self.scaling)
        described = describe_all(*fixed, self.problem)
        value, by_hyper, by_feature, alpha = negative_log_likelihood(
            self.layout, hyper, described, self.problem, blocks=self.blocks
        )
        if not np.isfinite(value):
            return float(value), np.zeros_like(vector), np.inf, np.inf
        by_parameter = gradient_in_parameters(*fixed, self.problem, by_feature)
        asked = describe_all(*fixed, self.held_out)
        found = predicted(self.layout, hyper, described, alpha, asked)
        forces = np.asarray(self.held_out.observed.mask)[:, :-6] > 0
        error = (np.asarray(found) - np.asarray(self.held_out.targets))[:, 1:-6][forces]
        mae, rmse = float(np.abs(error).mean()), float(np.sqrt((error**2).mean()))
        return float(value), vector_of(Variables(by_parameter, *by_hyper)), mae, rmse


def _next_place(state: TrainState, options: TrainOptions) -> tuple[int, int] | None:
    """Return the start and step that come next; none if the training is over."""
    if not state.steps:
        return 0, 0
    last = state.steps[-1]
    own = [step for step in state.steps if step.start == last.start]
    best = min(own, key=lambda step: step.held_out_rmse)
    stuck = last.step - best.step >= options.patience or not np.isfinite(last.loss)
    if last.step < options.steps and not stuck:
        return last.start, last.step + 1
    return (last.start + 1, 0) if last.start + 1 < options.starts else None


def _one_step(
    start: int, number: int, state: TrainState, loss: _Loss, options: TrainOptions
) -> TrainState:
    """Judge the variables of a step, and move them on to those of the next."""
    fit = options.fit
    limits = limits_of(loss.like, fit.least_energy_noise, fit.least_stress_noise)
    if number == 0:
        vector = np.clip(_moved(state.origin, start, loss.like, options), *limits.T)
        nothing = np.zeros_like(vector)
        state = replace(state, vector=vector, first_moment=nothing, second_moment=nothing)
    value, slope, mae, rmse = loss.judge(state.vector)
    best = min((step.held_out_rmse for step in state.steps), default=np.inf)
    vector, first, second = _adam(state, slope, number, loss.like, options)
    return TrainState(
        (*state.steps, Step(start, number, value, mae, rmse)),
        state.origin,
        np.clip(vector, *limits.T),
        first,
        second,
        state.vector if rmse < best else state.best,
    )


def _adam(
    state: TrainState, slope: FloatArray, number: int, like: Variables, options: TrainOptions
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the next variables and moments; the rate falls to a tenth along half a cosine."""
    adam = optax.scale_by_adam()
    before = optax.ScaleByAdamState(
        jnp.asarray(number), jnp.asarray(state.first_moment), jnp.asarray(state.second_moment)
    )
    move, after = adam.update(jnp.asarray(slope), before)
    rate = float(optax.cosine_decay_schedule(options.rate, options.steps, 0.1)(number))
    vector = state.vector - rate * _lengths(like) * np.asarray(move)
    return vector, np.asarray(after.mu), np.asarray(after.nu)


def _moved(origin: FloatArray, start: int, like: Variables, options: TrainOptions) -> FloatArray:
    """Return the variables a start begins at."""
    if start == 0:
        return origin
    rng = np.random.default_rng([options.seed, start])
    move = options.spread * _lengths(like) * rng.standard_normal(len(origin))
    move[-hyper_count(like) :] = 0.0
    return origin + move


def _lengths(like: Variables) -> FloatArray:
    """Return how far each variable moves: centres a fifth as far as logarithms."""
    names = {name: float(name.endswith("centre")) for name in like.parameters}
    is_centre = like._replace(
        parameters={name: np.full(np.shape(v), names[name]) for name, v in like.parameters.items()},
        log_theta=np.zeros(np.shape(like.log_theta)),
        log_amplitude=np.zeros(()),
        log_slope=np.zeros(np.shape(like.log_slope)),
        log_noises=np.zeros(3),
    )
    return np.where(vector_of(is_centre) > 0, 0.2, 1.0)
