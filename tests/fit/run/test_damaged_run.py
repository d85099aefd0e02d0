"""A run folder that is damaged, foreign or made to harm is one line, or costs what is damaged."""

import gzip
import io
import json
import math
import os
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lammpsfit.errors import InputError
from lammpsfit.farm.journal import encode, read_journal
from lammpsfit.fit.run.loop import run_fit
from lammpsfit.fit.run.open_fit import open_fit
from lammpsfit.fit.run.run_folder import open_run, potential_of
from lammpsfit.forcefield import load_potential
from lammpsfit.md.sample_file import load_sample
from lammpsfit.run_pages import view_run

SILENT = SimpleNamespace(say=lambda line: None)


@pytest.fixture
def run(finished_run, tmp_path):
    return shutil.copytree(finished_run, tmp_path / "run")


def rewrite(run, change):
    """Write the journal anew, each record as `change` leaves it."""
    records = [json.loads(json.dumps(r)) for r in read_journal(run / "journal.jsonl").records]
    for record in records:
        change(record)
    (run / "journal.jsonl").write_bytes(b"".join(map(encode, records)))


def spoil(key, value, number=2, kind="evaluation"):
    """Set one key of one evaluation; ``...`` removes it."""

    def change(record):
        if record["type"] == kind and record.get("id", number) == number:
            if value is ...:
                del record[key]
            else:
                record[key] = value

    return change


BAD_FIELDS = {
    "no status": spoil("status", ...),
    "another status": spoil("status", "fine"),
    "x too short": spoil("x", [0.5]),
    "x too long": spoil("x", [0.5] * 7),
    "x outside": spoil("x", [0.5, 1.5]),
    "x not a number": spoil("x", [0.5, math.nan]),
    "x no list": spoil("x", "0.5"),
    "id no number": spoil("id", "two"),
    "id negative": spoil("id", -2),
    "id missing": spoil("id", ...),
    "no stage": spoil("stage", ...),
    "no wall": spoil("wall", ...),
    "seconds infinite": spoil("seconds", math.inf),
    "objective one number": spoil("objective", [0.2]),
    "cost no number": spoil("cost", "cheap"),
    "cost NaN": spoil("cost", math.nan),
    "parameters a list": spoil("parameters", [1, 2]),
    "origin a text": spoil("origin", "x"),
    "another condition": spoil("also", {"hot": {}}),
    "a failure without reason": spoil("status", "failed"),
    "a type that is no text": spoil("type", ["evaluation"]),
}


@pytest.mark.parametrize("case", BAD_FIELDS)
def test_a_record_that_no_fit_wrote_is_left_out_and_named(run, case):
    before = len(open_fit(*open_run(run)).records)
    rewrite(run, BAD_FIELDS[case])
    fit = open_fit(*open_run(run))
    assert len(fit.records) == before - 1
    if case != "a type that is no text":
        (note,) = fit.notes
        assert "journal.jsonl: record " in note
        assert "(evaluation) is left out: " in note
        assert len(note) < 300 + len(str(run))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_change_of_any_record_leaves_a_run_that_can_be_read(finished_run, data):
    """The rest of the run is there; the damaged record is taken or left out, but never a crash."""
    folder, job, journal = open_run(finished_run)
    records = [json.loads(json.dumps(record)) for record in journal.records]
    record = data.draw(st.sampled_from(records[1:]))
    record[data.draw(st.sampled_from(sorted(set(record) - {"type"})))] = data.draw(json_values)
    fit = open_fit(folder, job, type(journal)(tuple(records), 0))
    assert len(fit.records) + len(fit.confirmations) + len(fit.notes) >= len(records) - 2
    for one in fit.records:
        fit.told(one)
        fit.potential(one)
    fit.best_so_far()


def header(**changes):
    def change(record):
        if record["type"] == "header":
            record.update(changes)
            for key in [key for key in record if record[key] is ...]:
                del record[key]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (header(job=...), "header: job: field required"),
        (header(inputs=...), "header: inputs: field required"),
        (header(job=[1]), "header: job: input should be a valid dictionary"),
        (header(inputs={"start.toml": 3}), r"header: inputs\.start\.toml: input should be"),
        (header(inputs={"../../x": "0"}), "was changed or removed"),
        (header(format="1"), "not a journal of this version"),
    ],
)
def test_a_header_that_no_fit_wrote_is_refused(run, change, message):
    rewrite(run, change)
    with pytest.raises(InputError, match=message):
        open_run(run)


def arrays(path):
    with np.load(path) as data:
        return dict(data)


def npz(path, content):
    np.savez_compressed(path, **content)


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def bomb(path):
    """A few kilobytes that unpack to a thousand times as much."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("r.npy", bytes(8 * 2**20))


def huge_shape(path):
    """A header that asks for far more than there is."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**20)}
    )
    with_member(path, "r", buffer.getvalue() + bytes(64))


def null_in_a_header(path):
    """A header is read as Python, whose errors differ between versions."""
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    with_member(path, "r", buffer.getvalue().replace(b"'shape'", b"'sh\0pe'"))


def with_member(path, name, packed):
    content = arrays(path)
    del content[name]
    npz(path, content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{name}.npy", packed)


def without(name):
    return lambda path: npz(path, {k: v for k, v in arrays(path).items() if k != name})


def changed(name, change):
    def spoil(path):
        content = arrays(path)
        npz(path, content | {name: change(content[name])})

    return spoil


def special(make):
    def change(path):
        path.unlink()
        make(path)

    return change


BAD_SAMPLES = {
    "a flipped bit": flipped,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("precious"),
    "a huge shape": huge_shape,
    "a null in a header": null_in_a_header,
    "objects": changed("r", lambda v: np.array([{}, []], dtype=object)),
    "complex": changed("r", lambda v: v + 1j),
    "times": changed("r", lambda v: v.astype("timedelta64[s]")),
    "no blocks": without("blocks"),
    "no temperature": without("temperature"),
    "scalar blocks": changed("blocks", lambda v: v[0, 0, 0]),
    "blocks transposed": changed("blocks", lambda v: v.T),
    "NaN": changed("blocks", lambda v: v * np.nan),
    "another range": changed("r", lambda v: v + 100.0),
    "two temperatures": changed("temperature", lambda v: np.ones(5)),
    "names for numbers": changed("atom_steps", lambda v: np.array("many")),
    "a folder": special(lambda path: path.mkdir()),
    "a pipe": special(os.mkfifo),
    "a dangling link": special(lambda path: path.symlink_to("nowhere")),
    "a zip bomb": bomb,
}


@pytest.mark.parametrize("case", BAD_SAMPLES)
def test_a_damaged_sample_is_one_line(run, case, monkeypatch):
    monkeypatch.setattr("lammpsfit.md.arrays_file.LARGEST", 4 * 2**20)
    path = run / "samples" / "000002.npz"
    BAD_SAMPLES[case](path)
    fit = open_fit(*open_run(run))
    with pytest.raises(InputError, match=r"000002\.npz: ") as caught:
        fit.samples("000002")
    assert "\n" not in str(caught.value)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_flipped_bits_are_found(finished_run, tmp_path_factory, data):
    """Any bit but those that the format does not use: then the sample is as it was."""
    content = bytearray((finished_run / "samples" / "000001.npz").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path_factory.mktemp("bits") / "s.npz"
    path.write_bytes(content)
    whole = load_sample(finished_run / "samples" / "000001.npz")
    with suppress(InputError):
        found = load_sample(path)
        assert np.array_equal(found.rdf.blocks, whole.rdf.blocks)


def test_evaluations_whose_kept_run_is_damaged_are_left_out_of_the_search(run):
    rewrite(run, spoil("kept", True, number=1))
    rewrite(run, spoil("kept", True, number=2))
    flipped(run / "samples" / "000002.npz")
    fit, told = open_fit(*open_run(run)), []
    before = [record["id"] for record in fit.records]
    fit.leave_out_unreadable(told.append)
    (note,) = told
    assert note.startswith("evaluation 2 is left out: ")
    assert [record["id"] for record in fit.records] == [n for n in before if n != 2]


def inputs_changed(run, change):
    change(run / "inputs")


@pytest.mark.parametrize(
    ("change", "ok"),
    [
        (lambda inputs: (inputs / ".ipynb_checkpoints").mkdir(), True),
        (lambda inputs: os.mkfifo(inputs / "pipe"), True),
        (lambda inputs: (inputs / "link").symlink_to("nowhere"), True),
        (shutil.rmtree, False),
        (lambda inputs: special(os.mkfifo)(inputs / "reference.csv"), False),
        (lambda inputs: special(lambda path: path.mkdir())(inputs / "reference.csv"), False),
    ],
    ids=["a folder", "a pipe", "a dangling link", "gone", "reference a pipe", "reference a folder"],
)
def test_what_else_is_in_the_inputs_does_no_harm(run, change, ok):
    change(run / "inputs")
    if ok:
        open_run(run)
    else:
        with pytest.raises(InputError, match="was changed or removed"):
            open_run(run)


RESULTS = {
    "no best": lambda result: result.pop("best"),
    "best a text": lambda result: result.update(best="here"),
    "best without number": lambda result: result["best"].pop("evaluation"),
    "no status": lambda result: result.pop("status"),
    "no evaluations": lambda result: result.pop("evaluations"),
    "evaluations texts": lambda result: result["evaluations"].update(ok="1"),
    "uncertainty empty": lambda result: result.update(uncertainty={}),
    "uncertainty a list": lambda result: result.update(uncertainty=[1]),
    "confirmed a list": lambda result: result.update(confirmed=[1]),
}


@pytest.mark.parametrize("case", RESULTS)
def test_a_result_that_no_fit_wrote_is_not_shown(run, case):
    result = json.loads((run / "result.json").read_text())
    RESULTS[case](result)
    (run / "result.json").write_text(json.dumps(result))
    view = view_run(run, slices=False)
    assert view.state == "open"
    (note,) = view.notes
    assert "result.json: " in note


@pytest.mark.parametrize("text", ["", "[" * 100_000, "3", '{"a": 1', "\x00"])
def test_a_result_that_is_no_json_is_not_shown(run, text):
    (run / "result.json").write_text(text)
    assert view_run(run, slices=False).state == "open"


def test_lammps_lines_that_are_no_text_are_made_anew(run):
    (run / "lammps" / "potential.lmp").write_bytes(b"\xff\xfe")
    view = view_run(run, slices=False)
    assert "pair_coeff" in view.lammps
    (note,) = view.notes
    assert "potential.lmp: cannot be read" in note


NO_FILES = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a folder": os.mkdir,
    "huge": lambda path: path.touch() or os.truncate(path, 6 * 10**9),
    "packed": lambda path: path.write_bytes(gzip.compress(b"x" * 100)),
}
NEEDED = ("job.toml", "journal.jsonl", "inputs/reference.csv", "inputs/start.toml")
SPARED = ("result.json", "potential.toml", "lammps/potential.lmp", "samples/000001.npz")


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("name", [*NEEDED, *SPARED])
def test_what_is_no_file_of_a_run_is_one_line_or_left_out(run, name, kind):
    """Nothing waits for it, or takes it in; this test would not end."""
    (run / name).unlink()
    NO_FILES[kind](run / name)
    if name in NEEDED:
        with pytest.raises(InputError) as caught:
            view_run(run, slices=False)
        assert str(run) in str(caught.value)
        assert len(str(caught.value)) < 300 + len(str(run))
        return
    view = view_run(run, slices=False)
    assert view.state == ("open" if name == "result.json" else "finished")
    if name == "result.json" or (name == "lammps/potential.lmp" and kind != "packed"):
        (note,) = view.notes
        assert name in note
    if name == "potential.toml":
        with pytest.raises(InputError, match=r"potential\.toml|no finished fit"):
            load_potential(potential_of(str(run)))


@pytest.mark.parametrize("kind", [*NO_FILES, "empty", "half"])
def test_a_start_structure_that_no_melt_wrote_is_refused(run, kind):
    """LAMMPS would wait for a pipe in every evaluation."""
    fit = open_fit(*open_run(run))
    path = fit.structures(fit.conditions, SILENT, lambda: None)["main"]
    whole = path.read_text()
    path.unlink()
    made = {"empty": Path.touch, "half": lambda path: path.write_text(whole[: len(whole) // 2])}
    (NO_FILES | made)[kind](path)
    if kind == "a dangling link":
        assert fit.structures(fit.conditions, SILENT, lambda: None)["main"].read_text() == whole
    else:
        with pytest.raises(InputError, match="remove it, and it is molten again"):
            fit.structures(fit.conditions, SILENT, lambda: None)


@pytest.mark.parametrize("name", ["samples", "lammps", "result.json", "potential.toml"])
def test_a_folder_that_cannot_take_results_is_refused_before_there_are_any(run, name):
    shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()
    (os.mkfifo if name in ("samples", "lammps") else os.mkdir)(run / name)
    with pytest.raises(InputError, match=f"{name}: "):
        run_fit(open_fit(*open_run(run)), None, None, None)


def test_a_packed_job_is_read_as_any(run):
    (run / "job.toml").write_bytes(gzip.compress((run / "job.toml").read_bytes()))
    assert view_run(run, slices=False).state == "finished"
