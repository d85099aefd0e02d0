"""Energies of frames far from the fitted point are those that the runs felt."""

from types import SimpleNamespace

import numpy as np
import pytest

from lammpsfit.fit.certainty.nonlinear import NonlinearResiduals
from lammpsfit.forcefield import Free, ParameterSpace, load_potential
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import Histogram
from lammpsfit.units import BOLTZMANN_CONSTANT

BETA = 1.0 / (BOLTZMANN_CONSTANT * 3600.0)
ATOMS = {"Si": 4, "O": 8}
Q = Free("q_Si", 2.0, 2.8, log=False)
C = Free("C_O-O", 100.0, 300.0, log=False)


class Pairs:
    """A term that any change of the energy moves: pairs of O in each frame."""

    def per_frame(self, frames):
        return frames.counts[:, 2].sum(axis=1, dtype=float)[:, None]


def frames_of(space):
    """Frames whose pairs within the cutoff are not of one number, as where the volume changes."""
    base = space.base
    histogram = Histogram(0.1, 1, 15, 45, 110)
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 9, (40, 3, histogram.size)).astype(np.uint16)
    counts[:, :, histogram.centres < 2.0] = 0
    coulomb = None if base.coulomb.pairwise else rng.normal(-60.0, 0.2, 40)
    return Frames(histogram, ATOMS, 200.0, counts, np.zeros(40), {}, coulomb, base.charges)


@pytest.mark.parametrize(("name", "free"), [("BKS", C), ("BKS-Ewald", C), ("BKS-Ewald", Q)])
def test_a_distant_point_is_as_far_as_the_energies_of_the_frames_say(name, free):
    base = load_potential(name).restricted(("Si", "O"))
    balance = "O" if free is Q else None
    space = ParameterSpace(base, [free], balance=balance, composition={"Si": 1, "O": 2})
    frames, x, u = frames_of(space), space.unit(base), space.unit(base) + 0.2
    target = SimpleNamespace(ensemble=[Pairs()], static=())
    bend, distance = NonlinearResiduals(space, target, 3600.0, [(x, frames)])(u)
    U = frames.energies([space.potential(x), space.potential(u)])
    change = U[:, 1] - U[:, 0]
    assert distance == pytest.approx(BETA * change.std(), rel=1e-4)
    left = change - frames.gradient(space, x) @ (u - x)
    A = Pairs().per_frame(frames)
    expected = -BETA * (left - left.mean()) @ (A - A.mean(axis=0)) / len(frames)
    assert bend == pytest.approx(expected, rel=1e-3, abs=1e-4 * BETA * change.std())
    if free is C:  # the energy is linear in it: nothing bends
        assert np.abs(left).max() < 1e-6 * np.abs(change).max()
