"""Active learning: where a potential is lost it asks, and goes on until it is not."""

import json
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from lammpsfit.errors import InputError, RunError, StoppedError
from lammpsfit.gap.frame_roles import load_frame_roles
from lammpsfit.gap.job import read_gap_job
from lammpsfit.gap.lammps.build import NoCompilerError, find_compiler
from lammpsfit.gap.model_file import load_model
from lammpsfit.gap.work.dynamics import Dynamics
from lammpsfit.gap.work.learn import Explored, LearnRequest, explore, learn
from lammpsfit.gap.work.learner import GapLearner
from lammpsfit.labelled.frames import read_frames

START = bulk("Al", cubic=True, a=4.0)
REQUEST = LearnRequest(Dynamics("nvt"), (300.0, 900.0), time=0.1, look=0.02, trust=0.5, most=10)


class Pretended:
    """Trusts itself once it has so many labels; EMT moves the atoms."""

    def __init__(self, enough):
        self.enough, self.labels, self.fitted = enough, [], []

    def fit(self, number, new):
        self.fitted.append(len(new))
        return EMT()

    def errors(self, atoms):
        return 0.1 if len(self.labels) >= self.enough else 0.9

    def label(self, number, frames):
        assert all(not frame.get_momenta().any() for frame in frames)
        self.labels += frames


class Lost(EMT):
    """Loses the atoms after some calls."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.left -= 1
        if self.left < 0:
            self.results["forces"] = np.full_like(self.results["forces"], 1e4)


def test_it_labels_where_it_is_lost_until_it_is_not():
    learner = Pretended(3)
    rounds = learn([START], learner, REQUEST)
    assert [len(runs) for runs in rounds] == [2, 2, 2]
    assert [sum(run.frame is not None for run in runs) for runs in rounds] == [2, 2, 0]
    assert learner.fitted == [0, 2, 4]
    assert rounds[0][0].time == pytest.approx(0.02)
    assert [run.time for run in rounds[-1]] == [0.1, 0.1]
    assert rounds[-1][0].errors == (0.1,) * 5
    with pytest.raises(RunError, match=r"after 0 labels the runs ask for 2 more, and 1 are"):
        learn([START], Pretended(9), replace(REQUEST, most=1))


class Hot(Pretended):
    """Trusts itself where it is cold; the cold are asked about in the rounds in `seen`."""

    def __init__(self, enough):
        super().__init__(enough)
        self.seen = set()

    def errors(self, atoms):
        hot = atoms.get_temperature() > 700.0
        if not hot:
            self.seen.add(len(self.fitted) - 1)
        return 0.9 if hot and len(self.labels) < self.enough else 0.1


def test_a_run_that_came_to_its_end_waits_for_the_others():
    """Then it runs once more, with the last model."""
    learner = Hot(2)
    rounds = learn([START], learner, replace(REQUEST, temperatures=(1.0, 3000.0)))
    assert [[run.carried for run in runs] for runs in rounds] == [
        [False, False],
        [True, False],
        [False, False],
    ]
    assert [[run.frame is None for run in runs] for runs in rounds] == [
        [True, False],
        [True, False],
        [True, True],
    ]
    assert rounds[1][0].errors == rounds[0][0].errors
    assert learner.seen == {0, 2}


def test_a_sound_run_goes_no_further_than_one_that_asks():
    learner = Hot(1)
    rounds = learn([START], learner, replace(REQUEST, temperatures=(3000.0, 1.0)))
    assert [[run.time for run in runs] for runs in rounds] == [
        [pytest.approx(0.02), pytest.approx(0.02)],
        [0.1, 0.1],
    ]
    assert [len(run.errors) for run in rounds[0]] == [1, 1]
    assert rounds[0][1].frame is None


def test_a_potential_that_loses_its_atoms_asks_for_what_came_before():
    dynamics = Dynamics("nvt", 300.0)
    found = explore(START, Lost(after=25), lambda atoms: 0.1, dynamics, REQUEST)
    assert found.time == pytest.approx(0.04)
    assert found.frame is not None
    assert len(found.errors) == 2
    shortest = found.frame.repeat(2).get_all_distances(mic=True)
    assert shortest[shortest > 0].min() > 2.0
    with pytest.raises(RunError, match="the potential lost them"):
        explore(START, Lost(after=0), lambda atoms: 0.1, dynamics, REQUEST)


def test_a_stop_loses_no_finished_run():
    states = []

    def keep(state):
        states.append(json.loads(json.dumps(state)))
        if len(states) == 3:
            raise StoppedError("enough")

    with pytest.raises(StoppedError):
        learn([START], Pretended(1), REQUEST, keep=keep)
    assert [sum(one is not None for one in runs) for runs in states[-1]["rounds"]] == [2, 1]
    again = Pretended(1)
    rounds = learn([START], again, REQUEST, known=states[-1])
    assert [len(runs) for runs in rounds] == [2, 2]
    assert len(again.labels) == 2  # a label that is known costs nothing, see gap label


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trust": 0.0}, "the trusted error must be positive, got 0"),
        ({"most": 0}, "at least one label"),
        ({"time": 0.01}, "must be at least as long as the time between two looks"),
        ({"temperatures": ()}, "at least one temperature"),
    ],
)
def test_a_request_has_bounds(change, message):
    with pytest.raises(InputError, match=message):
        replace(REQUEST, **change)


ARGUMENTS = (
    *("learn", "job.toml", "-o", "learnt", "--calculator", "ase.calculators.emt:EMT"),
    *("--start", "start.xyz", "--temperature", 600, "--time", 0.06, "--look", 0.02),
    *("--ensemble", "nvt"),
)


def test_the_command_learns_from_emt(here):
    ase.io.write("start.xyz", START, format="extxyz")
    job = Path("job.toml").read_text().replace("[training]", "[training]\noptimise = false")
    Path("job.toml").write_text(job)
    done = here(*ARGUMENTS, "--trust", 50.0, "--json", "l.json")
    assert done.returncode == 0, done.stderr
    assert "round 0: 0 labels, shortest run 0.06 ps" in done.stdout
    content = json.loads(Path("l.json").read_text())
    assert content["labels"] == 0
    assert content["rounds"][0][0]["frame"] is None
    assert 0.0 < max(content["rounds"][0][0]["errors"]) < 50.0
    assert "Predicted errors" in Path("learnt/learn.html").read_text()
    assert len(load_model(Path("learnt/learnt.json")).training) == 8
    other = here(*ARGUMENTS, "--trust", 5.0)
    assert other.returncode == 2
    assert "belongs to another call" in other.stderr
    check_next_round(Path("learnt"))


def test_lammps_moves_the_atoms_with_one_model_after_another(here):
    try:
        find_compiler()
    except NoCompilerError as error:
        pytest.skip(str(error))
    ase.io.write("start.xyz", START, format="extxyz")
    job = Path("job.toml").read_text().replace("[training]", "[training]\noptimise = false")
    Path("job.toml").write_text(job)
    done = here(*ARGUMENTS, "--trust", 1e-6, "--most", 2, "--lammps")
    assert done.returncode == 1
    assert "after 2 labels the runs ask for 1 more, and 2 are allowed" in done.stderr
    assert all(Path(f"learnt/lammps/model-{k}/potential.lmp").exists() for k in range(3))
    state = json.loads(Path("learnt/learn.state.json").read_text())["state"]
    frames = [Explored.from_dict(one[0]).frame for one in state["rounds"]]
    # the same start and seed: runs part where models do
    assert 0.0 < np.abs(frames[0].positions - frames[1].positions).max() < 0.5


def check_next_round(folder):
    """Where a round asked for a frame, its label is the calculator's, and the model knows it."""
    job = read_gap_job(Path("job.toml"))
    told = []
    learner = GapLearner(
        folder,
        job,
        load_frame_roles(job),
        "ase.calculators.emt:EMT",
        1,
        lambda *what: told.append(what),
        lambda: None,
    )
    asked = START.copy()
    asked.rattle(0.4, seed=1)
    learner.fit(0, [])
    before = learner.errors(asked)
    learner.label(0, [asked])
    (frame,) = read_frames([folder / "labels-0.extxyz"])
    np.testing.assert_allclose(frame.forces, EMT().get_property("forces", asked), atol=1e-6)
    learner.fit(1, [asked])
    assert len(load_model(folder / "model-1.json").training) == 9
    assert learner.errors(asked) < before
    learner.label(0, [asked])  # known
    assert ("label", 1, 1, "frames") in told
    assert learner.write_all(2, Path("all.extxyz")) == 1


def test_bad_input_is_one_line(here):
    ase.io.write("start.xyz", bulk("Cu", cubic=True), format="extxyz")
    for options, message in (
        (("--trust", -1), "the trusted error must be positive"),
        ((), "no frame of the job has Cu, which a start has"),
    ):
        done = here(*ARGUMENTS, *options)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not Path("learnt").exists()
