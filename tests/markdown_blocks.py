"""The fenced code blocks of a Markdown page, with what HTML comments before them say of a test.

A reader does not see these comments:

- ``<!-- save: NAME -->`` the block is the content of this file (the text names it, too);
- ``<!-- test: OLD => NEW -->`` a test takes NEW for OLD, to be quick; once for each;
- ``<!-- test: names only -->`` a test runs nothing, but checks that commands, options, targets and
  scripts named there exist;
- ``<!-- test: in the folder of PAGE -->``, ``<!-- test: in a clone -->``, once in a page: where its
  blocks are run; otherwise in an empty folder.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

FENCE = re.compile(r"^( *)```+(.*?)\n(.*?)^\1```+ *$", re.MULTILINE | re.DOTALL)
COMMENTS = re.compile(r"(?:<!--(?:(?!-->).)*-->\s*)+\Z", re.DOTALL)
COMMENT = re.compile(r"<!--\s*(save|test):\s*(.*?)\s*-->")
PLACE = re.compile(r"<!-- test: in (a clone|the folder of ([\w/.]+)) -->")


@dataclass(frozen=True)
class Block:
    """A code block."""

    page: Path
    line: int
    language: str
    text: str
    save: str | None = None
    names_only: bool = False
    changes: tuple[tuple[str, str], ...] = field(default=())

    @property
    def where(self):
        return f"{self.page.name}:{self.line}"

    @property
    def short(self):
        """The text as a test takes it; every change must find what it changes."""
        text = self.text
        for old, new in self.changes:
            assert old in text, f"{self.where}: the block has no {old!r} to change"
            text = text.replace(old, new)
        return text


def blocks(page):
    """Return the blocks of a page in order."""
    content = page.read_text(encoding="utf-8")
    return [block(page, content, found) for found in FENCE.finditer(content)]


def block(page, content, found):
    indent, language, text = found.groups()
    lead = COMMENTS.search(content[: found.start()])
    said = COMMENT.findall(lead.group()) if lead else []
    saves = [value for key, value in said if key == "save"]
    tests = [value for key, value in said if key == "test" and not value.startswith("in ")]
    changes = [tuple(v.replace("\\n", "\n").split(" => ")) for v in tests if v != "names only"]
    line = content[: found.start()].count("\n") + 1
    assert all(len(change) == 2 for change in changes), f"{page.name}:{line}: {tests}"
    return Block(
        page,
        line,
        language.strip(),
        re.sub(f"^{indent}", "", text, flags=re.MULTILINE),
        saves[0] if saves else None,
        "names only" in tests,
        tuple(changes),
    )


def place(page):
    """Tell where a page's blocks are run: "empty", "clone", or the page whose folder it is."""
    found = PLACE.search(page.read_text(encoding="utf-8"))
    if found is None:
        return "empty"
    return page.parent / found.group(2) if found.group(2) else "clone"
