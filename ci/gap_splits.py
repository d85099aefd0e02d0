"""Training and test frames of the benchmarks of GAP potentials, and errors of predictions of them.

The data of examples/aluminium, frames 2 fs apart. Splits are

blocks
    One of five stretches of 66 fs to test on, the rest to train on, but for 36 fs to either side.
    That is where the forces have forgotten themselves: their autocorrelation falls through zero
    after 35 fs.
random
    As most papers do it. Every test frame has a neighbour a few fs away among the training frames.

Test frames are thinned (one of three in blocks, one of six at random). All models see the same
splits. What is chosen once for all of them is chosen on the first 120 fs, which, with the 36 fs
after them, are in no split.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lammpsfit.gap.accuracy import compare
from lammpsfit.gap.hyperparameters import Noises
from lammpsfit.gap.predict import Prediction
from lammpsfit.labelled.frames import Frame, read_frames

ALUMINIUM = Path(__file__).parent.parent / "examples" / "aluminium"
SPLITS = {"blocks": 5, "random": 10}
SIZES = (10, 20, 50)

LEARN = range(0, 50, 5)
VALIDATE = range(51, 60, 2)
"""Frames the parameters of descriptors are optimised on; the first 30 heat up.

What these models cannot describe is no noise, but the same in frames that are near copies: with
learning frames 2 fs apart the marginal likelihood takes it for signal.
"""

POOL = range(78, 241)
"""Frames that are trained and tested on."""

APART = 18
"""Frames to either side of a block that are not trained on."""


class Unit(NamedTuple):
    """A piece of work: a method, and a training set."""

    method: str
    split: str
    number: int
    size: int

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.method}-{self.split}-{self.number}-{self.size}"

    def indices(self) -> tuple[np.ndarray, np.ndarray]:
        """Return training and test frames; larger training sets hold the smaller ones."""
        rng = np.random.default_rng(self.number)
        pool = np.array(POOL)
        if self.split == "random":
            order = rng.permutation(pool)
            return order[: self.size], np.sort(order[max(SIZES) :])[::6]
        block = np.array_split(pool, SPLITS["blocks"])[self.number - 1]
        rest = pool[(pool < block[0] - APART) | (pool > block[-1] + APART)]
        return rng.permutation(rest)[: self.size], block[::3]

    def frames(self, data: Sequence[Frame]) -> tuple[list[Frame], list[Frame]]:
        """Return training and test frames."""
        train, test = self.indices()
        return [data[k] for k in np.sort(train)], [data[k] for k in test]


def read_data() -> tuple[Frame, ...]:
    """Read the DFT data."""
    return read_frames([ALUMINIUM / "bulk1000.extxyz"])


NORMAL = 1.959964
"""Standard errors that hold 95 % of normal errors."""


def errors_of(
    frames: Sequence[Frame], found: Sequence[Prediction], noises: Noises | None = None
) -> dict[str, dict[str, float]]:
    """Return MAE and RMSE of energies per atom, forces and stresses.

    Where errors were predicted, also the shares of errors within the intervals of 68 and 95 %.
    """
    errors = {}
    for name, one in compare(frames, found, noises or Noises(0.0, 0.0, 0.0)).items():
        errors[name] = {"mae": one.mae, "rmse": one.rmse}
        if one.error is not None:
            z = np.abs(one.predicted - one.reference) / one.error
            errors[name] |= {"within_68": float((z < 1.0).mean())}
            errors[name] |= {"within_95": float((z < NORMAL).mean())}
    return errors
