"""Run the command line such that a mistake in its words is one line, as any other bad input."""

import sys
from typing import Any, Final, cast

import typer

from lammpsfit.errors import InputError

# typer brings a click of its own, or takes the package: this is the one that it raises
_USAGE_ERROR: Final = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])


def run_app(app: typer.Typer, context: Any) -> None:
    """Run the command that was typed, then exit; what the command raises goes through.

    Without any command the help is printed, for which nothing is wrong.

    Raises
    ------
    InputError
        If an option or argument is missing, unknown or no such value.
    """
    try:
        code = app(obj=context, standalone_mode=False)
    except typer.Abort:
        sys.exit(1)
    except _USAGE_ERROR as error:
        if "\n" in (said := error.format_message()):
            print(said)
            sys.exit(0)
        raise InputError(_with_help(said, error)) from None
    sys.exit(code if isinstance(code, int) else 0)


def _with_help(said: str, error: BaseException) -> str:
    """Say what is wrong with the words, and of which command the help is."""
    context = getattr(error, "ctx", None)
    command = "lammpsfit" if context is None else context.command_path
    words = f"{said[0].lower()}{said[1:]}".rstrip(".")
    end = " See" if words.endswith("?") else "; see"
    return f"{words}{end} '{command} --help'"
