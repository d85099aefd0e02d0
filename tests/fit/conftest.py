"""Analytic costs to search, and the loop that searches them."""

from collections.abc import Callable

import numpy as np
import pytest

from lammpsfit.fit.base import Ask, Optimiser, Outcome

Cost = Callable[[np.ndarray], float]


def _two_minima(x):
    local, deep = np.array([0.72, 0.70]), np.array([0.30, 0.30])
    wide = 0.42 * np.exp(-np.sum((x - local) ** 2) / (2 * 0.20**2))
    narrow = 0.54 * np.exp(-np.sum((x - deep) ** 2) / (2 * 0.13**2))
    return float(0.6 - wide - narrow)


def _curved_valley(x):
    off = x[1] - (0.2 + 0.6 * x[0] ** 2)
    local = 0.6 * np.exp(-(((x[0] - 0.2) / 0.15) ** 2))
    deep = np.exp(-(((x[0] - 0.8) / 0.15) ** 2))
    rest = 0.3 * np.mean((x[2:] - 0.5) ** 2)
    return float(0.06 + 0.25 * (1 - local - deep) + 0.1 * np.log1p((off / 0.05) ** 2) + rest)


def _outcome(cost, ask, noise):
    c = cost(ask.x)
    spread = noise * c
    return Outcome(c + spread * np.random.default_rng([7, ask.id]).standard_normal(), spread)


def _search(
    optimiser: Optimiser, cost: Cost, noise: float = 0.0, workers: int = 1
) -> list[tuple[Ask, Outcome]]:
    history = []
    while not optimiser.done:
        asks = optimiser.ask(workers)
        assert asks, "neither done nor asking"
        for ask in asks:
            history.append((ask, _outcome(cost, ask, noise)))
            optimiser.tell(*history[-1])
    return history


@pytest.fixture
def two_minima() -> Cost:
    """A wide minimum of 0.18 at (0.72, 0.70), a narrow one of 0.05 at (0.30, 0.30)."""
    return _two_minima


@pytest.fixture
def curved_valley() -> Cost:
    """A narrow curved valley, any d >= 3: a minimum of 0.16 at x0 = 0.2, one of 0.06 at 0.8."""
    return _curved_valley


@pytest.fixture
def search():
    """Run an optimiser on a cost to its end; return the history."""
    return _search


@pytest.fixture
def outcome():
    """Make the noisy outcome of an ask, a function of its number."""
    return _outcome
