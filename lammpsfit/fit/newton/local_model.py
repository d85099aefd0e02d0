"""What runs say of the cost around a point: residuals and their derivatives, with errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Final, Protocol, TypeVar

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.fit.base import Vector
from lammpsfit.fit.newton.course import Course, joined
from lammpsfit.fit.newton.exact_rows import ExactRows
from lammpsfit.fit.newton.frame_memory import FrameMemory
from lammpsfit.fit.newton.trust_region import Quadratic
from lammpsfit.forcefield import ParameterSpace
from lammpsfit.md.frames import Frames
from lammpsfit.md.sample import Sample
from lammpsfit.structure.blocks import Estimate, jackknife_error
from lammpsfit.structure.fluctuations import Pair, Response, Weighing, stacked
from lammpsfit.structure.reweighting import effective_samples, multistate_weights
from lammpsfit.target import JointTerm, Target, Term, static_term
from lammpsfit.units import BOLTZMANN_CONSTANT

LATEST: Final = 64
"""Points whose residuals without noise are remembered: more than a descent pools at a time."""


@dataclass(frozen=True, eq=False)
class LocalModel:
    """Residuals y and their Jacobian J at a point: the squared cost is ``|y + J s|²`` around it.

    Attributes
    ----------
    response
        y and J as averages with their jackknife replicates, and the metric F.
    samples
        Number of frames of equal weight that tell as much.
    runs
        Number of runs of equal weight that tell as much.
    watched
        Averages that are part of residuals of several conditions; None where there are none.
    course
        How the energies of the frames of the first run change from the point on; None where that
        is not known: a step leads straight on then.
    """

    response: Response
    samples: float
    runs: float = 1.0
    watched: Response | None = None
    course: Course | None = None

    @cached_property
    def quadratic(self) -> Quadratic:
        """The expected squared cost, the noise of y and J taken into account.

        Averages hold noise, which adds to squares: the constant is without it (jackknife), and
        the step is charged for the noise of J, see :mod:`lammpsfit.fit.newton.trust_region`.
        """
        y, J, noise = self.response.mean, self.response.jacobian, self.response.noise
        return Quadratic(
            self.square,
            J.T @ y + noise.jacobian_mean,
            J.T @ J + noise.jacobian_jacobian,
        )

    @property
    def square(self) -> float:
        """The squared cost at the point, without what noise adds to it."""
        y = self.response.mean
        return float(y @ y) - self.response.mean_noise

    @property
    def gradient(self) -> Vector:
        """Derivatives of the cost (not of its square) at the point, shape (d,)."""
        y = self.response.mean
        gradient: Vector = self.response.jacobian.T @ y / max(float(np.sqrt(y @ y)), 1e-300)
        return gradient

    @property
    def error(self) -> float:
        """Standard error of the squared cost at the point, by the jackknife."""
        return float(jackknife_error(np.sum(self.response.means**2, axis=1)))

    def decrease(self, s: Vector) -> Estimate:
        """Predict by how much the squared cost falls with the step `s`, with its error."""
        r = self.response
        before = np.sum(r.means**2, axis=1)
        after = np.sum((r.means + r.jacobians @ s) ** 2, axis=1)
        error = float(jackknife_error(before - after))
        return Estimate(-(self.quadratic(s) - self.quadratic.constant), error)


Run_contra = TypeVar("Run_contra", contravariant=True)


class Linearise(Protocol[Run_contra]):
    """Makes a local model of runs."""

    def __call__(self, runs: Sequence[tuple[Vector, Run_contra]], x: Vector) -> LocalModel:
        """Make the model at `x` of runs at several points, shape (d,) each; the first is at `x`."""


class Fluctuations:
    """Local models from the frames of runs.

    Parameters
    ----------
    space
        What the coordinates are.
    target
        What the runs are compared with.
    temperature
        Temperature of the runs in K.
    """

    def __init__(self, space: ParameterSpace, target: Target, temperature: float) -> None:
        self._space = space
        self._memory = FrameMemory(space)
        self._target = target
        self._beta = 1.0 / (BOLTZMANN_CONSTANT * temperature)
        self._exact: dict[bytes, ExactRows] = {}

    def __call__(self, runs: Sequence[tuple[Vector, Sample]], x: Vector) -> LocalModel:
        """Make the model at `x` of runs that kept their frames.

        The potential of a run is that of its point, unless it says another one.
        """
        frames = [_frames(sample) for _, sample in runs]
        points = [*(sample.made_with or u for u, sample in runs), x]
        counts = [len(f) for f in frames]
        if len(runs) > 1:
            energies = [self._memory.energies(f, points) for f in frames]
            reduced = self._beta * np.concatenate(energies).T
            weights = multistate_weights(reduced[:-1], counts, reduced[-1])
        else:
            weights = np.full(counts[0], 1.0 / counts[0])
        by_frame = np.split(weights, np.cumsum(counts)[:-1])
        response, watched = self._response(runs, frames, x, by_frame)
        by_run = [float(part.sum()) for part in by_frame]
        samples, of_runs = effective_samples(weights), effective_samples(by_run)
        return LocalModel(response, samples, of_runs, watched, self._course(frames[0], x))

    def _course(self, frames: Frames, x: Vector) -> Course:
        """Return how the energies of the frames change from `x` on."""

        def scaled(U: Vector) -> Vector:
            scaled: Vector = self._beta * (U - U.mean(axis=0)) / np.sqrt(len(frames))
            return scaled

        def change(u: Vector) -> Vector:
            here, there = self._memory.energies(frames, [x, u]).T
            return scaled(there - here)

        return Course(x, scaled(self._memory.gradient(frames, x)), change)

    def _response(
        self,
        runs: Sequence[tuple[Vector, Sample]],
        frames: Sequence[Frames],
        x: Vector,
        weights: Sequence[Vector],
    ) -> tuple[Response, Response | None]:
        """Return what the residuals are, and what else is watched."""
        blocks = [_blocks(sample) for _, sample in runs]
        # frame k of n belongs to block k B // n
        starts = [-(-np.arange(B) * len(f) // B) for B, f in zip(blocks, frames, strict=True)]
        weighing = Weighing(self._beta, weights, starts)
        if len(blocks) == 1 and blocks[0] < 2:
            raise InputError("errors of derivatives need at least two blocks, got one")

        def energies() -> list[Vector]:
            return [self._memory.gradient(f, x) for f in frames]

        def of(term: Term) -> Response:
            def residuals() -> list[Vector]:
                return [self._memory.residuals(f, term) for f in frames]

            def derivatives() -> Pair:
                slopes = [self._memory.slope(f, term, x) for f in frames]
                known = [slope for slope in slopes if slope is not None]
                return weighing.derivatives(residuals(), energies(), known or None)

            return Response(
                lambda: weighing.averages(residuals()),
                derivatives,
                lambda: weighing.metric(energies()),
                len(x),
            )

        watched = [*map(of, self._target.watched)]
        own = [*map(of, self._target.ensemble)] or [watched[0].rows(0, 0)]
        response = reduce(Response.beside, own)
        if self._target.static:
            exact = self.exact_rows(x)
            response = response.beside_exact(exact.mean, exact.jacobian)
        return response, reduce(Response.beside, watched) if watched else None

    def exact_rows(self, x: Vector) -> ExactRows:
        """Return what the terms that need no run say at the point `x`, shape (d,)."""
        key = x.tobytes()
        if key not in self._exact:
            if len(self._exact) >= LATEST:
                self._exact.clear()
            terms = self._target.static
            self._exact[key] = ExactRows.of(
                static_term.residuals(terms, self._space.potential(x)),
                static_term.jacobian(terms, self._space, x),
            )
        return self._exact[key]


class Several:
    """Local models from runs under several conditions: their residuals are put together.

    Parameters
    ----------
    parts
        By condition its share in the squared cost, and what makes the model of its runs.
    joint
        Terms of several conditions: their residuals follow those of all conditions.
    """

    def __init__(
        self,
        parts: Mapping[str, tuple[float, Linearise[Sample]]],
        joint: Sequence[JointTerm] = (),
    ) -> None:
        self._parts = dict(parts)
        self._joint = tuple(joint)

    def __call__(
        self, runs: Sequence[tuple[Vector, Mapping[str, Sample]]], x: Vector
    ) -> LocalModel:
        """Make the model at `x` of runs that kept the frames of every condition."""
        models = [
            linearise([(u, samples[name]) for u, samples in runs], x)
            for name, (_, linearise) in self._parts.items()
        ]
        if len(models) == 1:
            return models[0]
        response = stacked(
            [m.response for m in models], [share for share, _ in self._parts.values()]
        )
        if self._joint:
            averages = self._averages(models)
            for term in self._joint:
                response = response.beside(term.response(averages))
        samples, of_runs = min(m.samples for m in models), min(m.runs for m in models)
        courses = [m.course for m in models if m.course is not None]
        course = joined(courses) if len(courses) == len(models) else None
        return LocalModel(response, samples, of_runs, course=course)

    def _averages(self, models: Sequence[LocalModel]) -> dict[str, Response]:
        """Return what is watched under each condition, with the replicates of all of them."""
        several = [m.response.rows(0, 0) if m.watched is None else m.watched for m in models]
        every, row = stacked(several, [1.0] * len(several)), 0
        found = {}
        for name, one in zip(self._parts, several, strict=True):
            found[name] = every.rows(row, row + one.mean.size)
            row += one.mean.size
        return found


def _frames(sample: Sample) -> Frames:
    if sample.frames is None:
        raise ValueError("the run kept no frames")
    return sample.frames


def _blocks(sample: Sample) -> int:
    blocks = sample.rdf.blocks
    return 1 if blocks is None else len(blocks)
