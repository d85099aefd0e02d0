"""What every command has: options that are no part of a job, and how it prints and writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from lammpsfit.files import check_file, write_json


@dataclass(frozen=True)
class Session:
    """The options of one call that are no part of a job, checked."""

    console: Console
    walltime: float | None
    json_file: Path | None


def open_session(walltime: str | None, json_file: Path | None) -> Session:
    """Check the options of a call before any time is spent."""
    from lammpsfit.farm.stop import parse_walltime
    from lammpsfit.report.tables import output_console

    if json_file is not None:
        check_file(json_file)
    seconds = None if walltime is None else parse_walltime(walltime)
    return Session(output_console(), seconds, json_file)


def say(console: Console, line: str) -> None:
    """Print a line as it stands: names of files and titles are no markup, and are not broken."""
    console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)


def write_result(path: Path | None, content: Mapping[str, Any]) -> None:
    """Write the JSON file that was asked for, if it was."""
    if path is not None:
        write_json(path, content)
