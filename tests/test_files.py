"""Files are written whole or not at all."""

import errno
import os

import pytest

from lammpsfit.errors import InputError, RunError
from lammpsfit.files import write_text


def test_what_is_no_text_leaves_the_old_file(tmp_path):
    """A name of a file that is not in UTF-8, as Python holds it, within what is written."""
    path = tmp_path / "g.csv"
    path.write_text("old")
    with pytest.raises(InputError, match=r"cannot write .*g\.csv: it would hold a name that is"):
        write_text(path, "# lammpsfit reference a.xyz -o g\udcff.csv")
    assert path.read_text() == "old"
    assert [other.name for other in tmp_path.iterdir()] == ["g.csv"]


def failing(number):
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("call", ["open", "fsync"])
def test_where_nothing_can_be_synced_files_are_written_all_the_same(tmp_path, monkeypatch, call):
    """As in a folder that may be written to but not read, or on some network file systems."""
    monkeypatch.setattr(f"lammpsfit.files.os.{call}", failing(errno.EACCES))
    write_text(tmp_path / "g.csv", "new")
    assert (tmp_path / "g.csv").read_text() == "new"


def test_a_disk_that_is_full_at_the_sync_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "g.csv"
    path.write_text("old")
    monkeypatch.setattr("lammpsfit.files.os.fsync", failing(errno.ENOSPC))
    with pytest.raises(RunError, match=r"cannot write .*g\.csv: No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [other.name for other in tmp_path.iterdir()] == ["g.csv"]
