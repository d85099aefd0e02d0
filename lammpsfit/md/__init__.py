"""Molecular dynamics: templates, one LAMMPS run in a child process, the sample it gives.

The only package that knows LAMMPS.
"""
