"""One rule for every command: nothing of the user's is written over.

A command writes a file only where there was none, or where it wrote the same file before and
nobody changed it since. ``--force`` waives that, but never for a file that the command reads nor
for a file of a run. All of it is checked before any time is spent.

What a command wrote stands in :data:`LEDGER` in the same folder: for each name the command and a
digest of the content. A file that was edited, replaced or put there by somebody else has another
digest, and counts as the user's.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lammpsfit.errors import InputError, LammpsfitError
from lammpsfit.files import check_file, check_folder, write_json
from lammpsfit.inputs import JOB_BYTES, read_json, sha256

LEDGER: Final = ".lammpsfit-outputs.json"
"""Name of the file that lists what commands wrote into its folder."""

RUN_NAMES: Final = frozenset(
    {
        *("job.toml", "journal.jsonl", "result.json", "potential.toml", "report.html"),
        *("inputs", "samples", "lammps", "gr.png", "terms.png", "convergence.png"),
        "uncertainty.png",
        *("state.json", "model.json", "training.png", "parity.png", "calibration.png"),
        *("points.jsonl", "curve.json", "curve.png", "scatter.png"),
    }
)
"""Files and folders that a run of a fit, a GAP or a learning curve has in its folder."""

_STATES: Final = ("journal.jsonl", "state.json", "model.json", "points.jsonl")
"""One of these beside a ``job.toml`` makes a folder a run's."""


@dataclass(frozen=True)
class Outputs:
    """The files that a command writes. Made by :func:`check_outputs`.

    Attributes
    ----------
    command
        The command, as in ``gap evaluate``.
    files
        What it writes.
    """

    command: str
    files: tuple[Path, ...]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write the files in this block: those written are listed, so that they may be replaced."""
        before = [_identity(path) for path in self.files]
        try:
            yield
        finally:
            for path, old in zip(self.files, before, strict=True):
                if path.is_file() and _identity(path) != old:
                    # a file that cannot be listed asks for --force next time, no more
                    with suppress(LammpsfitError, OSError):
                        _list(path, self.command)


def check_outputs(
    command: str,
    files: Iterable[Path],
    inputs: Iterable[Path] = (),
    *,
    folder: Path | None = None,
    run: Path | None = None,
    force: bool = False,
) -> Outputs:
    """Refuse files that cannot be written, or would take the place of something of the user's.

    Parameters
    ----------
    command
        The command, as in ``gap evaluate``.
    files
        What it is asked to write.
    inputs
        What it reads.
    folder
        Folder that the command makes for some of them.
    run
        Run folder that the command makes or goes on with.
    force
        Whether other files of the user's may be replaced.

    Raises
    ------
    InputError
        If a file cannot be written, is named twice, is read, is of a run, or is there already and
        not as this command wrote it.
    """
    files = tuple(files)
    if folder is not None:
        check_folder(folder)
    read = {_key(path): path for path in inputs}
    seen: dict[object, Path] = {}
    for path in files:
        if folder is None or path.parent != folder or folder.exists():
            check_file(path)
        if _key(path) in read:
            raise InputError(f"cannot write {path}: it is read: choose another name")
        if _key(path) in seen:
            raise InputError(f"cannot write {path}: it is given twice: choose another name")
        seen[_key(path)] = path
        if (owner := _run_of(path, run)) is not None:
            raise InputError(f"cannot write {path}: it is of the run {owner}: choose another name")
        _check_free(path, command, force)
    return Outputs(command, files)


def check_run_folder(path: Path) -> None:
    """Refuse a folder to make a run in where files of its names are already.

    Raises
    ------
    InputError
        If one of :data:`RUN_NAMES` is there, or it must not be written to.
    """
    check_folder(path)
    taken = sorted(name for name in RUN_NAMES if os.path.lexists(path / name))
    if taken:
        raise InputError(f"{path / taken[0]} would be written over: choose another folder")


def _check_free(path: Path, command: str, force: bool) -> None:
    """Refuse a file that is there, but as this command wrote it."""
    if not os.path.lexists(path):
        return
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise InputError(f"cannot write {path}: it is no regular file: choose another name")
    if force or ((listed := _ledger(path).get(path.name)) and listed == _entry(path, command)):
        return
    raise InputError(
        f"{path} would be written over, and is not as 'lammpsfit {command}' wrote it: choose "
        "another name, or say --force"
    )


def _run_of(path: Path, making: Path | None) -> Path | None:
    """Return the run that a name belongs to, be it there already or still to be made."""
    resolved = Path(os.path.realpath(path))
    made = None if making is None else Path(os.path.realpath(making))
    for folder in resolved.parents:
        if folder == made or _is_run(folder):
            first = resolved.relative_to(folder).parts[0]
            # pictures of other conditions are gr-NAME.png
            if first in RUN_NAMES or (first.startswith("gr-") and first.endswith(".png")):
                return folder
    return None


def _is_run(folder: Path) -> bool:
    return (folder / "job.toml").is_file() and any((folder / x).is_file() for x in _STATES)


def _key(path: Path) -> object:
    """Return what tells whether two names are one file, through links of either kind."""
    try:
        found = path.stat()
    except ValueError:  # a name with NUL, which is no file
        return str(path)
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def _identity(path: Path) -> object:
    """Return what differs once a file was written."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _ledger(path: Path) -> dict[str, Any]:
    """Read what is listed beside a file; nothing where it cannot be read."""
    try:
        content = read_json(path.with_name(LEDGER), JOB_BYTES)
    except InputError:
        return {}
    return content if isinstance(content, dict) else {}


def _list(path: Path, command: str) -> None:
    known = {name: one for name, one in _ledger(path).items() if (path.parent / name).exists()}
    write_json(path.with_name(LEDGER), known | {path.name: _entry(path, command)})


def _entry(path: Path, command: str) -> dict[str, str] | None:
    """Make the entry of a file as it is now."""
    try:
        return {"command": command, "sha256": sha256(path)}
    except InputError:
        return None
