"""Formulas of docstrings: an indented paragraph is shown as it stands.

In the source a formula is set off by its indentation alone, as in Markdown; reStructuredText would
take that for a quotation, and run its lines together.
"""

from collections.abc import Mapping
from typing import Any

from sphinx.application import Sphinx

DEPTH = 4
"""Spaces a formula is indented by; less is the continuation of a list."""


def mark_formulas(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Put the mark of a literal block before each formula."""
    marked: list[str] = []
    before = ""
    for i, line in enumerate(lines):
        begins = i > 0 and line.strip() and not lines[i - 1].strip()
        if begins and depth(line) >= depth(before) + DEPTH and not before.endswith("::"):
            marked += [f"{' ' * depth(before)}::", ""]
        marked.append(line)
        before = line if line.strip() else before
    lines[:] = marked


def depth(line: str) -> int:
    """Spaces at the beginning of a line."""
    return len(line) - len(line.lstrip())


def setup(app: Sphinx) -> Mapping[str, Any]:
    """Mark formulas before NumPy-style sections are read."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", mark_formulas, priority=400)
    return {"parallel_read_safe": True}
