"""The state of a long run in a file, so that the same command goes on after a kill."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lammpsfit.errors import InputError
from lammpsfit.files import write_json
from lammpsfit.inputs import quoted


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
        if not self.path.exists():
            return None
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            mark, state = content["mark"], content["state"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.path}: no state of a run ({quoted(error)}): remove it, or choose another "
                "output"
            ) from None
        if mark != self.mark or not isinstance(state, dict):
            raise InputError(
                f"{self.path} belongs to another call (other structures, calculator or options): "
                f"choose another output, or remove it"
            )
        return state

    def keep(self, state: Mapping[str, Any]) -> None:
        """Write the state, whole or not at all."""
        write_json(self.path, {"mark": self.mark, "state": dict(state)})
