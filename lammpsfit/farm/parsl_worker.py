"""What runs within a worker of Parsl: it supervises a child, as a rank under MPI does.

Parsl's workers are processes that live for one task after the other. Each keeps one child for
all of them, and ends with its node's manager, taking the child along.
"""

import os
import pickle
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lammpsfit.child.main import die_with_parent
from lammpsfit.child.process import ChildProcess, ParentError
from lammpsfit.errors import LammpsfitError, RunError

LOOK_S: Final = 0.2
"""Seconds between two looks at the child."""


@dataclass(frozen=True)
class Order:
    """A task on its way to a worker.

    Attributes
    ----------
    task
        Pickled.
    timeout
        Its time, s.
    folder
        Where file names are relative to.
    avoid
        Name of a node that shall not run it, empty for none.
    """

    task: bytes = field(repr=False)
    timeout: float
    folder: str
    avoid: str = ""


@dataclass(frozen=True)
class Answer:
    """What came of a task: its pickled result, the node and the wall-clock seconds it took.

    No result at all: the worker is on the node that was to be avoided.
    """

    node: str
    result: bytes | None = field(default=None, repr=False)
    seconds: float = 0.0


_CHILD: list[ChildProcess[Any]] = []
"""The child of this worker, once it has one."""


def work(order: Order) -> Answer:
    """Run a task in this worker's child."""
    node = os.environ.get("PARSL_WORKER_POOL_ID", "")
    if order.avoid and order.avoid == node:
        return Answer(node)
    began = time.monotonic()
    result = _result(order)
    return Answer(node, pickle.dumps(result), time.monotonic() - began)


def _result(order: Order) -> object:
    try:
        return _run(order)
    except LammpsfitError as error:
        return ParentError(error)
    except Exception:
        return ParentError(RunError(f"a worker broke:\n{traceback.format_exc()}"))


def _run(order: Order) -> object:
    if not _CHILD:
        die_with_parent(os.getppid())
        _CHILD.append(ChildProcess())
    process = _CHILD[0]
    if os.getcwd() != order.folder:  # noqa: PTH109 (a string is what was sent)
        if not Path(order.folder).is_dir():
            raise RunError(f"{order.folder}: workers must see this folder under the same path")
        os.chdir(order.folder)
        process.close()  # the child was started elsewhere
    process.start(pickle.loads(order.task), order.timeout)
    while not process.connection.poll(LOOK_S) and not process.late:
        pass
    return process.result()
