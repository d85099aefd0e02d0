"""How well a reference is known, bin by bin."""

from collections.abc import Mapping

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.reference.table import FloatArray, Reference
from lammpsfit.structure.rdf import PartialRdf, canonical_pair


def reference_errors(
    reference: Reference, given: Mapping[str, float], onto: PartialRdf
) -> FloatArray | None:
    """Return the standard errors of the reference g(r) on the bins compared.

    Parameters
    ----------
    reference
        The table; its own ``err_`` columns count where nothing else is given.
    given
        Standard error of g by pair, in either spelling, the same in every bin.
    onto
        The pairs and bins compared, some of the table's.

    Returns
    -------
    array, shape (n_pairs, n_bins), or None
        Zero for pairs that nothing is known of; None where nothing is known of any.

    Raises
    ------
    InputError
        If a pair is not in the reference, or an error is not positive.
    """
    rows = {canonical_pair(pair): k for k, pair in enumerate(onto.pairs)}
    start = int(np.argmin(np.abs(reference.rdf.r - onto.r[0])))
    errors = np.zeros_like(onto.g)
    for pair, column in reference.errors.items():
        if (row := rows.get(canonical_pair(pair))) is not None:
            errors[row] = column[start : start + onto.r.size]
    for pair, error in given.items():
        if (row := rows.get(canonical_pair(pair))) is None:
            raise InputError(
                f"error given for {pair}, which is no pair of the reference "
                f"({', '.join(onto.pairs)}): remove it or mend its name"
            )
        if not error > 0.0:
            raise InputError(f"the error of {pair} must be positive, got {error:g}")
        errors[row] = error
    return errors if errors.any() else None
