"""What is handed out was run; what does not agree is not handed out."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lammpsfit.errors import InputError, RunError
from lammpsfit.gap.descriptors import Settings, make_descriptors
from lammpsfit.gap.fit import FitOptions, fit_model
from lammpsfit.gap.hyperparameters import Hyperparameters, Noises
from lammpsfit.gap.lammps import export
from lammpsfit.gap.lammps.build import PLUGIN
from lammpsfit.gap.lammps.export import check_frames, export_model
from lammpsfit.gap.lammps.external import attach
from lammpsfit.gap.lammps.installation import find_lammps
from lammpsfit.gap.lammps.model_text import PARTS, model_text
from lammpsfit.gap.lammps.run import run_input, upright
from lammpsfit.gap.model_file import save_model
from lammpsfit.gap.predict import predict
from lammpsfit.labelled.frames import Frame
from lammpsfit.md.session import session

pytestmark = pytest.mark.lammps

FILES = {"model.gap", PLUGIN, "potential.lmp", "in.example"}


def test_the_folder_works_as_it_stands(exported):
    assert {path.name for path in exported.folder.iterdir()} == FILES | {"example.data"}
    said = run_input(exported.lammps, exported.folder, "in.example")
    assert "Loop time" in said
    assert "c_worst" in said


def test_it_agrees_with_the_calculator(exported, metal):
    for one in (exported, metal):
        assert one.check.agrees
        assert one.check.configurations == 4
        assert one.check.errors < 1e-5


@pytest.mark.parametrize("what", ["a", "b", "offset"])
def test_what_does_not_agree_is_not_handed_out(exported, tmp_path, monkeypatch, what):
    """The text of a model that differs in one number a little."""

    def other(model, posterior):
        if what == "offset":
            return model_text(replace(model, offsets={"Al": -3.0, "Ni": -4.0000001}), posterior)
        values = getattr(model.centres, what).copy()
        values.flat[0] *= 1.00001
        return model_text(
            replace(model, centres=replace(model.centres, **{what: values})), posterior
        )

    monkeypatch.setattr(export, "model_text", other)
    with pytest.raises(RunError, match=r"^not exported: LAMMPS must agree with the calculator; \d"):
        export_model(exported.model, tmp_path / "out", exported.lammps)
    assert not (tmp_path / "out").exists()


def test_a_model_without_its_frames_is_checked_on_a_crystal(exported, tmp_path):
    bare = replace(exported.model, training=())
    frames = check_frames(bare)
    assert {s for frame in frames for s in frame.symbols} == {"Al", "Ni"}
    check = export_model(bare, tmp_path / "out", exported.lammps)
    assert check.agrees
    assert check.errors is None
    assert "\nerrors\n" not in (tmp_path / "out" / "model.gap").read_text()


def test_weights_that_cancel_cost_digits_of_the_energy(exported):
    """An energy off by more than rounding is not let through by it, forces never are."""
    model, check = exported.model, exported.check
    frames = check_frames(model)
    assert check.rounding == pytest.approx(export.rounding(model, frames))
    assert check.rounding < 1e-10
    heavy = replace(model, centres=replace(model.centres, a=1e9 * model.centres.a))
    lost = export.rounding(heavy, frames)
    assert lost > 1e-8
    assert not replace(check, energy=lost + 1e-8, rounding=0.0).agrees
    assert replace(check, energy=lost, rounding=lost).agrees
    assert not replace(check, energy=2 * lost + 1e-8, rounding=lost).agrees
    assert not replace(check, forces=2e-7, rounding=lost).agrees


INVARIANTS = {"invariant_count": 2, "invariant_cutoff": 3.9, "invariant_degrees": (3, 4)}


@pytest.mark.parametrize(
    ("others", "inducing", "flags"),
    [
        ({}, 5, ""),
        ({}, 5, "-O1 -march=x86-64"),  # SSE2 takes vectors from aligned memory only
        ({"radial_count": 0, "angular_count": 0}, None, ""),
    ],
)
def test_invariants_beside_a_kernel_and_alone(
    small, compiler, tmp_path, monkeypatch, others, inducing, flags
):
    monkeypatch.setenv("CXXFLAGS", flags)
    settings = Settings(
        **{
            "radial_cutoff": 4.0,
            "radial_count": 2,
            "angular_cutoff": 3.2,
            "angular_count": 1,
            "degrees": (2,),
            "first_centre": 1.8,
            **INVARIANTS,
            **others,
        }
    )
    described = make_descriptors(settings, small.frames)
    parts = len(described[0].layout.parts)
    hyper = Hyperparameters((1.5,) * parts, 0.8, Noises(0.01, 0.05, 0.002))
    options = FitOptions(hyper=hyper, offsets={"Al": -3.0, "Ni": -4.0}, inducing=inducing)
    model = fit_model(small.frames, *described, options)
    check = export_model(model, tmp_path / "out", find_lammps())
    assert check.agrees
    assert check.errors < 1e-6


@pytest.mark.parametrize(("found", "agrees"), [(0.1, True), (0.1003, False)])
def test_errors_are_compared_on_all_configurations(monkeypatch, found, agrees):
    """Those of a perfect crystal are zero, and rounding in LAMMPS."""
    exact = {"crystal": 0.0, "hot": 0.1}
    monkeypatch.setattr(
        export, "errors_at_atoms", lambda model, posterior, frame: np.array([[exact[frame], 0, 0]])
    )
    here = [SimpleNamespace(errors=np.array([[error, 0.0]])) for error in (4e-7, found)]
    apart = export._errors_apart(None, None, tuple(exact), here)
    assert (apart <= export.ERRORS_TOLERANCE) == agrees


def test_descriptors_the_plugin_does_not_know(exported, monkeypatch):
    kind = type(exported.model.descriptors.angular)
    monkeypatch.delitem(PARTS, kind)
    with pytest.raises(InputError, match="the pair style has no descriptors like Angular"):
        model_text(exported.model)


def test_an_upright_frame_is_the_same_structure(small):
    frame = small.frame(3)
    turned = upright(frame)
    assert np.all(np.triu(turned.cell, 1) == 0.0)
    one, other = predict(small.model, frame), predict(small.model, turned)
    assert other.energy == pytest.approx(one.energy, rel=1e-12)


def test_the_command(exported, small, here, tmp_path):
    save_model(small.model, Path("model.json"))
    done = here("export", "model.json", "-o", "out", "--json", "out.json")
    assert done.returncode == 0, done.stderr
    assert "out: pair_style lammpsfit/gap; lmp -in in.example in it runs" in done.stdout
    said = json.loads(Path("out.json").read_text())
    assert said["route"] == "pair_style lammpsfit/gap"
    assert said["energy"] < 1e-8
    assert {path.name for path in Path("out").iterdir()} > FILES
    assert here("export", "model.json", "-o", "out").returncode == 0, "its own files"
    Path("out/potential.lmp").write_text("mine")
    again = here("export", "model.json", "-o", "out")
    assert again.returncode == 2
    assert re.search("out/potential.lmp.*--force", again.stderr)
    assert again.stderr.count("\n") == 1


def test_bad_input_of_the_command_is_one_line(small, here, monkeypatch):
    save_model(small.model, Path("model.json"))
    Path("src").mkdir()
    Path("src/pair.h").touch()
    Path("src/version.h").write_text('#define LAMMPS_VERSION "22 Jul 2025"\n')
    monkeypatch.setenv("CXX", "no-such-compiler")
    for arguments, said in (
        (("nothing.json", "-o", "out"), "nothing.json: no such model file"),
        (("model.json", "-o", "model.json"), "is no folder"),
        (("model.json", "-o", "out", "--lammps", "here"), "no sources of LAMMPS"),
        (("model.json", "-o", "out", "--lammps", "."), "Name it with --lmp"),
        (("model.json", "-o", "out", "--lmp", "nope"), "there is no such program"),
        (("model.json", "-o", "out", "--json", "model.json"), "it is read"),
        (("model.json", "-o", "out", "--lammps", ".", "--lmp", "true"), "no compiler"),
    ):
        done = here("export", *arguments)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        assert not Path("out").exists()


def test_without_a_compiler_it_goes_through_the_python_module(metal, here, monkeypatch):
    """Also on ranks."""
    save_model(metal.model, Path("model.json"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    done = here("export", "model.json", "-o", "out")
    assert done.returncode == 0, done.stderr
    assert "no compiler 'no-such-compiler'" in done.stderr
    assert "fix external; python run.py in it runs" in done.stdout
    script = Path("out/run.py")
    script.write_text(script.read_text().replace("run 100", "run 5"))
    found = []
    for launcher in ((), (str(Path(sys.executable).with_name("mpiexec")), "-n", "2")):
        done = subprocess.run(
            [*launcher, sys.executable, "run.py"],
            cwd="out",
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        found.append(lines[next(k for k, x in enumerate(lines) if "Loop time" in x) - 1])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("setup", "species", "message"),
    [
        ("units metal", ["Cu"], "the model has no Cu: its species are Al"),
        ("units real", ["Al"], "needs LAMMPS in units metal, not real"),
    ],
)
def test_what_it_must_be_attached_to(metal, setup, species, message):
    with session() as lmp:
        lmp.command(setup)
        with pytest.raises(InputError, match=message):
            attach(lmp, metal.model, species)


def test_a_run_through_the_python_module_stops_where_it_cannot_go_on(metal, capfd):
    """An atom that is not a number: said once, and no force is taken for right."""
    with session() as lmp:
        lmp.commands_string(
            "units metal\natom_modify map array\nregion b block 0 8 0 8 0 8\ncreate_box 1 b\n"
            "create_atoms 1 single 1 1 1\nmass * 27.0\npair_style zero 1.0 nocoeff\n"
            "pair_coeff * *\nfix 1 all nve\nthermo_modify lost ignore"
        )
        attach(lmp, metal.model, ["Al"])
        lmp.command("run 2")
        lmp.numpy.extract_atom("v")[0] = np.nan
        lmp.command("run 5")
        assert int(lmp.extract_global("ntimestep")) < 7
    assert "not finite" in capfd.readouterr().err


def test_frames_without_a_cell_are_left_out(exported):
    cluster = Frame(("Al",), np.zeros((1, 3)), np.zeros((3, 3)), (False,) * 3)
    frames = check_frames(replace(exported.model, training=(cluster,)))
    assert all(all(frame.pbc) for frame in frames)
