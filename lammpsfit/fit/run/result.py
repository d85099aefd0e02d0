"""What came of a fit: the best potential, and ``result.json``."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from lammpsfit.errors import RunError
from lammpsfit.farm.journal import Record
from lammpsfit.files import write_json, write_text
from lammpsfit.fit.run.confirm import Result
from lammpsfit.fit.run.ensemble import uncertainty_block
from lammpsfit.fit.run.open_fit import Fit
from lammpsfit.fit.run.records import result_fields
from lammpsfit.forcefield import Potential, dump_potential
from lammpsfit.target import Evaluation
from lammpsfit.versions import FIT_PACKAGES, versions
from lammpsfit.words import FITTED


@dataclass(frozen=True)
class FitResult:
    """What came of a fit.

    Attributes
    ----------
    fit
        The fit with its records.
    stopped
        Why it was stopped before its end, or None.
    potential
        The best potential as confirmed, or None where it was stopped before.
    rows
        Pooled confirmation runs by label, the fit first, then what it is compared with.
    summary
        The content of ``result.json``.
    """

    fit: Fit
    stopped: str | None
    potential: Potential | None
    rows: dict[str, Result]
    summary: dict[str, Any]


def best_confirmed(candidates: Collection[str], pooled: Mapping[str, Result]) -> str:
    """Return the label of the best confirmed candidate.

    Raises
    ------
    RunError
        If every candidate failed its confirmation.
    """
    sound = {
        label: result
        for label, result in pooled.items()
        if label in candidates and isinstance(result, Evaluation)
    }
    if not sound:
        reasons = "; ".join(f"{label}: {pooled[label]}" for label in candidates)
        raise RunError(f"every candidate failed its confirmation ({reasons})")
    return min(sound, key=lambda name: sound[name].objective.mean)


def evaluation_of(label: str) -> int:
    """Return the number of the evaluation that a candidate came from."""
    return int(label.removeprefix(f"{FITTED}-"))


def finished(
    fit: Fit,
    candidates: dict[str, Potential],
    pooled: dict[str, Result],
    ensemble: Mapping[str, Result] = MappingProxyType({}),
) -> FitResult:
    """Choose the best confirmed candidate, and write the results.

    Parameters
    ----------
    fit
        The fit.
    candidates
        The candidates by label.
    pooled
        Confirmations by label, of the candidates and of what they are compared with.
    ensemble
        Those of potentials as good as the best, see :mod:`lammpsfit.fit.run.ensemble`.

    Raises
    ------
    RunError
        If every candidate failed its confirmation.
    """
    label = best_confirmed(candidates, pooled)
    best = pooled[label]
    assert isinstance(best, Evaluation)
    potential = candidates[label]
    others: dict[str, Result] = {
        name: result for name, result in pooled.items() if name not in candidates
    }
    wanted = [", ".join(one.problem.wanted) for one in fit.conditions.every]
    sources = "; ".join(filter(None, [*wanted, *(t.column.label for t in fit.conditions.joint)]))
    potential = replace(
        potential,
        name=_name(fit),
        title=f"fitted from {fit.problem.potential.name} to: {sources}",
        doi="",
        note="; ".join(_cost_words(best)),
    )
    write_text(fit.folder.potential, dump_potential(potential))
    summary = _summary(fit) | {
        "status": "finished",
        "best": {
            "evaluation": evaluation_of(label),
            **_cost_fields(best),
            "parameters": {name: potential.parameters[name] for name in fit.space.names},
            "repeats": fit.job.confirm.repeats,
            "objective": best.objective.mean,
            "objective_error": best.objective.error,
            "minimised": best.minimised,
            **(
                {"also": {k: _cost_fields(one) for k, one in best.also.items()}}
                if best.also
                else {}
            ),
        },
        "confirmed": {name: result_fields(result) for name, result in pooled.items()},
    }
    if (block := uncertainty_block(fit, evaluation_of(label), ensemble)) is not None:
        summary["uncertainty"] = block
    write_json(fit.folder.result, summary)
    return FitResult(fit, None, potential, {FITTED: best, **others}, summary)


def _name(fit: Fit) -> str:
    """Name the potential after the fit; titles may hold what a name must not, such as tabs."""
    spaced = " ".join(fit.job.title.split())
    return "".join(filter(str.isprintable, spaced)) or f"{fit.problem.potential.name}-fit"


def _cost_fields(evaluation: Evaluation) -> dict[str, Any]:
    fields, cost = result_fields(evaluation), evaluation.cost
    keys = ("cost", "cost_error", "cost_corrected", "pair_costs")
    return {
        **{key: fields[key] for key in keys if key in fields},
        **({} if cost is None else {"definition": cost.definition}),
        "terms": fields["terms"],
    }


def _also(best: Evaluation) -> dict[str, Any]:
    """Make the fields of the best under the other conditions, where there are some."""
    also = {name: _cost_fields(one) for name, one in best.also.items()}
    return {"also": also} if also else {}


def _cost_words(best: Evaluation) -> list[str]:
    """Say what the best costs, and what that means."""
    conditions = best.conditions
    words = []
    for name, one in conditions.items():
        if not one.terms:
            continue
        if one.cost is None:
            found = (
                f"objective = {100 * one.objective.mean:.2f} ± {100 * one.objective.error:.2f} %"
            )
        else:
            found = f"R = {100 * one.cost.value:.2f} ± {100 * one.cost.error:.2f} %"
        words.append(f"{name}: {found}" if len(conditions) > 1 else found)
    for reached in best.joint.values():
        column = reached.column
        assert reached.value is not None  # a term of several conditions is one number
        value, error = (
            f"{column.factor * x:.{column.digits}f}"
            for x in (reached.value.mean, reached.value.error)
        )
        words.append(f"{column.label} = {value} ± {error} {column.unit}")
    costs = [one.cost for one in conditions.values() if one.cost is not None]
    return words + list(dict.fromkeys(cost.definition for cost in costs))


def unfinished(fit: Fit, why: str) -> FitResult:
    """Write what is known of a fit that was stopped."""
    summary = _summary(fit) | {"status": "unfinished", "stopped": why}
    if (best := fit.best_so_far()) is not None:
        keys = ("cost", "cost_error", "cost_corrected", "pair_costs", "terms", "parameters")
        objective, error = best["objective"]
        summary["best"] = {
            "evaluation": best["id"],
            **{key: best[key] for key in keys if key in best},
            "objective": objective,
            "objective_error": error,
            "minimised": fit.conditions.minimised,
        }
        if "also" in best:
            summary["best"]["also"] = {
                name: {key: one[key] for key in keys if key in one}
                for name, one in best["also"].items()
            }
    write_json(fit.folder.result, summary)
    return FitResult(fit, why, None, {}, summary)


def _summary(fit: Fit) -> dict[str, Any]:
    everything = fit.records + fit.confirmations
    status = Counter(record["status"] for record in fit.records)
    failed = [record for record in fit.records if record["status"] == "failed"]
    return {
        "evaluations": {
            "ok": status["ok"],
            "censored": status["censored"],
            "failed": status["failed"],
            "by_reason": dict(Counter(record["reason"] for record in failed)),
            **({"taken_over": taken} if (taken := len(fit.records) - fit.evaluated) else {}),
        },
        "atom_steps": sum(record.get("atom_steps", 0) for record in everything),
        "wall_s": round(fit.wall, 1),
        "seed": fit.job.seed,
        "versions": versions(FIT_PACKAGES),
    }


def failures(records: list[Record]) -> str:
    """Count failed evaluations by their reason, in words."""
    reasons = Counter(record["reason"] for record in records if record["status"] == "failed")
    return ", ".join(f"{reason} {count}" for reason, count in reasons.items()) or "none was run"
