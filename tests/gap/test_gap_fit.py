"""``lammpsfit gap fit``, ``resume``, ``evaluate`` and ``learning-curve`` on a small data set."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest

from lammpsfit.errors import InputError
from lammpsfit.farm.journal import read_journal
from lammpsfit.gap.accuracy import Compared, calibration, compare
from lammpsfit.gap.frame_roles import first_descriptors, load_frame_roles
from lammpsfit.gap.job import read_gap_job
from lammpsfit.gap.model_file import load_model
from lammpsfit.gap.predict import predict
from lammpsfit.labelled.frames import read_frames

LAMMPSFIT = Path(sys.executable).parent / "lammpsfit"

JOB = Path(__file__).with_name("emt.toml").read_text()


def result(folder):
    found = json.loads((folder / "result.json").read_text())
    del found["wall_s"]
    return found


def test_a_killed_fit_goes_on_and_ends_where_it_would_have(here):
    Path("job.toml").write_text(JOB.replace("steps = 6", "steps = 15\npatience = 15"))
    assert here("fit", "job.toml", "-o", "whole").returncode == 0
    state = Path("cut/state.json")
    with subprocess.Popen([LAMMPSFIT, "gap", "fit", "job.toml", "-o", "cut"]) as job:
        while not state.exists() or len(json.loads(state.read_text())["steps"]) < 2:
            assert job.poll() is None
            time.sleep(0.005)
        job.send_signal(signal.SIGKILL)
    assert len(json.loads(state.read_text())["steps"]) < 16
    assert not Path("cut/model.json").exists()
    done = here("resume", "cut", "--json", "o.json")
    assert done.returncode == 0, done.stderr
    assert result(Path("cut")) == result(Path("whole"))
    for name in ("model.json", "training.png", "parity.png", "calibration.png", "job.toml"):
        assert (Path("cut") / name).stat().st_size > 0
    # a fit that ended says the same again
    assert here("fit", "job.toml", "-o", "cut").returncode == 0
    assert result(Path("cut")) == result(Path("whole"))


def test_the_result_is_that_of_the_model_on_the_held_out_frames(here):
    here("fit", "job.toml", "-o", "run")
    found = json.loads(Path("run/result.json").read_text())
    parts = load_frame_roles(read_gap_job(Path("job.toml")))
    model = load_model(Path("run/model.json"))
    errors = [predict(model, f).forces - f.forces for f in parts.held_out]
    mae = found["held_out"]["forces"]["mae_eV_per_A"]
    assert mae == pytest.approx(np.abs(errors).mean(), rel=1e-9)
    assert mae < 0.5 * np.mean([np.abs(f.forces).mean() for f in parts.held_out])
    assert {frame.label for frame in model.training} == {f.label for f in parts.train}
    # trained, but still on the scale of the first parameters
    descriptors, first = first_descriptors(read_gap_job(Path("job.toml")), parts)
    assert model.descriptors == descriptors
    assert not np.allclose(model.parameters["radial_eta"], first["radial_eta"])
    ase.io.write("held.extxyz", [ase.io.read("al.extxyz", i) for i in _indices(parts.held_out)])
    said = here(
        "evaluate", "run", "held.extxyz", "--uncertainty", "--json", "e.json", "--png", "p.png"
    )
    assert said.returncode == 0, said.stderr
    again = json.loads(Path("e.json").read_text())["errors"]
    assert again["forces"]["mae_eV_per_A"] == pytest.approx(mae, rel=1e-5)
    assert again["forces"]["calibration"]["within_2_sigma"] > 0.5
    assert "within 1 and 2 predicted errors" in said.stdout
    assert Path("p.png").stat().st_size > 0
    assert Path("p-calibration.png").stat().st_size > 0
    # trained descriptors can be used again, without training
    text = JOB.replace("angular_count = 0", 'from_model = "run/model.json"')
    Path("job2.toml").write_text(text.replace("steps = 6", "optimise = false"))
    assert here("fit", "job2.toml", "-o", "run2").returncode == 0
    assert json.loads(Path("run2/result.json").read_text())["parameters"] == found["parameters"]


def _indices(frames):
    return [int(frame.label.rsplit(" ", 1)[1]) - 1 for frame in frames]


def test_a_learning_curve_goes_on_point_by_point(here):
    command = ("learning-curve", "job.toml", "-o", "curve")
    done = here(*command, "--json", "whole.json")
    assert done.returncode == 0, done.stderr
    journal = Path("curve/points.jsonl")
    points = read_journal(journal).of_type("point")
    assert len(points) == 2 * 2 * 2
    forces = [point["errors"]["forces"]["mae_eV_per_A"] for point in points]
    assert len(set(forces)) >= 4
    lines = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join(lines[:-3]))  # the last three points are lost
    assert here(*command, "--json", "again.json").returncode == 0
    assert json.loads(Path("whole.json").read_text()) == json.loads(Path("again.json").read_text())
    curves = json.loads(Path("whole.json").read_text())["curves"]
    mean = curves["original"]["force_mae_eV_per_A"]["mean"]
    assert mean[1] < mean[0]
    assert {path.name for path in Path("curve").glob("*.png")} == {"curve.png", "scatter.png"}
    assert json.loads(Path("curve/curve.json").read_text())["curves"] == curves


def test_a_curve_in_the_folder_of_its_fit_leaves_the_fit_alone(here):
    here("fit", "job.toml", "-o", "run")
    before = {path: path.read_bytes() for path in Path("run").iterdir()}
    done = here("learning-curve", "job.toml", "-o", "run")
    assert done.returncode == 0, done.stderr
    for path, content in before.items():
        assert path.read_bytes() == content, path
    assert Path("run/curve.json").exists()


def test_a_fit_that_is_told_to_stop_keeps_its_steps(here):
    Path("long.toml").write_text(JOB.replace("steps = 6", "steps = 5000\npatience = 5000"))
    state = Path("run/state.json")
    with subprocess.Popen(
        [LAMMPSFIT, "gap", "fit", "long.toml", "-o", "run"], stderr=subprocess.PIPE, text=True
    ) as job:
        while not state.exists():
            assert job.poll() is None
            time.sleep(0.05)
        job.send_signal(signal.SIGTERM)
        said = job.stderr.read()
    assert job.returncode == 75
    assert said == "lammpsfit: stopped (SIGTERM): the same command goes on from here\n"


def test_dry_run_checks_and_writes_nothing(here):
    for command in ("fit", "learning-curve"):
        done = here(command, "job.toml", "-o", "run", "--dry-run")
        assert done.returncode == 0
        assert "8 frames to fit to (2 of them decide" in done.stdout
        assert "5 held out, 3 descriptors of Al within 5 Å" in done.stdout
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("train = 8", "train = 16", "20 frames cannot give 16 to train on and 5 held out"),
        ("validation = 2", "validation = 8", "split.validation must be below split.train (8)"),
        ("held_out = 5", "", "held_out: blocks need the number of held-out frames"),
        ("steps = 6", "stpes = 6", "unknown key 'training.stpes': did you mean 'steps'?"),
        ("[split]", "[splits]", "unknown key 'splits': did you mean 'split'?"),
        ('"al.extxyz"', '"none.extxyz"', "none.extxyz: no such file of frames"),
        ("[split]", "skip = 20\n[split]", "has 20 frames, and skip = 20 and exclude leave none"),
        (
            "[split]",
            '[data.keys]\nforces="f"\n[split]',
            "training.optimise needs forces, which decide which step is kept",
        ),
        (
            "radial_count = 3",
            "radial_count = 3\nradial_width = 0.3",
            "radial_width must be from 0.1 to 2 cutoffs (0.5 to 10 Å) to be optimised, got 0.3 Å",
        ),
        ("radial_count = 3", "radial_count = 0", "there must be descriptors"),
        ("radial_cutoff = 5.0", "radial_cutoff = 1.0", "need a cutoff beyond the first centre"),
        ("radial_cutoff", "from_model = 'm.json'\nradial_cutoff", "m.json: no such model file"),
        ("[2, 5]", "[2, 16]", "sizes goes to 16, but only 15 frames are not held out"),
        ("[2, 5]", "[0, 5]", "sizes must be at least 1, got 0"),
        ("[model]", "[model]\noffsets = { Cu = -1.0 }", "model.offsets: there is none of Al"),
    ],
)
def test_a_wrong_job_is_one_clear_line(here, old, new, message):
    assert old in JOB
    Path("job.toml").write_text(JOB.replace(old, new))
    command = "learning-curve" if "2, " in old else "fit"
    for dry in ((), ("--dry-run",)):
        done = here(command, "job.toml", "-o", "run", *dry)
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
        # a folder would belong to the wrong job, and be in the way of the mended one
        assert not Path("run").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[split]", '[data.keys]\nforces = "f"\n[split]'),  # energies and stresses are labels too
        ("radial_count = 3", "radial_count = 3\nradial_width = 0.3"),
    ],
)
def test_what_cannot_be_optimised_can_be_fitted_to(here, old, new):
    Path("job.toml").write_text(JOB.replace(old, new).replace("steps = 6", "optimise = false"))
    done = here("fit", "job.toml", "-o", "run")
    assert done.returncode == 0, done.stderr


def test_an_element_only_held_out_frames_have_is_said_before_the_fit(here, images):
    """And one that the descriptors of another model lack, whichever frames have it."""
    here("fit", "job.toml", "-o", "run")
    held_out = _indices(load_frame_roles(read_gap_job(Path("job.toml"))).held_out)
    foreign = [atoms.copy() for atoms in images]
    foreign[held_out[2]].symbols[0] = "Cu"
    ase.io.write("al.extxyz", foreign)
    where = f"al.extxyz, frame {held_out[2] + 1}: has Cu, but"
    for old, new, message in (
        ("", "", f"{where} no frame to train on has it"),
        ("[training]", "from_model = 'run/model.json'\n[training]", f"{where} the descriptors of"),
    ):
        Path("job.toml").write_text(JOB.replace(old, new))
        done = here("fit", "job.toml", "-o", "other")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert message in done.stderr
        assert not Path("other").exists()


def test_a_folder_is_one_jobs_and_one_data_sets(here, images):
    here("fit", "job.toml", "-o", "run")
    Path("job.toml").write_text(JOB.replace("seed = 3", "seed = 4"))
    other = here("fit", "job.toml", "-o", "run")
    assert other.returncode == 2
    assert "run holds the run of another job" in other.stderr
    ase.io.write("al.extxyz", [*images[10:], *images[:10]])
    other = here("resume", "run")
    assert other.returncode == 2
    assert "state.json: belongs to other frames" in other.stderr
    Path("run/state.json").write_text("{")
    assert "state.json: not valid JSON" in here("resume", "run").stderr
    assert "no run of a GAP here" in here("resume", "nowhere").stderr
    Path("run/job.toml").write_bytes(b"\xff\xfe")
    assert "run/job.toml: cannot be read" in here("fit", "job.toml", "-o", "run").stderr
    Path("folder/job.toml").mkdir(parents=True)
    assert "folder/job.toml: cannot be read" in here("fit", "job.toml", "-o", "folder").stderr


def test_evaluate_refuses_what_it_cannot_use(here, images):
    here("fit", "job.toml", "-o", "run")
    copper = [atoms.copy() for atoms in images[:2]]
    copper[1].symbols[0] = "Cu"
    ase.io.write("cu.extxyz", copper)
    for data, message in (
        ("cu.extxyz", "cu.extxyz, frame 2: Cu is none of the species of this potential (Al)"),
        ("job.toml", "no file of frames that ASE can read"),
    ):
        done = here("evaluate", "run", data)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert message in done.stderr
    done = here("evaluate", "run", "al.extxyz", "--energy-key", "E", "--forces-key", "F")
    assert "no energy (E) and no forces (F)" in done.stderr
    assert (
        "cannot write al.extxyz: it is read"
        in here("evaluate", "run", "al.extxyz", "--png", "al.extxyz").stderr
    )


def test_without_jax_one_line_says_what_to_install(here, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("lammpsfit.gap")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jax", None)
    done = here("fit", "job.toml", "-o", "run")
    assert done.returncode == 2
    assert "pip install 'lammpsfit[gap]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_blocks_and_validation_are_what_they_say(here):
    job = read_gap_job(Path("job.toml"))
    parts = load_frame_roles(job)
    everyone = [*parts.train, *parts.held_out, *parts.spare]
    assert len({frame.label for frame in everyone}) == 20
    assert len(parts.spare) == 7
    assert {f.label for f in (*parts.learn, *parts.validation)} == {f.label for f in parts.train}
    assert np.all(np.diff(_indices(parts.held_out)) == 1)
    spread = job.model_copy(update={"split": job.split.model_copy(update={"how": "random"})})
    assert not np.all(np.diff(_indices(load_frame_roles(spread).held_out)) == 1)


def test_errors_of_the_right_size_are_calibrated():
    rng = np.random.default_rng(1)
    error = rng.uniform(0.01, 0.1, 20000)
    truth = rng.normal(size=20000)
    one = Compared(truth, truth + error * rng.normal(size=20000), error)
    found = calibration(one)
    np.testing.assert_allclose(found.made, found.predicted, rtol=0.06)
    np.testing.assert_allclose(found.within, [0.683, 0.954], atol=0.01)
    assert found.spread == pytest.approx(1.0, abs=0.02)
    halved = calibration(replace(one, error=0.5 * error))
    assert halved.spread == pytest.approx(2.0, abs=0.04)
    assert calibration(replace(one, error=None)) is None


def test_energies_are_compared_per_atom_and_noise_counts(here):
    here("fit", "job.toml", "-o", "run")
    model = load_model(Path("run/model.json"))
    frames = read_frames([Path("al.extxyz")])[:2]
    found = [predict(model, frame, uncertainty=True) for frame in frames]
    compared = compare(frames, found, model.hyper.noises)
    assert compared["energy"].mae == pytest.approx(
        np.mean([abs(p.energy - f.energy) / 4 for p, f in zip(found, frames, strict=True)])
    )
    assert np.all(compared["forces"].error >= model.hyper.noises.forces)
    assert compared["forces"].rmse >= compared["forces"].mae
    assert compared["energy"].error[0] == pytest.approx(
        np.hypot(found[0].energy_error / 4, model.hyper.noises.energy), rel=1e-12
    )
    no_forces = [replace(frame, forces=None) for frame in frames]
    assert set(compare(no_forces, found, model.hyper.noises)) == {"energy", "stress"}
    with pytest.raises(InputError, match="this model has no errors"):
        predict(replace(model, training=()), frames[0], uncertainty=True)
