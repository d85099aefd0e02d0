"""What a journal says of who killed the job."""

import numpy as np
import pytest

from lammpsfit.farm.journal import Journal, JournalWriter, read_journal
from lammpsfit.fit.base import Ask
from lammpsfit.fit.run.confirm import Repeat
from lammpsfit.fit.run.job_killers import find_suspects, session_records, start_of

HEADER, SESSION, END = {"type": "header"}, {"type": "session"}, {"type": "end"}


def start(number):
    return start_of(Ask(number, np.array([0.1, 0.2]), "explore"))


def done(number):
    return {"type": "evaluation", "id": number, "status": "ok"}


def found(*records):
    suspects = find_suspects(Journal((HEADER, *records), 0))
    return {suspect.start.get("id", suspect.repeat): suspect.deaths for suspect in suspects}


def test_a_session_without_an_end_leaves_what_it_had_begun():
    assert found(SESSION, start(0), start(1), done(0)) == {1: 1}


@pytest.mark.parametrize(
    "records",
    [
        (),
        (done(0), done(1)),
        (SESSION, start(0), END),
        (SESSION, start(0), done(0)),
        (SESSION, start(0), END, SESSION),
        (SESSION, start(0), SESSION, start(0), done(0)),
        (SESSION, start(0), SESSION, start(0), SESSION, done(0)),
    ],
)
def test_nobody_is_suspect(records):
    assert found(*records) == {}


def test_deaths_are_counted_by_session():
    first = (SESSION, start(0), start(1), start(2))
    assert found(*first, SESSION, start(1)) == {0: 1, 1: 2, 2: 1}
    assert found(*first, SESSION, start(1), END) == {0: 1, 1: 1, 2: 1}
    assert found(*first, SESSION, start(1), done(1), start(2), SESSION) == {0: 1, 2: 2}


def test_only_the_convicted_have_a_result():
    once, twice = find_suspects(
        Journal((SESSION, start(0), start(1), SESSION, start(1)), 0),
    )
    assert once.failure is None
    assert str(twice.failure) == "killed the job: 2 sessions died while it ran"


def test_what_began_is_told_from_its_record(tmp_path):
    ask, run = Ask(7, np.array([0.25, 1 / 3]), "refine", 0.3), Repeat("fit-3", 1)
    with JournalWriter(tmp_path / "journal") as journal:
        journal.append(SESSION)
        journal.append(start_of(ask, {"asked_after": 4}))
        journal.append(start_of(run))
    one, other = find_suspects(read_journal(tmp_path / "journal"))
    assert (one.ask.id, one.ask.stage, one.ask.level) == (7, "refine", 0.3)
    assert one.ask.x.tobytes() == ask.x.tobytes()
    assert one.start["note"] == {"asked_after": 4}
    assert one.repeat is None
    assert (other.repeat, other.ask) == (run, None)


def test_a_torn_tail_costs_a_suspect_and_no_more(tmp_path):
    path = tmp_path / "journal"
    with JournalWriter(path) as journal:
        for record in (SESSION, start(0), start(1)):
            journal.append(record)
    path.write_bytes(path.read_bytes()[:-20])
    assert [s.start["id"] for s in find_suspects(read_journal(path))] == [0]


@pytest.mark.parametrize("error", [None, ZeroDivisionError, KeyboardInterrupt])
def test_a_session_has_an_end_however_it_ends_in_order(tmp_path, error):
    with JournalWriter(tmp_path / "journal") as journal:
        try:
            with session_records(journal):
                journal.append(start(0))
                if error is not None:
                    raise error
        except (ZeroDivisionError, KeyboardInterrupt):
            pass
    held = read_journal(tmp_path / "journal")
    assert [record["type"] for record in held.records] == ["session", "start", "end"]
    assert find_suspects(held) == []
