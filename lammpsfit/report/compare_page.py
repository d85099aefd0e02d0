"""The page that compares several runs: what more free parameters buy."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lammpsfit.report.html import (
    Markup,
    Section,
    doi_link,
    element,
    items,
    join,
    page,
    paragraph,
    picture,
    table,
)
from lammpsfit.report.run_view import RunView
from lammpsfit.report.search_plots import plot_complexity
from lammpsfit.report.tables import UNKNOWN
from lammpsfit.report.words import METHOD, cost_words, count_words, percent
from lammpsfit.target.objective import ONLY_R
from lammpsfit.words import FITTED, time_words


def compare_page(views: Sequence[RunView]) -> str:
    """Make the page: R against the number of free parameters, and a table of the runs."""
    names = _names(views)
    heading = join(
        [
            element("h1", f"{len(views)} fits compared"),
            paragraph(_summary(views, names)),
        ]
    )
    sections = [
        Section("complexity", "Cost against complexity", _complexity(views, names)),
        Section("runs", "Runs", _tables(views, names)),
    ]
    return page("fits compared: lammpsfit report", heading, sections)


def _names(views: Sequence[RunView]) -> list[str]:
    """Name runs by their title, and by their folder where titles are alike."""
    titles = [view.title for view in views]
    return [
        view.title if titles.count(view.title) == 1 else f"{view.title} ({view.folder})"
        for view in views
    ]


def _what(views: Sequence[RunView]) -> str:
    """Name what the runs minimised; an objective where one of them did more than R."""
    return next((v.points.what for v in views if v.points.what != ONLY_R), ONLY_R)


def _summary(views: Sequence[RunView], names: Sequence[str]) -> str:
    known = [
        (view.best.total[0], name, view)
        for name, view in zip(names, views, strict=True)
        if view.best is not None and view.best.ok and view.best.confirmed
    ]
    if not known:
        return "No run is confirmed yet."
    _, name, view = min(known, key=lambda item: item[0])
    assert view.best is not None
    return (
        f"Lowest confirmed {_what(views)}: {cost_words(*view.best.total)} %, by {name} with "
        f"{view.free} free parameters."
    )


def _complexity(views: Sequence[RunView], names: Sequence[str]) -> Markup:
    runs = [
        (name, view.free, *view.best.total, view.best.confirmed)
        for name, view in zip(names, views, strict=True)
        if view.best is not None and view.best.ok
    ]
    if not runs:
        return paragraph("No evaluation has given a cost yet.")
    levels: dict[str, float] = {}
    for view in views:
        for shown in view.shown:
            if shown.label != FITTED and shown.ok:
                levels.setdefault(shown.label, shown.total[0])
    alt = f"{_what(views)} against free parameters: " + "; ".join(
        f"{name} {percent(cost)} % with {free}" for name, free, cost, _, _ in runs
    )
    meanings = {tuple(one.definition for one in view.conditions) for view in views}
    definitions = [one.definition for v in views for one in v.conditions if one.definition]
    notes = [f"{one}." for one in dict.fromkeys(definitions)]
    if len(meanings) > 1:
        notes.append("These definitions differ: do not compare the values.")
    if levels:
        notes.append("Each known potential is from the first of these runs that ran it.")
    caption = (
        f"{_what(views)} with its standard error; hollow: a single run of the search, not "
        "confirmed. As in Fig. 8 of "
    )
    return join(
        [
            picture(
                plot_complexity(runs, levels, _what(views)),
                f"{alt}.",
                join([caption, doi_link(METHOD), "."], ""),
                wide=True,
            ),
            items(notes),
        ]
    )


def _tables(views: Sequence[RunView], names: Sequence[str]) -> Markup:
    ordered = sorted(zip(names, views, strict=True), key=lambda item: (item[1].free, item[0]))
    head = ["run", "free", f"{_what(views)} (%)", "R_c (%)", "confirmed", "evaluations", "failed",
            "MD work", "wall time", "state"]  # fmt: skip
    about = ["run", "start", "folder", "free parameters", "each evaluation"]
    rows = [
        [name, view.start.name, view.folder, ", ".join(view.points.names), _systems(view)]
        for name, view in ordered
    ]
    return join(
        [
            table(
                head,
                [_numbers(name, view) for name, view in ordered],
                caption="What came of them, and what it took",
            ),
            table(about, rows, caption="What was fitted", words=[3, 4]),
        ]
    )


def _numbers(name: str, view: RunView) -> list[object]:
    fields: Mapping[str, Any] = {} if view.best is None else view.best.fields
    return [
        name,
        view.free,
        cost_words(*view.best.total) if view.best is not None and view.best.ok else UNKNOWN,
        percent(fields.get("cost_corrected", math.nan)),
        "yes" if view.best is not None and view.best.confirmed else "no",
        view.evaluated,
        sum(record["status"] == "failed" for record in view.records),
        count_words(view.atom_steps),
        time_words(view.wall_s),
        "not finished" if view.state == "open" else view.state,
    ]


def _systems(view: RunView) -> str:
    return "; ".join(one.system for one in view.conditions)
