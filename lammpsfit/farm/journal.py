"""The journal: every finished evaluation on disk, one JSON line each, only ever appended.

Each line is ``{"crc": "...", "record": {...}}``; the CRC is over the record's own text. A
record is written with one call, begins with a newline and is synced before the fit goes on,
so that a kill at any moment costs at most the record being written. On reading, a torn or
damaged line is skipped and counted. There is one writer and no lock (locks are unreliable on
parallel file systems): a writer that finds the file longer than it left it has met another
one, and stops.
"""

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from lammpsfit.errors import InputError, RunError

Record = dict[str, Any]

_HEAD, _MIDDLE = b'{"crc": "', b'", "record": '


@dataclass(frozen=True)
class Journal:
    """What a journal holds.

    Attributes
    ----------
    records
        The sound records, in the order they were written.
    damaged
        Number of lines that were torn or damaged, and left out.
    """

    records: tuple[Record, ...]
    damaged: int

    def of_type(self, kind: str) -> list[Record]:
        """Return the records whose ``type`` is `kind`."""
        return [record for record in self.records if record["type"] == kind]


def encode(record: Mapping[str, Any]) -> bytes:
    """Make the line of a record, newline first."""
    text = _canonical(record)
    return b"\n%b%08x%b%b}" % (_HEAD, zlib.crc32(text), _MIDDLE, text)


def read_journal(path: Path) -> Journal:
    """Read a journal, leaving out what is damaged.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no journal here, so there is nothing to continue") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    lines = [line for line in content.split(b"\n") if line.strip()]
    records = [record for line in lines if (record := _decode(line)) is not None]
    return Journal(tuple(records), damaged=len(lines) - len(records))


def is_journal(path: Path) -> bool:
    """Tell whether a file begins as a journal does, whole or torn; an empty one is one, too."""
    with path.open("rb") as file:
        begin = file.read(len(_HEAD) + 1).lstrip(b"\n")
    return _HEAD.startswith(begin[: len(_HEAD)])


class JournalWriter:
    """Appends records, each synced to disk before :meth:`append` returns.

    Use as a context manager.

    Raises
    ------
    RunError
        If the file cannot be opened for writing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise RunError(f"{path}: cannot write ({error.strerror})") from error
        self._size = os.fstat(self._file).st_size

    def __enter__(self) -> "JournalWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def check_alone(self) -> None:
        """Refuse to write beside another process, be it here or what belongs to a record.

        Raises
        ------
        RunError
            If the journal has grown since we wrote it last.
        """
        if os.fstat(self._file).st_size != self._size:
            raise RunError(f"{self.path}: another lammpsfit writes this journal: stop one of them")

    def append(self, record: Mapping[str, Any]) -> None:
        """Append a record and sync it.

        Raises
        ------
        RunError
            If the disk is full or gone (nothing of what was written before is lost), or if
            another process writes this journal.
        """
        self.check_alone()
        line = encode(record)
        try:
            written = os.write(self._file, line)
            self._size += written
            os.fsync(self._file)
        except OSError as error:
            raise RunError(f"{self.path}: cannot write ({error.strerror}); resume later") from error
        if written != len(line):
            raise RunError(f"{self.path}: the disk is full; make room, then resume")


def _canonical(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, sort_keys=True, allow_nan=True, ensure_ascii=False)
    # messages may hold file names that are no text: Python reads such bytes as surrogates
    return text.encode("utf-8", "surrogatepass")


def _decode(line: bytes) -> Record | None:
    try:
        if (text := _sound_text(line)) is not None:
            record = json.loads(text)
            return record if isinstance(record, dict) and "type" in record else None
        entry = json.loads(line)
        record, crc = entry["record"], entry["crc"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    sound = f"{zlib.crc32(_canonical(record)):08x}" == crc
    return record if sound and isinstance(record, dict) and "type" in record else None


def _sound_text(line: bytes) -> bytes | None:
    """Return the record's text where the line is as :func:`encode` wrote it.

    None says nothing: another program may have put the same record differently. But spares
    encoding it again, for as many records as a long fit has.
    """
    head, text, tail = line[: len(_HEAD) + 8], line[len(_HEAD) + 8 + len(_MIDDLE) : -1], line[-1:]
    if not line.startswith(_HEAD) or line[len(head) : -1 - len(text)] != _MIDDLE or tail != b"}":
        return None
    return text if head.endswith(b"%08x" % zlib.crc32(text)) else None
