"""A potential at work: crystals, their phonons, and liquids, with any calculator of ASE.

In come atoms and a calculator, that of a GAP or of DFT; out go frozen results with units. Numerics
write no files: commands and pages do. :mod:`lammpsfit.gap.work.strain` makes strained cells.
"""
