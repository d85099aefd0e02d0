"""Every code block of the documentation works, and every link leads somewhere."""

import ast
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

import pytest
import typer
from pydantic import ValidationError

from lammpsfit.cli import app
from lammpsfit.config import Job
from lammpsfit.forcefield.potential_file import parse_potential
from lammpsfit.gap.job import GapJob

SPEC = importlib.util.spec_from_file_location(
    "markdown_blocks", Path(__file__).with_name("markdown_blocks.py")
)
markdown = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(markdown)
blocks, place = markdown.blocks, markdown.place

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
CLONED = ("lammpsfit", "templates", "potentials", "tests", "examples", "ci", "pyproject.toml")
FLAGS = re.DOTALL | re.MULTILINE

SHOWN = ("", "text", "csv", "json")
"""Languages of blocks that are only shown."""

OTHERS = {".", "cd", "mkdir", "sbatch"}
"""Other programs in blocks that are not run."""

NO_GAP = {"data": {"files": ["frames.xyz"]}, "split": {"train": 1}}
"""What tables of a GAP job need around them."""

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@pytest.fixture(scope="session")
def run_page(made_once, built_plugin):
    """Run the blocks of a page in order, once, and return the folder they ran in."""

    def run(page):
        where = place(page)
        if isinstance(where, Path):
            folder = run(where)
            run_blocks(page, folder)
            return folder
        return made_once(f"page-{page.parent.name}-{page.stem}", partial(begin, page))

    def begin(page, folder):
        folder.mkdir()
        if any("gap export" in block.text for block in blocks(page) if not block.names_only):
            built_plugin()
        if place(page) == "clone":
            for name in CLONED:
                copy(ROOT / name, folder / name)
        run_blocks(page, folder)

    return run


def run_blocks(page, folder):
    for block in blocks(page):
        if block.save is not None:
            path = folder / block.save
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.short, encoding="utf-8")
        elif not block.names_only and block.language in ("sh", "python"):
            execute(block, folder)


def copy(source, target):
    if source.is_dir():
        shutil.copytree(source, target)  # with what is compiled: times of files are kept
    else:
        shutil.copyfile(source, target)


def execute(block, folder):
    """Run a block as its reader would; the commands of the project are on the path."""
    if block.language == "sh":
        command = ["bash", "-euo", "pipefail", "-c", block.short]
    elif ">>>" in block.text:
        (folder / "block.txt").write_text(block.short, encoding="utf-8")
        command = [sys.executable, "-m", "doctest", "block.txt"]
    else:
        command = [sys.executable, "-c", block.short]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{block.where}: {block.short}\n{done.stdout}"


@pages
def test_blocks_run(page, run_page):
    run_page(page)


@pages
def test_blocks_are_of_a_known_kind(page):
    """What no test would look at must at least say so by its language."""
    for block in blocks(page):
        known = block.language in ("sh", "python", "toml", *SHOWN) or block.language.startswith("{")
        assert known, f"{block.where}: a block must be sh, python, toml or one of {SHOWN}"
        if block.save is not None:
            assert f"`{block.save}`" in page.read_text("utf-8"), f"{block.where}: not in the text"


@pages
def test_names_in_blocks_exist(page):
    for block in blocks(page):
        if block.language == "python" and block.names_only:
            check_imports(block)
        if block.language == "sh" and block.names_only:
            for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
                for command in re.split(r"&&|\|\||[;|&()]", line.partition(" #")[0]):
                    check_names(shlex.split(command, comments=True), block)


def check_imports(block):
    """Check that what a script that is not run takes of lammpsfit is there."""
    for node in ast.walk(ast.parse(block.text, block.where)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("lammpsfit"):
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name), f"{block.where}: {node.module}.{name.name}"


def check_names(words, block):
    """Check that the names in a command exist; of our own, each argument and option is parsed."""
    while words and ("=" in words[0] or words[0] in ("mpiexec", "srun", "if", "then", "!")):
        words = launched(words)
    if not words:
        return
    program, *arguments = words
    if program == "lammpsfit":
        parse(arguments, block)
    elif program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{arguments[0]}:", makefile, re.MULTILINE), f"{block.where}: {words}"
    elif program == "python" and arguments[0].endswith(".py"):
        source = (ROOT / arguments[0]).read_text(encoding="utf-8")
        for option in (word for word in arguments if word.startswith("--")):
            assert f'"{option}"' in source, f"{block.where}: {option}"
    else:
        assert program in OTHERS, f"{block.where}: what is {program}?"


def launched(words):
    """Leave out a launcher with its options, or the first word."""
    rest = words[1:]
    if words[0] in ("mpiexec", "srun"):
        while rest and rest[0].startswith("-"):
            rest = rest[1:] if "=" in rest[0] else rest[2:]
    return rest


def parse(arguments, block):
    """Parse arguments as the command line would, and run nothing."""
    command = typer.main.get_command(app)
    try:
        while hasattr(command, "commands") and arguments[0] != "--help":
            command, arguments = command.commands[arguments[0]], arguments[1:]
        if "--help" not in arguments:
            command.make_context("lammpsfit", list(arguments))
    except Exception as error:
        pytest.fail(f"{block.where}: lammpsfit {shlex.join(arguments)}: {error!r}")


@pages
def test_toml_blocks_are_valid(page):
    for block in blocks(page):
        if block.language == "toml":
            content = tomllib.loads(block.text)
            if "species" in content:
                check_potential(block)
            elif content.keys() & (GapJob.model_fields.keys() - Job.model_fields.keys()):
                GapJob.model_validate(NO_GAP | content)
            else:
                check_job(content if "system" in content else completed(content), page)


def check_job(content, page):
    """Validate a job; a table that its page adds is read when the page is run."""
    try:
        Job.model_validate(content)
    except ValidationError as error:
        added = all(found["type"] == "extra_forbidden" for found in error.errors())
        if not added or place(page) != "clone":
            raise


def check_potential(block):
    """Parse a potential; one with a form or sum that its page adds is read when the page is run."""
    try:
        parse_potential(block.text, block.where)
    except Exception as error:
        added = "unknown form" in str(error) or "unknown coulomb.style" in str(error)
        if not added or place(block.page) != "clone":
            raise


def completed(content):
    """Make a whole job of some of its tables, with the demo's for the others."""
    demo = tomllib.loads((ROOT / "examples" / "silica" / "quick.toml").read_text("utf-8"))
    for key, value in content.items():
        both = isinstance(value, dict) and key in demo and key != "parameters"
        demo[key] = demo[key] | value if both else value
    return demo


@pages
def test_links_lead_somewhere(page):
    """On a code host; the site's build looks at those between pages, and at anchors."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in link and not link.startswith("#"):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page.name}: {link}"


@pages
def test_no_formula_is_taken_for_html(page):
    """``<P>`` in running text begins a paragraph, and is gone from the formula it was in."""
    text = re.sub(
        r"```.*?```|<!--.*?-->|`[^`]*`|^ {4}.*?$", "", page.read_text("utf-8"), flags=FLAGS
    )
    assert not (found := re.findall(r"</?[A-Za-z][^>]*>", text)), f"{page.name}: {found}"


@pages
def test_scripts_named_are_there(page):
    for name in re.findall(r"\b((?:ci|lammpsfit|tests)/[\w/]+\.py)\b", page.read_text("utf-8")):
        added = any(block.save == name for block in blocks(page))
        assert added or (ROOT / name).exists(), f"{page.name}: {name}"
