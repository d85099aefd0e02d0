"""One point of a learning curve: a model fitted to a training set, and judged. A task of a farm."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lammpsfit.child.failure import Failure
from lammpsfit.child.main import lift_memory_limit
from lammpsfit.errors import RunError
from lammpsfit.farm.base import Farm
from lammpsfit.gap.accuracy import Compared, compare, predict_all
from lammpsfit.gap.descriptors import Descriptors, Parameters
from lammpsfit.gap.fit import FitOptions, fit_model
from lammpsfit.labelled.frame import Frame

LOOK_S: Final = 0.5
"""Seconds between two looks at whether to stop."""

Point = tuple[str, int, int]
"""Kind of descriptors, number of frames, repeat."""


@dataclass(frozen=True, eq=False)
class Kind:
    """Descriptors, and how a model of them is fitted."""

    descriptors: Descriptors
    parameters: Parameters
    options: FitOptions


@dataclass(frozen=True, eq=False)
class PointTask:
    """Fit a model and judge it: pickled, and called in a child process.

    Attributes
    ----------
    kind
        Descriptors and options.
    frames
        The training set.
    held_out
        What the model is judged by.
    """

    kind: Kind
    frames: tuple[Frame, ...]
    held_out: tuple[Frame, ...]

    def __call__(self) -> dict[str, Compared]:
        """Return predictions beside labels of the frames held out."""
        model = fit_model(
            self.frames, self.kind.descriptors, self.kind.parameters, self.kind.options
        )
        return compare(self.held_out, predict_all(model, self.held_out), model.hyper.noises)


@dataclass(frozen=True, eq=False)
class InChild:
    """A point in a child process, which may have more memory than an evaluation has."""

    task: PointTask

    def __call__(self) -> dict[str, Compared]:
        """Do it."""
        lift_memory_limit()
        return self.task()


def work_off(
    tasks: Mapping[Point, PointTask],
    farm: Farm[dict[str, Compared]] | None,
    stop: Callable[[], str | None],
) -> Iterator[tuple[Point, dict[str, Compared]]]:
    """Yield points as they are done, until all are or it is told to stop.

    Parameters
    ----------
    tasks
        By point, in the order in which they are begun.
    farm
        Workers, which are ended here; None: one point after the other in this process.
    stop
        Says why to stop, or None to go on.

    Raises
    ------
    RunError
        If a child died of a point time and again.
    """
    if farm is None:
        for point, task in tasks.items():
            if stop() is not None:
                return
            yield point, task()
        return
    # JAX warns of every fork; those of Parsl run another program at once, which is sound
    warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
    waiting = list(tasks.items())[::-1]
    with farm:
        while (waiting or farm.busy) and stop() is None:
            while waiting and farm.idle:
                point, task = waiting.pop()
                farm.submit(point, InChild(task), float("inf"))
            for back in farm.wait(LOOK_S):
                point = next(known for known in tasks if known == back.key)
                if isinstance(back.result, Failure):
                    name, size, repeat = point
                    raise RunError(
                        f"the fit to {size} frames ({name} descriptors, repeat {repeat + 1}) "
                        f"failed: {back.result}"
                    )
                yield point, back.result
