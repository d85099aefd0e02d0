"""Who killed the job, as the journal tells it.

With several ranks per evaluation nothing shields the job from a run that segfaults or fills the
memory: all die, rank 0 with them. So a session journals when it begins, what it hands out before
it does, and its end, however it ends in order. What was handed out and never came back in a
session without an end is suspect: one of them killed the job, or somebody outside did.

On resume suspects are run again first, one at a time and nothing beside them, so that only the
killer is at work when it strikes again. What was at work in :data:`CONVICTED` dead sessions is
recorded as failed and not run any more.
"""

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from lammpsfit.child.failure import Failure, Reason
from lammpsfit.farm.journal import Journal, JournalWriter, Record
from lammpsfit.fit.base import Ask
from lammpsfit.fit.run.confirm import Repeat

CONVICTED: Final = 2
"""Dead sessions in which something was at work, after which it is taken for the killer."""


@dataclass(frozen=True)
class Suspect:
    """What was at work when a session died, and never came back.

    Attributes
    ----------
    start
        Its record, the last one if it was handed out more than once.
    deaths
        Number of dead sessions it was at work in.
    """

    start: Record
    deaths: int

    @property
    def failure(self) -> Failure | None:
        """Its result if it is convicted, None if it is to be run again."""
        if self.deaths < CONVICTED:
            return None
        return Failure(Reason.KILLED_JOB, f"{self.deaths} sessions died while it ran")

    @property
    def ask(self) -> Ask | None:
        """Point of the search it was, None if it was a confirmation."""
        start = self.start
        if start["of"] != "evaluation":
            return None
        x = np.array(start["x"], dtype=np.float64)
        return Ask(
            start["id"], x, start["stage"], start["level"], start.get("origin"), start["keep"]
        )

    @property
    def repeat(self) -> Repeat | None:
        """Confirmation it was, None if it was of the search."""
        start = self.start
        return None if start["of"] != "confirmation" else Repeat(start["label"], start["repeat"])


def start_of(what: Ask | Repeat, note: Record | None = None) -> Record:
    """Make the record of what is about to be handed out.

    `note` is what the record of its result must hold besides.
    """
    if isinstance(what, Repeat):
        fields = {"of": "confirmation", "label": what.label, "repeat": what.number}
    else:
        fields = {
            "of": "evaluation",
            "id": what.id,
            "x": what.x.tolist(),
            "stage": what.stage,
            "level": what.level,
            "origin": what.origin,
            "keep": what.keep,
        }
    return {"type": "start", "note": note or {}} | fields


@contextmanager
def session_records(journal: JournalWriter) -> Iterator[None]:
    """Journal the beginning of a session, and its end in whatever order."""
    journal.append({"type": "session"})
    try:
        yield
    finally:
        journal.append({"type": "end"})


def find_suspects(journal: Journal) -> list[Suspect]:
    """Return what was at work in dead sessions and has no result, in the order of its start."""
    running: set[Hashable] = set()
    starts: dict[Hashable, Record] = {}
    deaths: Counter[Hashable] = Counter()
    finished: set[Hashable] = set()
    for record in (*journal.records, {"type": "session"}):
        match record["type"]:
            case "session":
                deaths.update(running)
                running.clear()
            case "end":
                running.clear()
            case "start":
                running.add(_name(record["of"], record))
                starts[_name(record["of"], record)] = record
            case "evaluation" | "confirmation" as kind:
                running.discard(_name(kind, record))
                finished.add(_name(kind, record))
    return [
        Suspect(start, deaths[name])
        for name, start in starts.items()
        if deaths[name] and name not in finished
    ]


def _name(kind: str, record: Record) -> Hashable:
    return kind, *(record.get(key) for key in ("id", "label", "repeat"))
