"""The local search: conjugate gradients from the best point that exploration found."""

import numpy as np

from lammpsfit.fit.base import Ask, Outcome, Vector
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.paper.conjugate_gradient import Descent, DescentSettings, conjugate_gradient
from lammpsfit.fit.paper.derivatives import Derivatives, Differences, Search, Told, noise_step
from lammpsfit.fit.paper.history import History
from lammpsfit.fit.paper.surrogate import Surrogate

SAME = 1e-12
"""Distance in the cube below which two points are one."""


class Drive:
    """Turns a search that yields batches into one that asks and is told.

    Parameters
    ----------
    search
        A search that has not begun.
    """

    def __init__(self, search: Search[Descent]) -> None:
        self.result: Descent | None = None
        self._search = search
        self._batch: list[Vector] = list(next(search))
        self._outcomes: list[Outcome | None] = [None] * len(self._batch)

    def waiting(self) -> list[Vector]:
        """Return the points whose outcomes the search waits for."""
        return [x for x, o in zip(self._batch, self._outcomes, strict=True) if o is None]

    def offer(self, x: Vector, outcome: Outcome) -> bool:
        """Take in an outcome where its point is waited for; say whether it was."""
        for i, (point, known) in enumerate(zip(self._batch, self._outcomes, strict=True)):
            if known is None and _same(point, x):
                self._outcomes[i] = outcome
                self._advance()
                return True
        return False

    def _advance(self) -> None:
        outcomes = [outcome for outcome in self._outcomes if outcome is not None]
        if len(outcomes) < len(self._batch):
            return
        try:
            self._batch = list(self._search.send(outcomes))
        except StopIteration as stop:
            self._batch, self.result = [], stop.value
        self._outcomes = [None] * len(self._batch)


class Refine:
    """Drives a descent by the history.

    A descent is a function of the surrogate it starts from (which all tells
    before it make) and of its own tells; a resumed fit drives a fresh one
    through the told outcomes, matched by their points, to where it was.

    Parameters
    ----------
    settings
        How to descend.
    domain
        What is allowed.
    gradients
        Whether outcomes hold gradients; otherwise they are found by differences.
    """

    def __init__(
        self, settings: DescentSettings, domain: Domain, *, gradients: bool = False
    ) -> None:
        self._settings = settings
        self._gradients = gradients
        self._domain = domain
        self._drive: Drive | None = None
        self._offered = 0

    def propose(self, history: History, surrogate: Surrogate, number: int) -> Ask | None:
        """Return the point to ask for under `number`; None where more must be told first."""
        pending = list(history.pending_in("refine"))
        for x in self._driven(history, surrogate).waiting():
            twin = next((i for i, other in enumerate(pending) if _same(x, other)), None)
            if twin is None:
                return Ask(number, x, "refine", keep=self._gradients)
            pending.pop(twin)
        return None

    def result(self, history: History, surrogate: Surrogate) -> Descent | None:
        """Return where the descent ended; None while it goes on."""
        return self._driven(history, surrogate).result

    def _driven(self, history: History, surrogate: Surrogate) -> Drive:
        """Return the drive, after all that was told of it."""
        if self._drive is None:
            search = descent(history, surrogate, self._domain, self._settings, self._gradients)
            self._drive = Drive(search)
        told = history.in_stage("refine")
        for ask, outcome in told[self._offered :]:
            self._drive.offer(ask.x, outcome)
        self._offered = len(told)
        return self._drive


def descent(
    history: History,
    surrogate: Surrogate,
    domain: Domain,
    settings: DescentSettings,
    gradients: bool,
) -> Search[Descent]:
    """Return the descent from the point of lowest posterior mean.

    Coordinates are scaled by the surrogate's length scales, at most the cube's
    edge, and the step of the differences is chosen against the error the best
    point was told with.
    """
    gp = surrogate.cost
    explored = [outcome for ask, outcome in history.told if ask.stage != "refine"]
    ok = [explored[i] for i in surrogate.rows if explored[i].ok]
    best = int(np.argmin(gp.means_at_data[: len(ok)]))
    start = ok[best]
    differences = Differences(noise_step(start.cost or 0.0, start.error))
    derivatives: Derivatives = Told() if gradients else differences
    scale = np.minimum(gp.theta.length_scale, 1.0)
    return conjugate_gradient(gp.X[best], domain, scale, derivatives, settings)


def _same(x: Vector, y: Vector) -> bool:
    return bool(np.all(np.abs(x - y) <= SAME))
