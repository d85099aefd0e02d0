"""Dynamics that is looked at: what a crystal must show, going on, and where a model is lost."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from lammpsfit.errors import InputError, RunError, StoppedError
from lammpsfit.gap.coverage import Coverage
from lammpsfit.gap.work.dynamics import Dynamics
from lammpsfit.gap.work.md import MdRequest, run_md
from lammpsfit.run_pages.gap_md import first_peak

CRYSTAL = bulk("Al", cubic=True, a=4.0).repeat(2)
NVE = MdRequest(Dynamics("nve", 300.0, timestep=4.0), time=0.48, equilibrate=0.08, look=0.04)


def test_a_crystal_conserves_its_energy_and_has_its_shells():
    result = run_md(CRYSTAL, EMT(), NVE)
    assert len(result.series["time"]) == 12
    assert result.series["time"][-1] == pytest.approx(0.56)
    assert np.ptp(result.series["total"]) < 1e-3
    assert result.drift == pytest.approx(0.0, abs=1.0)
    (g,) = result.rdf.values()
    assert result.r[np.argmax(g[: round(3.4 / 0.05)])] == pytest.approx(4.0 / np.sqrt(2), abs=0.15)
    assert g[result.r < 2.2].max() == 0.0
    shell = (result.r > 2.2) & (result.r < 3.4)
    density = 32 / CRYSTAL.get_volume()
    neighbours = (g * 4 * np.pi * result.r**2 * 0.05 * density * 31 / 32)[shell].sum()
    assert neighbours == pytest.approx(12.0, rel=0.02)
    assert 0.0 < result.series["msd"][-1] < 0.3
    # equipartition: half of what went into velocities is potential energy by now
    assert 90.0 < result.means["temperature"][0] < 220.0


def test_the_pressure_is_that_of_the_stress():
    request = replace(NVE, time=0.04, equilibrate=0.0)
    squeezed = CRYSTAL.copy()
    squeezed.set_cell(0.97 * squeezed.cell, scale_atoms=True)
    result = run_md(squeezed, EMT(), request)
    expected = -EMT().get_property("stress", squeezed)[:3].mean() * 1.602176634e6
    assert result.means["pressure"][0] == pytest.approx(expected, rel=0.2)
    assert result.means["pressure"][1] is None


def test_a_run_goes_on_where_it_was():
    request = replace(NVE, time=0.2)
    whole = run_md(CRYSTAL, EMT(), request)
    states = []

    def keep(state):
        states.append(json.loads(json.dumps(state)))
        if len(states) == 2:
            raise StoppedError("enough")

    with pytest.raises(StoppedError):
        run_md(CRYSTAL, EMT(), request, keep=keep)
    again = run_md(CRYSTAL, EMT(), request, known=states[-1])
    for name, values in whole.series.items():
        np.testing.assert_allclose(again.series[name], values, rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(again.rdf["Al-Al"], whole.rdf["Al-Al"], atol=1e-6)


def test_an_atom_far_from_the_data_ends_the_run():
    far = iter([0.5, 1.5, 9.0])
    with pytest.raises(RunError, match=r"an atom is 9\.0 times as far .* \(at most 5\)"):
        run_md(CRYSTAL, EMT(), NVE, grade=lambda atoms: next(far))


def test_grades_are_nothing_in_the_data_and_large_far_from_it(small):
    coverage = Coverage(small.model)
    for frame in small.frames:
        np.testing.assert_allclose(coverage.grades(frame), 0.0, atol=1e-5)
    frame = small.frame(40)
    near = coverage.grades(frame)
    assert near.shape == (3,)
    squeezed = replace(frame, positions=0.7 * frame.positions, cell=0.7 * frame.cell)
    assert coverage.grades(squeezed).max() > 2 * near.max()
    with pytest.raises(InputError, match="cannot tell where it extrapolates"):
        Coverage(replace(small.model, training=()))


def test_the_command_makes_a_page_numbers_and_the_last_structure(here):
    ase.io.write("start.xyz", bulk("Al", cubic=True, a=4.0), format="extxyz")
    arguments = (
        *("md", "start.xyz", "-o", "run", "--calculator", "ase.calculators.emt:EMT"),
        *("--ensemble", "npt", "--time", "0.6", "--equilibrate", "0", "--repeat", "2"),
    )
    done = here(*arguments, "--json", "md.json")
    assert done.returncode == 0, done.stderr
    assert "temperature" in done.stdout
    content = json.loads(Path("md.json").read_text())
    assert content["atoms"] == 32
    assert content["means"]["volume"]["value"] == pytest.approx(16.0, rel=0.05)
    assert "msd" not in content["series"]
    assert "Pair distribution" in Path("run/md.html").read_text()
    assert len(ase.io.read("run/final.extxyz")) == 32
    assert here(*arguments).returncode == 0  # all of it is known
    other = here(*arguments, "--temperature", 500)
    assert other.returncode == 2
    assert "belongs to another call" in other.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--time", "0.01"), "must be at least as long as the time between two looks (0.05 ps)"),
        (("--timestep", 0), "the timestep must be from 0.001 to 100, got 0"),
        (("--timestep", "nan"), "the timestep must be from 0.001 to 100, got nan"),
        (("--stop-at", "nan"), "the largest grade positive"),
        (("--time", "1e308"), "a run must be from 0 to 2e+06 ps, got 1e+308 ps"),
        (("--time", "nan"), "at least as long as the time between two looks"),
        (("--look", "1e-300"), "at least as long as the time between two looks"),
        (("--look", "0.001", "--timestep", "1", "--time", 1000), "looked at 100000 times at most"),
        (("--equilibrate", "inf"), "must be from 0 to 2e+06 ps, got inf ps"),
        (("--equilibrate", -1), "must be from 0 to 2e+06 ps, got -1 ps"),
        (("--temperature", "1e308"), "the temperature must be positive, at most 100000"),
        (("--ensemble", "npt", "--pressure", "nan"), "the pressure must be from -1e+09 to 1e+09"),
        (("--repeat", 100), "at most 300000 atoms, got 4000000: repeat it less"),
    ],
)
def test_bad_input_is_one_line(here, options, message):
    ase.io.write("start.xyz", bulk("Al", cubic=True), format="extxyz")
    run = ("md", "start.xyz", "-o", "run", "--calculator", "ase.calculators.emt:EMT")
    done = here(*run, *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert not Path("run").exists()


def test_smoothing_finds_the_peak_of_g_and_does_not_lower_it():
    r = 0.05 * (np.arange(160) + 0.5)
    sharp = 2.9 * np.exp(-(((r - 2.775) / 0.2) ** 2))
    result = SimpleNamespace(r=r, rdf={"Al-Al": sharp})
    assert first_peak(result, "Al-Al") == pytest.approx((2.775, 2.9), abs=1e-6)
