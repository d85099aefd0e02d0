"""The journal: every finished evaluation on disk, one JSON line each, only ever appended.

Each line is ``{"crc": "...", "record": {...}}``; the CRC is over the record's own text. A
record is written with one call, begins with a newline and is synced before the fit goes on,
so that a kill at any moment costs at most the record being written. On reading, a torn or
damaged line is skipped and counted. There is one writer and no lock (locks are unreliable on
parallel file systems): a writer that finds the file longer than it left it has met another
one, and stops. A writer whose file was deleted under it writes it again.
"""

import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

from lammpsfit.errors import InputError, RunError, warn
from lammpsfit.inputs import open_plain, shown

Record = dict[str, Any]


_HEAD, _MIDDLE = b'{"crc": "', b'", "record": '

JOURNAL_BYTES: Final = 4_000_000_000
"""Most of a journal: labels of some hundred thousand frames."""

RECORD_BYTES: Final = 100_000_000
"""Most of one record: the forces of more than a million atoms."""


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
        If there is no such file, it cannot be read, or is larger than :data:`JOURNAL_BYTES`.
    """
    if not path.exists():
        raise InputError(f"{shown(path)}: no journal here, so there is nothing to continue")
    with open_plain(path, JOURNAL_BYTES) as file:
        found = [_decode(line) for line in _lines(file) if line.strip()]
    records = tuple(record for record in found if record is not None)
    return Journal(records, damaged=len(found) - len(records))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines, of those that are too long to be a record the begin."""
    while line := file.readline(RECORD_BYTES):
        yield line.removesuffix(b"\n")
        while not line.endswith(b"\n") and (line := file.readline(RECORD_BYTES)):
            pass


def is_journal(path: Path) -> bool:
    """Tell whether a file begins as a journal does, whole or torn; an empty one is one, too."""
    with open_plain(path) as file:
        begin = file.read(len(_HEAD) + 1).lstrip(b"\n")
    return _HEAD.startswith(begin[: len(_HEAD)])


class JournalWriter:
    """Appends records, each synced to disk before :meth:`append` returns.

    Use as a context manager.

    Parameters
    ----------
    path
        The journal; made where there is none.
    tell
        Told in a line if the file was deleted and is written again.

    Raises
    ------
    RunError
        If the file cannot be opened for writing.
    """

    def __init__(self, path: Path, tell: Callable[[str], None] = warn) -> None:
        self.path = path
        self._tell = tell
        self._file = self._open(os.O_CREAT)
        self._size = os.fstat(self._file).st_size

    def __enter__(self) -> "JournalWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            # an error that is on its way says more than a journal that is gone
            with suppress(RunError) if error is not None else nullcontext():
                self._check_there()
        finally:
            os.close(self._file)

    def check_alone(self) -> None:
        """Refuse to write beside another process, be it here or what belongs to a record.

        Raises
        ------
        RunError
            If the journal has grown since we wrote it last, or another file is in its place.
        """
        self._check_there()
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

    def _open(self, flags: int) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_APPEND | flags, 0o644)
        except OSError as error:
            raise RunError(f"{self.path}: cannot write ({error.strerror})") from error

    def _check_there(self) -> None:
        """Write the journal again if it was deleted: what is open can still be read."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            self._write_again()
            return
        except OSError as error:
            raise RunError(f"{self.path}: cannot be read ({error.strerror})") from error
        if not os.path.samestat(there, os.fstat(self._file)):
            kept = self.path.with_name(f"{self.path.name}.{os.getpid()}")
            self._copy(kept)
            raise RunError(
                f"{self.path}: another file was put in its place while it was written; what was "
                f"in it is in {kept}: move it back, then resume"
            )

    def _write_again(self) -> None:
        self._copy(self.path)
        os.close(self._file)
        self._file = self._open(0)
        self._tell(f"{self.path} was deleted while it was written, and is written again")

    def _copy(self, path: Path) -> None:
        """Copy what is open to a new file."""
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with Path(f"/proc/self/fd/{self._file}").open("rb") as ours, part.open("wb") as copy:
                shutil.copyfileobj(ours, copy)
                copy.flush()
                os.fsync(copy.fileno())
            os.link(part, path)  # which, unlike renaming, never takes the place of a file
        except OSError as error:
            raise RunError(
                f"{self.path} was deleted while it was written, and cannot be written again "
                f"({error.strerror})"
            ) from error
        finally:
            part.unlink(missing_ok=True)


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
