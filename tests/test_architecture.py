"""Imports run one way, and each library beneath has one place that knows it."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "lammpsfit"

BASE = {
    "lammpsfit",
    "units",
    "errors",
    "files",
    "inputs",
    "models",
    "outputs",
    "resources",
    "streams",
    "suggest",
    "versions",
    "words",
}
"""What everything may import; these import only each other."""

MAY_IMPORT = {
    "cli": {
        "cli_fit",
        "cli_gap",
        "cli_init",
        "cli_output",
        "cli_usage",
        "validate",
        "config",
        "run_pages",
        "report",
        "fit.run",
        "farm",
        "target",
        "md",
        "child",
        "reference",
        "structure",
        "forcefield",
    },
    "cli_gap": {
        "cli_gap_learn",
        "cli_gap_melt",
        "cli_gap_phonons",
        "cli_gap_work",
        "cli_output",
        "run_pages",
        "gap",
        "labelled",
        "report",
        "farm",
    },
    "cli_gap_learn": {
        "cli_gap_work",
        "cli_output",
        "run_pages",
        "gap",
        "labelled",
        "report",
        "farm",
    },
    "cli_gap_melt": {
        "cli_gap_work",
        "cli_output",
        "run_pages",
        "gap",
        "labelled",
        "report",
        "farm",
    },
    "cli_gap_phonons": {"cli_gap_work", "cli_output", "run_pages", "gap", "labelled", "report"},
    "cli_gap_work": {"cli_output", "run_pages", "gap", "labelled", "report", "farm"},
    "cli_fit": {
        "cli_output",
        "config",
        "run_pages",
        "report",
        "fit.run",
        "farm",
        "target",
        "md",
        "forcefield",
    },
    "cli_init": {
        "cli_fit",
        "cli_output",
        "config",
        "report",
        "fit.run",
        "md",
        "reference",
        "forcefield",
    },
    "cli_output": {"report", "farm"},
    "cli_usage": set(),
    "gap": {"config", "farm", "labelled", "child", "md", "reference", "structure"},
    "validate": {
        "config",
        "report",
        "fit.run",
        "fit",
        "farm",
        "target",
        "md",
        "child",
        "reference",
        "structure",
        "forcefield",
    },
    "run_pages": {
        "gap",
        "labelled",
        "report",
        "fit.run",
        "fit.certainty",
        "fit.paper",
        "fit",
        "target",
        "md",
        "child",
        "structure",
        "forcefield",
    },
    "config": {"forcefield"},
    "report": {"target", "md", "child", "structure", "forcefield"},
    "fit.run": {
        "config",
        "fit.certainty",
        "fit.newton",
        "fit.paper",
        "fit",
        "farm",
        "target",
        "md",
        "child",
        "reference",
        "structure",
        "forcefield",
    },
    "fit.certainty": {"fit.newton", "fit", "target", "md", "structure", "forcefield"},
    "fit.paper": {"fit.newton", "fit"},
    "fit.newton": {"fit", "target", "md", "structure", "forcefield"},
    "fit": set(),
    "target": {"config", "labelled", "md", "child", "reference", "structure", "forcefield"},
    "farm": {"md", "child"},
    "md": {"child", "structure", "forcefield"},
    "child": set(),
    "labelled": {"reference", "structure"},
    "reference": {"structure"},
    "structure": set(),
    "forcefield": set(),
    **{name: set() for name in BASE},
}
"""The packages and modules of lammpsfit, from the top down, and what each may import."""

KNOWN_BY = {
    "lammps": {"md"},
    "mpi4py": {"farm", "md"},
    "pymatgen": {"reference", "md", "labelled", "gap"},
    "ase": {"reference", "md", "labelled", "gap"},
    "matplotlib": {"report"},
    "rich": {"report", "cli_fit", "cli_gap", "cli_output"},
    "phonopy": {"gap"},
    "typer": {
        "cli",
        "cli_output",
        "cli_usage",
        "cli_fit",
        "cli_gap",
        "cli_gap_learn",
        "cli_gap_melt",
        "cli_gap_phonons",
        "cli_gap_work",
        "cli_init",
    },
    "pydantic": {"models", "config", "forcefield", "fit.run", "gap"},
    "vesin": {"structure"},
    "matscipy": {"structure"},
    "periodictable": {"structure"},
    "sklearn": {"fit.paper"},
    "jax": {"gap"},
    "optax": {"gap"},
    "parsl": {"farm"},
}
"""Who may import a library; what is not named here, anyone may."""


def imported(tree):
    """Absolute names of the modules a module imports, also within functions and by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            names = [alias.name for alias in node.names]
            # ``from lammpsfit import fit`` imports a package, not a name of lammpsfit
            yield from (
                f"lammpsfit.{n}" if node.module == "lammpsfit" else node.module for n in names
            )
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in ("import_module", "__import__"):
                yield from spelled_out(node.args[0])


def spelled_out(argument):
    """Name given to ``import_module``; none for a module within the package that imports it."""
    within = ast.unparse(argument).startswith("f'{__name__}.")
    assert within or isinstance(argument, ast.Constant), f"line {argument.lineno}: import of what?"
    return [] if within else [argument.value]


def room(name):
    """Room of lammpsfit that a dotted name belongs to: 'fit.run' for lammpsfit.fit.run.loop."""
    _, *parts = name.split(".")
    candidates = (".".join(parts[:n]) for n in (2, 1))
    return next((known for known in candidates if known in MAY_IMPORT), "lammpsfit")


def offences(here, source):
    """Imports of a source in the package or module `here` that are not allowed there."""
    found = []
    for name in sorted(set(imported(ast.parse(source)))):
        top = name.split(".")[0]
        if top == "lammpsfit":
            if room(name) not in {here, *MAY_IMPORT[here], *BASE}:
                found.append(f"{here} imports {name}")
        elif not KNOWN_BY.get(top, {here}) & {here, here.split(".")[0]}:
            found.append(f"{here} imports {name}")
    return found


def sources():
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, room(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))


def test_every_part_has_its_place_in_the_order():
    assert {here for _, here in sources()} == set(MAY_IMPORT)


@pytest.mark.parametrize(
    "name",
    sorted(
        ".".join(path.parent.relative_to(PACKAGE.parent).parts)
        for path in PACKAGE.rglob("__init__.py")
    ),
)
def test_a_package_says_what_it_is_and_has_what_it_exports(name):
    package = import_module(name)
    assert package.__doc__
    for exported in getattr(package, "__all__", ()):
        assert getattr(package, exported) is not None


def test_the_order_has_no_circle():
    def below(name):
        return {lower for direct in MAY_IMPORT[name] for lower in {direct, *below(direct)}}

    assert all(name not in below(name) for name in MAY_IMPORT)


@pytest.mark.parametrize(
    ("path", "here"), list(sources()), ids=lambda value: getattr(value, "stem", value)
)
def test_imports_run_one_way(path, here):
    assert offences(here, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("here", "source"),
    [
        ("md", "import lammpsfit.fit.run.loop"),
        ("md", "from lammpsfit import farm"),
        ("md", "from lammpsfit.config import Job"),
        ("md", "def f():\n    from lammpsfit.farm.local import LocalFarm"),
        ("md", "if TYPE_CHECKING:\n    from lammpsfit.farm import local"),
        ("forcefield", "from lammpsfit.structure import cost"),
        ("structure", "import lammpsfit.forcefield as f"),
        ("reference", "from lammpsfit.md.sample import Sample"),
        ("report", "from lammpsfit.fit.run.loop import Fit"),
        ("report", "from lammpsfit.config import Job"),
        ("fit.run", "from lammpsfit.report import Row"),
        ("fit", "from lammpsfit.fit.newton.descent import descend"),
        ("fit.newton", "from lammpsfit.fit.paper import PaperStrategy"),
        ("fit.newton", "from sklearn.gaussian_process import GaussianProcessRegressor"),
        ("fit.certainty", "from lammpsfit.fit.run.open_fit import Fit"),
        ("target", "from lammpsfit.fit.base import Ask"),
        ("md", "from lammpsfit.target import Target"),
        ("child", "from lammpsfit.md.sample import Sample"),
        ("fit", "from lammpsfit.cli import app"),
        ("units", "from lammpsfit.forcefield import Potential"),
        ("fit", "from lammps import lammps"),
        ("fit", 'import_module("lammps")'),
        ("farm", 'importlib.import_module("lammps").lammps()'),
        ("fit", '__import__("mpi4py.MPI")'),
        ("forcefield", "import pymatgen.core"),
        ("fit", "from matplotlib import pyplot"),
        ("fit", "from rich.console import Console"),
        ("md", "from sklearn.gaussian_process import GaussianProcessRegressor"),
        ("reference", "from vesin import NeighborList"),
        ("structure", "import ase"),
        ("fit", "import numpy, jax"),
        ("fit.run", "def f():\n    from parsl.config import Config"),
    ],
)
def test_a_wrong_import_is_found(here, source):
    assert len(offences(here, source)) == 1


@pytest.mark.parametrize(
    "source", ["from . import fit", "import_module(name)", "import_module(f'{name}.x')"]
)
def test_an_import_that_hides_its_name_is_refused(source):
    with pytest.raises(AssertionError, match=r"relative import|import of what"):
        offences("md", source)


def test_right_imports_pass():
    source = 'import os\nfrom lammpsfit import resources\nimport_module("mpi4py.MPI")'
    assert offences("md", source + "\nfrom lammpsfit.md import sample") == []
