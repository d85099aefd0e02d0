"""The global search: a design, then expected improvement until a plateau."""

import math
from dataclasses import dataclass

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.fit.base import Ask, Outcome, Vector
from lammpsfit.fit.design import random_point, sobol_design
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.paper.history import History, as_data
from lammpsfit.fit.paper.maximise import STARTS, STARTS_OF_MANY, Candidates
from lammpsfit.fit.paper.surrogate import LEAST_GAIN, Modeller, Surrogate
from lammpsfit.fit.seeds import Draws

WANDER = 10
"""One in so many explored points is drawn from anywhere.

Expected improvement with fitted hyper-parameters can be sure of a basin it has
never seen and need not converge; with such draws it does (Bull, J. Mach.
Learn. Res. 12, 2879 (2011), arXiv:1101.3501).
"""

SHARE = 32
"""Asks that share a model and its candidates, at most, while nothing new is told."""

EXPLORE_STAGES = ("start", "design", "explore")
"""Labels of the asks of this stage, in the order of their numbers."""


@dataclass(frozen=True)
class ExploreSettings:
    """How widely to search.

    Attributes
    ----------
    n_design
        Points of the initial design (about 1000 in doi:10.1557/mrc.2019.47).
    plateau
        Evaluations without an improvement beyond noise that end the search (100 there).
    max_explore
        Most evaluations chosen by expected improvement (about 600 were needed there).
    race
        An evaluation may be given up that is certain to stay above this many times the lowest
        cost told before it was asked for; 0: none. Refinement gives up none: its differences are
        no better than the costs they are taken of.
    """

    n_design: int = 1000
    plateau: int = 100
    max_explore: int = 1000
    race: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("n_design", 0), ("plateau", 1), ("max_explore", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.race and not 1 <= self.race < math.inf:
            raise InputError(f"race must be 0 (off) or at least 1, got {self.race}")


class Explore:
    """Chooses the points of the global search; all it knows is the history.

    Numbers 0 to n - 1 are the start, if there is one, and the design; the rest
    are chosen by expected improvement, with randomness drawn from the seed and
    the state of the history. What is remembered between calls only saves time.

    Parameters
    ----------
    settings
        How widely to search.
    domain
        What is allowed.
    start
        Point to begin with, shape (d,), or None.
    seed
        Seed of design and candidates.
    """

    def __init__(
        self, settings: ExploreSettings, domain: Domain, start: Vector | None, seed: int
    ) -> None:
        if start is None and settings.n_design == 0:
            raise InputError("a search must begin somewhere, got n_design = 0 and no start")
        design = sobol_design(settings.n_design, domain, seed)
        first = np.empty((0, domain.dimension)) if start is None else start[None]
        self._given = np.vstack([first, design])
        self._n_start = len(first)
        self._settings = settings
        self._domain = domain
        self._seed = seed
        self._modeller = Modeller(seed)
        self._plateau = Plateau()
        self._cached: tuple[int, Surrogate] | None = None
        self._shared: tuple[tuple[int, bytes], Surrogate, Candidates] | None = None

    def finished(self, history: History) -> bool:
        """Whether all given points are told and the search has come to a plateau or its limit."""
        if not history.has_first(len(self._given)):
            return False
        if len(history.in_stage("explore")) >= self._settings.max_explore:
            return True
        told = history.in_stage(*EXPLORE_STAGES)
        return self._plateau.after(told) >= self._settings.plateau

    def propose(self, history: History, number: int) -> Ask | None:
        """Return the point to ask for under `number`; None where more must be told first."""
        if number < len(self._given):
            stage = "start" if number < self._n_start else "design"
            return Ask(number, self._given[number], stage, self._level(history))
        asked = len(history.in_stage("explore")) + len(history.pending_in("explore"))
        if asked >= self._settings.max_explore:
            return None
        pending = history.pending_in(*EXPLORE_STAGES)
        if len(pending) and history.lowest() is None:
            return None
        if number % WANDER == 0:
            rng = np.random.default_rng([self._seed, Draws.EXPLORE, number])
            x = random_point(self._domain, rng)
        else:
            x = self._promising(history, pending)
        return Ask(number, x, "explore", self._level(history))

    def _promising(self, history: History, pending: Vector) -> Vector:
        """Return the point of largest acquisition, shape (d,).

        Several workers that ask before anything new is told share a model and a pool of
        candidates: the pending points but for the last few make the model, and the pool is drawn
        for it, from (seed, told, models). So the point depends on what was told and what is
        pending, whoever asked for it and in which company.
        """
        told, shared = len(history.in_stage(*EXPLORE_STAGES)), len(pending) // SHARE
        first, last = np.split(pending, [shared * SHARE])
        key = told, first.tobytes()
        if self._shared is None or self._shared[0] != key:
            believed = self.surrogate(history).believe(first)
            rng = np.random.default_rng([self._seed, Draws.EXPLORE, told, shared])
            self._shared = key, believed, Candidates(believed, self._domain, rng)
        _, believed, candidates = self._shared
        starts = STARTS_OF_MANY if shared else STARTS
        return candidates.maximise(believed.believe(last), starts)

    def _level(self, history: History) -> float | None:
        """Return the cost above which an evaluation asked for now may be given up."""
        lowest = history.lowest()
        return self._settings.race * lowest if self._settings.race and lowest else None

    def surrogate(self, history: History) -> Surrogate:
        """Return what is believed after the evaluations of this stage that were told."""
        told = history.in_stage(*EXPLORE_STAGES)
        if self._cached is None or self._cached[0] != len(told):
            data = as_data(told, self._domain.dimension)
            self._cached = len(told), self._modeller.surrogate(data)
        return self._cached[1]


def since_improvement(told: list[tuple[Ask, Outcome]]) -> int:
    """Return how many explored points came since the cost last fell beyond its noise."""
    return Plateau().after(told)


class Plateau:
    """Counts the explored points since the cost last fell beyond its noise.

    Judged by the values told: posterior means change with every evaluation
    and would have to be recomputed for every prefix of the history. A lucky
    value hardens the plateau a little; it does not choose the best point.
    """

    def __init__(self) -> None:
        self._seen = self._count = 0
        self._lowest: Outcome | None = None

    def after(self, told: list[tuple[Ask, Outcome]]) -> int:
        """Return the count after all that was `told`, a list that only grows between calls."""
        for ask, outcome in told[self._seen :]:
            lowest = self._lowest
            improved = outcome.ok and (lowest is None or _improves(outcome, lowest))
            if improved:
                self._lowest = outcome
            if ask.stage == "explore":
                self._count = 0 if improved else self._count + 1
        self._seen = len(told)
        return self._count


def _improves(new: Outcome, old: Outcome) -> bool:
    if new.cost is None or old.cost is None:
        return False
    noise = float(np.hypot(new.error, old.error))
    return new.cost < old.cost - max(noise, LEAST_GAIN * old.cost)
