"""Nothing of the user's is written over, whatever a command is told to write."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lammpsfit.cli import main
from lammpsfit.config import read_job
from lammpsfit.errors import InputError
from lammpsfit.fit.run.run_folder import create_run
from lammpsfit.forcefield import dump_potential, load_potential
from lammpsfit.outputs import LEDGER, RUN_NAMES, check_outputs

ROOT = Path(__file__).parent.parent
XYZ = '2\nLattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3\nSi 0 0 0\nO 1.6 0 0\n'


@pytest.fixture
def home(tmp_path, job_text, monkeypatch):
    """A folder with something of each kind that commands read or write."""
    reference = ROOT / "examples" / "silica" / "gr_aimd_3600K.csv"
    shutil.copy(reference, tmp_path / "gr.csv")
    (tmp_path / "mine.toml").write_text(dump_potential(load_potential("BKS")))
    text = job_text.replace(str(reference), "gr.csv").replace('"BKS"', '"mine.toml"')
    (tmp_path / "job.toml").write_text(text)
    shutil.copy(ROOT / "tests" / "gap" / "emt.toml", tmp_path / "gap.toml")
    frames = "".join(XYZ.replace("1.6", f"{1.5 + 0.01 * k}") for k in range(30))
    (tmp_path / "t.xyz").write_text(frames)
    (tmp_path / "b.cell").write_text("9.0 9.0 9.0\n")
    for folder in ("d", "v", "g", "my", "old"):
        (tmp_path / folder).mkdir()
    shutil.copy(tmp_path / "mine.toml", tmp_path / "d" / "my.toml")
    (tmp_path / "d" / "job.toml.mine").write_text(text)
    (tmp_path / "d" / "potential.toml").write_text("# precious\n")
    (tmp_path / "v" / "validate.json").write_text("{}")
    (tmp_path / "v" / "liquid-gr.png").write_text("a picture")
    (tmp_path / "g" / "model.json").write_text("{}")
    shutil.copy(tmp_path / "mine.toml", tmp_path / "my" / "potential.toml")
    (tmp_path / "o.xyz.journal.jsonl").write_text('{"mine": 1}\n{"mine": 2}\n')
    (tmp_path / "notes.txt").write_text("precious")
    (tmp_path / "soft.json").symlink_to("job.toml")
    os.link(tmp_path / "gr.csv", tmp_path / "hard.json")
    create_run(tmp_path / "run", read_job(tmp_path / "job.toml"))
    (tmp_path / "run" / "potential.toml").write_text(dump_potential(load_potential("BKS")))
    (tmp_path / "run" / "result.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(monkeypatch, capsys):
    """Call ``main`` in this process; return its exit code and what it said of errors."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["lammpsfit", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        return caught.value.code, capsys.readouterr().err

    return call


def contents(folder):
    return {
        path: (path.read_bytes(), path.is_symlink(), path.stat().st_nlink)
        for path in folder.rglob("*")
        if path.is_file()
    }


EVALUATE = "evaluate mine.toml --job job.toml"
VALIDATE = "validate mine.toml --job job.toml"
LABEL = "gap label t.xyz --calculator ase.calculators.lj:LennardJones"
OVERWRITING = [
    "fit job.toml -o new --json job.toml",
    "fit job.toml -o new --json gr.csv",
    "fit job.toml -o new --json mine.toml",
    "fit job.toml -o new --json notes.txt",
    "fit job.toml -o new --json soft.json",
    "fit job.toml -o new --json hard.json",
    "fit job.toml -o old --json old/result.json",
    "fit job.toml -o old --json old/potential.toml",
    "fit job.toml -o d",
    "fit d/job.toml.mine -o d",
    "fit job.toml -o run",
    "resume run --json run/journal.jsonl",
    "resume run --json run/job.toml",
    "resume run --json run/inputs/reference.csv",
    "resume run --json notes.txt",
    f"{EVALUATE} --plot mine.toml",
    f"{EVALUATE} --plot gr.csv",
    f"{EVALUATE} --json mine.toml",
    f"{EVALUATE} --json job.toml",
    f"{EVALUATE} --json x.json --plot x.json",
    f"{EVALUATE} --json run/journal.jsonl",
    f"{EVALUATE} --plot notes.txt",
    "evaluate run --job job.toml --json run/potential.toml",
    f"{VALIDATE} -o w --json job.toml",
    f"{VALIDATE} -o w --json gr.csv",
    f"{VALIDATE} -o v",
    "validate run --job job.toml -o w --json run/result.json",
    "export my/potential.toml -o my",
    "export run -o run",
    "export BKS -o run",
    "export BKS -o d",
    "export BKS -o new --json notes.txt",
    "export mine.toml -o new --json mine.toml",
    "reference t.xyz -o t.xyz",
    "reference t.xyz -o gr.csv",
    "reference t.xyz --cell b.cell -o b.cell",
    "reference t.xyz -o x.csv --angles t.xyz",
    "reference t.xyz -o x.csv --png t.xyz",
    "reference t.xyz -o x.csv --png x.csv",
    "reference t.xyz -o x.csv --json notes.txt",
    "reference t.xyz -o run/inputs/reference.csv",
    "report run -o gr.csv",
    "report run -o run/journal.jsonl",
    "report run --json run/result.json",
    "report run run -o run/report.html",
    "report run --json run/report.html",
    "gap fit gap.toml -o g",
    "gap fit gap.toml -o new --json gap.toml",
    "gap fit gap.toml -o run",
    "gap learning-curve gap.toml -o g",
    "gap learning-curve gap.toml -o new --json notes.txt",
    f"{LABEL} -o t.xyz",
    f"{LABEL} -o o.xyz",
    f"{LABEL} -o notes.txt",
    f"{LABEL} -o x.xyz --json t.xyz",
    f"{LABEL} -o x.xyz --json x.xyz",
    "gap evaluate g/model.json t.xyz --png t.xyz",
    "gap evaluate g/model.json t.xyz --json g/model.json",
    "gap evaluate g/model.json t.xyz --png x.png --json x-calibration.png",
]


@pytest.mark.parametrize("line", OVERWRITING)
def test_nothing_that_is_there_is_written_over(home, call, line):
    before = contents(home)
    code, said = call(*line.split())
    assert code == 2, said
    assert said.count("\n") == 1, said
    assert len(said) <= 300, said
    assert any(
        why in said
        for why in (
            "would be written over",
            "cannot write",
            "no journal of labels",
            "holds a run already",
            "holds the run of another job",
        )
    ), said
    assert contents(home) == before


@pytest.mark.parametrize(
    "line",
    [
        "fit job.toml -o new --json job.toml",
        "resume run --json run/journal.jsonl",
        "evaluate mine.toml --job job.toml --plot mine.toml",
        "export my/potential.toml -o my",
        "export BKS -o run",
        "reference t.xyz --cell b.cell -o b.cell",
        "report run --json run/result.json",
        "gap evaluate g/model.json t.xyz --png t.xyz",
    ],
)
def test_what_is_read_or_a_runs_is_not_written_over_by_force_either(home, call, line):
    before = contents(home)
    code, said = call(*line.split(), "--force")
    assert code == 2
    assert "cannot write" in said
    assert contents(home) == before


def test_a_command_replaces_what_it_wrote_until_somebody_changes_it(home, call):
    line = ["reference", "t.xyz", "-o", "x.csv", "--json", "x.json", "--r-max", "3"]
    assert call(*line) == (0, "")
    assert call(*line) == (0, "")
    assert call("report", "run", "--json", "x.json")[0] == 2, "another command's"
    (home / "x.csv").write_text((home / "x.csv").read_text() + "# corrected by hand\n")
    before = contents(home)
    code, said = call(*line)
    assert code == 2
    assert "x.csv would be written over" in said
    assert "or say --force" in said
    assert contents(home) == before
    assert call(*line, "--force") == (0, "")
    assert call(*line) == (0, "")


def test_a_page_is_written_again(home, call):
    assert call("report", "run")[0] == 0
    assert call("report", "run")[0] == 0
    assert call("report", "run", "-o", "p.html", "--json", "p.json")[0] == 0
    assert call("report", "run", "-o", "p.html", "--json", "p.json")[0] == 0


def test_a_finished_run_has_no_other_names(finished_run):
    assert {path.name for path in finished_run.iterdir()} <= RUN_NAMES


def wrote(folder, name, content):
    path = folder / name
    with check_outputs("evaluate", [path], force=True).writing():
        path.write_text(content)
    return path


@settings(max_examples=20, deadline=None)
@given(kept=st.text(max_size=20), other=st.text(max_size=20))
def test_a_file_counts_as_ours_exactly_as_long_as_it_is_as_we_left_it(
    tmp_path_factory, kept, other
):
    path = wrote(tmp_path_factory.mktemp("o"), "a.json", kept)
    check_outputs("evaluate", [path])
    path.write_bytes(other.encode("utf-8", "surrogatepass"))
    if path.read_bytes() == kept.encode("utf-8", "surrogatepass"):
        check_outputs("evaluate", [path])
    else:
        with pytest.raises(InputError, match="would be written over"):
            check_outputs("evaluate", [path])


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a.json": 3}', "\x00", "[" * 100_000])
def test_a_ledger_that_is_damaged_lists_nothing(tmp_path, text):
    path = wrote(tmp_path, "a.json", "{}")
    (tmp_path / LEDGER).write_text(text)
    with pytest.raises(InputError, match="would be written over"):
        check_outputs("evaluate", [path])


def test_what_is_not_written_is_not_listed(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("the user's")
    with check_outputs("evaluate", [path], force=True).writing():
        pass
    with pytest.raises(InputError, match="would be written over"):
        check_outputs("evaluate", [path])


@pytest.mark.parametrize("special", ["/dev/null", "/dev/full", "fifo"])
def test_what_is_no_regular_file_is_left_alone(tmp_path, special):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError, match="no regular file"):
        check_outputs("evaluate", [tmp_path / special], force=True)


def test_names_that_are_too_long_are_refused_before_the_work(tmp_path):
    check_outputs("evaluate", [tmp_path / ("a" * 255)])
    with pytest.raises(InputError, match="File name too long"):
        check_outputs("evaluate", [tmp_path / ("a" * 256)])
