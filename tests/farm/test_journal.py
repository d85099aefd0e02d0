"""What a journal keeps when the process, the disk or a second writer breaks in."""

import json
import resource
import struct
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lammpsfit.errors import InputError, RunError
from lammpsfit.farm.journal import JournalWriter, encode, read_journal

RECORDS = [
    {"type": "evaluation", "id": k, "x": [0.1 * k, 1 / 3], "detail": "Å – \n ü"} for k in range(3)
]
STARTS = [0, *(len(b"".join(map(encode, RECORDS[:k]))) for k in (1, 2, 3))]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def write(path, records):
    with JournalWriter(path) as journal:
        for record in records:
            journal.append(record)


def bits(value):
    """Make floats comparable to the bit: -0.0 is not 0.0."""
    if isinstance(value, float):
        return struct.pack("d", value)
    if isinstance(value, list):
        return [bits(item) for item in value]
    return {key: bits(item) for key, item in value.items()} if isinstance(value, dict) else value


@contextmanager
def largest_file(size):
    """Let no file grow beyond `size` bytes: to a writer it looks like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_a_record_comes_back_to_the_bit(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    record = {"type": "anything", "content": content}
    path.write_bytes(encode(record) + encode(record))
    journal = read_journal(path)
    assert journal.damaged == 0
    assert [bits(found) for found in journal.records] == [bits(record)] * 2


def test_the_writer_writes_what_the_reader_reads(path):
    write(path, RECORDS[:1])
    write(path, RECORDS[1:])
    assert path.read_bytes() == b"".join(map(encode, RECORDS))
    assert list(read_journal(path).records) == RECORDS
    assert read_journal(path).of_type("evaluation") == RECORDS
    assert read_journal(path).of_type("confirmation") == []


def test_a_torn_tail_costs_only_the_last_record(path):
    whole = b"".join(map(encode, RECORDS))
    for size in range(STARTS[2], STARTS[3]):
        path.write_bytes(whole[:size])
        journal = read_journal(path)
        assert list(journal.records) == RECORDS[:2], f"cut at byte {size}"
        assert journal.damaged == (size > STARTS[2] + 1)
        write(path, RECORDS[2:])
        assert list(read_journal(path).records) == RECORDS, f"cut at byte {size}"


def test_a_flipped_bit_costs_only_its_line(path):
    whole = b"".join(map(encode, RECORDS))
    for position in range(STARTS[1] + 1, STARTS[2]):  # without the newline that ends the line above
        broken = bytearray(whole)
        broken[position] ^= 1
        path.write_bytes(broken)
        journal = read_journal(path)
        assert list(journal.records) == [RECORDS[0], RECORDS[2]], f"flipped in byte {position}"
        assert journal.damaged >= 1


@pytest.mark.parametrize(
    "garbage",
    [
        bytes(range(256)),
        b"\xff\xfe\x00",
        b"[]",
        b"{}",
        b'{"crc": 1, "record": {"type": "evaluation"}}',
        b'{"crc": "", "record": "\\ud800"}',
        b"[" * 100_000,
    ],
    ids=["every byte", "utf-16", "list", "empty", "crc", "surrogate", "deep"],
)
def test_garbage_between_records_is_left_out(path, garbage):
    path.write_bytes(encode(RECORDS[0]) + b"\n" + garbage + encode(RECORDS[1]))
    journal = read_journal(path)
    assert list(journal.records) == RECORDS[:2]
    assert journal.damaged >= 1


def test_a_record_without_a_type_is_no_record(path):
    path.write_bytes(encode({"id": 1}))
    assert read_journal(path).damaged == 1


def test_a_second_writer_is_met(path):
    with JournalWriter(path) as first, JournalWriter(path) as second:
        first.append(RECORDS[0])
        with pytest.raises(RunError, match="another lammpsfit writes this journal"):
            second.append(RECORDS[1])
        first.append(RECORDS[1])
    assert list(read_journal(path).records) == RECORDS[:2]


@pytest.mark.parametrize("room", [0, 1, 20])
def test_a_full_disk_costs_nothing_that_was_written(path, room):
    with JournalWriter(path) as journal:
        journal.append(RECORDS[0])
        with (
            largest_file(path.stat().st_size + room),
            pytest.raises(RunError, match=r"full|cannot write"),
        ):
            journal.append(RECORDS[1])
        assert list(read_journal(path).records) == RECORDS[:1]
        journal.append(RECORDS[2])
    assert list(read_journal(path).records) == [RECORDS[0], RECORDS[2]]


def test_a_sync_that_fails_is_no_second_writer(path, monkeypatch):
    def fail(_):
        raise OSError(5, "Input/output error")

    with JournalWriter(path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", fail)
            with pytest.raises(RunError, match=r"cannot write \(Input/output error\)"):
                journal.append(RECORDS[0])
        journal.append(RECORDS[1])
    assert RECORDS[1] in read_journal(path).records


def test_a_journal_that_is_deleted_is_written_again(path):
    said = []
    with JournalWriter(path, said.append) as journal:
        journal.append(RECORDS[0])
        path.unlink()
        journal.append(RECORDS[1])
        assert list(read_journal(path).records) == RECORDS[:2]
        journal.append(RECORDS[2])
        path.unlink()
    assert list(read_journal(path).records) == RECORDS
    assert len(said) == 2
    assert said[0] == f"{path} was deleted while it was written, and is written again"
    assert list(path.parent.iterdir()) == [path]


def test_a_journal_in_whose_place_another_file_was_put_is_kept(path):
    with JournalWriter(path) as journal:
        journal.append(RECORDS[0])
        path.unlink()
        path.write_text("mine")
        with pytest.raises(RunError, match="another file was put in its place") as caught:
            journal.append(RECORDS[1])
        assert path.read_text() == "mine"
        (kept,) = (one for one in path.parent.iterdir() if one != path)
        assert f"what was in it is in {kept}:" in str(caught.value)
        assert list(read_journal(kept).records) == RECORDS[:1]
        path.unlink()  # so that leaving finds nothing to refuse


def test_a_journal_whose_folder_is_gone_ends_the_run(tmp_path):
    path = tmp_path / "run" / "journal.jsonl"
    path.parent.mkdir()
    with JournalWriter(path) as journal:
        journal.append(RECORDS[0])
        path.unlink()
        path.parent.rmdir()
        with pytest.raises(RunError, match=r"was deleted .*cannot be written again \(No such file"):
            journal.append(RECORDS[1])
        path.parent.mkdir()
    assert list(read_journal(path).records) == RECORDS[:1]


def test_a_full_device():
    with (
        JournalWriter(Path("/dev/full")) as journal,
        pytest.raises(RunError, match="No space left on device"),
    ):
        journal.append(RECORDS[0])


def test_twenty_thousand_records(path):
    records = [{"type": "evaluation", "id": k, "x": [k / 7] * 10} for k in range(20_000)]
    path.write_bytes(b"".join(map(encode, records)))
    journal = read_journal(path)
    assert list(journal.records) == records
    assert journal.damaged == 0


def test_other_programs_can_read_it(path):
    write(path, RECORDS)
    lines = path.read_text().strip().splitlines()
    assert [json.loads(line)["record"] for line in lines] == RECORDS


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no journal here"),
        (Path.mkdir, "must be a regular file, is a folder"),
    ],
    ids=["missing", "folder"],
)
def test_what_is_no_journal(path, make, message):
    make(path)
    with pytest.raises(InputError, match=message):
        read_journal(path)


def test_a_journal_that_cannot_be_opened(tmp_path):
    with pytest.raises(RunError, match=r"cannot write \(Is a directory\)"):
        JournalWriter(tmp_path)
