"""What a run folder holds, as the page shows it; nothing is run for it."""

import os
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.fit.certainty.curves import curve_errors
from lammpsfit.fit.run.conditions import Conditions, Samples
from lammpsfit.fit.run.confirm import Repeat
from lammpsfit.fit.run.open_fit import Fit, open_fit
from lammpsfit.fit.run.problem import Problem
from lammpsfit.fit.run.records import result_fields
from lammpsfit.fit.run.result_models import read_result, told
from lammpsfit.fit.run.run_folder import RunFolder, open_run
from lammpsfit.forcefield import Potential, ordered_pair
from lammpsfit.forcefield.lammps_text import charge_lines, mass_lines, overlay_pair_lines
from lammpsfit.inputs import read_text
from lammpsfit.md.ensemble import state_words
from lammpsfit.md.export import FILES
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.sample import pool
from lammpsfit.md.system import System
from lammpsfit.report.run_view import (
    Condition,
    FloatArray,
    Parameter,
    Points,
    Record,
    RunView,
    Shown,
)
from lammpsfit.run_pages.slices import surrogate_slices
from lammpsfit.target import MAIN, Evaluation, JointTerm
from lammpsfit.versions import FIT_PACKAGES, versions
from lammpsfit.words import FITTED

AT_BOUND: Final = 5e-3
"""Distance from a bound, as a fraction of the range, that counts as being there."""

KNOWN_FILES: Final = {
    "result.json": "the numbers of this page, for programs",
    "potential.toml": "the best potential, for lammpsfit",
    "lammps": "the best potential, for LAMMPS: in.example runs as it stands",
    "journal.jsonl": "every evaluation",
    "job.toml": "the job",
    "gr.png": "pair distributions against the reference",
    "terms.png": "the other curves that were fitted",
    "convergence.png": "the course of the search",
    "uncertainty.png": "how well the parameters are determined",
    "inputs": "what the run was begun with: reference, start, molten structures",
    "samples": "g(r) of every run",
}


def view_run(path: Path, *, slices: bool = True) -> RunView:
    """Take in a run folder: finished, stopped, or while it is running.

    Parameters
    ----------
    path
        The run folder.
    slices
        Whether to rebuild the surrogate of a search that has one, which takes seconds.

    Raises
    ------
    InputError
        If it is no run folder, or its job or inputs were changed since it began.
    """
    folder, job, journal = open_run(path)
    fit = open_fit(folder, job, journal)
    notes = list(fit.notes)
    result = _result(fit, notes)
    state, state_words = _state(fit, result)
    best = _best_record(fit, result)
    confirmed = fit.conditions.of_size(job.confirm)
    shown = [] if best is None else [_fit_shown(fit, confirmed, best, result)]
    uncertainty = result.get("uncertainty") if state == "finished" else None
    lammps, source = _lammps(fit, best, notes, finished=state == "finished")
    paper = job.strategy.name == "paper"
    return RunView(
        folder=str(path),
        title=job.title or fit.problem.potential.name,
        state=state,
        state_words=state_words,
        start=fit.conditions.potential,
        search=_search_words(fit),
        conditions=[
            _condition(one.name, one.problem, fit.conditions.joint if one.name == MAIN else ())
            for one in fit.conditions.every
        ],
        parameters=_parameters(fit, best),
        shown=[*shown, *_compared(fit, confirmed, result)],
        records=fit.records,
        atom_steps=sum(r.get("atom_steps", 0) for r in fit.records + fit.confirmations),
        wall_s=max((r["wall"] for r in fit.records + fit.confirmations), default=0.0),
        temperature=fit.conditions.temperature,
        barrier=job.strategy.guard,
        lammps=lammps,
        lammps_from=source,
        uncertainty=uncertainty,
        points=points_of(fit, best),
        slices=surrogate_slices(fit, np.array(best["x"])) if paper and slices and best else None,
        seed=job.seed,
        versions=journal.of_type("header")[0].get("versions") or versions(FIT_PACKAGES),
        job=read_text(folder.job),
        files=_files(folder),
        notes=notes,
        curve_errors={} if uncertainty is None else _curve_errors(fit, shown[0], best, uncertainty),
    )


def _curve_errors(
    fit: Fit, shown: Shown, best: Record | None, uncertainty: Mapping[str, Any]
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Find how well U(r) of the best is known, where its runs had pairs at all.

    A curve that has no part in what they resolve has no error.
    """
    found: dict[str, tuple[FloatArray, FloatArray]] = {}
    assert best is not None  # there is no uncertainty without
    for rdf in shown.rdfs.values():
        for pair, g in zip(rdf.pairs, rdf.g, strict=True):
            seen = np.flatnonzero(g)
            name = ordered_pair(pair, tuple(fit.space.base.species))
            if name in found or not seen.size:
                continue
            r = rdf.r[seen[0] :]
            errors = curve_errors(fit.space, np.array(best["x"]), uncertainty, name, r)
            if errors.any():
                found[name] = (r, errors)
    return found


def _result(fit: Fit, notes: list[str]) -> Mapping[str, Any]:
    """Read the result; empty where there is none, or more was run since it was written."""
    if not os.path.lexists(fit.folder.result):
        return {}
    try:
        result = read_result(fit.folder.result)
    except InputError as error:
        notes.append(f"{error}: left out")
        return {}
    return result if told(result) == len(fit.records) else {}


def _state(fit: Fit, result: Mapping[str, Any]) -> tuple[str, str]:
    resume = f"'lammpsfit resume {shlex.quote(str(fit.folder.path))}' goes on from here"
    if result.get("status") == "finished":
        return "finished", "searched to its end, and confirmed with fresh seeds"
    if result:
        return "stopped", f"stopped before its end ({result.get('stopped')}): {resume}"
    part = "in its confirmations" if fit.confirmations else "in its search"
    return "open", f"{part}; if it is not running any more, {resume}"


def _best_record(fit: Fit, result: Mapping[str, Any]) -> Record | None:
    """Return the record of the confirmed best, or of the lowest so far."""
    if result.get("status") == "finished":
        number = result["best"]["evaluation"]
        return next((r for r in fit.records if r["id"] == number), None)
    return fit.best_so_far()


def _fit_shown(fit: Fit, confirmed: Conditions, best: Record, result: Mapping[str, Any]) -> Shown:
    """Show the best by its confirmations; before there are any, by its run in the search."""
    potential = fit.potential(dict(best))
    if result.get("status") == "finished":
        found = _pooled(fit, confirmed, f"{FITTED}-{best['id']}", result)
        if found is not None:
            fields, runs, samples = found
            return _shown(FITTED, fields, runs, True, potential, confirmed, samples)
    samples = {}
    with suppress(InputError):
        samples = fit.samples(f"{best['id']:06d}")
    return _shown(FITTED, best, 1, False, potential, confirmed, samples)


def _shown(
    label: str,
    fields: Record,
    runs: int,
    sound: bool,
    potential: Potential,
    conditions: Conditions,
    samples: Samples,
) -> Shown:
    """Show a potential with the curves of its samples, as far as these are there."""
    rdfs = {name: sample.rdf for name, sample in samples.items()}
    targets = {one.name: one.problem.target for one in conditions.every}
    curves = {name: targets[name].curves_reached(sample) for name, sample in samples.items()}
    densities = {name: s.density for name, s in samples.items() if s.density is not None}
    return Shown(label, fields, runs, sound, potential, rdfs, curves, densities)


def _compared(fit: Fit, confirmed: Conditions, result: Mapping[str, Any]) -> Iterator[Shown]:
    for label, potential in confirmed.load_known(fit.job.confirm.compare).items():
        found = _pooled(fit, confirmed, label, result)
        if found is None:
            yield Shown(label, {}, 0, False, potential)
        else:
            fields, runs, samples = found
            yield _shown(label, fields, runs, True, potential, confirmed, samples)


def _pooled(
    fit: Fit, confirmed: Conditions, label: str, result: Mapping[str, Any]
) -> tuple[Record, int, Samples] | None:
    """Pool the confirmations of a label; where samples are gone, take what was written of them."""
    by_label: dict[str, list[Record]] = defaultdict(list)
    for record in fit.confirmations:
        by_label[record["label"]].append(record)
    records = by_label[label]
    failed = next((record for record in records if record["status"] != "ok"), None)
    if failed is not None or not records:
        return None if failed is None else (failed, len(records), {})
    numbers = sorted({record["repeat"] for record in records})
    try:
        runs = [fit.samples(Repeat(label, number).name) for number in numbers]
        samples = {name: pool([run[name] for run in runs]) for name in fit.conditions.names}
        evaluation = confirmed.evaluation(samples)
    except InputError:
        return result.get("confirmed", {}).get(label, records[-1]), len(numbers), {}
    return _fields(evaluation), len(numbers), samples


def _fields(evaluation: Evaluation) -> Record:
    """Make the fields of an evaluation, with the errors of its pairs."""
    fields = result_fields(evaluation)
    pairs = {} if evaluation.cost is None else evaluation.cost.pairs
    errors = {pair: one.error for pair, one in pairs.items()}
    also = {name: _fields(one) for name, one in evaluation.also.items()}
    return (
        fields | ({"pair_cost_errors": errors} if errors else {}) | ({"also": also} if also else {})
    )


def _parameters(fit: Fit, best: Record | None) -> list[Parameter]:
    start = fit.conditions.potential.parameters
    now = {} if best is None else fit.potential(dict(best)).parameters
    x = [None] * fit.space.dim if best is None else best["x"]
    lines = []
    for free, u in zip(fit.space.free, x, strict=True):
        at = ""
        if u is not None and u <= AT_BOUND:
            at = "at its lower bound"
        elif u is not None and u >= 1 - AT_BOUND:
            at = "at its upper bound"
        name = free.name
        lines.append(Parameter(name, start[name], now.get(name), free.lower, free.upper, at))
    for tie in fit.space.ties:
        follows = f"{tie.factor:g} × {tie.to}"
        lines.append(Parameter(tie.name, start[tie.name], now.get(tie.name), remark=follows))
    if fit.space.balance is not None:
        name = f"q_{fit.space.balance}"
        lines.append(Parameter(name, start[name], now.get(name), remark="keeps it neutral"))
    return lines


def points_of(fit: Fit, best: Record | None) -> Points:
    """Place the evaluations of a search in the space of its parameters, with the path to `best`."""
    d = fit.space.dim
    unit = np.array([r["x"] for r in fit.records], dtype=np.float64).reshape(-1, d)
    values = [list(fit.space.values(u).values()) for u in unit]
    told = [r["objective"] if r["status"] == "ok" else (np.nan, np.nan) for r in fit.records]
    return Points(
        names=fit.space.names,
        bounds=np.array([(free.lower, free.upper) for free in fit.space.free]),
        unit=unit,
        values=np.array(values, dtype=np.float64).reshape(-1, d),
        what=fit.conditions.minimised,
        cost=np.array([value for value, _ in told]),
        error=np.array([error for _, error in told]),
        stages=tuple(r["stage"] for r in fit.records),
        path=tuple(_path(fit, best)),
    )


def _path(fit: Fit, best: Record | None) -> list[int]:
    """Return the rows that led to the best: from run to run, or at each lower objective."""
    if best is None:
        return []
    rows = {record["id"]: row for row, record in enumerate(fit.records)}
    back = [rows[best["id"]]]
    while (origin := fit.records[back[-1]].get("origin")) in rows and rows[origin] not in back:
        back.append(rows[origin])
    if len(back) > 1:
        return back[::-1]
    lowest, path = np.inf, []
    for row, record in enumerate(fit.records):
        if record["status"] == "ok" and record["objective"][0] < lowest:
            lowest = record["objective"][0]
            path.append(row)
    return path if path[-1:] == back else [*(row for row in path if row < back[0]), *back]


def _lammps(fit: Fit, best: Record | None, notes: list[str], *, finished: bool) -> tuple[str, str]:
    exported = fit.folder.lammps / FILES["overlay"]
    if finished and os.path.lexists(exported):
        where = exported.relative_to(fit.folder.path)
        try:
            return read_text(exported), f"{where}, whose forces were compared with U(r)"
        except InputError as error:
            notes.append(f"{error}: left out")
    if best is None:
        return "", ""
    potential: Potential = fit.potential(dict(best))
    lines = (
        "# types: " + ", ".join(f"{i} = {name}" for i, name in enumerate(potential.species, 1)),
        *mass_lines(potential),
        *charge_lines(potential),
        "",
        *overlay_pair_lines(potential, "remainder.table"),
    )
    return "\n".join(lines), (
        "the best so far, unchecked: the table is written when the fit is finished"
    )


def _condition(name: str, problem: Problem, joint: Sequence[JointTerm]) -> Condition:
    """Show a condition; terms of several stand with those of the main one."""
    system, protocol, target = problem.system, problem.protocol, problem.target
    source: Sequence[str] = ()
    if problem.reference is not None:
        source = problem.reference.header or (problem.reference.path.name,)
    structure = target.structure
    return Condition(
        name=name,
        main=name == MAIN,
        system=_system_words(system, protocol),
        wanted=[*problem.wanted, *(term.column.label for term in joint)],
        source=source,
        reference=None if structure is None else structure.reference,
        definition="" if structure is None else structure.definition,
        columns=[*(term.column for term in target.others), *(term.column for term in joint)],
        curves=target.curves,
    )


def _system_words(system: System, protocol: Protocol) -> str:
    return (
        f"{system.atoms} atoms of {system.formula} at {state_words(system, protocol)}, "
        f"{protocol.relax:g} ps to relax and {protocol.sample:g} ps "
        "sampled, in each run"
    )


def _search_words(fit: Fit) -> str:
    table = fit.job.strategy
    if table.name == "paper":
        return (
            f"a design of {table.design} points, a Gaussian process with expected improvement, "
            "then conjugate gradients"
        )
    many = "" if table.starts == 1 else f", {table.starts} descents at a time"
    return f"least squares with the derivatives that each run brings (Gauss-Newton{many})"


def _files(folder: RunFolder) -> list[tuple[str, str]]:
    return [(name, what) for name, what in KNOWN_FILES.items() if (folder.path / name).exists()]
