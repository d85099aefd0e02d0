import io
import re

import pytest
from rich.console import Console

from lammpsfit.report import progress as progress_module
from lammpsfit.report.progress import ProgressMonitor


def ok(cost, **more):
    return {"status": "ok", "objective": [cost, 0.01], "stage": "design"} | more


FAILED = {"status": "failed", "reason": "lost atoms", "stage": "explore"}


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless told."""
    now = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture(params=[False, True], ids=["pipe", "terminal"])
def shown(request):
    """A console on a terminal or elsewhere, and what was written to it, without escapes."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=request.param, width=100, color_system=None)

    def text():
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())

    return console, text


def watch(console, records, what="search", total=None, done=0):
    monitor = ProgressMonitor(console)
    monitor.begin(what, total, done)
    for record in records:
        monitor.finished(record)
    monitor.end()
    return monitor


def test_the_best_is_the_lowest_sound_cost(shown):
    console, text = shown
    watch(console, [ok(0.2), FAILED, ok(0.1), ok(0.3)], total=4)
    last = text().strip().splitlines()[-1]
    assert "best 10.00 %" in last
    assert "1 failed" in last
    assert "4/4" in last


def test_what_was_given_up_is_neither_best_nor_failed(shown):
    console, text = shown
    bound = {"level": 0.3, "bound": 0.312}
    given_up = ok(0.05) | {"status": "censored", "given_up": bound}
    watch(console, [ok(0.2), given_up], total=2)
    last = text().strip().splitlines()[-1]
    assert "best 20.00 %, 1 given up" in last
    assert "failed" not in last
    if not console.is_terminal:
        watch(console, [given_up], total=1)
        assert "given up, R > 31.20 %" in text()


def test_each_part_counts_anew(shown):
    console, text = shown
    monitor = watch(console, [ok(0.1), FAILED], total=2)
    monitor.begin("confirmation", 1, 0)
    monitor.finished(ok(0.4, label="CHIK"))
    monitor.end()
    last = text().strip().splitlines()[-1]
    assert "confirmation" in last
    assert "best 40.00 %" in last
    assert "failed" not in last


def test_what_the_journal_held_is_counted_and_said(shown):
    console, text = shown
    watch(console, [ok(0.1)], total=20, done=19)
    assert "19 evaluations are in the journal already" in text()
    assert "20/20" in text()


def test_nothing_but_failures(shown):
    console, text = shown
    watch(console, [FAILED, FAILED], total=2)
    assert "best –" in text()
    assert "2 failed" in text()


def test_labels_are_no_markup(shown):
    console, text = shown
    watch(console, [ok(0.1, label="[/x]", stage="[/x] :smile:")], total=1)
    assert "1/1" in text()
    if not console.is_terminal:
        assert "[/x] :smile: R = 10.00 ± 1.00 %" in text()


def test_ending_twice_or_before_the_beginning_does_no_harm(shown):
    console, _ = shown
    ProgressMonitor(console).end()
    watch(console, [ok(0.1)]).end()


@pytest.mark.parametrize(
    ("left", "shown_as"), [(42, "42 s"), (190, "3 min 10 s"), (19200, "5 h 20 min")]
)
def test_the_time_left_follows_from_the_pace(clock, left, shown_as):
    file = io.StringIO()
    monitor = ProgressMonitor(Console(file=file, width=100))
    monitor.begin("search", 30, 10)  # the ten of an earlier session say nothing about the pace
    clock[0] += left / 19
    monitor.finished(ok(0.1))
    assert f"{shown_as} left" in file.getvalue()


def test_a_log_gets_a_line_now_and_then_and_the_last(clock):
    file = io.StringIO()
    monitor = ProgressMonitor(Console(file=file, width=100))
    monitor.begin("search", 100, 0)
    for _ in range(100):
        clock[0] += 0.25
        monitor.finished(ok(0.1))
    lines = file.getvalue().splitlines()
    assert len(lines) == 25 + 1
    assert lines[0].startswith("search 1/100: design R = 10.00 ± 1.00 %")
    assert lines[-1].startswith("search 100/100: ")
    assert "left" not in lines[-1]
