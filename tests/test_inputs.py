"""Files that a user names: nothing takes the memory or hours, and every refusal is one line."""

import ast
import bz2
import gzip
import hashlib
import json
import lzma
import os
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lammpsfit.config import read_job
from lammpsfit.errors import InputError
from lammpsfit.forcefield import load_potential
from lammpsfit.inputs import (
    DEEPEST,
    FREE_BYTES,
    JOB_BYTES,
    LINE,
    LONGEST_LINE,
    QUOTED,
    one_line,
    open_input,
    parse_toml,
    quoted,
    read_json,
    read_text,
    sha256,
    text_lines,
)
from lammpsfit.reference.angle_table import read_angle_table
from lammpsfit.reference.frame import Hints
from lammpsfit.reference.lammps_rdf import read_lammps_rdf
from lammpsfit.reference.table import read_reference
from lammpsfit.reference.trajectory import READERS, detect_format, read_trajectory
from lammpsfit.reference.two_columns import read_two_columns

PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
PACKAGE = Path(__file__).parent.parent / "lammpsfit"


def trajectory_reader(form):
    def read(path):
        return list(read_trajectory(path, form, Hints({1: "Si"}, "5,5,5")))

    return read


def read_cell(path):
    xyz = path.with_name("a.xyz")
    xyz.write_text("1\n i = 0, time = 0.0\nSi 0 0 0\n")
    return list(read_trajectory(xyz, "xyz", Hints(cell=str(path))))


EVERY_READER = {
    "job": read_job,
    "potential": load_potential,
    "reference": read_reference,
    "angles": read_angle_table,
    "format": detect_format,
    "json": read_json,
    "cell": read_cell,
    "two columns": lambda path: read_two_columns([path], ["O-O"]),
    "lammps rdf": lambda path: read_lammps_rdf(path, ["O-O"], 2),
    **{form: trajectory_reader(form) for form in READERS},
}


@pytest.fixture(params=EVERY_READER)
def reader(request):
    return EVERY_READER[request.param]


def refusal(reader, path):
    with pytest.raises(InputError) as caught:
        reader(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) <= LINE
    return message


def test_what_is_no_file_is_refused_at_once(reader, tmp_path):
    """A pipe nobody writes to is not waited for, a device not read without end."""
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    device = tmp_path / "device.toml"
    device.symlink_to("/dev/zero")
    (tmp_path / "folder.toml").mkdir()
    for path in (device, pipe, tmp_path / "folder.toml"):
        assert "cannot be read: must be a regular file, is a" in refusal(reader, path)


def test_names_that_no_system_has(reader, tmp_path):
    long = tmp_path / ("a" * 300 + ".toml")
    assert "File name too long" in refusal(reader, long)
    assert "..." in refusal(reader, long)
    assert "must not hold a NUL" in refusal(reader, tmp_path / "a\0.toml")


def test_an_endless_line_is_refused_and_not_printed_back(reader, tmp_path):
    path = tmp_path / "line.toml"
    path.write_text("x" * (LONGEST_LINE + 10))
    refusal(reader, path)
    path.write_text("1 " * (LONGEST_LINE // 2 + 10))
    refusal(reader, path)


@pytest.mark.parametrize("kind", PACKERS)
def test_bombs_and_damaged_archives(reader, tmp_path, kind):
    bomb, torn = tmp_path / "bomb.toml", tmp_path / "torn.toml"
    blank = (b" " * 9999 + b"\n") * 100
    bomb.write_bytes(PACKERS[kind](blank) * (FREE_BYTES // len(blank) + 2))
    assert re.search("unpacked|empty|no line", refusal(reader, bomb))
    packed = PACKERS[kind](os.urandom(2000))
    torn.write_bytes(packed[:1500])
    refusal(reader, torn)
    torn.write_bytes(packed[:200] + bytes(300) + packed[500:])
    refusal(reader, torn)


@pytest.mark.parametrize("magic", [b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"\x1f\x9d"])
def test_other_archives_are_named(tmp_path, magic):
    (tmp_path / "a").write_bytes(magic + b"\0" * 100)
    with pytest.raises(InputError, match=r"packed by \w+: unpack it first"):
        detect_format(tmp_path / "a")


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("name", ["a", "a.gz", "a.txt"])
def test_packed_files_are_read_whatever_their_name(tmp_path, kind, name):
    text = "\ufeffone\ntwo\n"
    (tmp_path / name).write_bytes(PACKERS[kind](text.encode()))
    assert read_text(tmp_path / name) == "one\ntwo\n"
    with open_input(tmp_path / name) as stream:
        assert list(text_lines(tmp_path / name, stream)) == ["one\n", "two\n"]


@pytest.mark.parametrize("content", ["3", "null", '"text"', "true", "NaN", "[]", "{}"])
def test_json_need_not_be_a_table(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    assert repr(read_json(path)) == repr(json.loads(content))


def test_digests_are_of_what_is_on_the_disk(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(packed := gzip.compress(b"text"))
    assert sha256(path) == hashlib.sha256(packed).hexdigest()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="must be a regular file"):
        sha256(path)


def test_files_of_people_have_a_size(tmp_path):
    (tmp_path / "job.toml").write_text("#\n" * JOB_BYTES)
    with pytest.raises(InputError, match=r"at most 1 MB are read of such a file, it has 2 MB"):
        read_job(tmp_path / "job.toml")
    (tmp_path / "job.toml").write_bytes(gzip.compress(b"#" + os.urandom(JOB_BYTES)))
    with pytest.raises(InputError, match="at most 1 MB"):
        read_job(tmp_path / "job.toml")


def nested(kind, depth):
    if kind == "arrays":
        return "a = " + "[" * depth + "]" * depth
    if kind == "tables":
        return "a = " + "{b=" * depth + "1" + "}" * depth
    return ".".join("a" * depth) + " = 1"


@pytest.mark.parametrize("kind", ["arrays", "tables", "keys"])
@pytest.mark.parametrize("depth", [DEEPEST + 1, 900, 50_000])
def test_deep_nesting_is_refused_in_one_line(tmp_path, kind, depth):
    with pytest.raises(InputError, match=r"job: not valid TOML: nested too deeply"):
        parse_toml(nested(kind, depth), "job")
    content = "[" * depth + "]" * depth if kind == "arrays" else '{"a":' * depth + "1" + "}" * depth
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=r"not valid JSON: nested too deeply"):
        read_json(tmp_path / "a.json")


NAMES = st.text("ab", min_size=1, max_size=2)
plain = st.recursive(
    st.integers(-5, 5) | st.booleans() | st.text("ab\n\"'", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(NAMES, plain, max_size=3))
def test_what_is_sound_is_read_as_it_is(content):
    import tomli_w

    text = tomli_w.dumps(content)
    assert parse_toml(text, "job") == tomllib.loads(text) == json.loads(json.dumps(content))


@given(st.text() | st.binary() | st.floats() | st.lists(st.text()))
def test_quotes_are_short_and_say_what_was_given(value):
    found = quoted(value)
    assert len(found) <= QUOTED
    assert "\n" not in found
    if len(repr(value)) <= QUOTED:
        assert found == repr(value)


@given(st.text())
def test_one_line_is_one_line(message):
    found = one_line(message)
    assert len(found) <= LINE
    assert "\n" not in found
    if len(message) <= LINE and " ".join(message.split()) == message:
        assert found == message


def test_no_error_prints_a_users_text_in_full():
    """Texts in messages go through quoted(); ``!r`` would print a line of 100 MB back."""
    offences = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "InputError":
                offences += [
                    f"{path.name}:{part.lineno}"
                    for part in ast.walk(node)
                    if isinstance(part, ast.FormattedValue) and part.conversion == ord("r")
                ]
    assert offences == []
