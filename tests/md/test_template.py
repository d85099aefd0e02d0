from pathlib import Path

import pytest

import lammpsfit
from lammpsfit.errors import InputError
from lammpsfit.md.template import render
from lammpsfit.resources import templates


@pytest.fixture
def own_template(tmp_path, monkeypatch):
    (tmp_path / "toy.in").write_text("run $steps # costs $$5\n")
    monkeypatch.setattr("lammpsfit.md.template.templates", lambda: tmp_path)
    return tmp_path


def test_placeholders_are_filled(own_template):
    assert render("toy", steps=3) == "run 3 # costs $5\n"


def test_a_missing_value_is_an_error(own_template):
    with pytest.raises(InputError, match=r"toy\.in: no value for steps"):
        render("toy")


def test_an_unused_value_is_an_error(own_template):
    with pytest.raises(InputError, match=r"toy\.in: no placeholder for seed"):
        render("toy", steps=3, seed=1)


def test_a_stray_dollar_is_an_error(own_template):
    (own_template / "toy.in").write_text("variable x equal $(step)\n")
    with pytest.raises(InputError, match=r"write \$\$ for a plain \$"):
        render("toy")


def test_every_shipped_template_is_used():
    """By name, where a template is rendered."""
    names = {path.stem for path in templates().glob("*.in")}
    package = Path(lammpsfit.__file__).parent
    source = "\n".join(path.read_text("utf-8") for path in package.rglob("*.py"))
    assert len(names) >= 13
    assert {name for name in names if f'"{name}"' not in source} == set()
