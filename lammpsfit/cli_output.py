"""What every command has: options that are no part of a job, and how it prints and writes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lammpsfit.files import write_json
from lammpsfit.outputs import Outputs, check_outputs

JsonFile = Annotated[
    Path | None, typer.Option("--json", help="also write the result here, as JSON")
]
Walltime = Annotated[
    str | None, typer.Option(help="stop before this time is up: seconds, mm:ss or [d-]hh:mm:ss")
]
ParslFile = Annotated[
    Path | None,
    typer.Option("--parsl", help="use workers of Parsl: its configuration, a Python file"),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="replace files of yours; inputs and files of a run stay"),
]


@dataclass(frozen=True)
class Session:
    """The options of one call that are no part of a job, checked."""

    console: Console
    walltime: float | None
    json_file: Path | None
    outputs: Outputs


def open_session(
    command: str,
    json_file: Path | None,
    *,
    files: Iterable[Path | None] = (),
    inputs: Iterable[Path | None] = (),
    folder: Path | None = None,
    run: Path | None = None,
    walltime: str | None = None,
    force: bool = False,
) -> Session:
    """Check the options of a call before any time is spent.

    Parameters
    ----------
    command
        Its name, as in ``gap evaluate``.
    json_file
        Where the result goes, if anywhere.
    files
        What else it is asked to write; None is left out, here and in `inputs`.
    inputs
        What it reads.
    folder
        Folder that it makes for some of the files.
    run
        Run folder that it makes or goes on with.
    walltime
        Its limit.
    force
        Whether files of the user's may be replaced, see :mod:`lammpsfit.outputs`.
    """
    from lammpsfit.farm.stop import parse_walltime
    from lammpsfit.report.tables import output_console

    seconds = None if walltime is None else parse_walltime(walltime)
    written = [path for path in (*files, json_file) if path is not None]
    read = [path for path in inputs if path is not None]
    outputs = check_outputs(command, written, read, folder=folder, run=run, force=force)
    return Session(output_console(), seconds, json_file, outputs)


def say(console: Console, line: str) -> None:
    """Print a line as it stands: names of files and titles are no markup, and are not broken."""
    console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)


def write_result(session: Session, content: Mapping[str, Any]) -> None:
    """Write the JSON file that was asked for, if it was."""
    if session.json_file is not None:
        with session.outputs.writing():
            write_json(session.json_file, content)
