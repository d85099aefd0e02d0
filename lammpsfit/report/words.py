"""Numbers as people read them."""

import math
from collections.abc import Sequence
from typing import Final

from lammpsfit.report.tables import UNKNOWN

DRIFTS: Final = 3.0
"""Standard errors from which on a density is said to drift."""

METHOD: Final = "10.1557/mrc.2019.47"
"""Paper of the method."""


def percent(fraction: float, digits: int = 2) -> str:
    """Give a fraction in per cent, without the sign; – where it is unknown."""
    return f"{100 * fraction:.{digits}f}" if math.isfinite(fraction) else UNKNOWN


def cost_words(cost: float, error: float) -> str:
    """Give R with its error in per cent, without the sign.

    >>> cost_words(0.0481, 0.001)
    '4.81 ± 0.10'
    """
    known = f" ± {percent(error)}" if math.isfinite(error) else ""
    return f"{percent(cost)}{known}"


def drift_words(drift: Sequence[float] | None) -> str:
    """Say that a density still drifts, from its change over the run with its error in g/cm³.

    >>> drift_words((-0.08, 0.01))
    'the density still drifts, by -0.080 ± 0.010 g/cm³ over the run: relax longer'
    >>> drift_words((0.02, 0.01))
    ''
    """
    if drift is None or not abs(drift[0]) > DRIFTS * drift[1]:
        return ""
    return (
        f"the density still drifts, by {drift[0]:+.3f} ± {drift[1]:.3f} g/cm³ over the run: "
        "relax longer"
    )


def count_words(number: int) -> str:
    """Give a large number as people do.

    >>> count_words(349920000), count_words(5_200_000_000), count_words(9_000)
    ('349.9 million', '5.20 billion', '9000')
    """
    if number >= 1e9:
        return f"{number / 1e9:.2f} billion"
    return f"{number / 1e6:.1f} million" if number >= 1e5 else str(number)


def number_words(value: float) -> str:
    """Give a number with six digits."""
    return f"{value:.6g}".replace("-", "−")


def estimate_words(pair: Sequence[float] | None, factor: float, digits: int) -> str:
    """Give a mean with its error, if it has one, both times a factor; nothing where unknown."""
    if pair is None or not math.isfinite(pair[0]):
        return ""
    mean = f"{pair[0] * factor:z.{digits}f}".replace("-", "−")
    error = pair[1] * factor
    return f"{mean} ± {error:.{digits}f}" if math.isfinite(error) and error > 0 else mean
