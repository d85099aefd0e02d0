"""Frames to label: strains of known size, and dynamics that goes on where it was."""

import json
import math
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from lammpsfit.errors import InputError, RunError
from lammpsfit.gap.work.dynamics import Dynamics, resumed, started
from lammpsfit.gap.work.strain import ladder, strained
from lammpsfit.labelled.frames import read_frames

EMT_NAME = "ase.calculators.emt:EMT"


def test_strains_have_their_size_and_sign():
    atoms = bulk("Al", cubic=True)
    seen = dict(ladder(0.05, 13))
    assert len(seen) == 13
    assert strained(atoms, seen["volume +0.05"]).get_volume() == pytest.approx(
        1.05**3 * atoms.get_volume()
    )
    assert abs(np.trace(seen["tetragonal -0.05"])) < 1e-12
    assert seen["trigonal -0.025"][0, 1] == -0.025
    with pytest.raises(InputError, match=r"at most 0\.3, got 0\.5"):
        list(ladder(0.5, 3))


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt"])
def test_a_motion_goes_on_where_it_was(ensemble):
    dynamics = Dynamics(ensemble, temperature=600.0, seed=4)
    atoms = bulk("Al", cubic=True).repeat((2, 1, 1))
    whole = started(atoms, EMT(), dynamics)
    whole.advance(5)
    whole.advance(5)
    first = started(atoms, EMT(), dynamics)
    first.advance(5)
    second = resumed(json.loads(json.dumps(first.state())), EMT(), dynamics)
    second.advance(5)
    # EMT adds up its neighbours in another order when it makes its list anew
    for name in ("positions", "momenta"):
        one, other = (motion.atoms.arrays[name] for motion in (second, whole))
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    assert (ensemble == "npt") == (whole.atoms.get_volume() != pytest.approx(atoms.get_volume()))


def test_energy_is_conserved_without_a_thermostat():
    motion = started(bulk("Al", cubic=True), EMT(), Dynamics("nve", 300.0, timestep=1.0))
    before = motion.atoms.get_total_energy()
    motion.advance(100)
    assert motion.atoms.get_total_energy() == pytest.approx(before, abs=1e-3)


def test_the_thermostat_holds_its_temperature():
    atoms = bulk("Al", cubic=True).repeat(2)
    motion = started(atoms, EMT(), Dynamics("nvt", 500.0, thermostat=20.0, timestep=4.0))
    motion.advance(100)
    found = []
    for _ in range(60):
        motion.advance(5)
        found.append(motion.atoms.get_temperature())
    # 96 degrees of freedom: one look has an error of 14 %, sixty correlated ones of some 4 %
    assert np.mean(found) == pytest.approx(500.0, rel=0.15)


def test_a_lost_run_ends_with_a_reason():
    class Lost(EMT):
        def calculate(self, *arguments, **options):
            super().calculate(*arguments, **options)
            if self.atoms.get_kinetic_energy() > 0.0 and self.results["energy"] > 0.02:
                self.results["energy"] = math.nan

    with pytest.raises(RunError, match=r"after 0\.\d+ ps the energy is no number"):
        started(bulk("Al", cubic=True), Lost(), Dynamics("nve", 900.0)).advance(100)
    hot = started(bulk("Al", cubic=True), EMT(), Dynamics("nve", 3000.0))
    cold = resumed(hot.state(), EMT(), Dynamics("nve", 100.0))
    with pytest.raises(RunError, match=r"5 times as hot as meant"):
        cold.advance(5)
    with pytest.raises(InputError, match=r"the timestep must be from 0\.001 to 100, got 0"):
        Dynamics(timestep=0.0)


def test_strained_cells_from_the_command_line(here):
    ase.io.write("start.xyz", bulk("Al", cubic=True), format="extxyz")
    done = here("sample", "start.xyz", "-o", "out.extxyz", "--strain", "0.06", "--frames", "7")
    assert done.returncode == 0, done.stderr
    assert len(read_frames([Path("out.extxyz")], labelled=False)) == 7
    images = ase.io.read("out.extxyz", index=":")
    assert images[1].info["config_type"] == "strain volume +0.06"


def test_dynamics_from_the_command_line_goes_on_with_the_same_frames(here, monkeypatch):
    ase.io.write("start.xyz", bulk("Al", cubic=True), format="extxyz")
    options = ("--calculator", EMT_NAME, "--temperature", 300, "--temperature", 900)
    times = ("--frames", 3, "--equilibrate", "0.02", "--interval", "0.02")
    assert here("sample", "start.xyz", "-o", "whole.xyz", *options, *times).returncode == 0
    state = json.loads(Path("whole.xyz.state.json").read_text())
    images = ase.io.read("whole.xyz", index=":")
    assert [a.info["config_type"] for a in images] == ["npt 300 K", "npt 900 K"] * 3
    volumes = {round(atoms.get_volume(), 6) for atoms in images}
    assert len(volumes) == 6

    # as if it had been killed after the first frame of the second run
    stopped = here("sample", "start.xyz", "-o", "part.xyz", *options, *times, "--walltime", "0:16")
    assert stopped.returncode in (0, 75), stopped.stderr
    known = json.loads(Path("part.xyz.state.json").read_text())
    assert known["mark"] == state["mark"]
    done = here("sample", "start.xyz", "-o", "part.xyz", *options, *times)
    assert done.returncode == 0, done.stderr
    for one, other in zip(ase.io.read("part.xyz", index=":"), images, strict=True):
        np.testing.assert_allclose(one.positions, other.positions, atol=1e-8)
    other = here("sample", "start.xyz", "-o", "whole.xyz", *options, "--frames", 4, "--force")
    assert other.returncode == 2
    assert "belongs to another call" in other.stderr


def test_a_quench_cools_in_equal_steps_and_goes_on_with_the_same_frames(here):
    ase.io.write("start.xyz", bulk("Al", cubic=True) * (2, 2, 2), format="extxyz")
    options = ("--calculator", EMT_NAME, "--temperature", 1200, "--quench", 200, "--frames", 6)
    times = ("--equilibrate", "0.3", "--interval", "0.3", "--timestep", 4)
    done = here("sample", "start.xyz", "-o", "whole.xyz", *options, *times)
    assert done.returncode == 0, done.stderr
    images = ase.io.read("whole.xyz", index=":")
    kinds = [atoms.info["config_type"] for atoms in images]
    assert kinds == [f"npt {kelvin} K" for kelvin in (1200, 1000, 800, 600, 400, 200)]
    volumes = [atoms.get_volume() for atoms in images]
    assert np.mean(volumes[:3]) > 1.01 * np.mean(volumes[3:])

    here("sample", "start.xyz", "-o", "part.xyz", *options, *times, "--walltime", "0:16")
    assert here("sample", "start.xyz", "-o", "part.xyz", *options, *times).returncode == 0
    for one, other in zip(ase.io.read("part.xyz", index=":"), images, strict=True):
        np.testing.assert_allclose(one.positions, other.positions, atol=1e-8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--calculator", EMT_NAME, "--temperature", 9, "--quench", 0), "positive, at most 100000"),
        (
            ("--calculator", EMT_NAME, "--temperature", 9, "--quench", 3, "--frames", 1),
            "a quench needs two frames and a thermostat",
        ),
        (
            ("--calculator", EMT_NAME, "--temperature", 9, "--quench", 3, "--ensemble", "nve"),
            "a quench needs two frames and a thermostat",
        ),
        (("--strain", "0.1", "--quench", 300), "--strain takes no model"),
        (("--temperature", 300), "give a model, or --calculator"),
        (("--calculator", EMT_NAME), "at least one temperature"),
        (("--calculator", EMT_NAME, "--temperature", -3), "positive, at most 100000, got -3"),
        (("--calculator", EMT_NAME, "--temperature", 9, "--ensemble", "x"), "nve, nvt or npt"),
        (("--calculator", EMT_NAME, "--temperature", "nan"), "temperature must be positive, at"),
        (("--calculator", EMT_NAME, "--temperature", 9, "--interval", "inf"), "got inf ps"),
        (("--calculator", EMT_NAME, "--temperature", 9, "--frames", 10**9), "from 1 to 10000"),
        (("--strain", "nan"), "at most 0.3, got nan"),
        (("--strain", "0.1", "--frames", 10**9), "strained cells must be from 1 to 10000"),
        (("--strain", "0.4"), "at most 0.3, got 0.4"),
        (("--strain", "0.1", "--temperature", 300), "--strain takes no model"),
    ],
)
def test_bad_input_is_one_line(here, options, message):
    ase.io.write("start.xyz", bulk("Al", cubic=True), format="extxyz")
    done = here("sample", "start.xyz", "-o", "out.xyz", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not Path("out.xyz").exists()
