"""The state of a long run in a file, so that the same command goes on after a kill."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lammpsfit.errors import InputError
from lammpsfit.files import write_json
from lammpsfit.inputs import read_json


@dataclass(frozen=True)
class Checkpoint:
    """Where the state is, and of what run.

    Attributes
    ----------
    path : Path
        The file.
    about : mapping
        Plain data that says everything the run depends on.
    """

    path: Path
    about: Mapping[str, Any]

    @property
    def mark(self) -> str:
        """What tells this run from others."""
        text = json.dumps(self.about, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def read(self) -> dict[str, Any] | None:
        """Return what was kept last, or None.

        Raises
        ------
        InputError
            If the file is no state, or that of another run.
        """
        if not os.path.lexists(self.path):
            return None
        remedy = "choose another output, or remove it"
        content = read_json(self.path, what="state of a run")
        if not isinstance(content, dict) or not {"mark", "crc", "state"} <= set(content):
            raise InputError(f"{self.path}: no state of a run: {remedy}")
        if content["mark"] != self.mark:
            raise InputError(
                f"{self.path} belongs to another call (other structures, calculator or options): "
                f"{remedy}"
            )
        state: dict[str, Any] = content["state"]
        if content["crc"] != _crc(state):
            raise InputError(f"{self.path}: damaged, or changed since it was written: {remedy}")
        return state

    def keep(self, state: Mapping[str, Any]) -> None:
        """Write the state, whole or not at all."""
        content = dict(state)
        write_json(self.path, {"mark": self.mark, "crc": _crc(content), "state": content})


def _crc(state: Mapping[str, Any]) -> str:
    """Return what tells a state that was written from one that was changed since."""
    return f"{zlib.crc32(json.dumps(state, sort_keys=True).encode()):08x}"
