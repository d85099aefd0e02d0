"""Measured S(q) of neutrons and X-rays that a validation is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from lammpsfit.config import TotalScatteringTable
from lammpsfit.errors import InputError
from lammpsfit.inputs import quoted
from lammpsfit.models import checked
from lammpsfit.structure.observables import Q_MAX, Q_WIDTH
from lammpsfit.structure.rdf import FloatArray
from lammpsfit.target.term import Setting
from lammpsfit.target.terms.total_scattering import POINTS, read_factor
from lammpsfit.validate.totals import PROBES

QUANTITIES: Final = get_args(TotalScatteringTable.model_fields["quantity"].annotation)


@dataclass(frozen=True, eq=False)
class Measured:
    """A measured total structure factor.

    Attributes
    ----------
    probe : str
        What was scattered: ``"neutron"`` or ``"X-ray"``.
    q : ndarray, shape (n,), 1/Å
    S : ndarray, shape (n,)
        That of Faber and Ziman, 1 at large q.
    path : Path
        The file.
    """

    probe: str
    q: FloatArray
    S: FloatArray
    path: Path

    def covers(self, q: FloatArray) -> NDArray[np.bool_]:
        """Say which bins of simulated q it covers, shape (n_q,)."""
        inside: NDArray[np.bool_] = (q >= self.q[0]) & (q <= self.q[-1])
        return inside

    def at(self, q: FloatArray) -> FloatArray:
        """S as bins of simulated q would have it: means over their width, shape (n_q,)."""
        within = ((np.arange(POINTS) + 0.5) / POINTS - 0.5) * Q_WIDTH
        means: FloatArray = np.interp(q[:, None] + within, self.q, self.S).mean(axis=1)
        return means

    def distance(self, q: FloatArray, S: FloatArray) -> float:
        """Norm of S - measured over that of measured - 1, in the bins it covers."""
        inside = self.covers(q)
        wanted = self.at(q[inside])
        return float(np.linalg.norm(S[inside] - wanted) / np.linalg.norm(wanted - 1.0))


def parse_measured(texts: Sequence[str]) -> list[TotalScatteringTable]:
    """Read options such as ``neutron=FILE`` and ``xray:S-1=FILE``.

    Raises
    ------
    InputError
        If one is not of that kind, or a probe comes twice.

    Examples
    --------
    >>> [(one.radiation, one.quantity) for one in parse_measured(["neutron=a", "xray:S-1=b"])]
    [('neutron', 'S'), ('xray', 'S-1')]
    """
    tables: dict[str, TotalScatteringTable] = {}
    for text in texts:
        what, _, file = text.partition("=")
        radiation, _, quantity = what.partition(":")
        quantity = quantity or QUANTITIES[0]
        if radiation not in PROBES or quantity not in QUANTITIES or not file:
            raise InputError(
                f"--against must be neutron=FILE or xray=FILE, or neutron:QUANTITY=FILE with one "
                f"of {', '.join(QUANTITIES)}, got {quoted(text)}"
            )
        if radiation in tables:
            raise InputError(f"--against {radiation} must be given once")
        table = {"radiation": radiation, "quantity": quantity, "file": file}
        tables[radiation] = checked(TotalScatteringTable, table, "--against")
    return list(tables.values())


def read_measured(table: TotalScatteringTable, setting: Setting) -> Measured:
    """Read a measured curve; what its header says of units is believed, or refused.

    Raises
    ------
    InputError
        If the file is no table of S(q), or ends where simulations begin.
    """
    known, S, _ = read_factor(table, setting)
    found = Measured(PROBES[table.radiation], known.x, S, known.path)
    if known.x[0] > Q_MAX / 2:
        raise InputError(
            f"{known.path}: must begin below q = {Q_MAX / 2:g} 1/Å, got {known.x[0]:g}: S(q) of a "
            f"simulation goes to {Q_MAX:g}"
        )
    return found
