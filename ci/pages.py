"""Pages of the docs that scripts write into, between markers."""


def at_markers(text: str, name: str) -> tuple[str, str, str]:
    """Split a page into what is before, between and after the markers of a name, and keep these."""
    begin, end = (f"<!-- {word}: {name} -->" for word in ("begin", "end"))
    before, rest = text.split(begin)
    between, after = rest.split(end)
    return before + begin, between, end + after
