"""The page of one run: sections of text, tables and pictures from a :class:`RunView`."""

import math
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from textwrap import shorten
from typing import Any, Final

from lammpsfit.report.density import densities, wanted_density
from lammpsfit.report.html import (
    Markup,
    Section,
    code,
    doi_link,
    element,
    folded,
    items,
    join,
    page,
    paragraph,
    table,
    text,
    tiles,
)
from lammpsfit.report.run_pictures import course, curves_section, distributions, other_curves
from lammpsfit.report.run_space import search_space, uncertainty
from lammpsfit.report.run_view import Condition, Parameter, RunView, Shown
from lammpsfit.report.tables import UNKNOWN, share_words, wanted_words
from lammpsfit.report.uncertainty import error_words
from lammpsfit.report.words import (
    METHOD,
    cost_words,
    count_words,
    drift_words,
    estimate_words,
    number_words,
    percent,
)
from lammpsfit.target import Column
from lammpsfit.target.objective import ONLY_R
from lammpsfit.units import BAR_PER_GPA
from lammpsfit.words import FITTED, list_words, time_words

LAMMPS: Final = "10.1016/j.cpc.2021.108171"


def run_page(view: RunView) -> str:
    """Make the page of a run."""
    density = densities(view)
    sections = [
        Section("potential", "Potential", _potential(view)),
        Section("costs", "Distance from the reference", _costs(view)),
        *(
            [Section("gr", "Pair distributions", distributions(view))]
            if any(one.reference is not None for one in view.conditions)
            else []
        ),
        *(
            [Section("terms", "Other curves", other_curves(view))]
            if any(one.curves for one in view.conditions)
            else []
        ),
        *([Section("density", "Density", density)] if density is not None else []),
        Section("course", "Course of the search", course(view)),
        Section("curves", "Pair potentials", curves_section(view)),
        Section("uncertainty", "Uncertainty", uncertainty(view)),
        Section("space", "Search space", search_space(view)),
        Section("use", "How to use it", _use(view)),
    ]
    return page(f"{view.title}: lammpsfit report", _heading(view), sections)


def _heading(view: RunView) -> Markup:
    best = view.best
    status = element(
        "span", view.state if view.state != "open" else "not finished", class_="state"
        if view.state == "finished" else "state open"
    )  # fmt: skip
    names = ", ".join(view.points.names)
    wanted = list_words([words for one in view.conditions for words in one.wanted])
    systems = "; ".join(one.system for one in view.conditions)
    fitted = (
        f"{view.free} parameter{'s' if view.free != 1 else ''} of the potential {view.start.name} "
        f"({names}), fitted to: {wanted}. Each evaluation: {systems}. Search: {view.search}."
    )
    return join(
        [
            element("h1", view.title),
            paragraph(status, " ", view.state_words),
            tiles(_facts(view)),
            paragraph(fitted),
            *([paragraph(_verdict(view))] if best is not None and best.ok else []),
        ]
    )


def _facts(view: RunView) -> Iterator[tuple[str, str, str]]:
    best, what = view.best, view.points.what
    if best is not None and best.ok:
        how = f"confirmed with {_runs(best.runs)}" if best.confirmed else "one run of the search"
        together = ", over all conditions" if len(view.conditions) > 1 else ""
        name = f"{what} of the fit" if best.confirmed else f"lowest {what} so far"
        yield name, f"{cost_words(*best.total)} %", f"{how}{together}"
    for shown in view.shown:
        if shown.label != FITTED and shown.ok:
            yield f"{what} of {shown.label}", f"{cost_words(*shown.total)} %", _runs(shown.runs)
    status = Counter(record["status"] for record in view.records)
    none = f"{status['failed']} failed" + (
        f", {status['censored']} given up" if status["censored"] else ""
    )
    if view.taken_over:
        none += f"; {view.taken_over} more from an earlier run"
    yield "evaluations", str(view.evaluated), none
    yield "MD work", count_words(view.atom_steps), "atoms × steps, with confirmations"
    yield "wall time", time_words(view.wall_s), "search and confirmations"


def _runs(number: int) -> str:
    return f"{number} fresh run{'s' if number != 1 else ''}"


def _verdict(view: RunView) -> str:
    """Return a sentence that compares the fit with the known potentials."""
    best = view.best
    assert best is not None
    if not best.confirmed:
        return (
            "This is the lowest of many single runs, so it is partly luck. At the end of the fit "
            "the best are run again with fresh seeds."
        )
    beaten: list[str] = []
    others: list[str] = []
    for shown in view.shown:
        if shown.label == FITTED or not shown.ok:
            continue
        (ours, our_error), (theirs, their_error) = best.total, shown.total
        noise = math.hypot(_finite(our_error), _finite(their_error))
        (beaten if theirs - ours > 2 * noise else others).append(shown.label)
    if not beaten + others:
        return "No known potential was run to compare."
    nearer = f"It is nearer to the reference than {list_words(beaten)}" if beaten else ""
    rest = (
        f"{'; it is' if beaten else 'It is'} not nearer than {list_words(others)}" if others else ""
    )
    return f"{nearer}{rest} (by two standard errors of these runs)."


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _potential(view: RunView) -> Markup:
    if view.best is None:
        return paragraph("No evaluation has given a cost yet.")
    many = [p for p in view.parameters if p.remark.startswith("at its")]
    warning = (
        [
            paragraph(
                element("span", "At a bound: ", class_="flag"),
                ", ".join(p.name for p in many)
                + ". The best may be outside: widen the bounds, unless they have a reason.",
            )
        ]
        if many
        else []
    )
    block = view.uncertainty or {}
    lines = [_parameter_cells(p, block) for p in view.parameters]
    head = ["parameter", "start", "now", "change", "lower bound", "upper bound"]
    if block:
        head.append("standard error")
    caption = "Parameters, in the units of LAMMPS metal (eV, Å, e)."
    return join(
        [
            table([*head, "remark"], lines, caption=caption, words=[len(head)]),
            *warning,
            element("h3", "For LAMMPS"),
            paragraph(f"From {view.lammps_from}. A click selects all.", soft=True),
            code(view.lammps, copy=True),
        ]
    )


def _parameter_cells(p: Parameter, block: Mapping[str, Any]) -> list[object]:
    change = ""
    if p.value is not None and p.start:
        change = f"{100 * (p.value / p.start - 1):+z.1f} %".replace("-", "−")
    cells: list[object] = [
        p.name,
        number_words(p.start),
        UNKNOWN if p.value is None else number_words(p.value),
        change,
        "" if p.lower is None else number_words(p.lower),
        "" if p.upper is None else number_words(p.upper),
    ]
    if block:
        known = p.name in block["errors"]
        error = block["errors"].get(p.name)
        unit = "" if error is None or block["relative"].get(p.name, True) else " of its range"
        cells.append(f"{error_words(error)}{unit}" if known else "")
    flagged = p.remark.startswith("at its")
    return [*cells, element("span", p.remark, class_="flag") if flagged else p.remark]


def _costs(view: RunView) -> Markup:
    failed = [
        f"{shown.label} failed: {shown.fields.get('reason')}: "
        f"{shorten(str(shown.fields.get('detail', '')), 200)}"
        for shown in view.shown
        if shown.fields and not shown.ok
    ]
    waiting = [shown.label for shown in view.shown if not shown.fields]
    notes = [
        *dict.fromkeys(f"{one.definition}." for one in view.conditions if one.definition),
        *_error_notes(view),
        *_objective_notes(view),
        *failed,
        *([f"Not run yet: {list_words(waiting)}."] if waiting else []),
    ]
    return join([*(_cost_table(view, one) for one in view.conditions), items(notes)])


def _objective_notes(view: RunView) -> Iterator[str]:
    """Return the definition of the objective, if there are terms beside g(r)."""
    yield from _drift_notes(view)
    words = dict.fromkeys(column.words for one in view.conditions for column in one.columns)
    if words:
        structure = any(one.reference is not None for one in view.conditions)
        parts = "R and of the other terms" if structure else "all terms"
        yield (
            f"Objective: the root of the sum of squares of {parts}. In brackets, the share of a "
            "term in the squared objective."
        )
    yield from (f"{word}." for word in words)
    if len(view.conditions) > 1:
        yield from (
            f"{shown.label}: objective {cost_words(*shown.total)} % over all conditions."
            for shown in view.shown
            if shown.ok
        )


def _drift_notes(view: RunView) -> Iterator[str]:
    """Name the potentials whose density still drifts, under each condition."""
    for condition in view.conditions:
        where = f", {condition.name}" if len(view.conditions) > 1 else ""
        for shown in view.shown:
            if words := drift_words(shown.under(condition).get("density_drift")):
                yield f"{shown.label}{where}: {words}."


def _error_notes(view: RunView) -> Iterator[str]:
    """Say what the errors are."""
    error = "± is a standard error (block jackknife over the runs)."
    if all(one.reference is None for one in view.conditions):
        yield error
    else:
        yield (
            f"R_c is R without its statistical noise. {error} The quarters of the run show drift; "
            "each is noisier than the whole run."
        )


def _cost_table(view: RunView, condition: Condition) -> Markup:
    reference = condition.reference
    pairs = [] if reference is None else list(reference.pairs)
    of_structure = [f"R {pair} (%)" for pair in pairs]
    if reference is not None:
        of_structure += ["R (%)", "R_c (%)", "by quarters (%)"]
    terms = [f"{c.label} ({c.unit})" if c.unit else c.label for c in condition.columns]
    head = [*of_structure, *terms, *_objective_head(view)]
    averages = ["T (K)", "P (GPa)", *_density_head(view, condition), "runs"]
    rows = [_cost_cells(shown, condition, pairs, view) for shown in view.shown]
    if terms:
        wanted = ["wanted", *[""] * len(of_structure), *map(wanted_words, condition.columns)]
        rows.insert(0, wanted + [""] * (1 + len(head) + len(averages) - len(wanted)))
    chosen = 1 if terms else 0
    return table(
        ["potential", *head, *averages],
        rows,
        caption=f"{condition.name}: {condition.system}" if len(view.conditions) > 1 else "",
        chosen=chosen if view.best is not None else None,
    )


def _objective_head(view: RunView) -> list[str]:
    """Head of the column of the objective, where it is more than R, and of one condition."""
    several = len(view.conditions) > 1 or view.points.what == ONLY_R
    return [] if several else [f"{view.points.what} (%)"]


def _density_head(view: RunView, condition: Condition) -> list[str]:
    """Head of the column of the density, where it may change and is not wanted."""
    known = any("density" in shown.under(condition) for shown in view.shown)
    return ["density (g/cm³)"] if known and wanted_density(condition) is None else []


def _cost_cells(
    shown: Shown, condition: Condition, pairs: Sequence[str], view: RunView
) -> list[str]:
    fields = shown.under(condition)
    label = shown.label if shown.confirmed or not fields else f"{shown.label} (not confirmed)"
    blank = [""] * (0 if condition.reference is None else len(pairs) + 3)
    if "objective" not in fields:
        others = len(condition.columns) + len(_objective_head(view))
        cells = [*blank, *[""] * (others + 2 + len(_density_head(view, condition)))]
        # where R stands, or the objective
        cells[len(pairs) if blank else len(condition.columns)] = "failed" if fields else UNKNOWN
        return [label, *cells, str(shown.runs)]
    return [
        label,
        *(blank if condition.reference is None else _structure_cells(fields, condition, pairs)),
        *(_term_words(fields, column) for column in condition.columns),
        *(cost_words(*shown.total) for _ in _objective_head(view)),
        estimate_words(fields.get("temperature"), 1.0, 0),
        estimate_words(fields.get("pressure"), 1 / BAR_PER_GPA, 2),
        *(estimate_words(fields.get("density"), 1.0, 3) for _ in _density_head(view, condition)),
        str(shown.runs),
    ]


def _structure_cells(
    fields: Mapping[str, Any], condition: Condition, pairs: Sequence[str]
) -> list[str]:
    """Give R of each pair, R, R_c and the quarters."""
    errors = fields.get("pair_cost_errors", {})
    by_pair = [
        percent(fields["pair_costs"].get(pair, math.nan), 1)
        + (f" ± {percent(errors[pair], 1)}" if math.isfinite(errors.get(pair, math.nan)) else "")
        for pair in pairs
    ]
    return [
        *by_pair,
        cost_words(fields["cost"], fields.get("cost_error", math.nan))
        + (f" {share_words(_of_structure(fields))}" if condition.columns else ""),
        percent(fields.get("cost_corrected", math.nan)),
        " ".join(percent(x, 1) for x in fields.get("cost_quarters", ())),
    ]


def _of_structure(fields: Mapping[str, Any]) -> float:
    """Return the share of R in the squared objective."""
    shares = (one["share"] for one in fields.get("terms", {}).values() if one["wanted"] is None)
    return float(next(shares, 1.0))


def _term_words(fields: Mapping[str, Any], column: Column) -> str:
    """Give what was reached of a term, and its share in the squared objective."""
    found = fields.get("terms", {}).get(column.name)
    if found is None:
        return UNKNOWN
    value = estimate_words(found["value"], column.factor, column.digits)
    return f"{value} {share_words(found['share'])}"


def _use(view: RunView) -> Markup:
    folder = shlex.quote(view.folder)
    commands = [
        f"lammpsfit export {folder} -o for-lammps    # LAMMPS files, run again and compared",
        f"lammpsfit resume {folder}                  # goes on from the journal",
        f"lammpsfit report {folder}                  # this page, as the folder is now",
        f"lammpsfit fit {folder}/job.toml -o again   # the same fit from the start",
    ]
    if view.state == "finished":
        commands.insert(0, f"cd {folder}/lammps && lmp -in in.example")
    else:
        commands = commands[1:]
    versions = ", ".join(f"{name} {version}" for name, version in view.versions.items())
    return join(
        [
            code("\n".join(commands)),
            paragraph(
                "In an input of your own, put the atoms in place and say ",
                element("code", "include potential.lmp"),
                "; the header of that file tells the types and the units.",
            ),
            table(["file", "what"], [[name, what] for name, what in view.files], words=[1],
                  caption=f"In {view.folder}"),
            paragraph(f"Seed {view.seed}; versions: {versions}."),
            folded("The job file", code(view.job)),
            paragraph("Cite the method: ", doi_link(METHOD), "; LAMMPS: ", doi_link(LAMMPS), "; ",
                      *_citations(view)),
        ]
    )  # fmt: skip


def _citations(view: RunView) -> Iterator[object]:
    known = {view.start.name: view.start}
    known |= {s.label: s.potential for s in view.shown if s.potential and s.label != FITTED}
    cited = [(name, p.doi) for name, p in known.items() if p.doi]
    for k, (name, doi) in enumerate(cited):
        yield text(f"{'; ' if k else ''}{name}: ")
        yield doi_link(doi)
    yield "."
