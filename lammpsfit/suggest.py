"""The second half of an error message about an unknown name: what was probably meant."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is most like `name`, or None if none is.

    A name of the same letters comes first: a pair the other way round is nearer than another pair
    that differs in fewer letters.

    Parameters
    ----------
    name
        The unknown name; upper and lower case are alike.
    known
        The names to choose from.
    cutoff
        Least similarity, 0 to 1, see :func:`difflib.get_close_matches`.

    Examples
    --------
    >>> nearest("A_O-Si", ["A_Si-Si", "A_Si-O"])
    'A_Si-O'
    >>> nearest("epsilon", ["A", "rho"])
    """
    names = list(known)
    lower = {candidate.lower(): candidate for candidate in reversed(names)}
    letters = sorted(name.lower())
    same_letters = [other.lower() for other in names if sorted(other.lower()) == letters]
    near = same_letters or difflib.get_close_matches(name.lower(), lower, n=1, cutoff=cutoff)
    return lower[near[0]] if near else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` if a known name is near, else the list of known names.

    >>> suggestion("A_Si_O", ["A_Si-O", "rho_Si-O"])
    "did you mean 'A_Si-O'?"
    >>> suggestion("epsilon", ["A", "rho"])
    'known: A, rho'
    """
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"known: {', '.join(names)}" if names else "there is none to choose from"
