"""The second half of an error message about an unknown name: what was probably meant."""

import difflib
from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` if a known name is near, else the list of known names.

    >>> suggestion("A_Si_O", ["A_Si-O", "rho_Si-O"])
    "did you mean 'A_Si-O'?"
    >>> suggestion("epsilon", ["A", "rho"])
    'known: A, rho'
    """
    names = list(known)
    lower = {candidate.lower(): candidate for candidate in reversed(names)}
    near = difflib.get_close_matches(name.lower(), lower, n=1)
    if near:
        return f"did you mean {lower[near[0]]!r}?"
    return f"known: {', '.join(names)}" if names else "there is none to choose from"
