import re

import pytest

from lammpsfit.report.figures import new_figure
from lammpsfit.report.html import (
    Markup,
    Section,
    code,
    doi_link,
    element,
    folded,
    items,
    page,
    picture,
    table,
    text,
    tiles,
)

HOSTILE = """</title><script src="https://evil.example/x.js">'&"</script>"""


def test_text_is_escaped_and_markup_is_not():
    assert text('<b> & "quotes"\'s') == "&lt;b&gt; &amp; &quot;quotes&quot;&#x27;s"
    assert text(Markup("<b>")) == "<b>"
    assert text(text("<")) == "&lt;"
    assert element("p", "<", element("b", "x"), class_="a", aria_label='"') == (
        '<p class="a" aria-label="&quot;">&lt;<b>x</b></p>'
    )


def test_what_is_no_text_can_be_written():
    assert text("\udcff").encode("utf-8")


def figure():
    drawn = new_figure(2.0, 1.0)
    drawn.subplots().plot([0, 1])
    return drawn


def test_a_narrow_screen_gets_a_picture_of_its_own():
    made = picture(figure(), "a line", narrow=new_figure(1.0, 3.0))
    source, image = made.split("<img ")
    assert '<source media="(max-width: 40rem)" srcset="data:image/png;base64,' in source
    assert 'width="100" height="300"' in source
    assert 'width="200" height="100"' in image
    assert "<source" not in picture(figure(), "a line")


def test_a_table_of_one_column_needs_no_heads_on_a_phone():
    assert 'class="scroll breaks single"' in table(["", "a"], [["x", 1]], breaks=True)
    assert 'class="scroll breaks"' in table(["", "a", "b"], [["x", 1, 2]], breaks=True)


@pytest.mark.parametrize("name", ["plain", HOSTILE])
def test_a_page_of_every_piece_is_sound(name, read_page):
    content = [
        table([name, "R"], [[name, 1], ["b", name]], caption=name, words=[1], chosen=0),
        code(name, copy=True),
        folded(name, code(name)),
        items([name]),
        tiles([(name, name, name)]),
        picture(figure(), name, name, wide=True),
        doi_link("10.1000/1"),
    ]
    made = page(name, element("h1", name), [Section("one", name, element("div", *content))])
    found = read_page(made)
    assert found.headings == [("h1", name), ("h2", name)]
    assert found.links == ["#one", "https://doi.org/10.1000/1"]
    assert found.pictures == [name]
    assert "<script" not in made


def test_a_picture_keeps_its_size():
    (size,) = re.findall(r'width="(\d+)" height="(\d+)"', picture(figure(), "a line"))
    assert size == ("200", "100")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("<p>", "closes another"),
        ("</p>", "closes another"),
        ('<img src="https://example.org/a.png" alt="a">', "from elsewhere"),
        ('<link href="style.css">', "from elsewhere"),
        ('<a href="https://example.org">', "from elsewhere"),
        ('<img src="data:image/png;base64,AAAA">', "alt"),
        ("<script>1</script>", "script"),
        ('<a href="#nowhere">a</a>', "nowhere"),
        ("<style>@import url(x.css)</style>", "from elsewhere"),
    ],
)
def test_the_reader_finds_what_is_wrong(wrong, says, read_page):
    sound = page("t", element("h1", "t"), [])
    with pytest.raises(AssertionError, match=says):
        read_page(sound.replace("<main>", f"<main>{wrong}"))
