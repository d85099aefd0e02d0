"""What is said before an abort is heard."""

import os
import pty
import socket
import threading
import time

import pytest

from lammpsfit.farm.abort import wait_until_read


def pipe():
    return os.pipe()


def stream():
    a, b = socket.socketpair()
    return a.detach(), b.detach()


@pytest.mark.parametrize("ends", [pipe, stream])
def test_it_waits_for_whoever_reads(ends):
    reader, writer = ends()
    with os.fdopen(reader, "rb", buffering=0) as heard, os.fdopen(writer, "w") as file:
        file.write("last words\n")
        file.flush()
        assert not wait_until_read(file, 0.05)
        reading = threading.Timer(0.2, heard.read, [100])
        reading.start()
        began = time.monotonic()
        assert wait_until_read(file, 60.0)
        assert time.monotonic() - began >= 0.15
        reading.join()


def test_a_half_read_message_is_not_read():
    reader, writer = pipe()
    with os.fdopen(reader, "rb", buffering=0) as heard, os.fdopen(writer, "w") as file:
        file.write("last words\n")
        file.flush()
        assert heard.read(4) == b"last"
        assert not wait_until_read(file, 0.05)


def test_files_and_terminals_that_show_what_they_get_have_nothing_unread(tmp_path):
    with (tmp_path / "log").open("w") as file:
        file.write("last words\n")
        file.flush()
        assert wait_until_read(file, 0.0)
    shown, terminal = pty.openpty()
    with os.fdopen(shown, "rb", buffering=0) as screen, os.fdopen(terminal, "w") as file:
        file.write("last words\n")
        file.flush()
        assert b"last words" in screen.read(100)
        assert wait_until_read(file, 1.0)
