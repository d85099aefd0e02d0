"""Read what a user gives: one way in for every input file, one way to quote a user's text.

Only regular files are read, packed by gzip, bzip2, xz or not at all. How much is read of one, how
much a packed one may hold, how long a line may be and how deep tables may be nested has a limit
that the message names: no input takes the memory, or hours.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import stat
import tomllib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from lammpsfit.errors import InputError

QUOTED: Final = 80
"""Characters of a user's text that a message shows at most."""

LINE: Final = 300
"""Characters of a refusal at most."""

JOB_BYTES: Final = 1_000_000
"""Most of a job file, a potential, or another file that people write."""

TABLE_BYTES: Final = 10_000_000
"""Most of a table of g(r) or of angles."""

SERIES_BYTES: Final = 500_000_000
"""Most of what a run wrote step by step: cells, averages, the state of a training."""

LONGEST_LINE: Final = 1_000_000
"""Most characters of a line of text."""

RATIO: Final = 200
"""Most bytes that a byte of a packed file may stand for: text of numbers packs 3 to 20 times."""

FREE_BYTES: Final = 10_000_000
"""What a packed file may hold at any ratio."""

DEEPEST: Final = 50
"""Most levels of tables and lists within one another."""

Opener = Callable[[BinaryIO], BinaryIO]

_PACKED: Final[dict[bytes, Opener]] = {
    b"\x1f\x8b": lambda raw: cast(BinaryIO, gzip.GzipFile(fileobj=raw)),
    b"BZh": lambda raw: cast(BinaryIO, bz2.BZ2File(raw)),
    b"\xfd7zXZ\x00": lambda raw: cast(BinaryIO, lzma.open(raw)),  # noqa: SIM115
}
"""By the first bytes: what a file says of itself counts, not its name."""

_OTHER_PACKING: Final = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"\x1f\x9d": "compress",
}


_KEY: Final = re.compile(r"""\s*(?:[\w-]+|"[^"]*"|'[^']*')\s*""")
"""A part of a dotted key of TOML."""


def quoted(value: object) -> str:
    """Quote what a user gave, cut at :data:`QUOTED` characters.

    Examples
    --------
    >>> quoted("Si-0"), len(quoted("x" * 1000))
    ("'Si-0'", 80)
    """
    text = repr(value[: 2 * QUOTED] if isinstance(value, str | bytes) else value)
    return text if len(text) <= QUOTED else f"{text[: QUOTED - 4]}...{text[-1]}"


def one_line(message: str) -> str:
    """Put a message into one line of at most :data:`LINE` characters, cut in its middle."""
    text = " ".join(message.split())
    return text if len(text) <= LINE else f"{text[: LINE - 104]} ... {text[-99:]}"


@contextmanager
def reading(path: Path, what: str = "file") -> Iterator[None]:
    """Turn what may go wrong with a file while it is read into an error of the input.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it should be, for the message that there is none.

    Raises
    ------
    InputError
        In place of whatever the operating system, or what unpacks it, raises.
    """
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{shown(path)}: no such {what}") from None
    except (EOFError, zlib.error, lzma.LZMAError) as error:
        raise unreadable(path, f"the packed file is damaged or ends early: {error}") from None
    except UnicodeDecodeError:
        raise unreadable(path, "not a text file in UTF-8") from None
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from None


def unreadable(path: Path, why: str) -> InputError:
    """Return the error that says why a file cannot be read."""
    return InputError(f"{shown(path)}: cannot be read: {why}")


def shown(path: Path | str) -> str:
    """Return the name of a file for a message: its end, if it is long."""
    name = str(path)
    if "\0" in name:
        return quoted(name)
    return name if len(name) <= 2 * QUOTED else f"...{name[3 - 2 * QUOTED :]}"


@contextmanager
def open_plain(path: Path, limit: int | None = None, what: str = "file") -> Iterator[BinaryIO]:
    """Open a regular file as it is on the disk: one of ours, which nothing packs.

    Parameters are those of :func:`open_input`.

    Raises
    ------
    InputError
        If it cannot be opened, is no regular file or too large, or, within the block, cannot be
        read.
    """
    if "\0" in str(path):
        raise unreadable(path, "the name of a file must not hold a NUL")
    with reading(path, what):
        _check_kind(path, path.stat(), limit)
        # without waiting: a pipe nobody writes to would be waited for forever
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as raw:
            yield raw


def sha256(path: Path) -> str:
    """Return the digest of a regular file as it is on the disk."""
    found = hashlib.sha256()
    with open_plain(path) as file:
        while part := file.read(1 << 20):
            found.update(part)
    return found.hexdigest()


@contextmanager
def open_input(path: Path, limit: int | None = None, what: str = "file") -> Iterator[BinaryIO]:
    """Open a file that a user names, unpacked.

    Parameters
    ----------
    path : Path
        A regular file.
    limit : int, optional
        Most bytes of it, packed and unpacked; by default there is no limit to a plain file, and
        that of :data:`RATIO` to a packed one.
    what : str
        What it should be, for the message that there is none.

    Raises
    ------
    InputError
        If it cannot be opened, is no regular file or too large, or, within the block, turns out
        to be damaged or too large.
    """
    with open_plain(path, limit, what) as raw:
        head = raw.read(6)
        raw.seek(0)
        for magic, name in _OTHER_PACKING.items():
            if head.startswith(magic):
                raise unreadable(path, f"packed by {name}: unpack it first")
        opener = next((o for magic, o in _PACKED.items() if head.startswith(magic)), None)
        if opener is None:
            yield raw
            return
        with opener(raw) as unpacked:
            bounded = _Bounded(path, unpacked, raw, limit)
            yield cast(BinaryIO, io.BufferedReader(bounded, 1 << 16))


def _check_kind(path: Path, found: os.stat_result, limit: int | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = "folder" if stat.S_ISDIR(found.st_mode) else "pipe, device or socket"
        raise unreadable(path, f"must be a regular file, is a {kind}")
    if limit is not None and found.st_size > limit:
        raise unreadable(
            path,
            f"at most {_size(limit)} are read of such a file, it has {_size(found.st_size)}",
        )


def _size(n_bytes: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes} bytes"


class _Bounded(io.RawIOBase):
    """What a packed file holds, as long as it is not far too much."""

    def __init__(self, path: Path, inner: BinaryIO, packed: BinaryIO, limit: int | None) -> None:
        self._path = path
        self._inner = inner
        self._packed = packed
        self._limit = limit
        self._seen = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # a writable buffer
        data = self._inner.read(len(buffer))
        self._seen += len(data)
        most = max(FREE_BYTES, RATIO * self._packed.tell())
        if self._limit is not None:
            most = min(most, self._limit)
        if self._seen > most:
            raise unreadable(
                self._path,
                f"holds more than {_size(most)} when unpacked, too much for such a file: unpack "
                f"it and look",
            )
        buffer[: len(data)] = data
        return len(data)


def text_lines(path: Path, stream: BinaryIO, errors: str = "replace") -> Iterator[str]:
    """Yield the lines of a text in UTF-8, with their ends.

    Raises
    ------
    InputError
        If one is longer than :data:`LONGEST_LINE` characters.
    """
    with io.TextIOWrapper(stream, encoding="utf-8-sig", errors=errors) as text:
        number = 0
        while line := text.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise unreadable(
                    path, f"line {number} has more than {LONGEST_LINE} characters: {quoted(line)}"
                )
            yield line


def read_text(path: Path, limit: int = JOB_BYTES, what: str = "file") -> str:
    """Read a text file in UTF-8 as a whole.

    Raises
    ------
    InputError
        If it cannot be read, is no text, or larger than `limit` bytes.
    """
    with open_input(path, limit, what) as stream:
        return stream.read().decode("utf-8-sig").replace("\r\n", "\n")


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Return what a TOML text says.

    Raises
    ------
    InputError
        If it is no TOML, or nested deeper than :data:`DEEPEST`.
    """
    try:
        _check_keys(text)
        content = tomllib.loads(text)
        _check_depth(content)
        return content
    except (ValueError, RecursionError) as error:  # also of numbers with thousands of digits
        raise InputError(f"{source}: not valid TOML: {_why(error)}") from None


def _check_keys(text: str) -> None:
    """Refuse dotted keys of many parts before they are parsed: memory goes with their square."""
    for line in text.splitlines():
        if line.count(".") <= DEEPEST:
            continue
        parts = 0
        for part in line.split("."):
            parts = parts + 1 if _KEY.fullmatch(part) else 0
            if parts > DEEPEST - 2:
                raise RecursionError


def read_json(path: Path, limit: int = SERIES_BYTES, what: str = "file") -> Any:
    """Return what a JSON file says.

    Raises
    ------
    InputError
        If it cannot be read, is no JSON, or nested deeper than :data:`DEEPEST`.
    """
    text = read_text(path, limit, what)
    try:
        content = json.loads(text)
        _check_depth(content)
        return content
    except (ValueError, RecursionError) as error:
        raise InputError(f"{shown(path)}: not valid JSON: {_why(error)}") from None


def _why(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else one_line(str(error))


def _check_depth(content: Any) -> None:
    """Refuse what is nested so deeply that going through it would end the program."""
    level = [content] if isinstance(content, dict | list) else []
    for _ in range(DEEPEST):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise RecursionError
