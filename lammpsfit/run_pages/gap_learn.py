"""The page of active learning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lammpsfit.gap.work.learn import LearnRequest, Round
from lammpsfit.report.html import Section, element, join, page, paragraph, table
from lammpsfit.report.panels import Curve, Panel, Picture, panels_markup

SHOWN = 4
"""Rounds in the picture: the first, the last, and some between."""


def learn_lines(rounds: Sequence[Round]) -> Iterator[str]:
    """Say what each round came to, a line each."""
    labels = 0
    for number, runs in enumerate(rounds):
        asked = sum(run.frame is not None for run in runs)
        shortest = min(run.time for run in runs)
        yield (
            f"round {number}: {labels} labels, shortest run {shortest:g} ps, largest error "
            f"{_largest(runs):.3f} eV/Å, asks for {asked}"
        )
        labels += asked


def _largest(runs: Round) -> float:
    """Return the largest predicted error of the model of a round, eV/Å."""
    return max(max(run.errors, default=0.0) for run in runs if not run.carried)


def learn_page(title: str, rounds: Sequence[Round], request: LearnRequest) -> str:
    """Make the page of what was learnt."""
    labels, rows = 0, []
    for number, runs in enumerate(rounds):
        asked = sum(run.frame is not None for run in runs)
        error = _largest(runs)
        rows.append(
            (
                str(number),
                str(labels),
                f"{min(run.time for run in runs):g}",
                f"{error:.3f}",
                str(asked),
            )
        )
        labels += asked
    head = ("round", "labels", "shortest run (ps)", "largest error (eV/Å)", "frames to label")
    every = max(len(rounds) // SHOWN, 1)
    chosen = sorted({*range(0, len(rounds), every), len(rounds) - 1})
    panels = []
    for k in range(len(rounds[0])):
        curves = {}
        for number in chosen:
            run = rounds[number][k]
            errors = np.array(run.errors)
            if len(errors) and not run.carried:
                time = request.look * np.arange(1, len(errors) + 1, dtype=np.float64)
                curves[f"round {number}"] = Curve(time, errors)
        panels.append(Panel(f"run {k + 1}, {rounds[0][k].temperature:g} K", curves))
    shown = Picture("errors", "", "time (ps)", "predicted error (eV/Å)", "time_ps", panels)
    heading = join(
        [
            element("h1", title),
            paragraph(
                f"Runs of {request.time:g} ps stop where a predicted error of a force is above "
                f"{request.trust:g} eV/Å. {labels} frames were labelled."
            ),
        ]
    )
    return page(
        title,
        heading,
        [
            Section("rounds", "Rounds", table(head, rows)),
            Section(
                "errors",
                "Predicted errors",
                panels_markup(shown, "largest predicted error over time"),
            ),
        ],
    )
