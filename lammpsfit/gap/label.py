"""Labels by callback: every frame through an ASE calculator, several at a time.

Each finished frame is in a journal beside the output before the next one is looked at. A kill at
any moment costs the frames that were being worked on; the same call again goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lammpsfit.errors import InputError, RunError, StoppedError, warn
from lammpsfit.farm.base import Farm
from lammpsfit.farm.journal import JournalWriter, Record, is_journal, read_journal
from lammpsfit.farm.local import LocalFarm
from lammpsfit.gap.factory_check import check_factory
from lammpsfit.gap.label_record import check_record, labelled, record_of
from lammpsfit.gap.label_task import Labels, LabelTask
from lammpsfit.gap.record_models import numbered
from lammpsfit.labelled.frame import digest
from lammpsfit.labelled.frames import Frame, write_frames
from lammpsfit.outputs import check_outputs

FORMAT: Final = 1
"""Version of the journal's records."""

TOLD: Final = (1, 10, 100, 1000)
"""Numbers of failures in one call that are told of."""

LOOK_S: Final = 0.5
"""Seconds between two looks at whether to stop."""

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class LabelRequest:
    """What to label, and how.

    Attributes
    ----------
    calculator
        Name of the factory of calculators, ``module:factory``.
    output
        Extended xyz file to write.
    workers
        Frames at a time, each in a process with a calculator of its own.
    stress
        Whether to ask for the stress, where the calculator has one.
    timeout
        Seconds after which a frame is given up; ``inf`` never.
    again
        Whether to try the frames again that failed in an earlier call.
    """

    calculator: str
    output: Path
    workers: int = 1
    stress: bool = True
    timeout: float = float("inf")
    again: bool = False

    @property
    def journal(self) -> Path:
        """Every finished frame."""
        return self.output.with_name(f"{self.output.name}.journal.jsonl")

    @property
    def scratch(self) -> Path:
        """Where calculators may write files."""
        return self.output.with_name(f"{self.output.name}.work")

    def check(self, files: Sequence[Path]) -> None:
        """Refuse an output that cannot be written, or is one of the files to label.

        Raises
        ------
        InputError
            If it is so, or the journal beside it is somebody's.
        """
        check_outputs("gap label", [self.output, self.journal], files, force=True)
        if self.output.exists() and not self.journal.exists():
            raise InputError(f"{self.output} would be written over: choose another name")
        if self.journal.exists() and not is_journal(self.journal):
            raise InputError(f"{self.journal} is no journal of labels: choose another output")


@dataclass(frozen=True)
class LabelSummary:
    """What came of it.

    Attributes
    ----------
    frames
        Frames that are labelled now, in the order they were given.
    earlier
        How many of them earlier calls had labelled.
    failed
        Reason of each frame that failed, by its label.
    wall_s
        Seconds this call took.
    """

    frames: tuple[Frame, ...]
    earlier: int
    failed: dict[str, str]
    wall_s: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "labelled": len(self.frames),
            "earlier": self.earlier,
            "failed": len(self.failed),
            "reasons": self.failed,
            "wall_s": self.wall_s,
        }


def label_frames(
    frames: Sequence[Frame],
    request: LabelRequest,
    progress: Progress = lambda what, done, total: None,
    stop: Callable[[], str | None] = lambda: None,
    farm: Farm[Labels] | None = None,
) -> LabelSummary:
    """Label frames, and write those that have labels.

    Parameters
    ----------
    frames
        Their own labels, if any, are not used.
    request
        What to do with them.
    progress
        Told what is done, how many frames are, and of how many.
    stop
        Says why to stop, or None to go on.
    farm
        Idle workers, which are ended here; by default processes of this machine.

    Raises
    ------
    InputError
        If there is no such calculator, or the output belongs to other frames.
    StoppedError
        If it was told to stop; what is labelled by then is written.
    RunError
        If no frame could be labelled.
    """
    began = time.monotonic()
    check_factory(request.calculator, stop)
    done = _open(frames, request)
    earlier = sum(record["type"] == "labels" for record in done.values())
    todo = [k for k in range(len(frames)) if k not in done]
    why, failures = None, 0
    with JournalWriter(request.journal) as journal:
        for number, back in _work(frames, todo, request, stop, farm):
            record = record_of(number, back)
            journal.append(record)
            done[number] = record
            failures += bool(back.reason)
            if back.reason and failures in TOLD:
                warn(f"{frames[number].label} failed ({failures} so far): {back.reason}")
            progress("label", len(done), len(frames))
            why = stop()
    _remove_empty(request.scratch)
    found = tuple(
        labelled(frames[k], record)
        for k, record in sorted(done.items())
        if record["type"] == "labels"
    )
    failed = {
        frames[k].label: record["reason"]
        for k, record in sorted(done.items())
        if record["type"] == "failed"
    }
    if found:
        write_frames(request.output, found)
    if len(done) < len(frames):
        raise StoppedError(
            f"stopped ({why or stop()}) with {len(done)} of {len(frames)} frames done: the same "
            f"command goes on from here"
        )
    if not found:
        raise RunError(f"no frame could be labelled: {next(iter(failed.values()))}")
    return LabelSummary(found, earlier, failed, time.monotonic() - began)


def _work(
    frames: Sequence[Frame],
    todo: Sequence[int],
    request: LabelRequest,
    stop: Callable[[], str | None],
    workers: Farm[Labels] | None,
) -> Iterator[tuple[int, Labels]]:
    """Yield the number of each frame and what came of it, as they finish."""
    waiting = list(reversed(todo))
    if not waiting:
        return
    with workers or LocalFarm[Labels](min(request.workers, len(waiting))) as farm:
        while (waiting or farm.busy) and stop() is None:
            while waiting and farm.idle:
                number = waiting.pop()
                frame = frames[number].unlabelled()
                task = LabelTask(request.calculator, frame, request.stress, request.scratch)
                farm.submit(number, task, request.timeout)
            for back in farm.wait(LOOK_S):
                assert isinstance(back.key, int)
                if isinstance(back.result, Labels):
                    yield back.key, back.result
                else:  # the child died, and this says how
                    yield back.key, Labels(reason=str(back.result))


def _remove_empty(scratch: Path) -> None:
    """Remove the folders of calculators that wrote nothing; ASE makes one for each."""
    for folder in (*scratch.glob("worker-*"), scratch):
        with suppress(OSError):
            folder.rmdir()


def _open(frames: Sequence[Frame], request: LabelRequest) -> dict[int, Record]:
    """Return the records of frames that are done; make the journal where there is none."""
    header = {
        "type": "header",
        "format": FORMAT,
        "calculator": request.calculator,
        "stress": request.stress,
        "frames": digest(frames),
    }
    known = read_journal(request.journal) if request.journal.exists() else None
    headers = known.of_type("header") if known else []
    if known is None or len(known.records) == len(headers):  # nothing is done yet
        if request.output.exists():
            raise InputError(f"{request.output} would be written over: choose another name")
        if headers[-1:] != [header]:
            # never in place of the file: another process may have begun to write to it, and
            # learns of this header with its first frame
            with JournalWriter(request.journal) as journal:
                journal.append(header)
        return {}
    _check_header(headers, header, request)
    if known.damaged:
        warn(
            f"{request.journal}: {known.damaged} damaged line(s) left out: their frames are "
            f"labelled again"
        )
    done = {
        check_record(record, frames, request.journal, number): record
        for number, record in numbered(known)
    }
    if request.again:
        done = {k: record for k, record in done.items() if record["type"] == "labels"}
    return done


def _check_header(headers: Sequence[Record], header: Record, request: LabelRequest) -> None:
    found = headers[-1] if headers else {}
    for name, what in (
        ("format", "another version of lammpsfit"),
        ("frames", "other frames"),
        ("calculator", "another calculator"),
        ("stress", "labels with and without stress"),
    ):
        if found.get(name) != header[name]:
            raise InputError(
                f"{request.journal} belongs to {what} ({found.get(name)}, not {header[name]}): "
                f"choose another output, or remove it"
            )
