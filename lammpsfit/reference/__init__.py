"""Readers of references: the pair distributions a potential is fitted to."""

from lammpsfit.reference.table import (
    Reference,
    read_rdf_table,
    read_reference,
    require_pairs,
    write_rdf_table,
)

__all__ = [
    "Reference",
    "read_rdf_table",
    "read_reference",
    "require_pairs",
    "write_rdf_table",
]
