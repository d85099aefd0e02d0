"""A potential: species with charges, pair terms and Coulomb, as one immutable value."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from lammpsfit.errors import InputError
from lammpsfit.forcefield.charges import NEUTRAL, balance_weights
from lammpsfit.forcefield.coulomb import CoulombSum
from lammpsfit.forcefield.forms.base import Array
from lammpsfit.forcefield.limits import LONGEST_CUTOFF
from lammpsfit.forcefield.pairs import all_pairs, ordered_pair, split_pair
from lammpsfit.forcefield.smoothing import ended, ended_slope
from lammpsfit.forcefield.species import Species, check_species
from lammpsfit.forcefield.term import Term, check_terms
from lammpsfit.inputs import quoted
from lammpsfit.suggest import suggestion
from lammpsfit.units import COULOMB_CONSTANT


@dataclass(frozen=True)
class Potential:
    """A pair potential ::

        U_ab(r) = q_a q_b k_e V(r) + sum of the pair's terms at r

    with the V(r) of its Coulomb sum, which ends at a cutoff of its own. The terms
    end plainly at theirs, as LAMMPS styles without shift do, or smoothly. An Ewald
    sum is no sum over pairs, and no part of U.

    Attributes
    ----------
    name
        Short name.
    species
        Species by name; their order is the order of the LAMMPS types.
    pairs
        Terms by pair name. A pair that is absent has only Coulomb. Names are
        brought into the order of the species.
    coulomb
        The Coulomb sum, or None without charges.
    cutoff
        Cutoff of the terms in Å.
    smoothing
        Width in Å of the smoothing that shifts the terms to zero at their cutoff, see
        :func:`~lammpsfit.forcefield.smoothing.ended`; zero: they end plainly.
    balance
        A species whose charge follows from the composition, as that of oxygen in SHIK; its own
        holds for one composition only. None: all charges are the same in all compositions.
    title, doi, note
        Where it comes from, for people.

    Raises
    ------
    InputError
        If a value is not finite or has a wrong sign, or a name is unknown.
    """  # noqa: D400

    name: str
    species: Mapping[str, Species]
    pairs: Mapping[str, tuple[Term, ...]]
    coulomb: CoulombSum | None
    cutoff: float
    smoothing: float = 0.0
    balance: str | None = None
    title: str = ""
    doi: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not (self.name and self.name.isprintable()):
            raise InputError(
                f"the name of a potential must be a line of text, got {quoted(self.name)}"
            )
        if not (math.isfinite(self.cutoff) and self.cutoff > 0.0):
            raise InputError(f"cutoff must be positive (Å), got {quoted(self.cutoff)}")
        if not self.outer_cutoff <= LONGEST_CUTOFF:
            raise InputError(
                f"cutoffs must be at most {LONGEST_CUTOFF:g} Å, got {quoted(self.outer_cutoff)}"
            )
        if not (math.isfinite(self.smoothing) and self.smoothing >= 0.0):
            raise InputError(
                f"smoothing must be zero or positive (Å), got {quoted(self.smoothing)}"
            )
        if not self.species:
            raise InputError("a potential must have at least one species, got none")
        for name, species in self.species.items():
            check_species(name, species)
        if self.balance is not None:
            self._check_balance(self.balance)
        pairs: dict[str, tuple[Term, ...]] = {}
        for given, terms in self.pairs.items():
            pair = ordered_pair(given, tuple(self.species))
            if pair in pairs:
                raise InputError(f"pair {pair} is given twice: join its terms under one name")
            check_terms(pair, terms, self.cutoff)
            pairs[pair] = tuple(terms)
        object.__setattr__(self, "species", dict(self.species))
        object.__setattr__(self, "pairs", pairs)

    @property
    def pair_names(self) -> tuple[str, ...]:
        """Every pair of species, with or without terms, in order."""
        return all_pairs(tuple(self.species))

    @property
    def outer_cutoff(self) -> float:
        """Distance in Å beyond which nothing acts: the larger of the two cutoffs."""
        return max(self.cutoff, self.coulomb.cutoff if self.coulomb else 0.0)

    @property
    def masses(self) -> dict[str, float]:
        """Masses of the species in Da."""
        return {name: species.mass for name, species in self.species.items()}

    @property
    def charges(self) -> dict[str, float]:
        """Charges of the species in e."""
        return {name: species.charge for name, species in self.species.items()}

    @property
    def pair_coulomb(self) -> CoulombSum | None:
        """The Coulomb sum if it is part of U(r), else None."""
        return self.coulomb if self.coulomb and self.coulomb.pairwise else None

    @property
    def parameters(self) -> dict[str, float]:
        """All named parameters: charges ``q_Si`` (where there is Coulomb), then ``A_Si-O``, ..."""
        return dict(self._named)

    @cached_property
    def _named(self) -> dict[str, float]:
        charges = {f"q_{name}": s.charge for name, s in self.species.items()}
        named = charges if self.coulomb else {}
        for pair, terms in self.pairs.items():
            for term in terms:
                named.update({f"{p}_{pair}": term.values[p] for p in term.form.parameter_names})
        return named

    def parameter_name(self, name: str) -> str:
        """Return the name of a parameter with its pair in the order of the species.

        >>> from lammpsfit.forcefield import load_potential
        >>> load_potential("BKS").parameter_name("A_O-Si")
        'A_Si-O'
        """
        symbol, _, pair = name.rpartition("_")
        ends = pair.split("-")
        if symbol and len(ends) == 2 and all(end in self.species for end in ends):
            return f"{symbol}_{self._pair(pair)}"
        return name

    def energy(self, pair: str, r: ArrayLike, *, core: bool = True) -> Array:
        """Return U(r) of `pair` in eV.

        Parameters
        ----------
        pair
            Name of a pair of species, in either order.
        r
            Distances in Å, any shape, all positive.
        core
            Whether terms flagged as core count; False leaves them out.

        Raises
        ------
        InputError
            If the pair is unknown.
        """
        r, pair = np.asarray(r, dtype=float), self._pair(pair)
        U = np.zeros_like(r)
        for term in self._terms(pair, core):
            U += self.term_energy(term, r)
        if self.pair_coulomb:
            U = U + self._charge_product(pair) * self.pair_coulomb.energy(r)
        return U

    def slope(self, pair: str, r: ArrayLike, *, core: bool = True) -> Array:
        """Return dU/dr of `pair` in eV/Å; arguments as for :meth:`energy`."""
        r, pair = np.asarray(r, dtype=float), self._pair(pair)
        dU = np.zeros_like(r)
        for term in self._terms(pair, core):
            dU += ended_slope(term.energy, term.slope, r, self.cutoff, self.smoothing)
        if self.pair_coulomb:
            dU = dU + self._charge_product(pair) * self.pair_coulomb.slope(r)
        return dU

    def term_energy(self, term: Term, r: Array) -> Array:
        """Return what one term contributes to U(r) in eV, at distances in Å of any shape."""
        return ended(term.energy, r, self.cutoff, self.smoothing)

    def gradient(self, pair: str, r: ArrayLike, *, core: bool = True) -> dict[str, Array]:
        """Return dU(r)/dparameter for every parameter that `pair` depends on.

        Each array has the shape of `r` and the unit eV per unit of the
        parameter. For charges dU/dq_a = q_b k_e V(r), twice that for a like
        pair; two charges count as independent here. Arguments as for :meth:`energy`.

        Raises
        ------
        InputError
            If the pair is unknown.
        """
        r, pair = np.asarray(r, dtype=float), self._pair(pair)
        V = self.pair_coulomb.energy(r) if self.pair_coulomb else None
        return self._by_parameter(
            pair,
            V,
            lambda term: ended(term.parameter_gradient, r, self.cutoff, self.smoothing),
            core,
        )

    def slope_gradient(self, pair: str, r: ArrayLike) -> dict[str, Array]:
        """Return d²U(r)/(dr dparameter), in eV/Å per unit of the parameter.

        Otherwise as :meth:`gradient`.
        """
        r, pair = np.asarray(r, dtype=float), self._pair(pair)
        dV = self.pair_coulomb.slope(r) if self.pair_coulomb else None
        return self._by_parameter(
            pair,
            dV,
            lambda term: ended_slope(
                term.parameter_gradient, term.slope_gradient, r, self.cutoff, self.smoothing
            ),
        )

    def replace(self, values: Mapping[str, float]) -> "Potential":
        """Return this potential with some parameters replaced.

        >>> from lammpsfit.forcefield import load_potential
        >>> load_potential("BKS").replace({"C_O-O": 150.0}).parameters["C_O-O"]
        150.0

        Raises
        ------
        InputError
            If a name is not among :attr:`parameters`, or a value is not allowed.
        """
        known = self._named
        values = {
            name if name in known else self.parameter_name(name): value
            for name, value in values.items()
        }
        for name in values:
            if name not in known:
                raise InputError(
                    f"potential {self.name} has no parameter {quoted(name)}: "
                    f"{suggestion(name, known)}"
                )
        species = {
            name: Species(s.mass, float(values.get(f"q_{name}", s.charge)))
            for name, s in self.species.items()
        }
        pairs = {
            pair: tuple(
                Term(t.form, {p: float(values.get(f"{p}_{pair}", v)) for p, v in t.values.items()})
                for t in terms
            )
            for pair, terms in self.pairs.items()
        }
        return dataclasses.replace(self, species=species, pairs=pairs)

    def restricted(self, species: Sequence[str]) -> "Potential":
        """Return this potential for some of its species only, in the order given.

        Raises
        ------
        InputError
            If it has no such species.
        """
        for name in species:
            self._require_species(name)
        kept = {name: self.species[name] for name in species}
        pairs = {
            pair: terms for pair, terms in self.pairs.items() if kept.keys() >= {*split_pair(pair)}
        }
        balance = self.balance if self.balance in kept else None
        return dataclasses.replace(self, species=kept, pairs=pairs, balance=balance)

    def for_composition(self, composition: Mapping[str, int]) -> "Potential":
        """Return this potential for the species of a composition, with the charges it has there.

        Raises
        ------
        InputError
            If the potential lacks a species.
        """
        restricted = self.restricted(tuple(composition))
        if restricted.balance is None:
            return restricted
        return restricted.balanced(restricted.balance, composition)

    def balanced(self, species: str, composition: Mapping[str, int]) -> "Potential":
        """Return this potential with the charge of one species such that `composition` is neutral.

        One that is neutral already is returned as it is.

        Raises
        ------
        InputError
            If there are no charges, or no such species in the potential or the composition.
        """
        self._check_balance(species)
        weights = balance_weights(species, composition)
        if self._is_neutral(composition):
            return self
        charge = math.fsum(w * self.species[name].charge for name, w in weights.items())
        return self.replace({f"q_{species}": charge})

    def net_charge(self, composition: Mapping[str, int]) -> float:
        """Return the sum of charges in e of `composition`, numbers of atoms by species.

        Raises
        ------
        InputError
            If the composition names a species that the potential does not have.
        """
        for name in composition:
            self._require_species(name)
        return math.fsum(n * self.species[name].charge for name, n in composition.items())

    def check_neutral(
        self,
        composition: Mapping[str, int],
        remedy: str = "correct the charges or the composition, or let one species balance",
    ) -> None:
        """Raise :class:`InputError` unless the charges of `composition` add up to zero.

        The message ends with the `remedy`.
        """
        if not self._is_neutral(composition):
            total = self.net_charge(composition)
            formula = " ".join(f"{name}{n}" for name, n in composition.items())
            charges = ", ".join(f"q_{name} = {self.species[name].charge:g}" for name in composition)
            raise InputError(
                f"the charges of {formula} must add up to zero, got {total:+g} e with {charges}: "
                f"{remedy}"
            )

    def _is_neutral(self, composition: Mapping[str, int]) -> bool:
        total = self.net_charge(composition)
        return not self.coulomb or abs(total) <= NEUTRAL * max(1, sum(composition.values()))

    def _check_balance(self, species: str) -> None:
        if species not in self.species:
            hint = suggestion(species, self.species)
            raise InputError(f"unknown species {quoted(species)} to balance charges: {hint}")
        if not self.coulomb:
            raise InputError(f"potential {self.name} has no charges: remove the balance")

    def _pair(self, pair: str) -> str:
        return ordered_pair(pair, tuple(self.species))

    def _require_species(self, name: str) -> None:
        if name not in self.species:
            hint = suggestion(name, self.species)
            raise InputError(f"potential {self.name} has no species {quoted(name)}: {hint}")

    def _charge_product(self, pair: str) -> float:
        a, b = split_pair(pair)
        return self.species[a].charge * self.species[b].charge * COULOMB_CONSTANT

    def _by_parameter(
        self, pair: str, V: Array | None, rows: Callable[[Term], Array], core: bool = True
    ) -> dict[str, Array]:
        """Name derivatives: of the charges by `V` of two unit charges, of terms by their `rows`."""
        found: dict[str, Array] = {}
        if V is not None:
            a, b = split_pair(pair)
            found[f"q_{a}"] = self.species[b].charge * COULOMB_CONSTANT * V
            twice = 2.0 if a == b else 1.0
            found[f"q_{b}"] = twice * self.species[a].charge * COULOMB_CONSTANT * V
        for term in self._terms(pair, core):
            names = (f"{p}_{pair}" for p in term.form.parameter_names)
            found.update(zip(names, rows(term), strict=True))
        return found

    def _terms(self, pair: str, core: bool = True) -> Iterator[Term]:
        """Yield the terms of a pair, those flagged as core only if asked for."""
        return (term for term in self.pairs.get(pair, ()) if core or not term.form.core)
