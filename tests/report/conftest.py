"""What tests of pages share: a reader that holds a page to what every page must be."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

VOID = {"meta", "img", "br", "link", "source"}
DOI = "https://doi.org/"


class Page(HTMLParser):
    """A page as a browser takes it; anything unsound is an error."""

    def __init__(self, source):
        super().__init__()
        self.open, self.ids, self.links, self.pictures = [], [], [], []
        self.headings, self.heading, self.text = [], None, []
        self.feed(source)
        self.close()
        assert not self.open, f"not closed: {self.open}"
        assert len(self.ids) == len(set(self.ids))
        for link in self.links:
            assert link.startswith(DOI) or link[1:] in self.ids, f"{link} leads nowhere"
        levels = [int(name[1]) for name, _ in self.headings]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        assert tag != "script", "no script is needed"
        assert not any(name.startswith("on") for name in given), "no script is needed"
        for name in ("src", "srcset", "href"):
            if name in given:
                here = given[name].startswith(("data:image/png;base64,", "#", DOI))
                assert here, f"{given[name]} comes from elsewhere"
        if tag == "img":
            assert given.get("alt"), "a picture needs an alt text"
            self.pictures.append(given["alt"])
        if tag == "a":
            self.links.append(given["href"])
        if "id" in given:
            self.ids.append(given["id"])
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("h1", "h2", "h3"):
            self.heading = ""

    def handle_endtag(self, tag):
        assert self.open, f"{tag} closes nothing"
        assert self.open.pop() == tag, f"{tag} closes another element"
        if self.heading is not None and tag in ("h1", "h2", "h3"):
            self.headings.append((tag, self.heading))
            self.heading = None

    def handle_data(self, data):
        if self.open[-1:] == ["style"]:
            assert not re.search(r"@import|url\(", data), "style from elsewhere"
            return
        self.text.append(data)
        if self.heading is not None:
            self.heading += data

    @property
    def words(self):
        """All text, with single spaces."""
        return " ".join(" ".join(self.text).split())

    @property
    def sections(self):
        return [heading for name, heading in self.headings if name == "h2"]


@pytest.fixture(scope="session")
def read_page():
    return Page
