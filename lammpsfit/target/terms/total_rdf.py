"""Total pair distributions of neutrons and X-rays: g(r), G(r) = 4πρr (g - 1) and T(r) = 4πρr g.

All are those of Faber and Ziman's S(q): g is 1 at large r. The distance from the one wanted is
d = |A - w| / |w|, with |w| that of T where G or T is wanted: then it is the R_χ of A. C. Wright, J.
Non-Cryst. Solids 159, 264 (1993), doi:10.1016/0022-3093(93)90232-M.

A curve of an experiment is a transform of S(q) up to some q_max, perhaps with a window, which makes
peaks broad and ripples. The same is made of every pair distance here
(:mod:`lammpsfit.structure.pair_transforms`); for X-rays that holds that weights depend on q.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lammpsfit.config import TotalRdfTable
from lammpsfit.errors import InputError
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import FloatArray
from lammpsfit.reference.total_table import TotalTable, read_total_table
from lammpsfit.structure.pair_transforms import (
    Q_STEP,
    bin_kernel,
    lorch,
    pair_factors,
    peak_kernel,
)
from lammpsfit.structure.scattering import neutron_weights, pair_weights
from lammpsfit.target.curve_term import Curve, CurveTerm
from lammpsfit.target.scattering_files import (
    RADIATION,
    barn_per_atom,
    check_level,
    first_peak_is_plausible,
    number_density,
)
from lammpsfit.target.term import Column, Setting


@dataclass(frozen=True, eq=False)
class TotalRdf(CurveTerm):
    """g(r), or G(r), at the r of the file.

    Attributes
    ----------
    radiation
        ``"neutron"`` or ``"xray"``.
    shown_as
        ``"g"``, ``"G"`` or ``"T"``: what the curve is.
    widths
        Width in Å of the bin about each r, shape (K,).
    q_max
        Largest q of the transform in 1/Å; None where there was none.
    window
        ``"none"`` or ``"lorch"``.
    density
        Atoms per Å³ of the box, for |w|.
    errors
        Standard errors of what is wanted, shape (K,); None where unknown.
    """

    radiation: str
    shown_as: str
    widths: FloatArray
    q_max: float | None
    window: str
    density: float
    errors: FloatArray | None
    fine_bins = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name with the radiation."""
        return f"{self.shown_as}(r) {self.radiation}"

    @property
    def norm(self) -> float:
        """|w|, of T where G is wanted."""
        w = self.curve_wanted
        return float(np.linalg.norm(w + 4 * np.pi * self.density * self.x * (self.shown_as == "G")))

    @property
    def structureless(self) -> FloatArray:
        """G = 1, shape (K,)."""
        if self.shown_as == "T":
            return 4 * np.pi * self.density * self.x
        return np.full(self.x.size, 1.0 if self.shown_as == "g" else 0.0)

    @property
    def wanted_error(self) -> FloatArray | None:
        """Standard errors of what is wanted, shape (K,), if known."""
        return self.errors

    @property
    def column(self) -> Column:
        """The distance in per cent."""
        what = "T" if self.shown_as == "G" else self.shown_as
        words = (
            f"{self.name}: |{what} - wanted| / |wanted|, {self.x[0]:.2f} < r < {self.x[-1]:.2f} Å; "
            f"{100 * self.per_percent:.3g} % count as much as R = 1 %"
        )
        return Column(self.name, self.name, "%", 100.0, 2, 0.0, words)

    @property
    def curve(self) -> Curve:
        """The curve wanted."""
        unit = "" if self.shown_as == "g" else " (1/Å²)"
        title = f"{self.shown_as}(r), {RADIATION[self.radiation]}"
        return Curve(self.name, title, "r (Å)", f"{self.shown_as}(r){unit}", self.x, self.wanted)

    def observe(self, frames: Frames) -> FloatArray:
        """Return the curve in each frame, shape (n_frames, K)."""
        r, dr, counts = frames.coarse_counts()
        density = frames.number_density[:, None]
        G: FloatArray = np.zeros((len(frames), self.x.size))
        factors = pair_factors(frames.atoms, frames.pairs)
        kernels = _kernels(self, tuple(frames.atoms.items()), frames.pairs, r.size, dr)
        for factor, n, kernel in zip(factors, np.moveaxis(counts, 1, 0), kernels, strict=True):
            G += (n * (factor / r)) @ kernel - density * (4 * np.pi * dr * r) @ kernel
        ideal = 4 * np.pi * density * self.x
        if self.shown_as == "g":
            return 1.0 + G / ideal
        return G + ideal if self.shown_as == "T" else G


@lru_cache(maxsize=4)
def _kernels(
    term: TotalRdf, atoms: tuple[tuple[str, int], ...], pairs: tuple[str, ...], size: int, dr: float
) -> tuple[FloatArray, ...]:
    """Return w_ab P_ab(r, r') of each pair, shape (size, K); the same for all runs of a fit."""
    r, numbers = dr * (np.arange(size, dtype=np.float64) + 0.5), dict(atoms)
    if term.q_max is None:
        kernel = bin_kernel(term.x, term.widths, r, dr)
        return tuple(w * kernel for w in neutron_weights(numbers, pairs)[:, 0])
    q = np.linspace(0.0, term.q_max, round(term.q_max / Q_STEP) + 1)
    window = lorch(q, term.q_max) if term.window == "lorch" else np.ones(q.size)
    weights = pair_weights(term.radiation, numbers, pairs, q)
    return tuple(peak_kernel(w, window, q, term.x, r) for w in weights)


def build(tables: Sequence[TotalRdfTable], setting: Setting) -> Iterator[TotalRdf]:
    """Make the terms of ``[[total_rdf]]`` tables.

    Raises
    ------
    InputError
        If the file is no such table or not what it is said to be, its range is beyond what is
        sampled, or a species is no element.
    """
    density, reach = number_density(setting), setting.potential.outer_cutoff
    for table in tables:
        if table.q_max is None and (table.radiation == "xray" or table.window != "none"):
            raise InputError(
                "total_rdf.q_max must say where the transform ended, where there is a window or "
                "X-rays are scattered: their weights depend on q"
            )
        known = read_total_table(table.file, "r", table.unit)
        scale = _factor(table, setting)
        g = _as_g(known, table, density, scale)
        check_level(known, g, f'quantity = "{table.quantity}"', "g")
        first_peak_is_plausible(known, g)
        # beyond the reach g counts as 1: what a transform makes of that edge stays outside
        widths = np.gradient(known.x)
        end = reach - (float(widths[-1]) if table.q_max is None else np.pi / table.q_max)
        if table.r_max is not None and table.r_max > end:
            raise InputError(
                f"total_rdf.r_max must be at most {end:.3g} Å, as distances are sampled up to the "
                f"cutoff of the potential ({reach:g} Å), got {table.r_max:g} Å"
            )
        last = end if table.r_max is None else table.r_max
        inside = (known.x > table.r_min) & (known.x < last)
        if inside.sum() < 2:
            raise InputError(
                f"{known.path}: no two points are left with {table.r_min:g} < r < {last:.3g} Å"
            )
        wanted = known.y / scale
        yield TotalRdf(
            x=known.x[inside],
            curve_wanted=wanted[inside],
            per_percent=table.per_percent,
            radiation=table.radiation,
            shown_as=table.quantity[0].replace("D", "G"),
            widths=widths[inside],
            q_max=table.q_max,
            window=table.window,
            density=density,
            errors=None if known.error is None else known.error[inside] / scale,
        )


def _factor(table: TotalRdfTable, setting: Setting) -> float:
    """Return what the file is divided by to be in the normalisation of Faber and Ziman."""
    if not table.quantity.endswith("barn"):
        return 1.0
    if table.radiation != "neutron":
        raise InputError(f'total_rdf.quantity = "{table.quantity}" is for neutrons')
    return barn_per_atom(setting)


def _as_g(known: TotalTable, table: TotalRdfTable, density: float, scale: float) -> FloatArray:
    """Turn the curve of the file into g(r), for its checks."""
    y, ideal = known.y / scale, 4 * np.pi * density * known.x
    if table.quantity == "g":
        return y
    g: FloatArray = y / ideal if table.quantity.startswith("T") else 1.0 + y / ideal
    return g
