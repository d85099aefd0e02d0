"""The second half of an error message about an unknown name: what was probably meant."""

import difflib
from collections.abc import Iterable


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` if a known name is near, else the list of known names.

    >>> suggestion("A_Si_O", ["A_Si-O", "rho_Si-O"])
    "did you mean 'A_Si-O'?"
    >>> suggestion("epsilon", ["A", "rho"])
    'known: A, rho'

    A pair the other way round is found first, other pairs being nearer by their letters:

    >>> suggestion("A_O-Si", ["A_Si-O", "A_Si-Si"])
    "did you mean 'A_Si-O'?"
    """
    names = list(known)
    lower = {candidate.lower(): candidate for candidate in reversed(names)}
    same_letters = [other for other in lower if sorted(other) == sorted(name.lower())]
    near = same_letters or difflib.get_close_matches(name.lower(), lower, n=1)
    if near:
        return f"did you mean {lower[near[0]]!r}?"
    return f"known: {', '.join(names)}" if names else "there is none to choose from"
