"""Labels by callback: calculators that die, raise and hang; and kills of the whole job."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from lammpsfit.cli import main
from lammpsfit.errors import InputError, RunError
from lammpsfit.farm.journal import JournalWriter, read_journal
from lammpsfit.gap import label
from lammpsfit.gap.factory import build
from lammpsfit.gap.label import LabelRequest, label_frames
from lammpsfit.gap.label_record import record_of
from lammpsfit.gap.label_task import Labels
from lammpsfit.labelled.frames import from_atoms, read_frames

LAMMPSFIT = Path(sys.executable).parent / "lammpsfit"

DFT = '''
"""A stand-in for DFT: what it does to a frame, the frame's lattice says."""
import os, resource, signal, subprocess, sys, time
from pathlib import Path
from ase.calculators.emt import EMT

class Stand(EMT):
    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        with open("calls", "a") as calls:
            calls.write(f"{os.getpid()} {atoms.cell[0, 0]:.2f}\\n")
        act(round(100 * (atoms.cell[0, 0] - 4.05)), self)
        super().calculate(atoms, properties, system_changes)
        if abs(atoms.cell[0, 0] - 4.12) < 1e-6:
            self.results["forces"][2, 1] = float("nan")

def act(what, self):
    if what == 1:
        raise RuntimeError("the density did\\nnot converge")
    if what == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == 3:
        sys.exit("cannot go on")
    if what == 4:
        sleep = subprocess.Popen(["sleep", "600"])
        Path("sleeper").write_text(str(sleep.pid))
        sleep.wait()
    if what == 5:
        Path(self.directory).mkdir(parents=True)
        Path(self.directory).joinpath("OUTCAR").write_text("")
        time.sleep(1.0)
    if what == 6:
        time.sleep(0.4)

def make():
    return Stand()

class Filed(Stand):
    """Its folder is a Path, as that of ase.calculators.espresso."""

    @property
    def directory(self):
        return Path(self._directory)

    @directory.setter
    def directory(self, place):
        self._directory = str(place)

class Warm(EMT):
    """Electrons with a temperature: the forces are the derivative of the free energy."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        self.results["free_energy"] = self.results["energy"] - 0.5

def leaves():
    sys.exit(0)

def limited():
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.getrlimit(resource.RLIMIT_AS)[1]
    return EMT()

def broken():
    raise ValueError("no licence")

def nothing():
    return 42

number = 42
'''


def frames(*acts):
    """One frame for each: 0 is sound, the others what DFT above does to it."""
    images = []
    for k, act in enumerate(acts):
        atoms = bulk("Al", a=4.05 + 0.01 * act, cubic=True)
        atoms.rattle(0.05, seed=k)
        images.append(atoms)
    return images


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """Call ``lammpsfit gap label in.extxyz`` in this process, in the folder `tmp_path`."""
    (tmp_path / "dft.py").write_text(DFT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def call(*arguments, calculator="dft:make", output="out.extxyz"):
        sys.modules.pop("dft", None)
        command = ["lammpsfit", "gap", "label", "in.extxyz", "--calculator", calculator]
        monkeypatch.setattr(sys, "argv", [*command, "-o", output, *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, caught.value.code, said.out, said.err)

    return call


def calls():
    return [line.split() for line in Path("calls").read_text().splitlines()]


def test_labels_are_those_of_the_calculator(here):
    ase.io.write("in.extxyz", frames(0, 0, 0))
    assert here("--workers", 2, calculator="ase.calculators.emt:EMT").returncode == 0
    for frame, atoms in zip(read_frames([Path("out.extxyz")]), frames(0, 0, 0), strict=True):
        atoms.calc = EMT()
        assert frame.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-6)
        np.testing.assert_allclose(frame.forces, atoms.get_forces(), atol=1e-6)
        np.testing.assert_allclose(frame.stress, atoms.get_stress(), atol=1e-7)
    assert not Path("out.extxyz.work").exists()


def test_what_goes_wrong_with_a_frame_is_its_reason(here):
    ase.io.write("in.extxyz", frames(0, 1, 2, 3, 7, 0))
    done = here("--workers", 2, "--json", "o.json")
    assert done.returncode == 0
    assert "2 of 6 frames labelled (0 of them before), 4 failed" in done.stdout
    reasons = json.loads(Path("o.json").read_text())["reasons"]
    assert reasons == {
        "in.extxyz, frame 2": "RuntimeError: the density did not converge",
        "in.extxyz, frame 3": "segmentation fault: exit code -11",
        "in.extxyz, frame 4": "SystemExit: cannot go on",
        "in.extxyz, frame 5": "energy, forces or stress are not finite numbers",
    }
    found = read_frames([Path("out.extxyz")])
    np.testing.assert_allclose(found[1].positions, frames(*[0] * 6)[5].positions, atol=1e-7)


def test_a_frame_that_hangs_is_given_up_with_all_it_started(here, alive):
    ase.io.write("in.extxyz", frames(4, 0))
    done = here("--timeout", 5)
    assert done.returncode == 0
    assert "frame 1: failed: timeout" in done.stdout
    assert not alive(int(Path("sleeper").read_text()))


def test_failed_frames_are_tried_again_only_when_asked(here):
    ase.io.write("in.extxyz", frames(0, 1))
    here()
    assert len(calls()) == 2
    assert "1 of 2 frames labelled (1 of them before), 1 failed" in here().stdout
    assert len(calls()) == 2
    Path("dft.py").write_text(DFT.replace("what == 1", "what == -1"))
    assert "2 of 2 frames labelled (1 of them before), 0 failed" in here("--retry-failed").stdout
    assert len(calls()) == 3
    assert "2 of 2 frames labelled (2 of them before), 0 failed" in here().stdout


def test_no_label_at_all_is_a_failed_run(here):
    ase.io.write("in.extxyz", frames(1, 1))
    done = here()
    assert done.returncode == 1
    first, last = done.stderr.splitlines()
    assert "failed (1 so far): RuntimeError: the density" in first
    assert last.startswith("lammpsfit: no frame could be labelled: RuntimeError")
    assert not Path("out.extxyz").exists()


def test_workers_have_folders_of_their_own_and_all_the_memory(here):
    ase.io.write("in.extxyz", frames(5, 5))
    assert here("--workers", 2).returncode == 0
    assert len(list(Path("out.extxyz.work").glob("worker-*/OUTCAR"))) == 2
    assert here("--workers", 2, calculator="dft:Filed", output="o1.extxyz").returncode == 0
    assert len(list(Path("o1.extxyz.work").glob("worker-*/OUTCAR"))) == 2
    assert not Path("OUTCAR").exists()
    assert here(calculator="dft:limited", output="o2.extxyz").returncode == 0


def test_the_energy_is_the_one_the_forces_belong_to(here):
    ase.io.write("in.extxyz", frames(0))
    assert here(calculator="dft:Warm").returncode == 0
    (atoms,) = frames(0)
    atoms.calc = EMT()
    found = read_frames([Path("out.extxyz")])[0].energy
    assert found == pytest.approx(atoms.get_potential_energy() - 0.5, abs=1e-6)


def test_a_second_start_takes_nothing_from_the_first(tmp_path):
    """It finds a journal that has only its header, and so has done nothing yet."""
    some = [from_atoms(atoms, labelled=False) for atoms in frames(0, 0)]
    request = LabelRequest("ase.calculators.emt:EMT", tmp_path / "out.extxyz")
    assert label._open(some, request) == {}
    with JournalWriter(request.journal) as first:
        assert label._open(some, request) == {}  # the second
        first.append(record_of(0, Labels(1.0, np.zeros((4, 3)))))
        assert set(label._open(some, request)) == {0}
    assert read_journal(request.journal).damaged == 0


def test_a_start_with_another_calculator_is_noticed_by_the_first(tmp_path):
    some = [from_atoms(atoms, labelled=False) for atoms in frames(0, 0)]
    request = LabelRequest("ase.calculators.lj:LennardJones", tmp_path / "out.extxyz")
    label._open(some, request)
    with JournalWriter(request.journal) as first:
        mended = replace(request, calculator="ase.calculators.emt:EMT")
        label._open(some, mended)
        with pytest.raises(RunError, match="another lammpsfit writes this journal"):
            first.append(record_of(0, Labels(1.0, np.zeros((4, 3)))))
    assert label_frames(some, mended).earlier == 0
    assert label_frames(some, mended).earlier == 2
    with pytest.raises(InputError, match="belongs to another calculator"):
        label_frames(some, request)


def test_no_stress_where_none_is_wanted(here):
    ase.io.write("in.extxyz", frames(0))
    assert here("--no-stress").returncode == 0
    assert read_frames([Path("out.extxyz")])[0].labels == ("energy", "forces")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_job_goes_on_where_it_was(here, number):
    ase.io.write("in.extxyz", frames(*[6] * 8))
    command = [LAMMPSFIT, "gap", "label", "in.extxyz", "--calculator", "dft:make"]
    journal = Path("out.extxyz.journal.jsonl")
    with subprocess.Popen([*command, "-o", "out.extxyz", "--workers", "2"]) as job:
        while not journal.exists() or len(read_journal(journal).records) < 4:
            assert job.poll() is None
            time.sleep(0.05)
        job.send_signal(number)
    assert job.returncode == (-9 if number == signal.SIGKILL else 75)
    done = len(read_journal(journal).records) - 1
    assert 3 <= done < 8
    if number == signal.SIGTERM:
        assert len(read_frames([Path("out.extxyz")])) == done
    with journal.open("ab") as file:
        file.write(b'\n{"crc": "0000')  # a record that was being written
    said = here().stdout
    assert f"8 of 8 frames labelled ({done} of them before), 0 failed" in said
    assert len(calls()) <= 8 + 2
    found = read_frames([Path("out.extxyz")])
    for frame, atoms in zip(found, frames(*[6] * 8), strict=True):
        np.testing.assert_allclose(frame.positions, atoms.positions, atol=1e-7)


def test_a_calculator_is_what_it_can_do_and_needs_no_base_class_of_ase(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("like_gpaw.py").write_text(
        "from ase.calculators.emt import EMT\n"
        "class Plain:\n"
        "    implemented_properties = ['energy']\n"
        "    def get_property(self, name, atoms=None):\n"
        "        return EMT().get_property(name, atoms)\n"
    )
    atoms = bulk("Al")
    assert build("like_gpaw:Plain").get_property("energy", atoms) == pytest.approx(
        EMT().get_property("energy", atoms)
    )
    with pytest.raises(InputError, match="must make a calculator of ASE, not of type dict"):
        build("builtins:dict")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dft", "must be module:factory, as in ase.calculators.emt:EMT, got 'dft'"),
        ("nowhere:make", "there is no module nowhere here or installed"),
        ("dft:nowhere", "dft has no function or class nowhere that makes a calculator"),
        ("dft:number", "dft has no function or class number"),
        ("dft:nothing", "must make a calculator of ASE, not of type int"),
        ("dft:broken", "cannot make a calculator: ValueError: no licence"),
        ("dft:leaves", "cannot make a calculator: SystemExit: 0"),
        ("exits:make", "importing exits fails: SystemExit: 0"),
        ("wrong:make", "importing wrong fails: SyntaxError"),
        ("lacks:make", "importing lacks fails: No module named 'gpaww'"),
    ],
)
def test_a_wrong_calculator_is_one_clear_line(here, name, message):
    ase.io.write("in.extxyz", frames(0))
    Path("wrong.py").write_text("def make(:")
    Path("exits.py").write_text("import sys; sys.exit(0)")
    Path("lacks.py").write_text("import gpaww")
    done = here(calculator=name)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    # and the name can be mended
    assert here().returncode == 0


def test_an_output_belongs_to_its_frames_and_calculator(here):
    ase.io.write("in.extxyz", frames(0))
    here()
    other = here(calculator="ase.calculators.emt:EMT")
    assert other.returncode == 2
    assert "belongs to another calculator (dft:make" in other.stderr
    assert "belongs to labels with and without stress" in here("--no-stress").stderr
    ase.io.write("in.extxyz", frames(0, 0))
    assert "belongs to other frames" in here().stderr
    Path("precious.extxyz").write_text("mine")
    assert "precious.extxyz would be written over" in here(output="precious.extxyz").stderr
    assert Path("precious.extxyz").read_text() == "mine"
    assert "--timeout must be positive" in here("--timeout", 0).stderr
