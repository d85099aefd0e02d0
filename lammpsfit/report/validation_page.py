"""The page of a validation: tables and pictures of longer runs beside what is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lammpsfit.report.facts import Fact, facts_html
from lammpsfit.report.html import (
    Markup,
    Section,
    code,
    element,
    items,
    join,
    page,
)
from lammpsfit.report.panels import Picture, panels_markup


@dataclass(frozen=True)
class Validation:
    """What a page of a validation shows.

    Attributes
    ----------
    title : str
        What was validated.
    facts : sequence of Fact
        Numbers.
    pictures : sequence of Picture
        Curves.
    failures : mapping of str to str
        Why runs failed, by their name.
    notes : sequence of str
        How it was done.
    command : str
        What made it.
    content : mapping
        All of it as plain data.
    """

    title: str
    facts: Sequence[Fact]
    pictures: Sequence[Picture]
    failures: Mapping[str, str]
    notes: Sequence[str]
    command: str
    content: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """What is said under the tables."""
        failed = [f"{name}: failed: {why}" for name, why in self.failures.items()]
        return [*failed, *self.notes]


def validation_page(view: Validation) -> str:
    """Make the page."""
    heading = join(
        [
            element("h1", f"{view.title}: validation"),
            items([f"{line}." for line in view.notes]),
            code(view.command),
        ]
    )
    parts = list(dict.fromkeys(fact.part for fact in view.facts))
    sections = []
    if view.failures:
        lines = [f"{name}: {why}" for name, why in view.failures.items()]
        sections.append(Section("failures", "Runs that failed", items(lines)))
    for number, part in enumerate(parts):
        sections.append(Section(f"part-{number}", part, _part(view, part)))
    return page(f"{view.title}: validation", heading, sections)


def _part(view: Validation, part: str) -> Markup:
    facts = [fact for fact in view.facts if fact.part == part]
    shown = [one for one in view.pictures if one.title.endswith(f": {part}")]
    return join(
        [
            facts_html(facts, "Values with their standard errors"),
            *(
                panels_markup(
                    one,
                    f"{one.title}; panels {', '.join(panel.title for panel in one.panels)}.",
                    f"{one.title}. Bands are twice the standard error; numbers in {one.name}.csv.",
                )
                for one in shown
            ),
        ]
    )
