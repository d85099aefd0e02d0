"""A sample of the inputs of ci/hostile.py, which says what is right."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from lammpsfit import cli, cli_gap

CI = Path(__file__).parent.parent / "ci"


@pytest.fixture(scope="module")
def cases():
    sys.path.insert(0, str(CI))
    try:
        return importlib.import_module("hostile_cases").every_case()
    finally:
        sys.path.remove(str(CI))


def test_there_are_hundreds_over_all_commands(cases):
    assert len(cases) > 1000
    for app, before in ((cli.app, ()), (cli_gap.app, ("gap",))):
        names = {(*before, c.name or c.callback.__name__) for c in app.registered_commands}
        for kind in ("usage", "overwrite"):
            asked = {case.arguments[: len(before) + 1] for case in cases if case.kind == kind}
            assert names - asked <= ({("gap", "resume")} if kind == "overwrite" else set())


def test_a_sample_is_refused_as_it_must_be():
    """Drawn anew with every case that is added; in a process that has no threads, as it forks."""
    done = subprocess.run(
        [sys.executable, CI / "hostile.py", "--sample", "5", "--jobs", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "overwrite: 5 of 5 right\n" in done.stdout
