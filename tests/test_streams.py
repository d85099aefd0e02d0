"""What is printed never costs what is computed."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys
from lammpsfit.streams import steady_streams
steady_streams()
for k in range(2000):
    print("a line of a long run, Å ±", k)
sys.stdout.flush()
open("result", "w").write("done")
print("the end")
"""


def run(cwd, redirection, **environment):
    (cwd / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        f"'{sys.executable}' script.py {redirection}",
        cwd=cwd,
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
        timeout=60,
    )
    assert (cwd / "result").read_text() == "done", done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    return done


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("redirection", "said"),
    [
        ("> /dev/full", "standard output cannot be written (No space left on device): going on"),
        ("> /dev/full 2>&1", ""),
        (">&-", ""),
        ("<&- >&- 2>&-", ""),
        ("> >(true)", ""),
        ("2> >(true) 1>&2", ""),
    ],
)
def test_a_stream_that_cannot_be_written_costs_nothing(tmp_path, redirection, said, unbuffered):
    done = run(tmp_path, redirection, PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 0
    assert said in done.stderr
    assert done.stderr.count("\n") == bool(said)


def test_a_stream_that_can_be_written_holds_all(tmp_path):
    done = run(tmp_path, "| cat", PYTHONIOENCODING="ascii")
    lines = done.stdout.splitlines()
    assert len(lines) == 2001
    assert lines[0] == "a line of a long run, ? ? 0"


def test_a_stream_that_is_not_waited_for_holds_all(tmp_path):
    """As where a terminal or a parent left standard output non-blocking."""
    slow = (
        "import fcntl, os, subprocess, sys, time\n"
        "read, write = os.pipe()\n"
        "fcntl.fcntl(write, fcntl.F_SETFL, os.O_NONBLOCK)\n"
        "child = subprocess.Popen([sys.executable, 'script.py'], stdout=write)\n"
        "os.close(write)\n"
        "time.sleep(0.5)\n"
        "got = b''.join(iter(lambda: os.read(read, 65536), b''))\n"
        "assert child.wait() == 0\n"
        "print(got.count(b'\\n'))\n"
    )
    (tmp_path / "script.py").write_text(SCRIPT.replace("2000", "20000"))
    done = subprocess.run(
        [sys.executable, "-c", slow], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "20001\n", done.stderr
