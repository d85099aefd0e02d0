"""What long runs go on from is believed or refused, and modules may do what they want."""

import os
from pathlib import Path

import ase.io
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from lammpsfit.errors import InputError, RunError
from lammpsfit.farm.journal import JournalWriter
from lammpsfit.gap.factory_check import failing_in_a_line
from lammpsfit.gap.work.checkpoint import Checkpoint
from lammpsfit.gap.work.remembered import Remembering

SPOILT = {
    "another number": lambda path: path.write_text(path.read_text().replace("1.5", "2.5")),
    "no state": lambda path: path.write_text('{"mark": 1}'),
    "a number": lambda path: path.write_text("3"),
    "nested": lambda path: path.write_text("[" * 100_000),
    "bytes": lambda path: path.write_bytes(bytes(range(256))),
    "empty": lambda path: path.write_bytes(b""),
    "a pipe": lambda path: path.unlink() or os.mkfifo(path),
    "a folder": lambda path: path.unlink() or path.mkdir(),
    "a device": lambda path: path.unlink() or path.symlink_to("/dev/zero"),
    "huge": lambda path: os.truncate(path, 6 * 10**9),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_state_that_was_changed_is_refused(tmp_path, case):
    checkpoint = Checkpoint(tmp_path / "state.json", {"seed": 1})
    assert checkpoint.read() is None
    checkpoint.keep({"runs": {"0": [1.5, None, True]}})
    assert checkpoint.read() == {"runs": {"0": [1.5, None, True]}}
    SPOILT[case](checkpoint.path)
    with pytest.raises(InputError, match=r"state\.json"):
        checkpoint.read()


RESULTS = {"energy": -1.0, "free_energy": -1.0, "forces": [[0.0] * 3], "stress": None}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"type": "configuration"}, "record 2 is damaged: digest"),
        ({"type": "configuration", "digest": "a", "results": {}}, "record 2 is damaged: results"),
        (
            {"type": "configuration", "digest": "a", "results": RESULTS | {"forces": [[0.0] * 2]}},
            "record 2 is damaged: results.forces.0",
        ),
        (
            {"type": "configuration", "digest": "a", "results": RESULTS | {"energy": "low"}},
            "record 2 is damaged: results.energy",
        ),
        ({"type": "other"}, "record 2 is damaged: type"),
        ({"type": "calculator", "name": "another"}, "holds what 'EMT' computed"),
    ],
)
def test_what_was_computed_is_believed_only_if_it_can_be(tmp_path, record, said):
    path = tmp_path / "energies.jsonl"
    Remembering(EMT(), "EMT", path)
    with JournalWriter(path) as journal:
        journal.append(record)
    with pytest.raises(InputError, match=said):
        Remembering(EMT(), "EMT", path)


def test_a_journal_that_names_no_calculator_is_refused(tmp_path):
    (tmp_path / "energies.jsonl").write_text("precious\n")
    with pytest.raises(InputError, match="holds nothing of a calculator"):
        Remembering(EMT(), "EMT", tmp_path / "energies.jsonl")


def raising(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (raising(ValueError("a\nb")), "ValueError: a b"),
        (raising(SystemExit(0)), "SystemExit: 0"),
        (raising(KeyboardInterrupt()), "KeyboardInterrupt"),
        (raising(NotImplementedError("No EMT-potential for Xe")), "NotImplementedError: No EMT"),
        (lambda: os._exit(0), r"SystemExit: os._exit\(0\)"),
    ],
)
def test_whatever_a_calculator_does_is_one_line(act, said):
    class Bad(EMT):
        def calculate(self, *arguments):
            act()

    leave = os._exit
    atoms = bulk("Al", cubic=True)
    atoms.calc = failing_in_a_line(Bad(), "bad:Bad")
    with pytest.raises(RunError, match=f"bad:Bad: the calculator fails: {said}"):
        atoms.get_potential_energy()
    assert os._exit is leave


def test_processes_that_a_calculator_makes_may_end(monkeypatch):
    class Bad(EMT):
        def calculate(self, *arguments):
            monkeypatch.setattr(os, "getpid", lambda: 1)
            os._exit(7)

    monkeypatch.setattr(os, "_exit", lambda code: raising(ValueError(f"left with {code}"))())
    with pytest.raises(RunError, match="left with 7"):
        failing_in_a_line(Bad(), "bad:Bad").get_property("energy", bulk("Al", cubic=True))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import os; os._exit(0)", "its module ends the process that imports it"),
        ("raise KeyboardInterrupt", "importing bad fails: KeyboardInterrupt"),
    ],
)
def test_modules_that_end_the_process(here, body, said):
    Path("bad.py").write_text(body)
    ase.io.write("one.xyz", bulk("Al", cubic=True), format="extxyz")
    done = here("md", "one.xyz", "--calculator", "bad:make", "-o", "run")
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not Path("run").exists()
