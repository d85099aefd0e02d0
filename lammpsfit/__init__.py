"""Fit classical potentials to ab initio structure, with LAMMPS."""

__version__ = "0.1.0.dev0"
