"""Arrays read from an ``.npz`` file that may be damaged, foreign or made to harm."""

import io
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from lammpsfit.errors import InputError, RunError

LARGEST: Final = 2**30
"""Bytes that the arrays of one file may have; what a file packs is far less."""

KINDS: Final = "biufU"
"""Kinds of arrays: true or false, numbers, names."""

_ERRORS = (
    *(OSError, ValueError, KeyError, IndexError, TypeError, EOFError, OverflowError, MemoryError),
    *(RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, InputError, RunError),
    *(SyntaxError, tokenize.TokenError),  # a header of an array is Python
)


@contextmanager
def reading_arrays(path: Path, remedy: str = "") -> Iterator[Mapping[str, Any]]:
    """Give the arrays of a file by name; whatever is wrong with them in this block is one line.

    Parameters
    ----------
    path
        The file.
    remedy
        What to do about it.

    Raises
    ------
    InputError
        If the file is missing or no archive of arrays, is larger than :data:`LARGEST`, or the
        block finds that an array is missing or of another shape.
    """
    try:
        yield _arrays(path)
    except _ERRORS as error:
        why = f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        why = getattr(error, "strerror", None) or why
        raise InputError(f"{path}: cannot be read ({' '.join(why.split())}){remedy}") from error


def _arrays(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(2, "no such file")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        if total > LARGEST:
            raise ValueError(f"its arrays must have at most {LARGEST} bytes, got {total}")
        # each is unpacked to its end before NumPy sees it: only there its checksum is looked at
        found: dict[str, Any] = {
            member.filename.removesuffix(".npy"): np.lib.format.read_array(
                io.BytesIO(archive.read(member)), allow_pickle=False
            )
            for member in members
        }
    for name, array in found.items():
        if array.dtype.kind not in KINDS:
            raise ValueError(f"{name} must be numbers or names, got {array.dtype}")
    return found
