"""Evaluations as journal records, and back to what an optimiser is told."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from lammpsfit.child.failure import Failure
from lammpsfit.farm.journal import Record
from lammpsfit.fit.base import Ask, Outcome
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.cost import Cost
from lammpsfit.target import Evaluation, Reached


def evaluation_record(
    ask: Ask,
    parameters: Mapping[str, float],
    seed: int,
    result: Evaluation | Failure,
    seconds: float,
) -> Record:
    """Make the record of an evaluation of the search."""
    head = {
        "type": "evaluation",
        "id": ask.id,
        "stage": ask.stage,
        "x": ask.x.tolist(),
        "parameters": dict(parameters),
        "seed": seed,
        "seconds": round(seconds, 3),
    }
    if ask.origin is not None:
        head["origin"] = ask.origin
    if ask.keep:
        head["kept"] = True
    return head | result_fields(result)


def result_fields(result: Evaluation | Failure) -> Record:
    """Make the fields that any finished run has: sound, given up (``censored``) or failed.

    Where there are several conditions, cost and averages are those of the main one, and the
    others have theirs in ``also``; objective and atom steps are those of all. ``terms`` says of
    each term what was wanted and reached, the root of its squared residuals, and its share of the
    squared objective of its condition. Terms of several conditions stand with those of the main
    one; their share is that of the squared objective of all.
    """
    if isinstance(result, Failure):
        return {"status": "failed", "reason": str(result.reason), "detail": result.detail}
    sample = result.sample
    given_up = result.given_up
    also = {name: result_fields(one) for name, one in result.also.items()}
    return {
        "status": "ok" if given_up is None else "censored",
        **_cost_fields(result.cost),
        "objective": _pair(result.objective),
        "terms": {name: _reached(one) for name, one in {**result.terms, **result.joint}.items()},
        "temperature": _pair(sample.temperature),
        "pressure": _pair(sample.pressure),
        "energy": _pair(sample.energy),
        "energy_drift": _pair(sample.energy_drift),
        **{
            name: _pair(estimate)
            for name, estimate in (
                ("density", sample.mean_density),
                ("density_drift", sample.density_drift),
            )
            if estimate is not None
        },
        "atom_steps": sum(one.sample.atom_steps for one in result.conditions.values()),
        **({} if given_up is None else {"given_up": asdict(given_up)}),
        **({"also": also} if also else {}),
    }


def as_told(record: Mapping[str, Any]) -> tuple[Ask, Outcome]:
    """Turn a record back into the point asked and its outcome."""
    ask = Ask(
        record["id"],
        np.array(record["x"], dtype=np.float64),
        record["stage"],
        origin=record.get("origin"),
        keep=record.get("kept", False),
    )
    if record["status"] == "censored":
        return ask, Outcome(None, record["cost_error"], record["given_up"]["bound"])
    if record["status"] != "ok":
        return ask, Outcome(None)
    return ask, Outcome(*record["objective"])


def _cost_fields(cost: Cost | None) -> Record:
    """Make the fields of R; none where no g(r) is wanted."""
    if cost is None:
        return {}
    return {
        "cost": cost.value,
        "cost_error": cost.error,
        "cost_corrected": cost.corrected,
        "cost_quarters": list(cost.segments),
        "pair_costs": {pair: value.cost for pair, value in cost.pairs.items()},
    }


def _reached(one: Reached) -> dict[str, Any]:
    return {
        "wanted": one.column.wanted,
        "value": None if one.value is None else _pair(one.value),
        "deviation": _pair(one.deviation),
        "share": one.share,
    }


def _pair(estimate: Estimate) -> list[float]:
    return [estimate.mean, estimate.error]
