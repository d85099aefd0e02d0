"""Total structure factors of a run, as neutrons and X-rays see it."""

from typing import Final

import numpy as np

from lammpsfit.errors import InputError
from lammpsfit.structure.observables import Observables
from lammpsfit.structure.rdf import FloatArray
from lammpsfit.structure.scattering import pair_weights

PROBES: Final = {"neutron": "neutron", "xray": "X-ray"}
"""What is scattered, as options name it and as tables do."""


def totals(structure: Observables) -> dict[str, FloatArray]:
    """Return the total S(q) of each block by probe, shape (n_blocks, n_q).

    A probe for which an element is not tabulated is left out.
    """
    factors, numbers = structure.factors, structure.numbers
    found = {}
    for radiation, probe in PROBES.items():
        try:
            weights = pair_weights(radiation, numbers, factors.pairs, factors.q)
        except InputError:
            continue
        found[probe] = np.einsum("bpq,pq->bq", factors.blocks, weights)
    return found
