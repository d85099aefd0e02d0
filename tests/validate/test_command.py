"""``lammpsfit validate`` as a user meets it."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.cli import main
from lammpsfit.forcefield import dump_potential, load_potential

LAMMPSFIT = Path(sys.executable).parent / "lammpsfit"
SILICA = Path(__file__).parents[2] / "examples" / "silica"
ANGLES = SILICA / "bond_angles_3600K.csv"
SHORT = ("--relax", "0.05", "--sample", "0.2", "--workers", "1")
ALSO = """
[[also]]
name = "hot"
protocol = { temperature = 4000.0 }
"""


@pytest.fixture(scope="module")
def whole(lammpsfit, job_file, structure, tmp_path_factory):
    """A validation with every part, of one potential of the library and one of a file."""
    folder = tmp_path_factory.mktemp("whole")
    mine = folder / "mine.toml"
    other = load_potential("ML")
    mine.write_text(dump_potential(other).replace('name = "ML"', 'name = "mine"'))
    out, measured = folder / "out", folder / "measured.csv"
    q = np.arange(0.5, 20, 0.05)
    S = 1 - np.exp(-((q / 1.5) ** 4)) + 1.2 * np.exp(-(((q - 1.5) / 0.3) ** 2))
    np.savetxt(measured, np.column_stack([10 * q, S]), header="Q (1/nm), S(Q)")
    done = lammpsfit(
        "validate", "BKS", mine, "--job", job_file, "-o", out, *SHORT, "--against",
        f"neutron={measured}", "--quench", 3300, "--quench-pressure", 0, "--expansion", 600,
        "--angles", ANGLES, "--json", folder / "copy.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out, done


@pytest.fixture
def here(job_text, tmp_path, monkeypatch, capsys):
    """Call ``main`` in this process, in a folder with a job."""
    monkeypatch.chdir(tmp_path)
    Path("job.toml").write_text(job_text + ALSO)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["lammpsfit", "validate", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        return caught.value.code, capsys.readouterr().err

    return call


def table(path):
    lines = path.read_text().splitlines()
    header = [line for line in lines if line.startswith("#")]
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return header, {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


@pytest.mark.lammps
def test_everything_is_there(whole):
    out, done = whole
    names = ["liquid-gr", "liquid-angles", "liquid-sq", "liquid-msd", "glass-gr", "glass-angles"]
    for name in names:
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        header, columns = table(out / f"{name}.csv")
        assert any("lammpsfit validate BKS" in line for line in header)
        assert {name.rpartition("_")[2] for name in list(columns)[1:]} == {"BKS", "mine"}
    assert len(list((out / "runs").glob("*.npz"))) == 8
    assert {path.suffix for path in (out / "runs").glob("*glass*")} == {".npz", ".extxyz", ".data"}
    for words in ("liquid, 3600 K", "zero pressure", "glass, 300 K", "table ml"):
        assert words in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.lammps
def test_the_values_are_those_of_the_curves(whole):
    out, _ = whole
    content = json.loads((out / "validate.json").read_text())
    assert content == json.loads((out.parent / "copy.json").read_text())
    liquid, density, glass, heated = content["facts"].values()
    _, sq = table(out / "liquid-sq.csv")
    weights = {"Si-Si": 0.0694, "Si-O": 0.3880, "O-O": 0.5426}
    total = sum(w * sq[f"{pair}_BKS"] for pair, w in weights.items())
    assert sq["neutron_BKS"] == pytest.approx(total, abs=2e-3)
    _, gr = table(out / "liquid-gr.csv")
    top = gr["r_A"][np.argmax(gr["Si-O_mine"])]
    value = liquid["g(Si-O): first peak at"]["values"]["mine"]
    assert value["mean"] == pytest.approx(top, abs=0.05)
    assert 0 < value["error"] < 0.05
    _, angles = table(out / "liquid-angles.csv")
    p = angles["O-Si-O_BKS"]
    assert p.sum() == pytest.approx(1, abs=1e-6)
    mean = liquid["O-Si-O: mean angle"]["values"]
    assert mean["BKS"]["mean"] == pytest.approx(p @ angles["theta_deg"], abs=1e-3)
    assert mean["reference"]["error"] is None
    shared = liquid["O-Si-O: overlap with the reference"]["values"]
    assert shared["reference"]["mean"] == pytest.approx(100)
    assert shared["table ml"]["mean"] > shared["table bks"]["mean"]  # as published
    assert 80 < shared["BKS"]["mean"] < 100
    assert "reference" not in glass["O-Si-O: mean angle"]["values"]
    peak = glass["neutron S(q): first peak at"]["values"]["reference"]["mean"]
    assert peak == pytest.approx(1.5, abs=0.1)
    off = glass["neutron S(q): distance from the measured one"]["values"]["BKS"]
    assert 10 < off["mean"] < 150
    assert 0 < off["error"] < off["mean"]
    assert "neutron S(q): distance from the measured one" not in liquid
    own = glass["density"]["values"]["BKS"]["mean"]
    assert heated["density at 600 K"]["values"]["BKS"]["mean"] == pytest.approx(own, rel=0.1)
    assert heated["linear thermal expansion"]["unit"] == "10⁻⁶/K"
    assert heated["linear thermal expansion"]["values"]["mine"]["error"] > 0
    assert set(density) == {"temperature", "density", "drift of the density"}
    around = liquid["O around Si"]["values"]["reference"]["mean"]
    assert around == pytest.approx(4.07, abs=0.02)  # the integral of the reference's g(r)


@pytest.mark.lammps
def test_the_page_stands_alone(whole):
    out, _ = whole
    text = (out / "validate.html").read_text()
    assert text.count('<img src="data:image/png;base64,') == 7
    assert text.count('srcset="data:image/png;base64,') == 7
    assert 'src="http' not in text
    for words in ("bonds end at Si-O", "cooled to 300 K at 3300 K/ps", "heated to 600 K", "mine"):
        assert words in text


@pytest.mark.lammps
def test_nothing_is_run_twice(whole, lammpsfit, job_file, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(whole[0], out)
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()}
    again = lammpsfit(
        "validate", "BKS", "ML", "--job", job_file, "-o", out, *SHORT, "--no-npt",
        "--angles", ANGLES,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert "1 finished run(s) are on disk already" in again.stdout
    assert "1 run(s) to do: ML liquid" in again.stdout
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())


@pytest.mark.lammps
def test_what_determines_a_run_makes_another_run(whole, lammpsfit, job_file, tmp_path):
    out, _ = whole
    shutil.copytree(out, tmp_path / "out")
    longer = ("--relax", "0.05", "--sample", "0.4", "--workers", "1", "--no-npt")
    done = lammpsfit("validate", "BKS", "--job", job_file, "-o", tmp_path / "out", *longer)
    assert done.returncode == 0, done.stderr
    assert "1 run(s) to do: BKS liquid" in done.stdout
    assert "on disk already" not in done.stdout


@pytest.mark.lammps
def test_kill_9_loses_only_what_was_running(whole, job_file, lammpsfit, tmp_path):
    out = tmp_path / "out"
    arguments = ["validate", "BKS", "ML", "--job", job_file, "-o", out, *SHORT, "--no-npt"]
    process = subprocess.Popen(
        [LAMMPSFIT, *map(str, arguments)], stdout=subprocess.DEVNULL, start_new_session=True
    )
    until = time.monotonic() + 120
    while not list(out.glob("runs/BKS*.npz")) and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (kept,) = out.glob("runs/*.npz")
    written = kept.stat().st_mtime_ns
    done = lammpsfit(*arguments)
    assert done.returncode == 0, done.stderr
    assert "1 finished run(s) are on disk already" in done.stdout
    assert "ML liquid: done" in done.stdout
    assert "BKS liquid: done" not in done.stdout
    assert kept.stat().st_mtime_ns == written
    assert not list(out.glob("runs/.*"))
    ours = json.loads((out / "validate.json").read_text())["facts"]
    theirs = json.loads((whole[0] / "validate.json").read_text())["facts"]
    (part,) = ours
    for name in ("pressure", "R", "Si: diffusion", "neutron S(q): first peak at"):
        first, second = ours[part][name]["values"], theirs[part][name]["values"]
        assert first["BKS"] == second["BKS"]
        assert first["ML"] == second["mine"]


@pytest.mark.lammps
def test_diffusion_has_an_activation_energy(here, lammpsfit):
    done = lammpsfit(
        "validate", "BKS", "--job", "job.toml", "-o", "out", *SHORT, "--no-npt",
        "--temperature", 5000, "--temperature", 3000, cwd=Path.cwd(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    liquid, diffusion = json.loads(Path("out/validate.json").read_text())["facts"].values()
    for name in ("Si", "O"):
        D = [diffusion[f"{name}: diffusion at {T} K"]["values"]["BKS"] for T in (3000, 3600, 5000)]
        assert D[1] == liquid[f"{name}: diffusion"]["values"]["BKS"]
        energy = diffusion[f"{name}: activation energy"]["values"]["BKS"]
        # of so short a run it is no property, but it lies between the slopes of its ends
        rise = np.diff(np.log([one["mean"] for one in D])) / np.diff(
            1 / (8.617333e-5 * np.array([3000, 3600, 5000]))
        )
        assert min(-rise) <= energy["mean"] <= max(-rise)
        assert energy["error"] > 0


@pytest.mark.lammps
def test_crystals_stand_beside_their_files(here, lammpsfit):
    done = lammpsfit(
        "validate", "BKS", "CHIK", "--job", "job.toml", "-o", "out", "--workers", 1,
        "--no-liquid", "--no-npt", "--crystal", SILICA / "alpha_quartz.cif", cwd=Path.cwd(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 run(s) to do: BKS crystal alpha_quartz, CHIK crystal alpha_quartz" in done.stdout
    content = json.loads(Path("out/validate.json").read_text())
    assert not content["failures"]
    quartz = content["facts"]["alpha_quartz, 0 K, zero pressure"]
    assert quartz["a"]["values"]["reference"] == {"mean": pytest.approx(4.916), "error": None}
    assert quartz["a"]["values"]["BKS"]["mean"] == pytest.approx(4.94, abs=0.1)
    assert quartz["gamma"]["values"]["CHIK"]["mean"] == pytest.approx(120, abs=0.1)
    assert 0 < quartz["C66"]["values"]["BKS"]["mean"] < quartz["C33"]["values"]["BKS"]["mean"]
    suffixes = {path.suffix for path in Path("out/runs").glob("BKS-crystal-*")}
    assert suffixes == {".npz", ".extxyz", ".data"}


@pytest.mark.lammps
def test_a_run_that_fails_is_said_and_kept(lammpsfit, job_file, tmp_path):
    weak = load_potential("BKS")
    weak = weak.replace({"A_Si-O": 0.4 * weak.parameters["A_Si-O"]})
    (tmp_path / "weak.toml").write_text(
        dump_potential(weak).replace('name = "BKS"', 'name = "weak"')
    )
    arguments = ["validate", "BKS", tmp_path / "weak.toml", "--job", job_file]
    arguments += ["-o", tmp_path / "out", *SHORT, "--no-npt"]
    done = lammpsfit(*arguments)
    assert done.returncode == 0, done.stderr
    assert "weak liquid: failed: " in done.stdout
    content = json.loads((tmp_path / "out" / "validate.json").read_text())
    assert list(content["failures"]) == ["weak liquid"]
    assert "Runs that failed" in (tmp_path / "out" / "validate.html").read_text()
    again = lammpsfit(*arguments)
    assert "2 finished run(s) are on disk already" in again.stdout
    alone = lammpsfit(*[x for x in arguments if x != "BKS"])
    assert alone.returncode == 1
    assert alone.stderr.startswith("lammpsfit: every run failed: weak liquid: ")


@pytest.mark.lammps
def test_another_condition_of_the_job(here, structure, lammpsfit):
    done = lammpsfit(
        "validate", "BKS", "--job", "job.toml", "-o", "out", *SHORT, "--no-npt",
        "--condition", "hot", "--atoms", 150, "--cutoff", "O-O=3.0", cwd=Path.cwd(),
    )  # fmt: skip
    assert done.returncode == 2  # 150 atoms are too few for the cutoff, which is said before
    assert "cutoff must be at most half the box" in done.stderr
    done = lammpsfit(
        "validate", "BKS", "--job", "job.toml", "-o", "out", *SHORT, "--no-npt",
        "--condition", "hot", "--cutoff", "O-O=3.0", cwd=Path.cwd(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "liquid, 4000 K" in done.stdout
    assert "bonds end at Si-O 2.35 Å, O-O 3.00 Å" in done.stdout
    assert "O-O-O: mean angle" in done.stdout


GLASS = ("BKS", "--quench", "10", "--quench-pressure", "0")
WRONG = {
    "no potential": (["BSK"], "did you mean 'BKS'?"),
    "twice": (["BKS", "BKS"], "must have names of their own, got 'BKS' again"),
    "no fit": ([".", "BKS"], "no finished fit in this folder"),
    "no job": (["BKS", "--job", "none.toml"], "none.toml: no such job file"),
    "condition": (["BKS", "--condition", "cold"], "no condition 'cold', only main, hot"),
    "atoms": (["BKS", "--atoms", "100"], "multiple of 3 for SiO2, got 100: use 99"),
    "atoms sign": (["BKS", "--atoms", "-5"], "option: atoms: input should be greater than 0, got"),
    "box": (["BKS", "--atoms", "99"], "cutoff must be at most half the box"),
    "relax": (["BKS", "--relax", "-1"], "relax must not be negative (ps), got -1"),
    "sample": (["BKS", "--sample", "0"], "sample must be positive (ps), got 0"),
    "relax inf": (["BKS", "--relax", "inf"], "relax: input should be a finite number, got inf"),
    "sample nan": (["BKS", "--sample", "nan"], "sample: input should be a finite number, got nan"),
    "blocks": (["BKS", "--sample", "0.05"], "0.05 ps every 10 fs are 5 frames for 4 blocks"),
    "rate": (["BKS", "--quench", "0"], "rate of a quench must be positive (K/ps), got 0"),
    "pressure": (["BKS", "--quench-pressure", "0"], "how a glass is made: add --quench RATE"),
    "glasses": (["BKS", "--quench", "10", "--glasses", "0"], "must be from 1 to 100, got 0"),
    "no pressure": (
        ["BKS", "--quench", "10", "--expansion", "500"],
        "needs a glass at constant pressure: add --quench RATE --quench-pressure 0",
    ),
    "no quench": (["BKS", "--expansion", "500"], "needs a glass at constant pressure"),
    "molten": ([*GLASS, "--expansion", "3600"], "below the liquid (3600 K), got 3600"),
    "no heat": ([*GLASS, "--expansion", "nan"], "from 0 K to below the liquid (3600 K), got nan"),
    "zero": ([*GLASS, "--expansion", "0"], "from 0 K to below the liquid (3600 K), got 0"),
    "same": ([*GLASS, "--expansion", "300"], "beside that of the glass (300 K), got 0"),
    "no kelvin": ([*GLASS, "--expansion", "warm"], "invalid value for '--expansion'"),
    "no glass": (["BKS", "--glasses", "2"], "how many are made: add --quench RATE"),
    "against": (["BKS", "--against", "sq.dat"], "--against must be neutron=FILE or xray=FILE"),
    "no curve": (["BKS", "--against", "xray=none.dat"], "none.dat: no such file"),
    "nothing": (["BKS", "--no-liquid", "--no-npt"], "nothing is left to run"),
    "no crystal": (["BKS", "--crystal", "none.cif"], "none.cif: no such start structure"),
    "crystal": (["BKS", "--crystal", "job.toml"], "job.toml: must be a start structure as CIF"),
    "slow": (["BKS", "--quench", "1e-300"], "must be below 2e+09 steps, got 3300 K at 1e-300 K/ps"),
    "slowest": (["BKS", "--quench", "5e-324"], "must be below 2e+09 steps, got 3300 K at 4.9"),
    "up": (["BKS", "--quench", "10", "--quench-to", "5000"], "must begin above its end (5000 K)"),
    "cutoff": (["BKS", "--cutoff", "Si-O"], "Si-O=2.2"),
    "no pair": (["BKS", "--cutoff", "Na-O=3"], "no such pair in the system"),
    "angles": (["BKS", "--angles", "none.csv"], "none.csv: no such file"),
    "no angles": (["BKS", "--angles", "job.toml"], "the first column must be theta_deg"),
    "folder": (["BKS", "-o", "job.toml"], "job.toml is no folder"),
    "workers": (["BKS", "--workers", "0"], "workers must be at least 1, got 0"),
    "json": (["BKS", "--json", "none/x.json"], "there is no folder none"),
    "walltime": (["BKS", "--walltime", "soon"], "walltime must be seconds"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_input_is_one_line(here, arguments, message):
    rest = [] if "--job" in arguments else ["--job", "job.toml"]
    rest += [] if "-o" in arguments else ["-o", "out"]
    code, said = here(*arguments, *rest)
    assert code == 2
    assert said.startswith("lammpsfit: ")
    assert said.count("\n") == 1
    assert message in said
    assert not Path("out").exists()
