"""Evaluations as rows of a table and curves of a picture."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from lammpsfit.child.failure import Failure
from lammpsfit.report.convergence import Point
from lammpsfit.report.progress import objective_of
from lammpsfit.report.rdf_plot import plot_rdf
from lammpsfit.report.tables import Row, costs_json
from lammpsfit.report.term_plot import plot_terms
from lammpsfit.report.words import drift_words
from lammpsfit.structure.rdf import PartialRdf
from lammpsfit.target import MAIN, Evaluation, Target
from lammpsfit.target.objective import ONLY_R

Results: TypeAlias = Mapping[str, Evaluation | Failure]
"""What came of potentials, by label."""


def rows(results: Results) -> list[Row]:
    """Make the rows of the cost table: where there are several conditions, a block for each."""
    names = _conditions(results)
    if len(names) == 1:
        return [_row(label, result) for label, result in results.items()]
    return [
        _row(f"{label}, {name}", result)
        for name in names
        for label, result in under(results, name).items()
        if name == MAIN or isinstance(result, Evaluation)  # a failure is one of all
    ]


def results_json(results: Results) -> dict[str, dict[str, Any]]:
    """Turn results into plain data, keyed by label, the other conditions within ``also``."""
    content = costs_json([_row(label, result) for label, result in results.items()])
    for label, result in results.items():
        if isinstance(result, Evaluation):
            content[label] |= {
                "minimised": result.minimised,
                "objective": result.objective.mean,
                "objective_error": result.objective.error,
            }
            if result.also:
                content[label]["also"] = results_json(result.also)
    return content


def under(results: Results, condition: str) -> dict[str, Evaluation | Failure]:
    """Return what came of one of the conditions, by label."""
    return {
        label: result if isinstance(result, Failure) else result.conditions[condition]
        for label, result in results.items()
    }


def _conditions(results: Results) -> list[str]:
    """Name the conditions of the results, the main one first."""
    sound = (result for result in results.values() if isinstance(result, Evaluation))
    return list(dict.fromkeys([MAIN, *(name for result in sound for name in result.conditions)]))


def _row(label: str, result: Evaluation | Failure) -> Row:
    if isinstance(result, Failure):
        return Row(label, None, note=str(result))
    notes, objective = [], None
    if result.also:
        value, error = 100 * result.objective.mean, 100 * result.objective.error
        notes.append(f"objective {value:.2f} ± {error:.2f} % over all conditions")
    elif result.terms and result.minimised != ONLY_R:
        objective = result.objective
    drift = result.sample.density_drift
    if drift is not None and (words := drift_words((drift.mean, drift.error))):
        notes.append(words)
    return Row(
        label,
        result.cost,
        result.sample.temperature,
        result.sample.pressure,
        "; ".join(notes),
        objective,
        (*result.terms.values(), *result.joint.values()),
        result.sample.mean_density,
    )


def points(records: Iterable[Mapping[str, Any]]) -> list[Point]:
    """Make the points of the convergence plot from journal records, numbered as they finished."""
    found = []
    for index, record in enumerate(records, 1):
        cost, error = objective_of(record) if "objective" in record else (None, 0.0)
        reason, given_up = record.get("reason"), "given_up" in record
        found.append(Point(index, cost, error, record["stage"], reason, given_up))
    return found


def levels(results: Results) -> dict[str, float]:
    """Take the objective of each sound result."""
    return {
        label: result.objective.mean
        for label, result in results.items()
        if isinstance(result, Evaluation)
    }


def plot_results(
    reference: PartialRdf,
    results: Results,
    path: Path,
    title: str,
) -> None:
    """Draw g(r) of every sound result against the reference."""
    sound = {label: r for label, r in results.items() if isinstance(r, Evaluation)}
    curves = {label: result.sample.rdf for label, result in sound.items()}
    found = {label: result.cost for label, result in sound.items() if result.cost is not None}
    definition = next((cost.definition for cost in found.values()), "")
    costs = {label: cost.value for label, cost in found.items()}
    plot_rdf(reference, curves, path, title, costs, definition)


def plot_other_terms(target: Target, results: Results, path: Path, title: str) -> None:
    """Draw the other curves of every sound result; nothing where no others are wanted."""
    if target.curves:
        sound = {label: r for label, r in results.items() if isinstance(r, Evaluation)}
        curves = {label: target.curves_reached(result.sample) for label, result in sound.items()}
        plot_terms(target.curves, curves, path, title)
