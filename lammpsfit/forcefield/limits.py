"""How large a number of a potential may be: what is larger is a slip, and costs memory or hours."""

from typing import Final

LARGEST: Final = 1e15
"""Parameter of a form, in its unit."""

LONGEST_CUTOFF: Final = 30.0
"""Cutoff, Å; neighbours grow with its cube, and a check of an export needs a box of twice that."""

HEAVIEST: Final = 1e3
"""Mass of an atom, Da."""

MOST_CHARGE: Final = 100.0
"""Charge of an atom, e."""
