"""Least squares with the derivatives that each run brings: thirty runs instead of a thousand.

Every evaluation tells its residuals and, by the fluctuations of the same run, their Jacobian. A
step goes as far down as that linear model is to be trusted
(:mod:`lammpsfit.fit.newton.trust_region`).
What makes it work with noise:

- the radius is in the metric of the fluctuations, in which all directions of the narrow, curved
  valleys of pair potentials are alike, and a step follows the curve
  (:mod:`lammpsfit.fit.newton.course`);
- all runs near a point are pooled there by reweighting, so that the model sharpens while the
  steps get shorter, and no run is worth more than another because it was lucky;
- a step is judged by the pooled costs at both its ends: accepted unless it is worse by more than
  the noise, and the radius is changed only by what exceeds the noise;
- each run goes on from the last configuration of the point its step began at, so that slow
  relaxation adds up over the fit instead of beginning anew each time.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.fit.base import Outcome, Vector
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton import trust_region
from lammpsfit.fit.newton.course import Course
from lammpsfit.fit.newton.local_model import Linearise, LocalModel
from lammpsfit.fit.newton.trust_region import Quadratic
from lammpsfit.structure.blocks import Estimate

POOR: Final = 0.25
"""Share of the predicted fall of the squared cost below which the region shrinks, and ..."""

GOOD: Final = 0.75
"""... above which it may grow."""

SHRINK: Final = 0.4
"""Length of the next step, in those of one that failed or fell short."""

BENT: Final = 0.2
"""Share of the change of energies that a step means, by which its end may miss it, and ..."""

HALVINGS: Final = 3
"""... how often shorter steps are tried where it does by more."""

DIGITS: Final = 9
"""Decimals of the coordinates of points: far below what any run can tell apart."""


class End(StrEnum):
    """Why a descent ended, and what that means."""

    QUIET = "step after step is less than the noise: a minimum as far as the runs can tell"
    FAILED = "run after run failed, at the start or around the point reached: look elsewhere"
    MET = "it came to where another descent is, which goes on for both"


@dataclass(frozen=True)
class GaussNewtonSettings:
    """How a descent goes.

    Attributes
    ----------
    radius
        Length of the first step, in standard deviations of βΔU.
    smallest, largest
        Between these the length of steps is adapted.
    reach
        Runs within this distance are pooled.
    memory
        Most runs that are kept for pooling, the latest ones.
    spread
        Standard deviation of the cost from run to run, as a fraction of the cost: slow modes of
        a liquid that the blocks of one run do not see.
    patience
        Steps in a row that promise less than the noise, nor fell by more together, after which
        it ends.
    failures
        Batches in a row without a sound run, after which it ends.
    batch
        Steps tried at once from each point: each half as long as the one before. Where the
        longest is not held back by the region, they are repetitions of it.
    """

    radius: float = 5.0
    smallest: float = 0.5
    largest: float = 20.0
    reach: float = 3.0
    memory: int = 24
    spread: float = 0.05
    patience: int = 12
    failures: int = 5
    batch: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.smallest <= self.radius <= self.largest:
            raise InputError(
                "smallest, radius and largest must be positive and rise, got "
                f"{self.smallest}, {self.radius}, {self.largest}"
            )
        for name in ("memory", "patience", "failures", "batch"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.spread >= 0:
            raise InputError(f"spread must not be negative, got {self.spread}")


@dataclass(frozen=True, eq=False)
class Try:
    """A point to evaluate, and the evaluation whose last configuration it begins with."""

    x: Vector
    origin: int | None = None


@dataclass(frozen=True, eq=False)
class Seen:
    """An evaluated point: number of the evaluation, where it was, what came of it."""

    id: int
    x: Vector
    outcome: Outcome


Descent: TypeAlias = Generator[list[Try], list[Seen], End]
"""Yields points to evaluate, is sent them evaluated, in any order, returns why it ended."""


@dataclass(eq=False)
class Trail:
    """What a descent has seen, as far as it matters for its next step.

    Attributes
    ----------
    linearise
        Makes local models.
    settings
        How it goes.
    runs
        The sound runs kept, in order.
    beside
        Runs of another search with potentials that this one has not; their points are the nearest
        that it has. They are pooled, but no step begins or ends there.
    """

    linearise: Linearise[Any]
    settings: GaussNewtonSettings
    runs: list[Seen] = field(default_factory=list)
    beside: list[Seen] = field(default_factory=list)
    _alone: dict[int, LocalModel] = field(default_factory=dict)
    _pooled: dict[int, tuple[tuple[int, ...], LocalModel]] = field(default_factory=dict)

    def add(self, seen: Seen) -> None:
        """Take in a sound run, and forget the oldest beyond the memory."""
        self.runs.append(seen)
        for old in self.runs[: -self.settings.memory]:
            self._alone.pop(old.id, None)
            self._pooled.pop(old.id, None)
        del self.runs[: -self.settings.memory]

    def alone(self, seen: Seen) -> LocalModel:
        """Return the model at a run by itself."""
        if seen.id not in self._alone:
            self._alone[seen.id] = self.linearise([(seen.x, seen.outcome.run)], seen.x)
        return self._alone[seen.id]

    def metric(self, seen: Seen) -> Vector:
        """Return the metric at a run, shape (d, d)."""
        return self.alone(seen).response.metric

    def apart(self, seen: Seen, x: Vector) -> float:
        """Return how far the point `x` is from a run, in standard deviations of βΔU."""
        course = self.alone(seen).course
        if course is None:
            return length(x - seen.x, self.metric(seen))
        return float(np.linalg.norm(course.change(x)))

    def pooled(self, seen: Seen) -> LocalModel:
        """Return the model at a run by all runs near it."""
        others = [
            other
            for other in (*self.runs, *self.beside)
            if other is not seen and self.apart(seen, other.x) <= self.settings.reach
        ]
        if not others:
            return self.alone(seen)
        ids = tuple(other.id for other in others)
        if self._pooled.get(seen.id, ((),))[0] != ids:
            runs = [(near.x, near.outcome.run) for near in (seen, *others)]
            self._pooled[seen.id] = (ids, self.linearise(runs, seen.x))
        return self._pooled[seen.id][1]

    def cost2(self, model: LocalModel) -> Estimate:
        """Return the squared cost by a model, with its error, that from run to run included."""
        value = model.square
        slow = 2.0 * self.settings.spread * abs(value) / np.sqrt(model.runs)
        return Estimate(value, float(np.hypot(model.error, slow)))


def descend(start: Vector, domain: Domain, trail: Trail, begin: Seen | None = None) -> Descent:
    """Descend from the allowed point `start`, shape (d,), until a reason of :class:`End`.

    Where a run of the trail is given to `begin` at, nothing is run at the start.
    """
    settings = trail.settings
    if begin is None:
        begin = yield from _start(start, settings)
        if begin is None:
            return End.FAILED
        trail.add(begin)
    path, radius = [begin], settings.radius
    broken: list[Vector] = []
    calm: list[Estimate] = []  # costs before each step of late, since one was seen to help
    failed = 0
    while len(calm) < settings.patience:
        here = path[-1]
        model, F = trail.pooled(here), trail.metric(here)
        radii = [radius * 0.5**k for k in range(settings.batch)]
        around = _around(domain, here.x, broken, F, settings.smallest / 2)
        course = trail.alone(here).course
        ends = [_end(model.quadratic, F, here.x, r, around, course) for r in radii]
        tried = yield [Try(x, here.id) for x, _ in ends]
        sound = [seen for seen in tried if seen.outcome.ok]
        for seen in sound:
            trail.add(seen)
        broken += [seen.x for seen in tried if not seen.outcome.ok]
        if not sound:
            failed += 1
            if failed >= settings.failures:
                return End.FAILED
            if failed > 1 and len(path) > 1:
                path.pop()  # where steps fail time and again, the point itself is not sound
            longest = max(length(s, F) for _, s in ends)
            radius = max(settings.smallest, SHRINK * longest)
            continue
        failed = 0
        before, *reached = (trail.cost2(trail.pooled(seen)) for seen in (here, *sound))
        best, after = min(zip(sound, reached, strict=True), key=lambda found: found[1].mean)
        meaning = next((s for x, s in ends if np.array_equal(x, best.x)), best.x - here.x)
        promised = model.decrease(meaning)
        fall = _fall(before, after)
        hidden = _hidden(promised, fall)
        if fall.mean > (-fall.error if hidden else 0.0):
            path.append(best)
            del path[: -settings.memory]
        radius = _radius(radius, length(meaning, F), promised, fall, settings)
        calm.append(before)
        if not hidden or _seen(_fall(calm[0], after)):
            calm.clear()
    return End.QUIET


def _start(
    start: Vector, settings: GaussNewtonSettings
) -> Generator[list[Try], list[Seen], Seen | None]:
    """Evaluate the start; a second time where that failed."""
    for _ in range(2):
        (seen,) = yield [Try(start)]
        if seen.outcome.ok:
            return seen
    return None


def _rounded(x: Vector) -> Vector:
    """Round a point, so that the last bits of linear algebra do not decide where to go.

    They differ from one process to the next, and a resumed descent must ask as before.
    """
    rounded: Vector = np.round(x, DIGITS)
    return rounded


def _end(
    model: Quadratic, F: Vector, x: Vector, radius: float, domain: Domain, course: Course | None
) -> tuple[Vector, Vector]:
    """Return where the next step from `x` leads, and the step that this comes to.

    Where the point misses the energies that a step means, shorter steps may come lower.
    """
    if course is None:
        # rounded, a point on the edge of the guard may be beyond it
        s = trust_region.step(model, F, x, radius, domain)
        end = domain.pull_back(x, _rounded(x + s))
        return end, end - x
    ends: list[tuple[Vector, Vector]] = []
    for _ in range(HALVINGS + 1):
        s = trust_region.step(model, F, x, radius, domain)
        end = domain.pull_back(x, _rounded(course.follow(s, domain)))
        ends.append((end, course.meaning(s, end)))
        if course.miss(s, end) <= BENT:
            break
        radius = length(s, F) / 2
    return min(ends, key=lambda found: model(found[1]))


def _around(
    domain: Domain, here: Vector, broken: list[Vector], F: Vector, distance: float
) -> Domain:
    """Forbid the neighbourhood of points whose runs failed, but for those about `here` itself."""
    avoided = [x for x in broken if length(x - here, F) > distance]
    if not avoided:
        return domain

    def margins(points: Vector) -> Vector:
        apart = [[length(x - y, F) - distance for y in avoided] for x in points]
        return np.hstack([domain.margins(points), apart])

    def slopes(x: Vector) -> Vector:
        away = [F @ (x - y) / max(length(x - y, F), 1e-300) for y in avoided]
        return np.vstack([domain.margin_slopes(x), away])

    return Domain(domain.dimension, margins, slopes)


def _fall(before: Estimate, after: Estimate) -> Estimate:
    return Estimate(before.mean - after.mean, float(np.hypot(before.error, after.error)))


def _seen(fall: Estimate) -> bool:
    """Whether a fall is surely not noise; that of many steps is, where that of none of them is."""
    return fall.mean > 2.0 * fall.error


def _hidden(promised: Estimate, fall: Estimate) -> bool:
    """Whether what a step promises is no more than what can be told."""
    return promised.mean <= fall.error


def _radius(
    radius: float, length: float, promised: Estimate, fall: Estimate, settings: GaussNewtonSettings
) -> float:
    """Return the next radius, after a step of `length` that promised and brought so much."""
    if fall.mean + fall.error < POOR * promised.mean:
        return max(settings.smallest, SHRINK * length)
    if fall.mean - fall.error > GOOD * promised.mean and length > 0.8 * radius:
        return min(settings.largest, 2.0 * radius)
    return radius


def length(s: Vector, F: Vector) -> float:
    """Return the length of a step, shape (d,), in the metric F, shape (d, d)."""
    return float(np.sqrt(max(0.0, float(s @ F @ s))))


def ranked(trail: Trail, k: int) -> list[tuple[Seen, Estimate]]:
    """Return up to `k` of the runs of a trail, by rising pooled cost, none twice at one point."""
    judged = [(seen, trail.cost2(trail.pooled(seen))) for seen in trail.runs]
    judged.sort(key=lambda pair: pair[1].mean)
    chosen: list[tuple[Seen, Estimate]] = []
    for seen, cost2 in judged:
        F = trail.metric(seen)
        apart = all(
            length(seen.x - other.x, F) > trail.settings.smallest / 2 for other, _ in chosen
        )
        if len(chosen) < k and apart:
            chosen.append((seen, cost2))
    return chosen
