"""What a fit must not do: overwrite, mix, lose or peek."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.errors import RunError, StoppedError
from lammpsfit.farm.base import Finished
from lammpsfit.farm.journal import read_journal
from lammpsfit.gap import learning_point
from lammpsfit.gap import run as running
from lammpsfit.gap.frame_roles import load_frame_roles
from lammpsfit.gap.job import read_gap_job
from lammpsfit.gap.learning import learning_curves
from lammpsfit.gap.model_file import load_model, save_model
from lammpsfit.gap.record_models import MAE
from lammpsfit.gap.run import GapRun, open_gap_run, run_gap_fit, train_descriptors

JOB = Path(__file__).with_name("emt.toml").read_text()
UNTRAINED = JOB.replace("steps = 6", "optimise = false")


def labels(frames):
    return {frame.label for frame in frames}


def quiet(what, done, total, now):
    pass


def go():
    return None


def test_a_lean_model_knows_its_errors_without_frames(here):
    Path("job.toml").write_text(UNTRAINED.replace("[model]", "[model]\ninducing = 9"))
    done = here("fit", "job.toml", "-o", "run")
    assert done.returncode == 0, done.stderr
    model = load_model(Path("run/model.json"))
    assert model.inducing
    assert model.training == ()
    held_out = json.loads(Path("run/result.json").read_text())["held_out"]
    assert 0.0 < held_out["forces"]["calibration"]["within_1_sigma"] <= 1.0
    assert Path("run/parity.png").exists()


def test_what_is_read_is_not_written_over(here):
    Path("base.toml").write_text(UNTRAINED)
    assert here("fit", "base.toml", "-o", "base").returncode == 0
    again = UNTRAINED.replace("[training]", "from_model = 'base/model.json'\n[training]")
    Path("again.toml").write_text(again)
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    for command in (
        ("fit", "again.toml", "-o", "new", "--json", "again.toml"),
        ("fit", "again.toml", "-o", "new", "--json", "al.extxyz"),
        ("fit", "again.toml", "-o", "new", "--json", "base/model.json"),
        ("learning-curve", "again.toml", "-o", "new", "--json", "al.extxyz"),
        ("resume", "base", "--json", "base/job.toml"),
        ("resume", "base", "--json", "al.extxyz"),
    ):
        done = here(*command)
        assert done.returncode == 2
        assert f"cannot write {command[-1]}: it is " in done.stderr
    # a folder whose job is lost, but not its model
    shutil.move("base/job.toml", "job.saved")
    assert (
        "cannot write base/model.json: it is read" in here("fit", "again.toml", "-o", "base").stderr
    )
    shutil.move("job.saved", "base/job.toml")
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_a_model_of_all_frames_has_no_errors_to_tell(here):
    text = UNTRAINED.replace("held_out = 5", "how = 'random'").replace("train = 8", "train = 20")
    Path("job.toml").write_text(text)
    done = here("fit", "job.toml", "-o", "run", "--json", "o.json")
    assert done.returncode == 0, done.stderr
    assert "no errors to tell: no frame is held out" in done.stdout
    assert json.loads(Path("o.json").read_text())["held_out"] == {}
    assert len(load_model(Path("run/model.json")).training) == 20
    assert not list(Path("run").glob("*.png"))


def test_a_training_does_not_go_on_with_other_descriptors(here):
    """The state and the points would be on the scale of the first, and the model on another."""
    Path("base.toml").write_text(UNTRAINED)
    here("fit", "base.toml", "-o", "base")
    text = JOB.replace("[training]", "from_model = 'base/model.json'\n[training]")
    Path("job.toml").write_text(text)
    for command in (("fit", "job.toml", "-o", "run"), ("learning-curve", "job.toml", "-o", "run")):
        done = here(*command)
        assert done.returncode == 0, done.stderr
    model = load_model(Path("base/model.json"))
    scale = tuple(1.5 * x for x in model.descriptors.scale)
    save_model(
        replace(model, descriptors=replace(model.descriptors, scale=scale)),
        Path("base/model.json"),
    )
    for command, file in (
        (("resume", "run"), "state.json"),
        (("learning-curve", "job.toml", "-o", "run"), "points.jsonl"),
    ):
        done = here(*command)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"{file}: belongs to other frames or descriptors" in done.stderr


def test_no_atom_without_an_energy_of_its_own(here, images):
    """The model whose descriptors are taken knows copper; no frame to train on has it."""
    alloy = [atoms.copy() for atoms in images]
    for atoms in alloy[::2]:
        atoms.symbols[0] = "Cu"
    ase.io.write("alloy.extxyz", alloy)
    Path("alloy.toml").write_text(UNTRAINED.replace("al.extxyz", "alloy.extxyz"))
    assert here("fit", "alloy.toml", "-o", "alloy").returncode == 0
    job = read_gap_job(Path("job.toml"))
    which = sorted(labels(load_frame_roles(job).held_out))[0]
    foreign = [atoms.copy() for atoms in images]
    foreign[int(which.rsplit(" ", 1)[1]) - 1].symbols[0] = "Cu"
    ase.io.write("al.extxyz", foreign)
    text = UNTRAINED.replace("[training]", "from_model = 'alloy/model.json'\n[training]")
    Path("job.toml").write_text(text)
    done = here("fit", "job.toml", "-o", "run")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"{which}: has Cu, but no frame to train on has it: give the energy" in done.stderr
    assert not Path("run").exists()
    given = text.replace("[model]", "[model]\noffsets = { Al = -0.1, Cu = -0.2 }")
    Path("job.toml").write_text(given)
    assert here("fit", "job.toml", "-o", "run", "--dry-run").returncode == 0


def test_a_fit_stops_at_any_part_and_ends_the_same(here):
    job = read_gap_job(Path("job.toml"))
    parts = load_frame_roles(job)
    asked = []
    whole = run_gap_fit(
        open_gap_run(Path("whole"), job), job, parts, quiet, lambda: asked.append(0)
    )
    steps = 7 + 1 + len(parts.held_out)  # of Adam, before the fit, and frames held out
    assert len(asked) > steps  # the search for the first hyper-parameters asks too

    def stop_at(count):
        left = iter(range(count))
        return lambda: None if next(left, None) is not None else "SIGTERM"

    run = open_gap_run(Path("cut"), job)
    for before, state, model in ((0, False, False), (len(asked) - 1, True, True)):
        with pytest.raises(StoppedError, match=r"stopped \(SIGTERM\)"):
            run_gap_fit(run, job, parts, quiet, stop_at(before))
        assert (run.state.exists(), run.model.exists()) == (state, model)
        assert not run.result.exists()
    run.model.unlink()
    with pytest.raises(StoppedError):  # trained, not fitted
        run_gap_fit(run, job, parts, quiet, stop_at(0))
    assert not run.model.exists()
    again = run_gap_fit(run, job, parts, quiet, go)
    for one in (again, whole):
        del one.summary["wall_s"]
    assert again.summary == whole.summary


def test_the_search_of_an_untrained_fit_can_be_stopped(here):
    Path("job.toml").write_text(UNTRAINED)
    job = read_gap_job(Path("job.toml"))
    asked = []

    def stop():
        asked.append(0)
        return "walltime" if len(asked) == 3 else None

    with pytest.raises(StoppedError, match="walltime"):
        run_gap_fit(open_gap_run(Path("run"), job), job, load_frame_roles(job), quiet, stop)
    assert not Path("run/model.json").exists()


def test_validation_frames_decide_which_step_is_kept(here, monkeypatch):
    job = read_gap_job(Path("job.toml"))
    parts = load_frame_roles(job)
    seen = []
    monkeypatch.setattr(running, "train", lambda *args: seen.extend(args[:2]))
    train_descriptors(GapRun(Path()), job, parts, quiet, go)
    assert labels(seen[0]) == labels(parts.learn)
    assert labels(seen[1]) == labels(parts.validation)
    assert not labels(seen[1]) & labels(parts.held_out)


class Backwards:
    """A farm of three workers that brings back last what it was given first."""

    workers = 3

    def __init__(self, failure=None):
        self.given, self.failure, self.left = [], failure, False

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.left = True

    idle = property(lambda self: self.workers - self.busy)
    busy = property(lambda self: len(self.given))

    def submit(self, key, task, timeout):
        self.given.append((key, pickle.dumps(task)))

    def wait(self, seconds):
        key, task = self.given.pop()
        return [Finished(key, self.failure or pickle.loads(task)(), 1.0, 1)]


def test_a_curve_is_the_same_on_a_farm(here):
    Path("job.toml").write_text(UNTRAINED)
    job = read_gap_job(Path("job.toml"))
    parts = load_frame_roles(job)
    alone, _ = learning_curves(open_gap_run(Path("alone"), job).path, job, parts, quiet, go)
    folder, farm = open_gap_run(Path("farm"), job).path, Backwards()
    made = []
    with pytest.raises(StoppedError, match=r"\(enough\) with 1 of 4 points: the same command"):
        learning_curves(
            folder,
            job,
            parts,
            lambda *said: made.append(said),
            lambda: "enough" if made else None,
            farm,
        )
    assert farm.left
    curves, _ = learning_curves(folder, job, parts, quiet, go, Backwards())
    for name, curve in alone.items():
        for field in ("sizes", "forces", "energy", "predicted"):
            assert np.array_equal(getattr(curve, field), getattr(curves[name], field))
    # who did the work is no part of the job: the same folder goes on, with a farm or without
    Path("job.toml").write_text(UNTRAINED + "[farm]\nengine = 'parsl'\nparsl = 'no.py'\n")
    named = read_gap_job(Path("job.toml"))
    assert named.farm.parsl == Path("no.py").absolute()
    assert named.dump() == job.dump()


def test_a_point_that_kills_its_workers_ends_the_curve(here):
    Path("job.toml").write_text(UNTRAINED)
    job = read_gap_job(Path("job.toml"))
    farm = Backwards(Failure(Reason.KILLED, "signal 9"))
    path = open_gap_run(Path("run"), job).path
    with pytest.raises(RunError, match=r"2 frames \(original descriptors, repeat 2\) failed: kill"):
        learning_curves(path, job, load_frame_roles(job), quiet, go, farm)


@pytest.mark.parametrize(
    ("farm", "options", "message"),
    [
        ("", ("--parsl", "no.py"), "no such configuration of Parsl"),
        ("[farm]\nengine = 'parsl'\nparsl = 'no.py'\n", (), "no such configuration of Parsl"),
        ("[farm]\nengine = 'parsl'\n", (), "needs a configuration: --parsl FILE or farm.parsl"),
        ("[farm]\nparsl = 'no.py'\n", (), "parsl is for engine = 'parsl'"),
    ],
)
def test_what_is_no_farm_is_refused_before_anything_is_made(here, farm, options, message):
    Path("job.toml").write_text(JOB + farm)
    said = here("learning-curve", "job.toml", "-o", "curve", *options)
    assert said.returncode == 2
    assert message in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1
    assert not Path("curve").exists()


def test_training_sets_of_a_curve(here, monkeypatch):
    """Drawn anew each time, the same for both kinds, the small in the large, nothing held out."""
    job = read_gap_job(Path("job.toml"))
    curve = job.learning_curve.model_copy(update={"sizes": (2, 15), "repeats": (3,)})
    job = job.model_copy(update={"learning_curve": curve})
    parts = load_frame_roles(job)
    fit, seen = learning_point.fit_model, []

    def fake(frames, descriptors, parameters, options):
        if not seen:
            fake.model = fit(frames, descriptors, parameters, options)
        seen.append(labels(frames))
        return fake.model

    monkeypatch.setattr(learning_point, "fit_model", fake)
    learning_curves(open_gap_run(Path("run"), job).path, job, parts, quiet, go)
    sets = np.array(seen, dtype=object).reshape(3, 2, 2)  # repeat, size, kind
    for repeat in sets:
        assert repeat[0, 0] == repeat[0, 1]
        assert len(repeat[0, 0]) == 2
        for chosen in repeat[1]:
            assert chosen == labels(parts.train) | labels(parts.spare)
            assert not chosen & labels(parts.held_out)
            assert repeat[0, 0] <= chosen
    assert len({frozenset(repeat[0, 0]) for repeat in sets}) == 3


def test_a_size_may_have_fewer_training_sets_than_another(here):
    text = UNTRAINED.replace("sizes = [2, 5]\nrepeats = 2", "sizes = [5, 2]\nrepeats = [1, 3]")
    Path("job.toml").write_text(text)
    done = here("learning-curve", "job.toml", "-o", "curve")
    assert done.returncode == 0, done.stderr
    points = read_journal(Path("curve/points.jsonl")).of_type("point")
    drawn = {(one["size"], one["repeat"]): one["errors"]["forces"][MAE["forces"]] for one in points}
    assert set(drawn) == {(2, 0), (5, 0), (2, 1), (2, 2)}
    curve = json.loads(Path("curve/curve.json").read_text())
    assert curve["repeats"] == [3, 1]
    small = [drawn[2, k] for k in range(3)]
    errors = curve["curves"]["original"]["force_mae_eV_per_A"]
    assert errors["mean"] == pytest.approx([np.mean(small), drawn[5, 0]])
    assert errors["std"] == pytest.approx([np.std(small), 0.0])
    Path("job.toml").write_text(text.replace("[1, 3]", "[1, 3, 2]"))
    done = here("learning-curve", "job.toml", "-o", "other")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "there must be one for each of the 2 sizes, or one for all, got 3" in done.stderr
    Path("job.toml").write_text(text.replace("[1, 3]", "[0, 1]"))
    done = here("learning-curve", "job.toml", "-o", "other")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "learning_curve.repeats.0: input should be greater than or equal to 1" in done.stderr


def test_a_job_of_before_stays_what_it_was(here):
    """Folders of fits that were not finished are known again by the text of their job."""
    Path("job.toml").write_text(JOB)
    text = read_gap_job(Path("job.toml")).dump()
    assert "repeats = 2\n" in text
    assert "least_stress_noise" not in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first_moment": []}, "training: first_moment has another length than vector"),
        ({"best": [[1.0]]}, "training: best.0: input should be a valid number"),
        ({"vector": 1.0}, "training: vector: input should be a valid list"),
        (
            {"second_moment": "minus"},
            "second_moment.0: input should be greater than or equal to 0",
        ),
        ({"first_moment": "nan"}, "training: first_moment.0: input should be a finite number"),
        ({"steps": [[0]]}, "no state of a training"),
    ],
)
def test_a_damaged_state_is_one_clear_line(here, change, message):
    run = GapRun(Path("run"))
    job = read_gap_job(Path("job.toml"))
    open_gap_run(run.path, job)
    (name, value), size = next(iter(change.items())), 8
    odd = {"minus": [-1.0] * size, "nan": [float("nan")] * size}
    arrays = {key: [0.0] * size for key in ("origin", "vector", "first_moment", "second_moment")}
    parts = load_frame_roles(job)
    mark = running.mark_of(job, [*parts.learn, *parts.validation])
    state = {"frames": mark, "steps": [], **arrays, "best": [0.0] * size}
    state[name] = odd.get(value, value) if isinstance(value, str) else value
    run.state.write_text(json.dumps(state))
    done = here("resume", "run")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("lammpsfit: run/state.json: ")
    assert message in done.stderr
