"""Whether a factory of calculators can be had, found out where it can do no harm."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, NoReturn

from ase.calculators.calculator import BaseCalculator

from lammpsfit.child.process import run_in_child
from lammpsfit.errors import InputError, LammpsfitError, RunError, StoppedError
from lammpsfit.gap.factory import said
from lammpsfit.gap.label_task import FactoryTask

IMPORT_S: Final = 300.0
"""Seconds that the module of a calculator may take to be imported."""


def check_factory(name: str, stop: Callable[[], str | None] = lambda: None) -> None:
    """Import the module of a calculator in a child: it may do anything, as to end its process.

    Parameters
    ----------
    name
        ``module:factory``.
    stop
        Says why to give up, or None to go on.

    Raises
    ------
    InputError
        If there is no such factory, importing it fails, or ends the process.
    StoppedError
        If it was told to stop.
    """
    try:
        run_in_child(FactoryTask(name), IMPORT_S, stop)
    except StoppedError as error:
        raise StoppedError(f"stopped ({error}): the same command begins anew") from None
    except RunError as error:
        raise InputError(f"{name}: its module ends the process that imports it: {error}") from None


def failing_in_a_line(calculator: BaseCalculator, name: str) -> BaseCalculator:
    """Let a calculator raise a `RunError` in place of whatever it raises, an exit included.

    ``os._exit``, after which nobody would hear that nothing was done, is one, too.
    """
    inner = calculator.get_property
    leave, own = os._exit, os.getpid()

    def stay(status: int) -> NoReturn:
        if os.getpid() != own:  # a process of its own may end as it likes
            leave(status)
        raise SystemExit(f"os._exit({status})")

    def get_property(*arguments: Any, **options: Any) -> Any:
        os._exit = stay
        try:
            return inner(*arguments, **options)
        except LammpsfitError:
            raise
        except BaseException as error:
            raise RunError(f"{name}: the calculator fails: {said(error)}") from error
        finally:
            os._exit = leave

    calculator.get_property = get_property
    return calculator
