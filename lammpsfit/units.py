"""Physical constants in LAMMPS ``metal`` units (eV, Å, ps, K, bar), with their source."""

from typing import Final

COULOMB_CONSTANT: Final = 14.399645
"""Coulomb constant e²/(4πε₀) in eV Å, the digits LAMMPS ``metal`` uses (``qqr2e``)."""

BOLTZMANN_CONSTANT: Final = 8.617333262e-5
"""Boltzmann constant in eV/K (exact in the SI of 2019, rounded)."""

DALTON_PER_CUBIC_ANGSTROM: Final = 0.602214076
"""1 g/cm³ in Da/Å³ (Avogadro constant of the SI of 2019)."""

BAR_PER_GPA: Final = 1.0e4
"""1 GPa in bar (definition)."""

FS_PER_PS: Final = 1000.0
"""1 ps in fs."""

BAR_PER_EV_PER_CUBIC_ANGSTROM: Final = 1.602176634e6
"""1 eV/Å³ in bar (elementary charge of the SI of 2019)."""
