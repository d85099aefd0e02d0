"""An installed lammpsfit works from any folder: the wheel brings its templates and potentials."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = """
import lammpsfit
from lammpsfit.forcefield import library_names, load_potential
from lammpsfit.md.template import render
assert lammpsfit.__file__.startswith({place!r}), lammpsfit.__file__
print(len(library_names()), load_potential("bks").name, len(render("example", temperature=300.0)))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = folder.glob("*.whl")
    return path


def test_a_wheel_holds_what_the_checkout_holds(wheel):
    names = set(ZipFile(wheel).namelist())
    for folder in ("templates", "potentials"):
        for path in (ROOT / folder).iterdir():
            assert f"lammpsfit/data/{folder}/{path.name}" in names
    assert not any(name.startswith(("tests/", "examples/", "ci/")) for name in names)


def test_an_installed_wheel_works_from_another_folder(wheel, tmp_path):
    place = tmp_path / "site"
    ZipFile(wheel).extractall(place)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(place=str(place))],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(place)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    potentials, name, length = done.stdout.split()
    assert int(potentials) == len(list((ROOT / "potentials").glob("*.toml")))
    assert name == "BKS"
    assert int(length) > 100
