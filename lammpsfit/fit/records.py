"""Evaluations as journal records, and back to what an optimiser is told."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from lammpsfit.farm.journal import Record
from lammpsfit.fit.base import Ask, Outcome
from lammpsfit.md.evaluate import Evaluation
from lammpsfit.md.failure import Failure
from lammpsfit.structure.blocks import Estimate


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
    return head | result_fields(result)


def result_fields(result: Evaluation | Failure) -> Record:
    """Make the fields that any finished run has: sound, given up (``censored``) or failed."""
    if isinstance(result, Failure):
        return {"status": "failed", "reason": str(result.reason), "detail": result.detail}
    cost, sample = result.cost, result.sample
    given_up = result.given_up
    return {
        "status": "ok" if given_up is None else "censored",
        "cost": cost.value,
        "cost_error": cost.error,
        "cost_corrected": cost.corrected,
        "cost_quarters": list(cost.segments),
        "pair_costs": {pair: value.cost for pair, value in cost.pairs.items()},
        "temperature": _pair(sample.temperature),
        "pressure": _pair(sample.pressure),
        "energy": _pair(sample.energy),
        "energy_drift": _pair(sample.energy_drift),
        "atom_steps": sample.atom_steps,
    } | ({} if given_up is None else {"given_up": asdict(given_up)})


def as_told(record: Mapping[str, Any]) -> tuple[Ask, Outcome]:
    """Turn a record back into the point asked and its outcome."""
    ask = Ask(record["id"], np.array(record["x"], dtype=np.float64), record["stage"])
    if record["status"] == "censored":
        return ask, Outcome(None, record["cost_error"], record["given_up"]["bound"])
    if record["status"] != "ok":
        return ask, Outcome(None)
    return ask, Outcome(record["cost"], record["cost_error"])


def _pair(estimate: Estimate) -> list[float]:
    return [estimate.mean, estimate.error]
