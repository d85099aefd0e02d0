"""The uncertainty of a fit from its run folder, and the potentials that are as good."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.fit.base import Vector
from lammpsfit.fit.certainty.nonlinear import NonlinearModel, NonlinearResiduals
from lammpsfit.fit.certainty.uncertainty import Uncertainty, ensemble, uncertainty
from lammpsfit.fit.certainty.words import sentences
from lammpsfit.fit.domain import Domain
from lammpsfit.fit.newton.descent import GaussNewtonSettings, Seen, Trail
from lammpsfit.fit.run.build import build_constraint
from lammpsfit.fit.run.conditions import Condition, Samples
from lammpsfit.fit.run.confirm import Result
from lammpsfit.fit.run.open_fit import Fit
from lammpsfit.fit.seeds import Draws
from lammpsfit.forcefield import Potential
from lammpsfit.structure.fluctuations import Response
from lammpsfit.target import Evaluation
from lammpsfit.words import MEMBER

LISTED: Final = 8
"""Potentials of the ensemble that a result names, though the job does not ask to run any."""


def uncertainty_of(fit: Fit, evaluation: int) -> Uncertainty | None:
    """Find the errors of the parameters at a point of the search from all runs near it.

    The variance from run to run is that of the search, ``strategy.spread``.

    Parameters
    ----------
    fit
        The fit with its records.
    evaluation
        Number of the evaluation at the point.

    Returns
    -------
    Uncertainty or None
        None where that evaluation kept no frames, or its run was too short for errors.
    """
    known = _known(fit, evaluation)
    return None if known is None else known.found


@dataclass(frozen=True, eq=False)
class _Known:
    """The uncertainty at a point, and what it was made of."""

    found: Uncertainty
    response: Response
    runs: list[tuple[Vector, Samples]]


def _known(fit: Fit, evaluation: int) -> _Known | None:
    here = _seen(fit, evaluation)
    if here is None:
        return None
    linearise = fit.conditions.linearise(fit.space)
    trail = Trail(linearise, GaussNewtonSettings(spread=fit.job.strategy.spread))
    try:
        F = trail.metric(here)
    except InputError:
        return None
    runs = [here, *_near(fit, here, F, trail.settings)]
    model = linearise([(seen.x, seen.outcome.run) for seen in runs], here.x)
    run_factor = (trail.cost2(model).error / model.error) ** 2
    found = uncertainty(model, here.x, fit.space.free, _residual_errors(fit), run_factor)
    return _Known(found, model.response, [(seen.x, seen.outcome.run) for seen in runs])


def _seen(fit: Fit, evaluation: int) -> Seen | None:
    """Load a run that kept its frames; None where there is none such."""
    for record in fit.records:
        if record["id"] == evaluation and record["status"] == "ok" and record.get("kept", False):
            try:
                ask, outcome = fit.told(record)
            except InputError:
                return None
            kept = all(sample.frames is not None for sample in outcome.run.values())
            return Seen(ask.id, ask.x, outcome) if kept else None
    return None


def _near(fit: Fit, here: Seen, F: Vector, settings: GaussNewtonSettings) -> list[Seen]:
    """Load the other runs that are pooled at a point: the latest of those within reach."""
    numbers = []
    for record in fit.records:
        s = np.array(record["x"]) - here.x
        if record["id"] != here.id and float(s @ F @ s) <= settings.reach**2:
            numbers.append(int(record["id"]))
    loaded: list[Seen] = []
    for number in reversed(numbers):
        if len(loaded) < settings.memory and (seen := _seen(fit, number)) is not None:
            loaded.append(seen)
    return loaded[::-1]


def _residual_errors(fit: Fit) -> Vector | None:
    """Turn the errors of what is wanted into those of the residuals, shape (K,)."""
    several, known = [], False
    for one in fit.conditions.every:
        share = np.sqrt(fit.conditions.shares[one.name])
        target = one.problem.target
        for term in target.ensemble:
            errors = term.wanted_error
            known = known or errors is not None
            several.append(share * term.scale * (0.0 if errors is None else errors))
        if target.static:
            several.append(np.zeros(fit.space.dim + 2))
    several.append(np.zeros(len(fit.conditions.joint)))
    return np.concatenate(several) if known else None


def _draw(fit: Fit, known: _Known) -> tuple[Vector, Vector]:
    """Draw the ensemble of a fit: points, shape (m, d), and the cost predicted at each."""
    domain = Domain(fit.space.dim, build_constraint(fit.job, fit.conditions, fit.space))
    n = max(LISTED, fit.job.confirm.ensemble)
    shares = fit.conditions.shares
    bends = [(shares[one.name], _bend(fit, known, one)) for one in fit.conditions.every]
    valley = NonlinearModel(known.found, known.response, bends, domain)
    return ensemble(known.found, n, domain, (fit.job.seed, Draws.ENSEMBLE), valley.follow)


def _bend(fit: Fit, known: _Known, one: Condition) -> NonlinearResiduals:
    kept = [(u, samples[one.name].frames) for u, samples in known.runs]
    runs = [(u, frames) for u, frames in kept if frames is not None]
    space = fit.space.under(one.problem.system.composition)
    return NonlinearResiduals(space, one.problem.target, one.problem.protocol.temperature, runs)


def member_label(fit: Fit, evaluation: int, number: int) -> str:
    """Label a potential of the ensemble by all it depends on: a longer search has other ones."""
    return f"{MEMBER}-{evaluation}-{len(fit.records)}-{number}"


def members(fit: Fit, evaluation: int) -> dict[str, Potential]:
    """Return the potentials of the ensemble that the job asks to run, by label."""
    wanted = fit.job.confirm.ensemble
    if not wanted or (known := _known(fit, evaluation)) is None:
        return {}
    points, _ = _draw(fit, known)
    return {
        member_label(fit, evaluation, k): fit.space.potential(u)
        for k, u in enumerate(points[:wanted], 1)
    }


def uncertainty_block(
    fit: Fit, evaluation: int, measured: Mapping[str, Result]
) -> dict[str, Any] | None:
    """Make the ``uncertainty`` of ``result.json``; None where there is none.

    Parameters
    ----------
    fit, evaluation
        As for :func:`uncertainty_of`.
    measured
        What came of the potentials of the ensemble that were run, by label.
    """
    known = _known(fit, evaluation)
    if known is None:
        return None
    points, predicted = _draw(fit, known)
    listed = []
    for k, (u, cost) in enumerate(zip(points, predicted, strict=True), 1):
        result = measured.get(member_label(fit, evaluation, k))
        listed.append(
            {"parameters": fit.space.values(u), "predicted": float(cost)} | _measured(result)
        )
    return as_data(known.found, fit.conditions.minimised) | {"ensemble": listed}


def _measured(result: Result | None) -> dict[str, Any]:
    if result is None:
        return {}
    if isinstance(result, Evaluation):
        return {"measured": result.objective.mean, "measured_error": result.objective.error}
    return {"failed": str(result)}


def as_data(found: Uncertainty, what: str) -> dict[str, Any]:
    """Turn an uncertainty into plain data: changes of ln|θ|, so that 0.01 is one per cent.

    What the runs do not resolve is None. `what` is minimised.
    """

    def by_name(values: Sequence[float] | Vector) -> dict[str, float | None]:
        return {name: _number(v) for name, v in zip(found.names, values, strict=True)}

    return {
        "minimised": what,
        "cost": found.cost,
        "rise": found.rise,
        "run_factor": found.run_factor,
        "relative": dict(zip(found.names, found.relative, strict=True)),
        "bounds": {free.name: [free.lower, free.upper] for free in found.parameters},
        "errors": by_name(found.errors),
        "reach": by_name(found.reach),
        "offset": by_name(found.offset),
        "at_bound": list(found.at_bound),
        "covariance": found.covariance.tolist(),
        "directions": [
            {
                "loadings": by_name(direction.loadings),
                "curvature": direction.curvature,
                "error": _number(direction.error),
                "reach": _number(direction.reach),
                "resolved": direction.resolved,
                "words": words,
            }
            for direction, words in zip(found.directions, sentences(found, what), strict=True)
        ],
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
