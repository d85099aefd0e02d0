"""What every command prints and writes in the same way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from lammpsfit.files import write_json


def say(console: Console, line: str) -> None:
    """Print a line as it stands: names of files and titles are no markup, and are not broken."""
    console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)


def write_result(path: Path | None, content: Mapping[str, Any]) -> None:
    """Write the JSON file that was asked for, if it was."""
    if path is not None:
        write_json(path, content)
