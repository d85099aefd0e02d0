"""Residuals without noise in the least squares of runs."""

from dataclasses import dataclass

import numpy as np
import pytest

from lammpsfit.fit.certainty.nonlinear import NonlinearResiduals
from lammpsfit.fit.newton.exact_rows import ExactRows
from lammpsfit.fit.newton.local_model import Fluctuations
from lammpsfit.forcefield import Free, ParameterSpace
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import Histogram
from lammpsfit.md.sample import Sample
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import StaticTerm, Target

X = np.array([0.4, 0.6])


@pytest.mark.parametrize("K", [2, 3, 4, 40])
def test_few_rows_say_what_all_residuals_do(K):
    rng = np.random.default_rng(K)
    y, J, rho = rng.normal(size=K), rng.normal(size=(K, 3)), rng.normal(size=K)
    rows = ExactRows.of(y, J)
    assert rows.mean.shape == (5,)
    for s in rng.normal(size=(4, 3)):
        linear = rows.mean + rows.jacobian @ s
        assert linear @ linear == pytest.approx(np.sum((y + J @ s) ** 2))
        bent = linear + rows.projected(rho)
        assert bent @ bent == pytest.approx(np.sum((y + J @ s + rho) ** 2))
    assert rows.jacobian.T @ rows.projected(rho) == pytest.approx(J.T @ rho)


@dataclass(frozen=True, eq=False)
class Bowl(StaticTerm):
    """What a potential is wanted for by its parameters alone, K of them, in no straight line."""

    K: int = 7
    name = "bowl"
    column = None

    def _of(self, values):
        k = np.arange(self.K)
        return 0.01 * np.sin(k + np.log(values["A_Si-O"]) + k * values["q_Si"])

    def residuals(self, potential):
        return self._of(potential.parameters)

    def jacobian(self, space, u):
        step = 1e-6
        ends = [
            [self.residuals(space.potential(u + s * e)) for e in np.eye(space.dim) * step]
            for s in (1, -1)
        ]
        return np.subtract(*ends).T / (2 * step)


@pytest.fixture(scope="module")
def run(problem):
    """The sample of a run that never was, with its space."""
    free = (Free("A_Si-O", 1e4, 3e4), Free("q_Si", 1.8, 3.0))
    space = ParameterSpace(problem.potential, free, balance="O", composition={"Si": 1, "O": 2})
    rng = np.random.default_rng(1)
    reference = problem.target.reference
    histogram = Histogram.onto(reference.r, problem.potential.outer_cutoff).refined()
    shells = histogram.centres**2 * (histogram.centres > 1.2)
    counts = rng.poisson(0.02 * shells, size=(40, 3, histogram.size)).astype(np.uint16)
    frames = Frames(histogram, {"Si": 102, "O": 204}, 306 / 0.066, counts, np.zeros(40))
    rdf = PartialRdf.from_blocks(frames.pairs, reference.r, frames.g(5))
    nothing = Estimate(0.0, 0.0)
    sample = Sample(rdf, nothing, nothing, nothing, nothing, 1, 0.0, 0.0, frames)
    return space, sample


def test_a_local_model_adds_the_squares_of_static_terms(problem, run):
    space, sample = run
    bowl = Bowl()
    y, J = bowl.residuals(space.potential(X)), bowl.jacobian(space, X)
    alone, both = (
        Fluctuations(space, Target(problem.target.structure, others), 3600.0)([(X, sample)], X)
        for others in ((), (bowl,))
    )
    assert both.quadratic.constant == pytest.approx(alone.quadratic.constant + y @ y)
    assert both.quadratic.g == pytest.approx(alone.quadratic.g + J.T @ y)
    assert pytest.approx(alone.quadratic.H + J.T @ J) == both.quadratic.H
    assert both.error == pytest.approx(alone.error, rel=1e-6)  # they have no noise
    assert both.response.mean_error[-4:] == pytest.approx(0.0, abs=1e-12)


def test_a_sample_keeps_the_size_of_static_terms(problem, run):
    space, sample = run
    target = Target(problem.target.structure, (Bowl(),))
    whole = target.completed(sample, space.potential(X))
    size = np.linalg.norm(Bowl().residuals(space.potential(X)))
    assert whole.observed["bowl"] == pytest.approx(np.full((5, 1), size))
    found = target.evaluation(whole)
    R = target.structure.deviation(sample).mean
    assert found.objective.mean**2 == pytest.approx(R**2 + size**2)
    assert found.terms["bowl"].share == pytest.approx(size**2 / (R**2 + size**2))


def test_residuals_far_away_are_those_of_the_static_term(problem, run):
    """The valley is followed by the residuals themselves, not by their linear model."""
    space, sample = run
    bowl = Bowl()
    target = Target(problem.target.structure, (bowl,))
    bend, _ = NonlinearResiduals(space, target, 3600.0, [(X, sample.frames)])(X + 0.1)
    rows = Fluctuations(space, target, 3600.0).exact_rows(X)
    there = rows.mean + rows.jacobian @ [0.1, 0.1] + bend[-4:]
    assert there @ there == pytest.approx(np.sum(bowl.residuals(space.potential(X + 0.1)) ** 2))
    assert np.linalg.norm(bend[-4:]) > 1e-4
