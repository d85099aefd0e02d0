"""What frames say is found once, is what they say, and goes with them."""

import gc
from types import SimpleNamespace

import numpy as np
import pytest

from lammpsfit.fit.base import Outcome
from lammpsfit.fit.newton.descent import GaussNewtonSettings, Seen, Trail
from lammpsfit.fit.newton.frame_memory import FrameMemory
from lammpsfit.forcefield import Free, ParameterSpace, load_potential
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import Histogram

SPACE = ParameterSpace(load_potential("ML"), (Free("A_O-O", 300.0, 900.0),))
POINTS = [np.array([0.2]), np.array([0.7])]


@pytest.fixture
def frames():
    histogram = Histogram(0.1, 1, 15, 45, 60)
    counts = np.random.default_rng(1).integers(0, 9, (5, 3, histogram.size)).astype(np.uint16)
    return Frames(histogram, {"Si": 4, "O": 8}, 200.0, counts, np.zeros(5))


class Term:
    """Counts how often it is asked."""

    def __init__(self, name, slope):
        self.name, self._slope, self.asked = name, slope, 0

    def per_frame(self, frames):
        self.asked += 1
        return np.full((len(frames), 2), len(self.name))

    def per_frame_slope(self, frames, space, u):
        self.asked += 1
        return self._slope and np.full((len(frames), 2, 1), u[0])


def test_energies_and_gradients_are_those_of_the_frames_and_found_once(frames, monkeypatch):
    memory = FrameMemory(SPACE)
    potentials = [SPACE.potential(u) for u in POINTS]
    expected = frames.energies(potentials), frames.gradient(SPACE, POINTS[1])
    # the first point alone, then both: only the second is new
    np.testing.assert_array_equal(memory.energies(frames, POINTS[:1]), expected[0][:, :1])
    real, asked = Frames.energies, []
    monkeypatch.setattr(Frames, "energies", lambda f, p: asked.append(len(p)) or real(f, p))
    for _ in range(2):
        np.testing.assert_allclose(memory.energies(frames, POINTS), expected[0], rtol=1e-12)
    assert asked == [1]
    np.testing.assert_array_equal(memory.gradient(frames, POINTS[1]), expected[1])
    monkeypatch.setattr(Frames, "gradient", None)
    np.testing.assert_array_equal(memory.gradient(frames, POINTS[1]), expected[1])


def test_terms_are_told_apart_and_none_is_remembered_too(frames):
    memory, fixed, moving = FrameMemory(SPACE), Term("a", None), Term("bb", True)
    for _ in range(2):
        assert memory.residuals(frames, fixed)[0, 0] == 1
        assert memory.residuals(frames, moving)[0, 0] == 2
        assert memory.slope(frames, fixed, POINTS[0]) is None
        assert memory.slope(frames, moving, POINTS[0])[0, 0, 0] == 0.2
        assert memory.slope(frames, moving, POINTS[1])[0, 0, 0] == 0.7
    assert (fixed.asked, moving.asked) == (2, 3)


def test_it_holds_nothing_of_frames_that_are_gone(frames):
    memory = FrameMemory(SPACE)
    other = Frames(frames.histogram, frames.atoms, 200.0, frames.counts, frames.pressure)
    memory.energies(other, POINTS)
    memory.energies(frames, POINTS)
    del other
    gc.collect()
    assert list(memory._known) == [frames]


def test_runs_are_pooled_anew_only_where_there_are_others():
    made = []

    def linearise(runs, x):
        made.append([run for _, run in runs])
        return SimpleNamespace(response=SimpleNamespace(metric=np.eye(1)), course=None)

    trail = Trail(linearise, GaussNewtonSettings(memory=3, reach=1.0))
    seen = [Seen(k, np.array([0.1 * k]), Outcome(0.1, run=k)) for k in range(5)]
    for one in seen[:2]:
        trail.add(one)
    first = trail.pooled(seen[0])
    assert trail.pooled(seen[0]) is first
    assert made == [[0], [0, 1]]
    trail.add(seen[2])
    assert trail.pooled(seen[0]) is not first
    assert made[-1] == [0, 1, 2]
    trail.add(seen[3])  # the first is forgotten
    trail.pooled(seen[1])
    assert made[-1] == [1, 2, 3]
