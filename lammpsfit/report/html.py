"""Pieces of a self-contained HTML page: text, tables, pictures, sections, and the page itself.

Whatever is no :class:`Markup` is escaped, so that what comes out of files stays text.
"""

import html
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from string import Template
from typing import Final

from matplotlib.figure import Figure

from lammpsfit import __version__
from lammpsfit.report.figures import as_it_stands
from lammpsfit.resources import templates

DPI: Final = 160
"""Resolution of pictures: sharp where a phone shows two points as one."""

NARROW: Final = "(max-width: 40rem)"
"""Screens that ``report.html`` lays out for a phone."""

DOI: Final = "https://doi.org/"


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


@dataclass(frozen=True)
class Section:
    """A part of a page, with its name in links and its heading."""

    name: str
    heading: str
    content: Markup


def text(value: object) -> Markup:
    """Escape what is no markup.

    >>> text("a < b"), text(Markup("<b>a</b>"))
    ('a &lt; b', '<b>a</b>')
    """
    if isinstance(value, Markup):
        return value
    # bytes of file names that are no text would not be written as UTF-8
    plain = str(value).encode("utf-8", "replace").decode("utf-8")
    return Markup(html.escape(plain))


def join(parts: Iterable[object], between: str = "\n") -> Markup:
    """Put parts one after another, escaped where they are no markup."""
    return Markup(between.join(map(text, parts)))


def element(name: str, *content: object, **attributes: str) -> Markup:
    """Make an element; of an attribute's name a ``_`` at the end is dropped, others become ``-``.

    >>> element("p", "a & b", class_="soft")
    '<p class="soft">a &amp; b</p>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{given}>{join(content, '')}</{name}>")


def paragraph(*content: object, soft: bool = False) -> Markup:
    """Make a paragraph."""
    return element("p", *content, **({"class_": "soft"} if soft else {}))


def items(lines: Iterable[object]) -> Markup:
    """Make a list."""
    return element("ul", *(element("li", line) for line in lines))


def code(value: object, *, copy: bool = False) -> Markup:
    """Make a block of text as it stands; with `copy` one click selects it all."""
    return element("pre", element("code", value), **({"class_": "copy"} if copy else {}))


def doi_link(doi: str) -> Markup:
    """Link to where a DOI leads."""
    return element("a", f"doi:{doi}", href=f"{DOI}{doi}")


def table(
    head: Sequence[object],
    rows: Sequence[Sequence[object]],
    *,
    caption: object = "",
    words: Sequence[int] = (),
    chosen: int | None = None,
    breaks: bool = False,
) -> Markup:
    """Make a table that scrolls in a box of its own; the first cell of a row names the row.

    Parameters
    ----------
    head
        Names of the columns.
    rows
        Cells by row.
    caption
        What the table shows.
    words
        Columns that hold words, which are set flush left and broken into lines.
    chosen
        Row that is set apart.
    breaks
        Whether cells stand below the name of their row, with their heads, where the screen is
        narrow.
    """

    def flush(k: int) -> dict[str, str]:
        return {"class_": "words"} if k in words else {}

    def said(k: int) -> dict[str, str]:
        return {"data_head": str(head[k])} if breaks else {}

    heads = (element("th", name, scope="col", **flush(k)) for k, name in enumerate(head))
    lines = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell, **flush(k), **said(k)) for k, cell in enumerate(row[1:], 1)),
            **({"class_": "chosen"} if number == chosen else {}),
        )
        for number, row in enumerate(rows)
    ]
    inner = [
        *([element("caption", caption)] if caption else []),
        element("thead", element("tr", *heads)),
        element("tbody", *lines),
    ]
    # a box that scrolls must be reached by the keyboard
    box = f"scroll breaks{' single' if len(head) == 2 else ''}" if breaks else "scroll"
    return element("div", element("table", *inner), class_=box, tabindex="0")


def picture(
    figure: Figure,
    alt: str,
    caption: object = "",
    *,
    wide: bool = False,
    narrow: Figure | None = None,
) -> Markup:
    """Embed a figure; `alt` says what is seen to those who do not see it.

    Where the screen is narrow, `narrow` stands in its place.
    """
    width, height = (str(round(float(x) * 100)) for x in figure.get_size_inches())
    most = f' style="max-width: {width}px"' if wide else ""
    size = f'width="{width}" height="{height}"{most}'
    image = Markup(f'<img src="{_data(figure)}" alt="{text(alt)}" {size}>')
    if narrow is not None:
        w, h = (round(float(x) * 100) for x in narrow.get_size_inches())
        other = f'srcset="{_data(narrow)}" width="{w}" height="{h}"'
        image = Markup(f'<picture><source media="{NARROW}" {other}>{image}</picture>')
    box = element("div", image, class_="scroll", tabindex="0") if wide else image
    below = [element("figcaption", caption)] if caption else []
    return element("figure", box, *below, **({"class_": "wide"} if wide else {}))


def _data(figure: Figure) -> str:
    """Return a figure as an address that holds it whole."""
    buffer = BytesIO()
    as_it_stands(figure).savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode('ascii')}"


def pictures(several: Iterable[Markup]) -> Markup:
    """Put pictures side by side, as many as the screen is wide."""
    return element("div", *several, class_="pictures")


def tiles(facts: Iterable[tuple[str, str, str]]) -> Markup:
    """Set out numbers: name, value, and a remark, each."""
    return element(
        "dl",
        *(
            element("div", element("dt", name), element("dd", value, element("small", remark)))
            for name, value, remark in facts
        ),
        class_="tiles",
    )


def folded(summary: str, content: object) -> Markup:
    """Make a part that opens on demand."""
    return element("details", element("summary", summary), content)


def page(title: str, heading: Markup, sections: Sequence[Section]) -> str:
    """Make the page: one file that needs no other, and asks the network for nothing."""
    template = Template((templates() / "report.html").read_text(encoding="utf-8"))
    links = (element("li", element("a", s.heading, href=f"#{s.name}")) for s in sections)
    bodies = (
        element("section", element("h2", s.heading, id=s.name), s.content, aria_labelledby=s.name)
        for s in sections
    )
    return template.substitute(
        title=text(title),
        heading=heading,
        contents=join(links),
        sections=join(bodies),
        footer=paragraph(f"Written by lammpsfit {__version__}.", soft=True),
    )
