"""What a search was told, in order, and what it still waits for."""

import math

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.fit.base import Ask, Outcome, Vector
from lammpsfit.fit.paper.surrogate import Data


class History:
    """The told evaluations of a fit, and the asks that are pending.

    Parameters
    ----------
    dimension
        Number of parameters, d.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self.told: list[tuple[Ask, Outcome]] = []
        self.pending: dict[int, Ask] = {}
        self._told_ids: set[int] = set()
        self._first_untold = 0
        self._lowest: float | None = None
        self._views: dict[tuple[str, ...], list[tuple[Ask, Outcome]]] = {}

    def next_id(self) -> int:
        """Return the smallest number neither told nor pending."""
        number = self._first_untold
        while number in self._told_ids or number in self.pending:
            number += 1
        return number

    def has_first(self, n: int) -> bool:
        """Whether all numbers below `n` were told."""
        return self._first_untold >= n

    def ask(self, ask: Ask) -> None:
        """Note an ask as pending."""
        self.pending[ask.id] = ask

    def tell(self, ask: Ask, outcome: Outcome) -> None:
        """Take in an outcome.

        Raises
        ------
        InputError
            Where the ask was told before, is not of this search, or the cost
            or its error is no number of a cost.
        """
        if ask.id in self._told_ids:
            raise InputError(f"evaluation {ask.id} must be told once, got it again")
        if ask.x.shape != (self.dimension,):
            raise InputError(
                f"evaluation {ask.id} must be a point of shape ({self.dimension},), "
                f"got {ask.x.shape}: the history is of another parameter space"
            )
        _check(ask, outcome)
        self.pending.pop(ask.id, None)
        self._told_ids.add(ask.id)
        while self._first_untold in self._told_ids:
            self._first_untold += 1
        if outcome.cost is not None and (self._lowest is None or outcome.cost < self._lowest):
            self._lowest = outcome.cost
        self.told.append((ask, outcome))
        for stages, view in self._views.items():
            if ask.stage in stages:
                view.append((ask, outcome))

    def lowest(self) -> float | None:
        """Return the lowest cost told, luck included; None where none was."""
        return self._lowest

    def in_stage(self, *stages: str) -> list[tuple[Ask, Outcome]]:
        """Return what was told of some stages, in order: a list that grows, not to be changed."""
        if stages not in self._views:
            # every ask looks here: it must not walk through the whole past
            told = [(ask, outcome) for ask, outcome in self.told if ask.stage in stages]
            self._views[stages] = told
        return self._views[stages]

    def pending_in(self, *stages: str) -> Vector:
        """Return the pending points of some stages by number of the ask, shape (k, d)."""
        asks = sorted(self.pending.items())
        points = [ask.x for _, ask in asks if ask.stage in stages]
        return np.array(points).reshape(-1, self.dimension)


def _check(ask: Ask, outcome: Outcome) -> None:
    """Refuse what is no number of a cost."""
    cost, bound = outcome.cost, outcome.bound
    if cost is not None and not (0 <= cost < math.inf):
        raise InputError(
            f"cost of evaluation {ask.id} must be finite and not negative, "
            f"got {cost}: tell a failed evaluation with cost None"
        )
    if bound is not None and (cost is not None or not 0 < bound < math.inf):
        raise InputError(
            f"bound of evaluation {ask.id} must be finite, above 0 and instead of a cost, "
            f"got bound {bound} and cost {cost}"
        )
    if not 0 <= outcome.error < math.inf:
        raise InputError(
            f"error of evaluation {ask.id} must be finite and not negative, got {outcome.error}"
        )


def as_data(told: list[tuple[Ask, Outcome]], dimension: int) -> Data:
    """Return told evaluations as arrays."""
    return Data(
        X=np.array([ask.x for ask, _ in told]).reshape(-1, dimension),
        cost=np.array([np.nan if o.cost is None else o.cost for _, o in told]),
        error=np.array([o.error for _, o in told]),
        bound=np.array([np.nan if o.bound is None else o.bound for _, o in told]),
    )
