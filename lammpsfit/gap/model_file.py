"""Models in files: one plain JSON file each.

Numbers come back to the last bit. Arrays of more than a few numbers are base64 of little-endian
doubles, which are read a hundred times as fast as decimal digits; short ones can be read as they
stand. There is nothing in a file that could be run.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from lammpsfit import __version__
from lammpsfit.errors import InputError
from lammpsfit.files import write_text
from lammpsfit.gap.model import Model
from lammpsfit.inputs import quoted, read_json

FORMAT: Final = "lammpsfit GAP"
VERSION: Final = 1
"""Of the file around the model; the model has its own."""

MODEL_BYTES: Final = 2_000_000_000
"""Most of a model file: thousands of centres with thousands of descriptors."""

_SHORT: Final = 64
"""Arrays of so many numbers or fewer are written as decimal digits."""


def save_model(model: Model, path: Path) -> None:
    """Write a model, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "written_by": f"lammpsfit {__version__}",
        "model": _plain(model.as_dict()),
    }
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def load_model(path: Path) -> Model:
    """Read a model.

    Raises
    ------
    InputError
        If there is no such file, it is damaged, something else, or of another version.
    """
    content = read_json(path, MODEL_BYTES, "model file")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not the model file of a GAP")
    if content.get("version") != VERSION:
        raise InputError(
            f"{path}: a model file of version {content.get('version')}, written by "
            f"{content.get('written_by', 'another program')}; this lammpsfit {__version__} reads "
            f"version {VERSION}: use the version that wrote it, or fit again"
        )
    try:
        return Model.from_dict(_arrays(content["model"]))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise InputError(f"{path}: damaged: {quoted(error)}") from None


def _plain(value: Any) -> Any:
    """Replace arrays by what JSON can say."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str | bool | int | float) or value is None:
        return value
    array = np.asarray(value, dtype="<f8")
    if array.ndim == 0:
        return float(array)
    if array.size <= _SHORT:
        return {"array": array.tolist(), "shape": list(array.shape)}
    return {"base64": base64.b64encode(array.tobytes()).decode(), "shape": list(array.shape)}


def _arrays(value: Any) -> Any:
    """Undo :func:`_plain`."""
    if isinstance(value, list):
        return [_arrays(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"array", "shape"}:
        return np.array(value["array"], dtype=np.float64).reshape(value["shape"])
    if set(value) == {"base64", "shape"}:
        raw = base64.b64decode(value["base64"], validate=True)
        return np.frombuffer(raw, dtype="<f8").astype(np.float64).reshape(value["shape"])
    return {name: _arrays(item) for name, item in value.items()}
