"""The command line as a new user meets it.

Refusals are many, so most are asked of ``main`` in this process, where a traceback is an error of
the test; what runs LAMMPS, and a few of each kind, run in a process of their own.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lammpsfit import __version__
from lammpsfit.cli import main
from lammpsfit.fit.run.open_fit import open_fit
from lammpsfit.fit.run.run_folder import open_run
from lammpsfit.forcefield import dump_potential, load_potential

LAMMPSFIT = Path(sys.executable).parent / "lammpsfit"
REFERENCE = Path(__file__).parent.parent / "examples" / "silica" / "gr_aimd_3600K.csv"


@pytest.fixture
def home(tmp_path, job_text):
    """A folder, with a space in its name, with a job, its reference and a potential."""
    folder = tmp_path / "my fits"
    folder.mkdir()
    shutil.copy(REFERENCE, folder / "gr.csv")
    (folder / "mine.toml").write_text(dump_potential(load_potential("BKS")))
    text = job_text.replace(str(REFERENCE), "gr.csv").replace('"BKS"', '"mine.toml"')
    (folder / "job.toml").write_text(text)
    return folder


@pytest.fixture
def here(home, monkeypatch, capsys):
    """Call ``main`` in this process, in the folder `home`."""

    def call(*arguments):
        monkeypatch.chdir(home)
        monkeypatch.setattr(sys, "argv", ["lammpsfit", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, caught.value.code, said.out, said.err)

    return call


def change(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    path.write_text(text.replace(old, new))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(done, message):
    """One clear line on standard error and exit code 2."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("lammpsfit: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert message in done.stderr
    return True


BAD_JOBS = {
    "no TOML": ("job.toml", "[system]", "[system", "not valid TOML"),
    "unknown key": ("job.toml", "atoms =", "atomz =", "did you mean 'atoms'?"),
    "atoms no multiple": ("job.toml", "306", "307", "multiple of 3 for SiO2, got 307: use 306"),
    "no atoms": ("job.toml", "306", "0", "multiple of 3 for SiO2, got 0"),
    "small box": ("job.toml", "306", "3", "cutoff must be at most half the box"),
    "formula": ("job.toml", '"SiO2"', '"Si!O2"', "formula 'Si!O2' cannot be read"),
    "other species": ("job.toml", '"SiO2"', '"Na2O"', "no species 'Na'"),
    "not neutral": ("job.toml", '"SiO2"', '"SiO"', "must add up to zero, got +0.955209 e"),
    "one element": (
        "job.toml",
        '"SiO2"',
        '"Si"',
        "the composition must have atoms of O, whose charge balances",
    ),
    "bounds reversed": (
        "job.toml",
        '"q_Si" = { factor = 1.2 }',
        '"q_Si" = { min = 3.0, max = 2.0 }',
        "lower bound of q_Si must be below the upper one, got 3.0 to 2.0",
    ),
    "start outside": (
        "job.toml",
        '"q_Si" = { factor = 1.2 }',
        '"q_Si" = { min = 3.0, max = 4.0 }',
        "q_Si must be within its bounds 3 to 4, got 2.4",
    ),
    "parameter": ("job.toml", '"q_Si"', '"q_S"', "no parameter 'q_S': did you mean 'q_Si'?"),
    "tie in a circle": (
        "job.toml",
        '"q_Si" = { factor = 1.2 }',
        '"A_O-O" = { tied_to = "C_O-O" }\n"C_O-O" = { tied_to = "A_O-O" }',
        "tied itself",
    ),
    "wrong sign by a tie": (
        "job.toml",
        '"q_Si" = { factor = 1.2 }',
        '"A_O-O" = { tied_to = "A_Si-O", times = -1.0 }',
        "A_O-O must be zero or positive, got -",
    ),
    "nothing free": (
        "job.toml",
        '"q_Si" = { factor = 1.2 }\n"A_Si-O" = { factor = 1.2 }',
        "",
        "must free at least one parameter",
    ),
    "potential": ("job.toml", '"mine.toml"', '"BSK"', "did you mean 'BKS'?"),
    "potential file": ("job.toml", '"mine.toml"', '"your.toml"', "no such potential file"),
    "compared": ("job.toml", '"CHIK"', '"CHICK"', "did you mean 'CHIK'?"),
    "compared twice": ("job.toml", '"CHIK"', '"BKS", "mine.toml"', "names of their own"),
    "compared cutoff": ("job.toml", '"CHIK"', '"mine.toml"', "names of their own, got 'fit' again"),
    "range": ("job.toml", 'gr.csv"', 'gr.csv"\nr_max = 50.0', "r_max must be at most 6.00"),
    "no range": ("job.toml", 'gr.csv"', 'gr.csv"\nr_min = 7.0', "bins"),
    "weight": ("job.toml", 'gr.csv"', 'gr.csv"\nweights = { Na-O = 2.0 }', "no pair of the"),
    "no reference": ("job.toml", "gr.csv", "rg.csv", "no such file"),
    "reference a folder": ("job.toml", "gr.csv", ".", "cannot be read"),
    "null in a name": ("job.toml", "gr.csv", "gr\\u0000.csv", "must not hold a NUL"),
    "pair missing": ("gr.csv", "g_Si-Si", "g_Na-Na", "Si-Si is missing"),
    "not a number": ("gr.csv", "\n0.0300,0.00000", "\n0.0300,nan", "finite number, got 'nan'"),
    "short range cutoff": (
        "mine.toml",
        "\ncutoff = 8.0  # Å\n\n[c",
        "\ncutoff = -8.0\n\n[c",
        "must be positive",
    ),
    "mass": ("mine.toml", "mass = 15.9994", "mass = 0.0", "mass of O must be positive"),
    "charge": ("job.toml", 'balance = "O"', "", "must add up to zero"),
    "name": ("mine.toml", '"BKS"', '"B\\nKS"', "must be a line of text"),
    "title": ("job.toml", '"small"', '"a\\nb"', "title: "),
    "hot": ("job.toml", "3600.0", "inf", "finite"),
    "endless": ("job.toml", "sample = 0.2", "sample = 1e308", "sample"),
    "steps": ("job.toml", "every_fs = 10.0", "every_fs = 10.5", "multiple of the timestep"),
    "collapse": (
        "job.toml",
        "refine = 1",
        "refine = 1\nbarrier = 1e6",
        "the start BKS must not collapse at 3600 K; O-O: barrier of 15.2 eV",
    ),
}


@pytest.mark.parametrize("case", BAD_JOBS)
def test_a_bad_job_is_refused_before_anything_is_made(here, home, case):
    file, old, new, message = BAD_JOBS[case]
    if case == "compared cutoff":
        change(home / "mine.toml", 'name = "BKS"', 'name = "fit"')
        change(home / "job.toml", 'potential = "mine.toml"', 'potential = "BKS"')
    change(home / file, old, new)
    before = contents(home)
    done = here("fit", "job.toml", "-o", "run", "--workers", 1)
    assert refused(done, message)
    assert contents(home) == before
    assert not (home / "run").exists()
    assert not done.stdout


BAD_OPTIONS = {
    "no job": (("nojob.toml", "-o", "run"), "no such job file"),
    "job a folder": ((".", "-o", "run"), "cannot be read"),
    "workers": (("job.toml", "-o", "run", "--workers", "-1"), "workers must be at least 1, got -1"),
    "evaluations": (("job.toml", "-o", "run", "--max-evaluations", "0"), "limits.evaluations"),
    "walltime": (("job.toml", "-o", "run", "--walltime", "soon"), "walltime must be seconds"),
    "strategy": (("job.toml", "-o", "run", "--strategy", "magic"), "strategy.name"),
    "json": (("job.toml", "-o", "run", "--json", "no/out.json"), "no folder no"),
    "json a folder": (("job.toml", "-o", "run", "--json", "."), "it is a folder"),
    "output a file": (("job.toml", "-o", "gr.csv"), "gr.csv is no folder"),
    "output below a file": (("job.toml", "-o", "gr.csv/run"), "gr.csv is no folder"),
    "output not writable": (("job.toml", "-o", "/proc/run"), "/proc"),
    "over the job": (("job.toml", "-o", "."), "job.toml would be written over"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_a_bad_option_is_refused_before_anything_is_made(here, home, case):
    arguments, message = BAD_OPTIONS[case]
    before = contents(home)
    done = here("fit", *arguments)
    assert refused(done, message)
    assert contents(home) == before
    assert not (home / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resume", "nowhere"), "no such run folder"),
        (("resume", "gr.csv"), "no such run folder"),
        (("resume", "."), "no journal here"),
        (("evaluate", "BSK", "--job", "job.toml"), "did you mean 'BKS'?"),
        (("evaluate", "BKS", "--job", "job.toml", "--json", "no/x.json"), "no folder no"),
        (("evaluate", "BKS", "--job", "job.toml", "--plot", "no/x.png"), "no folder no"),
        (("evaluate", "BKS", "--job", "job.toml", "--workers", "0"), "workers must be"),
        (("evaluate", "wide.toml", "--job", "job.toml"), "cutoff must be at most half the box"),
        (("evaluate", ".", "--job", "job.toml"), "no finished fit in this folder"),
        (("export", "BSK", "-o", "out"), "did you mean 'BKS'?"),
        (("export", ".", "-o", "out"), "no finished fit in this folder"),
        (("export", "gr.csv", "-o", "out"), "no potential"),
        (("export", "BKS", "-o", "gr.csv"), "gr.csv is no folder"),
        (("export", "BKS", "-o", "out", "--json", "no/x.json"), "no folder no"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_other_commands_refuse_as_clearly(here, home, arguments, message):
    wide = dump_potential(load_potential("CHIK")).replace("\ncutoff = 8.0", "\ncutoff = 15.0")
    (home / "wide.toml").write_text(wide)
    before = contents(home)
    assert refused(here(*arguments), message)
    assert contents(home) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit",),
        ("fit", "job.toml"),
        ("frobnicate",),
        ("fitt",),
        ("a\nb",),
        ("fit", "job.toml", "-o", "run", "--workers", "many\nlines"),
        ("fit", "job.toml", "-o", "run", "--colour"),
        ("fit", "job.toml", "-o", "run", "x" * 1000),
        ("fit", "job.toml", "-o"),
        ("evaluate", "BKS"),
        ("evaluate", "BKS", "--job", "job.toml", "--repeats", "0"),
        ("gap", "frobnicate"),
        *(("gap", one) for one in ("sample", "properties", "md", "label", "fit", "export")),
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_usage_errors_are_one_line(here, home, arguments):
    before = contents(home)
    done = here(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"lammpsfit: [^\n]{,280}[;?] [Ss]ee 'lammpsfit.* --help'\n", done.stderr)
    assert contents(home) == before


@pytest.mark.parametrize("arguments", [(), ("gap",)])
def test_no_command_asks_for_help(here, arguments):
    done = here(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Commands:" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [("nojob.toml", "-o", "run"), ("job.toml", "-o", "run", "--workers", "0"), ("job.toml",)],
    ids=" ".join,
)
def test_refusals_in_a_process_of_its_own(lammpsfit, home, arguments):
    before = contents(home)
    done = lammpsfit("fit", *arguments, cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert contents(home) == before


def test_the_library_is_listed_by_elements(here, home):
    done = here("library", "NaAlO", "Ba", "--json", "known.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "PMMCS" in done.stdout
    assert "SHIK" not in done.stdout
    known = json.loads((home / "known.json").read_text())["PMMCS"]
    assert known["terms"] == ["morse", "power"]
    assert (known["coulomb"], known["doi"]) == ("pppm", "10.1021/jp0611018")
    assert {"BKS", "SHIK", "PMMCS"} <= set(here("library").stdout.split())
    for asked, message in {
        "NaXe": "no potential of the library has Na and Xe: its species are Ag, Al, B",
        "Si(": "formula 'Si(' cannot be read",
    }.items():
        done = here("library", asked)
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.count("\n") == 1


def test_help_and_version(here):
    for arguments in (
        (),
        ("fit",),
        ("resume",),
        ("evaluate",),
        ("reference",),
        ("export",),
        ("library",),
    ):
        done = here(*arguments, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert "--help" in done.stdout
    assert here("--version").stdout == f"lammpsfit {__version__}\n"


def test_a_dry_run_says_what_it_would_do_and_makes_nothing(here, home):
    change(home / "job.toml", '"small"', '"[/bold] :smile: $x_{$ ß"')
    before = contents(home)
    done = here("fit", "job.toml", "-o", "run", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "[/bold] :smile: $x_{$ ß: 2 parameters of BKS (q_Si, A_Si-O), 306 atoms" in done.stdout
    assert contents(home) == before


def test_a_dry_run_refuses_the_folder_that_the_run_would(here, home):
    (home / "run").mkdir()
    (home / "run" / "journal.jsonl").touch()
    done = here("fit", "job.toml", "-o", "run", "--dry-run")
    assert done.returncode == 2
    assert "run holds a run already" in done.stderr


@pytest.mark.lammps
def test_strange_names_end_well(lammpsfit, home, structure):
    """Titles and names that are markup to rich, formulas to matplotlib, variables to LAMMPS."""
    change(home / "job.toml", '"small"', '"[/bold] $x_{$ # & ß"')
    text = (home / "mine.toml").read_text().replace('"BKS"', '"$\\\\frac{$ [/i]"')
    (home / "named.toml").write_text(text)
    change(home / "job.toml", '"CHIK"', '"named.toml"')
    change(home / "job.toml", "candidates = 1\nrepeats = 2", "candidates = 1\nrepeats = 1")
    (home / "tmp [x] ü").mkdir()
    run = "run [/x] ü 'a"
    done = lammpsfit(
        *("fit", "job.toml", "-o", run, "--max-evaluations", 2, "--json", "out [1].json"),
        cwd=home,
        TMPDIR=str(home / "tmp [x] ü"),
        PYTHONIOENCODING="ascii",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((home / "out [1].json").read_text())["status"] == "finished"
    assert (home / run / "lammps" / "in.example").exists()
    assert list((home / "tmp [x] ü").iterdir()) == []


@pytest.mark.lammps
def test_evaluate_writes_what_it_prints(lammpsfit, home, structure):
    done = lammpsfit(
        *("evaluate", "BKS", "./mine.toml", "CHIK", "--job", "job.toml", "--repeats", 2),
        *("--json", "costs.json", "--plot", "gr.png"),
        cwd=home,
    )
    assert done.returncode == 0, done.stderr
    costs = json.loads((home / "costs.json").read_text())
    assert list(costs) == ["BKS", "./mine.toml", "CHIK"]
    assert costs["BKS"]["cost"] == costs["./mine.toml"]["cost"] != costs["CHIK"]["cost"]
    for name in costs:
        assert f"{100 * costs[name]['cost']:.2f} ± " in done.stdout
    assert (home / "gr.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.lammps
def test_a_failed_potential_stands_in_the_table(lammpsfit, home, structure):
    weak = dump_potential(load_potential("BKS").replace({"A_Si-O": 3600.0}))
    (home / "weak.toml").write_text(weak)
    options = ["--job", "job.toml", "--json", "x.json"]
    done = lammpsfit("evaluate", "weak.toml", "mine.toml", *options, cwd=home)
    assert done.returncode == 0, done.stderr
    assert "failed" in done.stdout
    costs = json.loads((home / "x.json").read_text())
    assert costs["weak.toml"]["cost"] is None
    assert costs["mine.toml"]["cost"] > 0


@pytest.mark.lammps
def test_nothing_but_failures_is_one_itself(lammpsfit, home, structure):
    weak = dump_potential(load_potential("BKS").replace({"A_Si-O": 3600.0}))
    (home / "weak.toml").write_text(weak)
    done = lammpsfit("evaluate", "weak.toml", "--job", "job.toml", "--json", "x.json", cwd=home)
    assert done.returncode == 1
    assert done.stderr == "lammpsfit: every run failed, see the notes above\n"
    assert json.loads((home / "x.json").read_text())["weak.toml"]["cost"] is None


@pytest.mark.lammps
def test_a_fit_is_exported_again(lammpsfit, finished_run, tmp_path):
    done = lammpsfit("export", finished_run, "-o", tmp_path / "a" / "b", "--json", tmp_path / "c")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "c").read_text())["overlay_rms"] < 1e-4
    first, again = (
        load_potential(str(path / "potential.toml")) for path in (finished_run, tmp_path / "a/b")
    )
    assert first == again


@pytest.mark.lammps
def test_any_evaluation_of_a_search_can_be_exported(lammpsfit, finished_run, tmp_path):
    fit = open_fit(*open_run(finished_run))
    record = next(one for one in fit.records if one["status"] == "ok" and one["id"] > 0)
    words = ("export", finished_run, "--evaluation", record["id"], "-o", tmp_path / "a")
    done = lammpsfit(*map(str, words))
    assert done.returncode == 0, done.stderr
    found = load_potential(str(tmp_path / "a" / "potential.toml"))
    assert found.name == f"{finished_run.name}-{record['id']}"
    values = {name: found.parameters[name] for name in record["parameters"]}
    assert values == pytest.approx(record["parameters"], rel=1e-9)


@pytest.mark.parametrize(
    ("number", "message"), [("9999", "no evaluation 9999: there are 0 to"), ("-1", "0")]
)
def test_an_evaluation_that_is_not_there(here, finished_run, tmp_path, number, message):
    words = ("export", finished_run, "--evaluation", number, "-o", tmp_path / "a")
    assert refused(here(*words), message)
    assert not (tmp_path / "a").exists()


def test_only_a_run_has_evaluations(here, tmp_path):
    words = ("export", "BKS", "--evaluation", "1", "-o", tmp_path / "a")
    assert refused(here(*words), "BKS: no such run folder")


def test_a_run_folder_is_not_begun_twice(here, finished_run, job_file):
    before = contents(finished_run)
    assert refused(here("fit", job_file, "-o", finished_run), "lammpsfit resume")
    assert contents(finished_run) == before


def test_a_cache_that_cannot_be_written(here, home, monkeypatch):
    (home / "cache").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    assert refused(here("evaluate", "BKS", "--job", "job.toml"), "set XDG_CACHE_HOME")


@pytest.mark.lammps
def test_other_bins_and_another_order_of_species(lammpsfit, home):
    """Bins of another width that do not begin at zero, and the anion first in the formula."""
    r = 1.0 + 0.05 * (np.arange(80) + 0.5)
    lines = ["r_A,g_Si-Si,g_O-Si,g_O-O", *(f"{x:.4f},1.0,1.0,1.0" for x in r)]
    (home / "gr.csv").write_text("\n".join(lines) + "\n")
    change(home / "job.toml", '"SiO2"', '"O2Si"')
    done = lammpsfit("evaluate", "BKS", "--job", "job.toml", "--json", "x.json", cwd=home)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads((home / "x.json").read_text()).values()
    assert set(found["pair_costs"]) == {"Si-Si", "O-Si", "O-O"}
    assert (found["r_min"], found["r_max"]) == (1.0, 5.0)


def test_bins_that_cannot_be_sampled_are_refused(here, home):
    r = 0.001 + 0.05 * np.arange(80)  # the first bin would begin below zero
    lines = ["r_A,g_Si-Si,g_O-Si,g_O-O", *(f"{x:.4f},1.0,1.0,1.0" for x in r)]
    (home / "gr.csv").write_text("\n".join(lines) + "\n")
    done = here("fit", "job.toml", "-o", "run")
    assert refused(done, "resample the reference")
    assert not (home / "run").exists()


def test_a_closed_pipe_is_no_traceback(home):
    done = subprocess.run(
        f"'{LAMMPSFIT}' fit job.toml -o run --dry-run 2>err | true",
        cwd=home,
        shell=True,
        check=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert done.returncode == 0
    assert "Traceback" not in (home / "err").read_text()
