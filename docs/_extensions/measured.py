"""``regression`` and ``scripts``: what was measured, from the files that the scripts wrote."""

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Regression(SphinxDirective):
    """The table of the last regression, from its JSON file."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the table as Markdown, and have it parsed like any other."""
        name, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(name)
        return self.parse_text_to_nodes(regression(json.loads(Path(path).read_text("utf-8"))))


class Scripts(SphinxDirective):
    """The scripts of a folder, with the first sentence of what they say of themselves."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the table as Markdown, and have it parsed like any other."""
        folder = Path(self.env.relfn2path(self.arguments[0])[1])
        rows = ["| script | what it does |", "|---|---|"]
        for script in sorted(folder.glob("*.py")):
            said = ast.get_docstring(ast.parse(script.read_text("utf-8"))) or ""
            rows.append(f"| `{folder.name}/{script.name}` | {first_paragraph(said)} |")
        return self.parse_text_to_nodes("\n".join(rows))


def regression(found: Mapping[str, Any]) -> str:
    """Return what a regression found, as Markdown; costs in per cent."""
    potentials = found["potentials"]
    pairs = next(iter(potentials.values()))["pair_costs"]
    rows = [
        f"Measured on {found['date']} ({found['machine']}). {first(potentials)['definition']}.",
        "",
        "| potential | " + " | ".join(f"{pair}, %" for pair in pairs) + " | R, % | R_c, % |",
        "|---|" + "--:|" * (len(pairs) + 2),
    ]
    for name, one in potentials.items():
        cells = [f"{100 * one['pair_costs'][pair]:.1f}" for pair in pairs]
        R = f"{100 * one['cost']:.2f} ± {100 * one['cost_error']:.2f}"
        cells += [R, f"{100 * one['cost_corrected']:.2f}"]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def first(table: Mapping[str, Any]) -> Any:
    """First value of a table."""
    return next(iter(table.values()))


def first_paragraph(text: str) -> str:
    """First paragraph of a docstring in one line, as a cell of a Markdown table."""
    return " ".join(text.split("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")


def setup(app: Sphinx) -> Mapping[str, Any]:
    """Register the directives."""
    app.add_directive("regression", Regression)
    app.add_directive("scripts", Scripts)
    return {"parallel_read_safe": True}
