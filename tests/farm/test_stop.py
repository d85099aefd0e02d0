import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lammpsfit.errors import InputError
from lammpsfit.farm import stop as stop_module
from lammpsfit.farm.stop import RESERVE_S, SIGNALS, Stop, parse_walltime


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_a_reason_and_ends_nothing(number):
    before = signal.getsignal(number)
    with Stop() as stop:
        assert stop() is None
        os.kill(os.getpid(), number)
        assert stop() == number.name
        assert stop() == number.name
    assert signal.getsignal(number) == before


def test_a_second_ctrl_c_ends_at_once():
    before = signal.getsignal(signal.SIGINT)
    with Stop() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop() == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_walltime_ends_before_the_batch_system_does(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(stop_module.time, "monotonic", lambda: clock[0])
    stop = Stop(100.0)
    assert stop() is None
    clock[0] = 1100.0 - RESERVE_S - 0.001
    assert stop() is None
    clock[0] = 1100.0 - RESERVE_S + 0.001
    assert stop() == "walltime"


def test_without_walltime_there_is_no_end(monkeypatch):
    stop = Stop()
    monkeypatch.setattr(stop_module.time, "monotonic", lambda: 1e12)
    assert stop() is None


@given(st.integers(16, 10**7))
def test_all_spellings_of_a_walltime(seconds):
    minutes, s = divmod(seconds, 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    spellings = [str(seconds), f"{minutes}:{s:02}", f"{hours}:{m:02}:{s:02}"]
    spellings.append(f"{days}-{h:02}:{m:02}:{s:02}")
    assert {parse_walltime(text) for text in spellings} == {float(seconds)}


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "an hour", "1h", "1.5", "nan", "inf", "1e9", "100\n", "²00", "٣٠٠", "9" * 5000),
        *("-100", "--100", "-1:00:00", "1-30", "1-30:00", "1:2:3:4", "1::2", ":30", "1:00:00-1"),
    ],
)
def test_what_is_no_walltime(text):
    with pytest.raises(InputError, match="walltime must be"):
        parse_walltime(text)


@pytest.mark.parametrize("text", ["0", "15", "0:15", "0-00:00:15"])
def test_a_walltime_within_the_reserve(text):
    with pytest.raises(InputError, match="longer than 15 s"):
        parse_walltime(text)
