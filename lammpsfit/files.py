"""Write a file whole or not at all."""

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lammpsfit.errors import InputError, RunError

LONGEST_NAME = 200
"""Bytes of a file's name that leave room for what is put before it; systems take 255."""

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors that are no fault of the name that was given."""


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Give a temporary name beside `path` that takes its place when the block succeeds.

    A reader, or a job killed half way, sees the old file or the new one, never a part; nor does
    who comes after a power cut.

    Raises
    ------
    InputError
        If the file cannot be written: no such folder, no permission, or a name in it (as that of
        a file in a command) that is no text.
    RunError
        If the disk is full or broken.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "g.csv"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("r_A")
    >>> target.read_text()
    'r_A'
    """
    target = Path(path)
    temporary = target.with_name(_temporary_name(target.name))
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(target)
        _sync(target.parent)
    except OSError as error:
        kind = RunError if error.errno in _DISK else InputError
        raise kind(f"cannot write {target}: {error.strerror}") from error
    except UnicodeEncodeError as error:
        raise InputError(
            f"cannot write {target}: it would hold a name that is not text in UTF-8: use another"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _temporary_name(name: str) -> str:
    """Make a name beside `name` that no other process makes, and that is not too long."""
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return f".{os.getpid()}-{name}"


def _sync(path: Path) -> None:
    """Wait until a file, or what a folder lists, is on the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _DISK:
            raise  # others say that it cannot be synced here, not that it is not written


def check_file(path: Path) -> None:
    """Refuse a file name that could not be written, before hours of work are spent on it.

    Raises
    ------
    InputError
        If it is a folder, or its folder is missing or must not be written to.
    """
    check_folder(path.parent)
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:  # such as a name that is too long
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    if not path.parent.exists():
        raise InputError(f"cannot write {path}: there is no folder {path.parent}: make it first")
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder, name a file in it")


def check_folder(path: Path) -> None:
    """Refuse a folder that can neither be made nor written to.

    Raises
    ------
    InputError
        If it, or the nearest folder above that exists, is no folder or must not be written to.
    """
    nearest = path.absolute()
    while not os.access(nearest, os.F_OK):
        nearest = nearest.parent
    if not nearest.is_dir():
        raise InputError(f"cannot write {path}: {nearest} is no folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"cannot write {path}: no permission in {nearest}")


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file in one step."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def cache_folder() -> Path:
    """Return the folder of what can be made again: ``$XDG_CACHE_HOME/lammpsfit``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lammpsfit"
