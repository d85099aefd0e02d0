"""The strategy of the silica paper: explore everywhere, then refine the best.

Liu, Fu, Li, Ahmad Sabri & Bauchy, MRS Communications 9, 593 (2019),
doi:10.1557/mrc.2019.47: a Gaussian process and expected improvement find the
basin that a gradient search from the start would miss, and conjugate
gradients find its bottom, which sampling would find slowly.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lammpsfit.fit.base import Ask, Candidate, Constraint, Outcome, Vector
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton.local_model import Linearise
from lammpsfit.fit.paper.conjugate_gradient import Descent, DescentSettings
from lammpsfit.fit.paper.explore import EXPLORE_STAGES, Explore, ExploreSettings
from lammpsfit.fit.paper.history import History, as_data
from lammpsfit.fit.paper.refine import Refine
from lammpsfit.fit.paper.surrogate import Modeller


@dataclass(frozen=True)
class PaperSettings:
    """Settings of both stages.

    Attributes
    ----------
    explore
        Of the global search.
    descent
        Of the local search; None leaves it out.
    """

    explore: ExploreSettings = field(default_factory=ExploreSettings)
    descent: DescentSettings | None = field(default_factory=DescentSettings)


class PaperStrategy:
    """Explores, then refines: an :class:`~lammpsfit.fit.base.Optimiser`.

    Where several workers ask, exploration ends with all its asks told before
    refinement begins.

    Parameters
    ----------
    dimension
        Number of parameters, d.
    settings
        Of both stages.
    seed
        Of all randomness.
    constraint
        Margins of points; None allows the whole unit cube.
    start
        Point to begin with, shape (d,), or None.
    linearise
        Makes models of runs, for the gradients of refinement; None: finite differences.

    Raises
    ------
    InputError
        Where the start is outside the allowed domain, where there is nothing
        to begin with, or the constraint leaves no room for a design.

    Examples
    --------
    >>> settings = PaperSettings(ExploreSettings(n_design=8, plateau=5))
    >>> strategy = PaperStrategy(2, settings, seed=1)
    >>> while not strategy.done:
    ...     for ask in strategy.ask(1):
    ...         cost = 0.05 + float(np.sum((ask.x - 0.3) ** 2))
    ...         strategy.tell(ask, Outcome(cost))
    >>> strategy.best().ask.x.round(2).tolist()
    [0.3, 0.3]
    """

    def __init__(
        self,
        dimension: int,
        settings: PaperSettings,
        seed: int,
        constraint: Constraint | None = None,
        start: Vector | None = None,
        linearise: Linearise[Any] | None = None,
    ) -> None:
        domain = Domain(dimension, constraint)
        if start is not None:
            start = domain.check(start, "start")
        self._history = History(dimension)
        self._explore = Explore(settings.explore, domain, start, seed)
        self._linearise = linearise
        self._refine = (
            None
            if settings.descent is None
            else Refine(settings.descent, domain, gradients=linearise is not None)
        )
        self._modeller = Modeller(seed)

    def ask(self, n: int) -> list[Ask]:
        """Return up to `n` new points; an empty list means: tell me more first.

        Raises
        ------
        RunError
            Where nothing that was told gave a cost, or the constraint forbids
            all candidates.
        """
        asks: list[Ask] = []
        while len(asks) < n and (ask := self._next()) is not None:
            self._history.ask(ask)
            asks.append(ask)
        return asks

    def tell(self, ask: Ask, outcome: Outcome) -> None:
        """Take in the outcome of a point, whether asked by this object or before a resume."""
        if outcome.run is not None and self._linearise is not None:
            # the gradient is all that is wanted of the run, which may be large
            gradient = self._linearise([(ask.x, outcome.run)], ask.x).gradient
            outcome = replace(outcome, run=None, gradient=gradient)
        self._history.tell(ask, outcome)

    def expect(self, ask: Ask) -> None:
        """Take note of a point that was asked before a resume and is still to be told."""
        self._history.ask(ask)

    @property
    def done(self) -> bool:
        """Whether both stages have come to their end and all their asks are told."""
        if self._history.pending or not self._explore.finished(self._history):
            return False
        return self._refine is None or self.descent is not None

    @property
    def descent(self) -> Descent | None:
        """Where and why refinement ended; None before."""
        if self._refine is None or not self._exploration_over:
            return None
        return self._refine.result(self._history, self._explore.surrogate(self._history))

    def best(self) -> Candidate:
        """Return the told point of lowest posterior mean.

        Raises
        ------
        RunError
            Where nothing that was told gave a cost.
        """
        return self.ranking(1)[0]

    def ranking(self, k: int, separation: float = 0.01) -> list[Candidate]:
        """Return the best points, to be confirmed by longer runs with fresh seeds.

        Parameters
        ----------
        k
            How many; fewer come back where there are not as many.
        separation
            Largest difference of coordinates below which two points are one
            candidate: the neighbours a difference was taken with add nothing.

        Returns
        -------
        list of Candidate
            By rising posterior mean. None was given up: those have no cost.
        """
        told = self._history.told
        surrogate = self._modeller.surrogate(as_data(told, self._history.dimension))
        gp = surrogate.cost
        ok = [told[i] for i in map(int, surrogate.rows) if told[i][1].ok]
        chosen: list[int] = []
        for i in np.argsort(gp.means_at_data[: len(ok)], kind="stable"):
            distances = np.abs(gp.X[chosen] - gp.X[i]).max(axis=1)
            if len(chosen) < k and np.all(distances > separation):
                chosen.append(int(i))
        mean, sd = gp.predict(gp.X[chosen])
        costs = np.exp(mean)
        return [
            Candidate(*ok[i], cost=float(cost), error=float(cost * spread))
            for i, cost, spread in zip(chosen, costs, sd, strict=True)
        ]

    @property
    def _exploration_over(self) -> bool:
        """Whether exploration is finished and no late outcome can reopen it."""
        waiting = len(self._history.pending_in(*EXPLORE_STAGES))
        return not waiting and self._explore.finished(self._history)

    def _next(self) -> Ask | None:
        number = self._history.next_id()
        if not self._explore.finished(self._history):
            return self._explore.propose(self._history, number)
        if self._refine is None or not self._exploration_over:
            return None
        surrogate = self._explore.surrogate(self._history)
        return self._refine.propose(self._history, surrogate, number)
