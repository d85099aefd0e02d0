"""The order in which an optimiser is asked for points and told their outcomes.

``Eager`` asks as soon as a worker is idle and tells as soon as one is back. No worker
waits for another, but what is asked depends on who came back first, so that a fit with several
workers does not repeat to the bit.

``Ordered`` keeps a fixed number of questions open and tells their answers in the order of asking,
whoever comes back first. What is asked depends on the job alone, not on the number of workers,
their speed or where they are; a slow evaluation may hold up the others.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from lammpsfit.errors import InputError
from lammpsfit.farm.journal import Record
from lammpsfit.fit.base import Ask, Optimiser, Outcome
from lammpsfit.fit.run.records import as_told

Read: TypeAlias = Callable[[Record], tuple[Ask, Outcome]]
"""Turns a record into what is told."""


class AskOrder(Protocol):
    """Stands between optimiser and farm: hands out points, takes in records."""

    def ask(self, room: int) -> list[Ask]:
        """Return up to `room` points to evaluate now."""

    def note(self, ask: Ask) -> Record:
        """Return what the record of a point must hold besides, to resume the fit."""

    def take(self, record: Record) -> None:
        """Take in the record of an evaluation that is back."""


class Eager:
    """Ask whenever there is room, tell whatever is back.

    Parameters
    ----------
    optimiser
        A fresh optimiser.
    records
        Evaluations before a resume, in the journal's order.
    read
        Turns a record into what is told.
    """

    def __init__(
        self, optimiser: Optimiser, records: Sequence[Record], read: Read = as_told
    ) -> None:
        self._optimiser = optimiser
        self._read = read
        for record in records:
            self.take(record)

    def ask(self, room: int) -> list[Ask]:
        """Return up to `room` points to evaluate now."""
        return self._optimiser.ask(room) if room > 0 else []

    def note(self, ask: Ask) -> Record:
        """Return nothing: all that matters is the order of the journal."""
        return {}

    def take(self, record: Record) -> None:
        """Tell the optimiser."""
        self._optimiser.tell(*self._read(record))


class Ordered:
    """Keep `ahead` questions open, and tell the answers in the order of asking.

    After each answer, as many questions are asked as keep `ahead` open. A resumed fit is
    brought to where it was: what had been told is told, what was open then is declared so, and
    the last `ahead` answers are told one by one with the questions in between, so that the
    open questions come out as they were. Answers that were in the journal but not yet told
    are used when their question comes up, even where other processors ask it a little off.

    Parameters
    ----------
    optimiser
        A fresh optimiser.
    records
        Evaluations before a resume, in any order.
    ahead
        Number of open questions, at least 1.
    read
        Turns a record into what is told.

    Raises
    ------
    InputError
        If the evaluations are not those of an ordered fit.
    """

    def __init__(
        self,
        optimiser: Optimiser,
        records: Sequence[Record],
        ahead: int,
        read: Read = as_told,
    ) -> None:
        if any("asked_after" not in record for record in records):
            raise InputError(
                "the journal must be that of an ordered fit: it was made without farm.ordered"
            )
        self._optimiser = optimiser
        self._read = read
        self._ahead = ahead
        self._answers = {record["id"]: record for record in records}
        self._open: set[int] = set()
        self._asked_after: dict[int, int] = {}
        self._queue: deque[Ask] = deque()
        self._told = 0
        self._restore()
        self._advance()

    def ask(self, room: int) -> list[Ask]:
        """Return up to `room` points to evaluate now."""
        return [self._queue.popleft() for _ in range(min(room, len(self._queue)))]

    def note(self, ask: Ask) -> Record:
        """Return after how many answers the point was asked for."""
        return {"asked_after": self._asked_after[ask.id]}

    def take(self, record: Record) -> None:
        """Keep the answer, and tell whatever is next in order."""
        self._answers[record["id"]] = record
        self._advance()

    def _restore(self) -> None:
        """Tell what was told and asked long ago without asking it again."""
        known = 0
        while known in self._answers:
            known += 1
        for number in range(known - self._ahead):
            self._optimiser.tell(*self._read(self._answers.pop(number)))
            self._told += 1
        for number in range(self._told, known):
            record = self._answers[number]
            if record["asked_after"] <= self._told:
                self._optimiser.expect(as_told(record)[0])
                self._open.add(number)

    def _advance(self) -> None:
        self._fill()
        while self._told in self._open and self._told in self._answers:
            self._optimiser.tell(*self._read(self._answers.pop(self._told)))
            self._open.discard(self._told)
            self._told += 1
            self._fill()

    def _fill(self) -> None:
        while len(self._open) < self._ahead and (asks := self._optimiser.ask(1)):
            (ask,) = asks
            self._open.add(ask.id)
            self._asked_after[ask.id] = self._told
            if ask.id not in self._answers:
                self._queue.append(ask)
