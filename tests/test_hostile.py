"""A sample of the inputs of ci/hostile.py, which says what is right."""

import importlib
import sys
from pathlib import Path

import pytest

CI = Path(__file__).parent.parent / "ci"


@pytest.fixture(scope="module")
def hostile():
    sys.path.insert(0, str(CI))
    try:
        return importlib.import_module("hostile")
    finally:
        sys.path.remove(str(CI))


@pytest.fixture(scope="module")
def template(hostile, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    hostile.make_home(folder)
    return folder


def test_there_are_hundreds_over_all_commands(hostile):
    from lammpsfit.cli import app

    cases = hostile.every_case()
    assert len(cases) > 500
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert commands <= {case.arguments[0] for case in cases}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a process that has threads is forked
@pytest.mark.parametrize("kind", ["overwrite", "input", "value", "run", "print"])
def test_a_sample_is_refused_as_it_must_be(hostile, template, kind):
    """Drawn anew with every case that is added; what draws pages is left to the whole table."""
    cases = [
        case
        for case in hostile.every_case()
        if case.kind == kind and "page.html" not in case.arguments and case.arguments[0] != "gap"
    ]
    step = max(1, len(cases) // 4)
    wrong = [row for case in cases[::step] if (row := hostile.run_case(case, template)).wrong]
    # a busy machine may be slow: here only what does not depend on it counts
    assert [row for row in wrong if not row.wrong.removesuffix(" s").isdigit()] == []
