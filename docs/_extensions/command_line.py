"""``command-line``: arguments and options of every command, from the application itself."""

import inspect
import typing
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.core import TyperOption

VALUES = {int: "N", float: "NUMBER", str: "TEXT", Path: "PATH"}


class CommandLine(SphinxDirective):
    """One section for each command of a typer application, given by its dotted name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the sections as Markdown, and have them parsed like any other."""
        module, _, name = self.arguments[0].rpartition(".")
        app = getattr(import_module(module), name)
        text = "\n".join(
            line
            for names, command in commands(typer.main.get_command(app))
            for line in section(names, command)
        )
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def commands(
    command: Any, names: tuple[str, ...] = ("lammpsfit",)
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with its names; a group before those within it."""
    yield names, command
    for name, within in getattr(command, "commands", {}).items():
        if not within.hidden:
            yield from commands(within, (*names, name))


def section(names: tuple[str, ...], command: Any) -> Iterator[str]:
    """Yield the Markdown of a command: usage, help, arguments and options."""
    arguments = [p for p in command.params if not isinstance(p, TyperOption)]
    options = [p for p in command.params if isinstance(p, TyperOption) and not p.hidden]
    values = typing.get_type_hints(command.callback) if command.callback else {}
    usage = [*names, *(f"[{p.metavar}]" if not p.required else p.metavar for p in arguments)]
    needed = [f"{p.opts[0]} {value(p, values)}" for p in options if p.required]
    more = ["COMMAND ..."] if getattr(command, "commands", None) else ["[OPTIONS]"]
    yield from (f"{'#' * max(2, len(names))} `{' '.join(names)}`", "")
    yield from (inspect.cleandoc(command.help or "").replace("``", "`"), "")
    yield from ("```text", " ".join([*usage, *needed, *more]), "```", "")
    if not arguments and not options:
        return
    yield from ("| argument or option | what |", "|---|---|")
    for argument in arguments:
        yield f"| `{argument.metavar}` | {escaped(argument.help)} |"
    for option in options:
        spelled = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        said = "; ".join(filter(None, (escaped(option.help), default(option))))
        yield f"| {spelled} {value(option, values)} | {said} |"
    yield ""


def value(option: Any, hints: Mapping[str, Any]) -> str:
    """Return the placeholder of an option's value; none for a flag."""
    if option.is_flag:
        return ""
    kinds = [kind for kind in flat(hints[option.name]) if kind is not NoneType]
    return option.metavar or VALUES[kinds[0]]


def flat(hint: Any) -> Iterator[Any]:
    """Yield the plain types within a hint."""
    within = typing.get_args(hint)
    for part in within:
        yield from flat(part)
    if not within:
        yield hint


def escaped(text: str | None) -> str:
    """Text of a table's cell."""
    return (text or "").replace("|", "\\|")


def default(option: Any) -> str:
    """Say what holds where an option is left out, or given more than once."""
    if option.required:
        return "required"
    if option.multiple:
        return "may be given more than once"
    if option.default is True:
        return f"default: `{option.opts[0]}`"
    return "" if option.default in (None, "", False) else f"default: `{option.default}`"


def setup(app: Sphinx) -> Mapping[str, Any]:
    """Register the directive."""
    app.add_directive("command-line", CommandLine)
    return {"parallel_read_safe": True}
