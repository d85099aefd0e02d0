"""A box that changes: what its frames say is what positions, LAMMPS and the volume say."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lammpsfit.child.failure import Reason, SimulationError
from lammpsfit.child.process import run_in_child
from lammpsfit.errors import InputError
from lammpsfit.forcefield import Free, ParameterSpace
from lammpsfit.md import ensemble as ensemble_module
from lammpsfit.md.ensemble import integrator, state_words
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import Histogram
from lammpsfit.md.potential_text import pair_lines, species_lines
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.sample import pool, sample
from lammpsfit.md.sample_file import load_sample, save_sample
from lammpsfit.md.session import session, workplace
from lammpsfit.structure.fluctuations import linear_response
from lammpsfit.structure.pair_counts import configuration_rdf
from lammpsfit.structure.reweighting import multistate_weights
from lammpsfit.units import BOLTZMANN_CONSTANT

NPT = Protocol(
    3600.0, 0.05, 0.2, every_fs=10.0, blocks=4, ensemble="npt", pressure=2e4, barostat=0.1
)
R = 0.02 * (np.arange(300) + 0.5)
SILICA = {"Si": 28.0855, "O": 15.9994}


@dataclass(frozen=True)
class OfPositions:
    """Volume and g(r) of each frame by another route: from its positions in its own cell."""

    name = "by positions"
    fine_bins = False

    def measure(self, composition, positions, cell):
        g = configuration_rdf(composition, positions, cell, 0.02, R.size)
        return np.append(np.linalg.det(cell), g.ravel())

    def observe(self, frames):
        return frames.measured[self.name]


@pytest.fixture(scope="module")
def taken(problem, structure):
    task = partial(
        sample, problem.potential, NPT, structure, 5, R, keep=True, observables=(OfPositions(),)
    )
    return run_in_child(task, 60.0)


@pytest.mark.lammps
def test_frames_of_a_box_that_changes_are_those_of_positions(taken):
    frames = taken.frames
    volume, g = np.split(frames.measured["by positions"], [1], axis=1)
    assert np.ptp(frames.volume) > 0.005 * frames.volume.mean()
    assert frames.volume == pytest.approx(volume[:, 0], rel=1e-6)
    found = frames.g().reshape(len(frames), -1)
    off = np.abs(found - g) > 1e-6 * (1 + g)
    assert off.sum() <= 2 * len(frames)  # a pair on the edge of a bin may fall either way
    assert found.max() > 3


@pytest.mark.lammps
def test_the_density_is_mass_over_volume(taken, tmp_path):
    frames = taken.frames
    mass = 102 * SILICA["Si"] + 204 * SILICA["O"]
    assert frames.density(SILICA) == pytest.approx(mass * 1.66053907 / frames.volume)
    assert taken.density == pytest.approx(frames.density(SILICA).reshape(4, -1).mean(axis=1))
    assert taken.mean_density.mean == pytest.approx(frames.density(SILICA).mean())
    save_sample(tmp_path / "s.npz", taken)
    loaded = load_sample(tmp_path / "s.npz")
    assert np.array_equal(loaded.density, taken.density)
    assert np.array_equal(loaded.frames.volume, frames.volume)
    both = pool([taken, replace(taken, density=taken.density + 1)])
    assert both.density == pytest.approx(np.repeat(taken.density, 2) + np.tile([0, 1], 4))
    assert both.density_drift.mean == taken.density_drift.mean
    assert both.density_drift.error == pytest.approx(taken.density_drift.error / np.sqrt(2))
    assert loaded.density_drift == taken.density_drift


@pytest.mark.lammps
def test_energy_and_pressure_of_the_last_frame_are_those_of_lammps(taken, problem, tmp_path):
    """And their derivatives, at the volume of that frame, not at that of the first."""
    file = tmp_path / "end.data"
    file.write_text(taken.configuration)
    base, frames = problem.potential, taken.frames
    space = ParameterSpace(base, [Free("A_Si-O", 1.5e4, 2.2e4, log=False)])
    u = space.unit(base)

    def lammps(x):
        potential = space.potential(np.array([x]))
        with workplace({"start.data": file}), session() as lmp:
            lines = pair_lines(potential, "combined", Path())
            lmp.commands_string(
                "units metal\natom_style charge\nread_data start.data\n"
                f"{species_lines(potential)}\n{lines}\nrun 0 post no"
            )
            pe, pressure = lmp.get_thermo("pe"), lmp.get_thermo("press")
        return np.array([pe - frames.jumps(potential)[-1], pressure])

    kT = BOLTZMANN_CONSTANT * 3600
    energy, pressure = lammps(u[0])
    assert frames.energies([base])[-1, 0] == pytest.approx(energy, abs=0.5 * kT)
    assert frames.pressure[-1] == pytest.approx(pressure, abs=1.0)
    slopes = (lammps(u[0] + 1e-3) - lammps(u[0] - 1e-3)) / 2e-3
    assert frames.gradient(space, u)[-1, 0] == pytest.approx(slopes[0], rel=1e-3)
    assert frames.pressure_gradient(space, u)[-1, 0] == pytest.approx(slopes[1], rel=1e-3)
    by_first = slopes[1] * frames.volume[-1] / frames.volume[0]
    assert abs(by_first / slopes[1] - 1) > 3e-3


@pytest.mark.lammps
def test_a_barostat_holds_its_pressure(taken, problem, structure):
    """The box of a liquid that is squeezed shrinks, and its pressure goes to what is set."""
    assert taken.density[-1] > taken.density[0] > 2.2
    constant = replace(NPT, ensemble="nvt", pressure=0.0)
    other = run_in_child(partial(sample, problem.potential, constant, structure, 5, R), 60.0)
    assert other.density is other.mean_density is other.density_drift is None
    assert taken.pressure.mean > other.pressure.mean


@pytest.mark.lammps
@pytest.mark.parametrize(
    ("boiled", "pressure", "words"),
    [(0.5, 0.0, "the liquid boils"), (3.0, -3e5, "neighbor bins")],
)
def test_a_box_that_grows_without_end_is_a_runaway(
    problem, structure, boiled, pressure, words, monkeypatch
):
    monkeypatch.setattr(ensemble_module, "BOILED", boiled)
    protocol = replace(NPT, pressure=pressure, relax=1.0)
    with pytest.raises(SimulationError, match=words) as caught:
        sample(problem.potential, protocol, structure, 5, R)
    assert caught.value.failure.reason == Reason.RUNAWAY


def test_the_volume_of_a_constant_box_may_be_one_number():
    histogram = Histogram.onto(R, 8.0)
    counts = np.ones((3, 3, histogram.size), dtype=np.uint8)
    one = Frames(histogram, {"Si": 2, "O": 4}, 1000.0, counts, np.zeros(3))
    three = replace(one, volume=np.array([1000.0, 1100.0, 900.0]))
    assert one.volume.tolist() == [1000.0] * 3
    assert three.g() == pytest.approx(one.g() * np.array([1.0, 1.1, 0.9])[:, None, None])
    assert three.g(1)[0] == pytest.approx(three.g().mean(axis=0))


def test_words_for_lammps_and_for_people(problem):
    assert integrator(Protocol(3600.0)) == "nvt temp 3600.0 3600.0 0.1"
    protocol = Protocol(3600.0, ensemble="npt", pressure=1000.0, timestep_fs=2.0)
    assert integrator(protocol) == "npt temp 3600.0 3600.0 0.2 iso 1000.0 1000.0 2.0"
    assert state_words(problem.system, Protocol(3600.0)) == "2.2 g/cm³ and 3600 K"
    assert state_words(problem.system, protocol) == "0.1 GPa (from 2.2 g/cm³) and 3600 K"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pressure": float("inf")}, "pressure must be a number"),
        ({"barostat": 0.05}, r"at least 100 timesteps \(0.1 ps\).* got 0.05"),
    ],
)
def test_wrong_barostats_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        replace(NPT, **changes)


def test_pv_does_not_depend_on_the_parameters():
    """One atom pair per volume: U = a/V with the weight V^N exp(-β(U + PV)), done exactly."""
    beta, N, P = 1.0, 40, 0.05
    V = np.linspace(100.0, 4000.0, 400_001)

    def weights(a):
        log = N * np.log(V) - beta * (a / V + P * V)
        w = np.exp(log - log.max())
        return w / w.sum()

    a, h, rng = 4e3, 1.0, np.random.default_rng(1)
    exact = ((weights(a + h) - weights(a - h)) / V).sum() / (2 * h)
    frames = rng.choice(V, size=200_000, p=weights(a))
    found = linear_response(
        1 / frames[:, None], 1 / frames[:, None], beta, np.arange(frames.size) * 20 // frames.size
    )
    assert found.jacobian[0, 0] == pytest.approx(exact, abs=4 * found.jacobian_error[0, 0])
    assert found.jacobian_error[0, 0] < 0.02 * abs(exact)

    several = [a, 1.15 * a]
    both = np.concatenate([rng.choice(V, size=20_000, p=weights(one)) for one in several])
    wanted = 1.3 * a
    w = multistate_weights(
        [beta * one / both for one in several], [20_000] * 2, beta * wanted / both
    )
    with_work = multistate_weights(
        [beta * (one / both + P * both) for one in several],
        [20_000] * 2,
        beta * (wanted / both + P * both),
    )
    assert w == pytest.approx(with_work, rel=1e-6)
    assert w @ (1 / both) == pytest.approx((weights(wanted) / V).sum(), rel=2e-3)
    assert abs((weights(wanted) / V).sum() / (weights(a) / V).sum() - 1) > 0.01
