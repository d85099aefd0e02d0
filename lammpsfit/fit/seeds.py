"""What is random in a fit: every use has a stream of its own, derived from the seed of the job.

There are two kinds of streams, and they never share a number: seeds of LAMMPS runs are spawned
from the seed of the job, draws of parameters take it as one of their words
(:class:`numpy.random.SeedSequence`). Journals depend on the numbers below: a fit that is resumed
asks for the same points with the same seeds again. A new stream takes a number that is free.
"""

from enum import IntEnum
from typing import Final

import numpy as np

LARGEST: Final = 900_000_000
"""The largest seed that LAMMPS takes."""


class Runs(IntEnum):
    """Streams of the seeds of LAMMPS runs, see :func:`run_seed`."""

    SEARCH = 0
    CONFIRM = 1
    VALIDATE = 2


class Draws(IntEnum):
    """Streams of drawn parameters: the second word of a generator's seed."""

    DESIGN = 0
    EXPLORE = 1
    ENSEMBLE = 2


def run_seed(seed: int, stream: Runs, number: int) -> int:
    """Derive the LAMMPS seed of one run, 1 to 900 000 000, from the seed of the job.

    >>> run_seed(1, Runs.SEARCH, 0), run_seed(1, Runs.CONFIRM, 0)
    (323998542, 590936231)
    """
    return _spawned(seed, stream, number)


def condition_seed(seed: int, number: int) -> int:
    """Derive the LAMMPS seed under condition `number` from that of the evaluation.

    The first condition, number 0, has the seed of the evaluation itself.
    """
    return seed if number == 0 else _spawned(seed, number)


def _spawned(seed: int, *key: int) -> int:
    state = np.random.SeedSequence(seed, spawn_key=key).generate_state(1)
    return int(state[0]) % LARGEST + 1
