"""Descents as an optimiser: one from the start, more from elsewhere, all at a time.

The first descent begins at the start of the fit, the others at points spread over the
cube, so that as many workers are busy as there are descents, times the steps each tries at once.
One whose start will not run, or that ends where it is stuck, takes the next point of the sequence.
Of two that meet one goes on for both. Where there are fewer workers than descents, each gets a
first look, then the one of the lowest cost goes first.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from lammpsfit.errors import InputError, RunError
from lammpsfit.fit.base import Ask, Candidate, Constraint, Outcome, Slopes, Vector
from lammpsfit.fit.design import sobol_design
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton.descent import (
    Descent,
    End,
    GaussNewtonSettings,
    Seen,
    Trail,
    Try,
    descend,
    length,
    ranked,
)
from lammpsfit.fit.newton.local_model import Linearise

STAGE: Final = "descent"

ROUNDING: Final = 1e-9
"""Of squared distances."""

FIRST_LOOK: Final = 8
"""Evaluations that each descent has before any has more, where workers are few."""


@dataclass(frozen=True)
class MultistartSettings:
    """How many descents, and how each goes.

    Attributes
    ----------
    starts
        Number of descents.
    restarts
        Fresh points that descents which fail at their start, or get stuck, may take in all.
    stuck
        A descent that ends at a cost above this has gone nowhere.
    meet
        Distance within which two descents have met; 1 moves no average by more than the standard
        deviation of a single frame.
    descent
        How each goes.
    """

    starts: int = 1
    restarts: int = 20
    stuck: float = math.inf
    meet: float = 1.0
    descent: GaussNewtonSettings = field(default_factory=GaussNewtonSettings)

    def __post_init__(self) -> None:
        if self.starts < 1 or self.restarts < 0:
            raise InputError(
                f"there must be at least one start, got {self.starts}, and no fewer than 0 "
                f"restarts, got {self.restarts}"
            )


class RunningDescent:
    """One descent: asks in batches, and goes on when all of a batch is told.

    Parameters
    ----------
    number
        Its number among the descents.
    start
        Where it begins, shape (d,).
    domain, trail
        What is allowed; what it remembers.

    Attributes
    ----------
    end
        Why it ended, None while it goes on.
    at
        The run at the point that it has reached; None before the first sound one.
    told
        Number of its evaluations.
    """

    def __init__(self, number: int, start: Vector, domain: Domain, trail: Trail) -> None:
        self.stage = STAGE if number == 0 else f"{STAGE} {number + 1}"
        self.trail = trail
        self.told = 0
        self._domain = domain
        self.begin(start)

    def begin(self, start: Vector, at: Seen | None = None) -> None:
        """Begin; anew, elsewhere, where nothing came of the start before.

        Where it begins `at` a run of its trail, the start is not run.
        """
        self.end: End | None = None
        self.at: Seen | None = None
        self._descent: Descent = descend(start, self._domain, self.trail, at)
        self._await(next(self._descent))

    def recall(self, runs: Sequence[Seen], beside: Sequence[Seen]) -> None:
        """Take in runs of an earlier search, and begin at the lowest of them by all of them.

        Parameters
        ----------
        runs
            Those at points of this one.
        beside
            Those with other potentials, see :class:`~lammpsfit.fit.newton.descent.Trail`.
        """
        trail = self.trail
        for seen in sorted(runs, key=_cost, reverse=True):  # the worst is forgotten first
            trail.add(seen)
        trail.beside = list(beside)
        allowed = [seen for seen in trail.runs if self._domain.permits(seen.x)]
        if allowed:
            best = min(allowed, key=lambda seen: trail.cost2(trail.pooled(seen)).mean)
            self.begin(best.x, best)

    def _await(self, batch: list[Try]) -> None:
        origins = {wanted.origin for wanted in batch}
        self.at = next((seen for seen in self.trail.runs if seen.id in origins), self.at)
        self._batch = batch
        self._asked: list[int | None] = [None] * len(batch)
        self._seen: list[Seen | None] = [None] * len(batch)

    @property
    def has_points(self) -> bool:
        """Whether there are points to ask for now."""
        return self.end is None and None in self._asked

    def ask(self, number: int) -> Ask | None:
        """Return the next point to evaluate under `number`; None where there is none now."""
        if self.end is not None:
            return None
        for i, wanted in enumerate(self._batch):
            if self._asked[i] is None:
                self._asked[i] = number
                return Ask(number, wanted.x, self.stage, origin=wanted.origin, keep=True)
        return None

    def is_stuck(self, level: float) -> bool:
        """Whether it has come to its end, and nowhere below this cost."""
        costs = (seen.outcome.cost for seen in self.trail.runs)
        return self.end is not None and all(cost is None or cost > level for cost in costs)

    @property
    def lowest(self) -> float:
        """The lowest cost of a run of those kept, noisy as it is."""
        costs = (seen.outcome.cost for seen in self.trail.runs)
        return min((cost for cost in costs if cost is not None), default=math.inf)

    def has_met(self, other: "RunningDescent", distance: float) -> bool:
        """Whether both have reached points that are no farther apart than this."""
        if self.at is None or other.at is None:
            return False
        s = self.at.x - other.at.x
        metrics = self.trail.metric(self.at), other.trail.metric(other.at)
        return max(length(s, F) for F in metrics) <= distance

    def leave(self) -> None:
        """End, as another has come to the same place."""
        self.end = End.MET
        self._descent.close()
        self._await([])

    def expect(self, ask: Ask) -> None:
        """Take note of a point that was asked before a resume and is still to be told."""
        if (i := self._place(ask)) is not None:
            self._asked[i] = ask.id

    def tell(self, ask: Ask, outcome: Outcome) -> None:
        """Take in an outcome, and go on where the batch is complete.

        On a resume, other processors may have asked for points that are a little off, or even for
        others. What was evaluated there is used all the same.
        """
        self.told += 1
        seen = Seen(ask.id, ask.x, outcome)
        if (i := self._place(ask)) is None:
            if outcome.ok:
                self.trail.add(seen)
            return
        self._asked[i] = ask.id
        self._seen[i] = seen
        complete = [seen for seen in self._seen if seen is not None]
        if len(complete) == len(self._seen):
            # repetitions of a step have their places by who was told first: their numbers stay
            complete.sort(key=lambda seen: seen.id)
            try:
                self._await(self._descent.send(complete))
            except StopIteration as stop:
                self.end = stop.value
                self._await([])

    def _place(self, ask: Ask) -> int | None:
        """Find the point in the batch: under its number, or the nearest not yet asked."""
        if ask.id in self._asked:
            return self._asked.index(ask.id)
        apart = {
            i: float(np.abs(wanted.x - ask.x).max())
            for i, wanted in enumerate(self._batch)
            if self._asked[i] is None
        }
        return min(apart, key=apart.__getitem__, default=None)


class GaussNewton:
    """Descents by the derivatives of runs: an :class:`~lammpsfit.fit.base.Optimiser`.

    Parameters
    ----------
    dimension
        Number of parameters, d.
    settings
        How many descents, and how each goes.
    linearise
        Makes models of runs.
    seed
        Of the points where the other descents begin.
    constraint
        Margins of points; None allows the whole unit cube.
    start
        Where the first descent begins, shape (d,), or None for a point like the others.
    slopes
        Derivatives of the margins; None: by differences.

    Raises
    ------
    InputError
        Where the start is outside the allowed domain, or the constraint leaves no room.
    """

    def __init__(
        self,
        dimension: int,
        settings: MultistartSettings,
        linearise: Linearise[Any],
        seed: int,
        constraint: Constraint | None = None,
        start: Vector | None = None,
        slopes: Slopes | None = None,
    ) -> None:
        domain = Domain(dimension, constraint, slopes)
        self._starts = _Starts(domain, seed, start, settings.starts)
        self._descents = [
            RunningDescent(k, self._starts.next(), domain, Trail(linearise, settings.descent))
            for k in range(settings.starts)
        ]
        self._restarts, self._stuck = settings.restarts, settings.stuck
        self._meet = settings.meet
        self._used: set[int] = set()
        self._first_unused = 0
        self._pending: set[int] = set()

    def ask(self, n: int) -> list[Ask]:
        """Return up to `n` new points; an empty list means: tell me more first."""
        asks: list[Ask] = []
        for descent in sorted((d for d in self._descents if d.has_points), key=_turn):
            while len(asks) < n and (ask := descent.ask(self._next_id())) is not None:
                self._used.add(ask.id)
                self._pending.add(ask.id)
                asks.append(ask)
        return asks

    def tell(self, ask: Ask, outcome: Outcome) -> None:
        """Take in the outcome of a point, whether asked by this object or before a resume."""
        self._used.add(ask.id)
        self._pending.discard(ask.id)
        descent = self._descent_of(ask)
        before = descent.at
        descent.tell(ask, outcome)
        if descent.at is not before:
            self._part(descent)
        if descent.is_stuck(self._stuck) and self._restarts:
            self._restarts -= 1
            descent.begin(self._starts.next())

    def recall(
        self, told: Sequence[tuple[Ask, Outcome]], beside: Sequence[tuple[Ask, Outcome]] = ()
    ) -> None:
        """Take in what an earlier search was told, before anything is asked.

        The first descent begins at the best of it. Runs `beside` had potentials that this search
        has not, and have numbers of their own, below 0.
        """
        self._used |= {ask.id for ask, _ in told}
        runs, others = (
            [Seen(ask.id, ask.x, outcome) for ask, outcome in several if outcome.ok]
            for several in (told, beside)
        )
        self._descents[0].recall(runs, others)

    def expect(self, ask: Ask) -> None:
        """Take note of a point that was asked before a resume and is still to be told."""
        self._used.add(ask.id)
        self._pending.add(ask.id)
        self._descent_of(ask).expect(ask)

    @property
    def done(self) -> bool:
        """Whether all descents have come to their end."""
        return not self._pending and all(descent.end is not None for descent in self._descents)

    @property
    def descents(self) -> tuple[RunningDescent, ...]:
        """The descents, in the order of their starts."""
        return tuple(self._descents)

    @property
    def ends(self) -> list[End | None]:
        """Why each descent ended, None for those that go on."""
        return [descent.end for descent in self._descents]

    def ranking(self, k: int) -> list[Candidate]:
        """Return the points of lowest pooled cost, to be confirmed by longer runs.

        Raises
        ------
        RunError
            Where nothing that was told gave a cost.
        """
        found = []
        for descent in self._descents:
            for seen, cost2 in ranked(descent.trail, k):
                cost = float(np.sqrt(max(cost2.mean, 0.0)))
                error = cost2.error / (2 * cost) if cost else float(np.sqrt(cost2.error))
                ask = Ask(seen.id, seen.x, descent.stage)
                found.append(Candidate(ask, seen.outcome, cost, error))
        if not found:
            raise RunError("no evaluation of the search gave a cost")
        return sorted(found, key=lambda candidate: candidate.cost)[:k]

    def _descent_of(self, ask: Ask) -> RunningDescent:
        for descent in self._descents:
            if descent.stage == ask.stage:
                return descent
        raise InputError(f"evaluation {ask.id} belongs to a stage this search has not: {ask.stage}")

    def _part(self, moved: RunningDescent) -> None:
        """Let only one go on of a descent that has moved and another at the place it came to.

        It is the one that knows more of the place: that has ended there, or had more runs.
        """
        for other in self._near(moved):
            if other.end in (End.MET, End.FAILED) or not moved.has_met(other, self._meet):
                continue
            if other.end is not None or (moved.end is None and other.told >= moved.told):
                moved.leave()
                return
            other.leave()

    def _near(self, moved: RunningDescent) -> list[RunningDescent]:
        """Return the others that it has met by its own metric, of up to thousands."""
        if moved.at is None:
            return []
        there = [
            (other, other.at.x)
            for other in self._descents
            if other is not moved and other.at is not None
        ]
        if not there:
            return []
        s = np.array([x for _, x in there]) - moved.at.x
        squares = np.sum((s @ moved.trail.metric(moved.at)) * s, axis=1)
        near = squares <= (1.0 + ROUNDING) * self._meet**2
        return [other for (other, _), yes in zip(there, near, strict=True) if yes]

    def _next_id(self) -> int:
        while self._first_unused in self._used:
            self._first_unused += 1
        return self._first_unused


def _cost(seen: Seen) -> float:
    assert seen.outcome.cost is not None  # only sound runs are kept
    return seen.outcome.cost


def _turn(descent: RunningDescent) -> tuple[bool, float]:
    """Return what descents are sorted by: who goes first where workers are few."""
    looked_at = descent.told >= FIRST_LOOK
    return looked_at, descent.lowest if looked_at else 0.0


class _Starts:
    """Where descents begin: the start of the fit, then Sobol points, `ahead` drawn at once."""

    def __init__(self, domain: Domain, seed: int, start: Vector | None, ahead: int) -> None:
        self._domain, self._seed = domain, seed
        self._start = None if start is None else domain.check(start, "start")
        self._ahead = ahead - (start is not None)
        self._points: Vector = np.empty((0, domain.dimension))
        self._drawn = 0

    def next(self) -> Vector:
        """Return the next point, shape (d,)."""
        if self._start is not None:
            start, self._start = self._start, None
            return start
        self._drawn += 1
        if self._drawn > len(self._points):
            n = max(self._drawn, self._ahead)
            self._points = sobol_design(n, self._domain, self._seed)
        point: Vector = self._points[self._drawn - 1]
        return point
