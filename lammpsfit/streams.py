"""Standard streams that never raise: what is printed must not cost what is computed."""

import io
import os
import select
import sys
from typing import Any, TextIO

_NAMES = {1: "standard output", 2: "standard error"}


class _Sturdy(io.FileIO):
    """A stream whose writes do not fail: once one has, what is written is dropped."""

    def write(self, data: Any) -> int:
        """Write; on a full disk or without a reader, drop this and all that follows."""
        try:
            while (written := super().write(data)) is None:  # somebody made it non-blocking
                select.select([], [self.fileno()], [])
        except OSError as error:
            self._drop(error)
            return len(memoryview(data).cast("B"))
        return int(written)

    def _drop(self, error: OSError) -> None:
        number = self.fileno()
        _to_null(number)
        # without a reader, as in ``| head``, nobody misses anything
        if number == 1 and not isinstance(error, BrokenPipeError):
            print(
                f"lammpsfit: {_NAMES[number]} cannot be written ({error.strerror}): going on "
                "without it",
                file=sys.stderr,
            )


def steady_streams() -> None:
    """Make ``sys.stdout`` and ``sys.stderr`` such that printing never raises.

    They print ``?`` for what a terminal cannot show. Streams that were closed are opened on the
    null device, so that no file of ours gets their number.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            _to_null(number)
    sys.stdout, sys.stderr = _steady(sys.stdout, 1), _steady(sys.stderr, 2)


def _steady(stream: TextIO | None, number: int) -> TextIO:
    try:
        own = stream is None or stream.fileno() == number
    except (OSError, ValueError):  # a test captures it
        own = False
    if not own:
        assert stream is not None
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
        return stream
    if stream is not None:
        stream.flush()
    raw = _Sturdy(number, "w", closefd=False)
    encoding = "utf-8" if stream is None else stream.encoding
    lines = number == 2 or raw.isatty()
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding,
        "replace",
        line_buffering=lines,
        write_through=unbuffered,
    )


def _to_null(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)
