"""Pages of the docs that scripts write into, between markers."""

from collections.abc import Iterable
from pathlib import Path


def at_markers(text: str, name: str) -> tuple[str, str, str]:
    """Split a page into what is before, between and after the markers of a name, and keep these."""
    begin, end = (f"<!-- {word}: {name} -->" for word in ("begin", "end"))
    before, rest = text.split(begin)
    between, after = rest.split(end)
    return before + begin, between, end + after


def write_between(page: Path, name: str, parts: Iterable[str]) -> None:
    """Replace what is between the markers of a name in a page."""
    before, _, after = at_markers(page.read_text(encoding="utf-8"), name)
    page.write_text(f"{before}\n\n{''.join(parts)}{after}", encoding="utf-8")
