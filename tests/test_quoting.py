"""Titles and names are a user's: they mean nothing to LAMMPS, TOML and pictures."""

import io
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lammpsfit.forcefield import dump_potential, load_potential
from lammpsfit.forcefield.lammps_text import comment, table_text
from lammpsfit.md.session import session
from lammpsfit.report.figures import new_figure, save_figure
from lammpsfit.report.html import picture

HOSTILE = ('"""', "of & &", "$x$", "$\\frac{$", 'a"""b $y &', "\t# ${v} $(1/0)", "\u2028\x00 &")
texts = st.lists(st.sampled_from((*HOSTILE, " ", "Si", "&", '"'))).map("".join) | st.text(
    max_size=30
)


@given(texts)
def test_a_comment_ends_where_it_ends(text):
    line = comment(text)
    assert '"""' not in line
    assert not line.endswith("&")
    assert line.isprintable()
    assert comment(line) == line


def test_lammps_goes_on_after_any_comment():
    with session() as lmp:
        for k, text in enumerate(HOSTILE):
            lmp.commands_string(f"# {comment(text)}\nvariable v{k} equal {k}\n")
            assert lmp.extract_variable(f"v{k}") == k


@settings(max_examples=30, deadline=None)
@given(texts)
def test_any_text_comes_back_from_toml(text):
    potential = load_potential("BKS")
    for name in ("title", "note", "doi"):
        object.__setattr__(potential, name, text)
    found = tomllib.loads(dump_potential(potential))
    assert {found.get(name, "") for name in ("title", "note", "doi")} == {text}
    header = table_text(potential, n=10, header=text).split("\n\n")[0].splitlines()
    assert all(line.startswith("#") for line in header)


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_can_be_drawn(text, tmp_path):
    figure = new_figure(4.0, 3.0)
    axes = figure.subplots()
    axes.plot([1, 2], [1, 2], label=f"{text}.")
    axes.set(title=text, xlabel=text, xticks=[1, 2], xticklabels=[text, text])
    figure.suptitle(text)
    figure.legend(title=text)
    assert picture(figure, text)
    save_figure(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
    figure.savefig(io.BytesIO(), format="png")
