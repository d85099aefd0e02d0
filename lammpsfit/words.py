"""Words that all output shares: times, lists, and what the fitted potential is called."""

from collections.abc import Sequence
from typing import Final

FITTED: Final = "fit"
"""Label of the fitted potential in tables, results and pages."""

WARM: Final = "warm"
"""Stage of evaluations that an earlier run made, and kind of the records of those whose potentials
lie outside of the space."""

MEMBER: Final = "member"
"""Label of the potentials that are as good as the fitted one, with their number after it."""


def time_words(seconds: float) -> str:
    """Write a time in the two units that matter.

    >>> time_words(42), time_words(190), time_words(20000), time_words(400000)
    ('42 s', '3 min 10 s', '5 h 33 min', '4 d 15 h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 172_800:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def list_words(names: Sequence[str]) -> str:
    """Name several.

    >>> list_words(["BKS", "CHIK", "ML"])
    'BKS, CHIK and ML'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def objective_words(what: str) -> str:
    """Name what is minimised within a sentence.

    >>> objective_words("R"), objective_words("objective")
    ('R', 'the objective')
    """
    return f"the {what}" if what == "objective" else what
