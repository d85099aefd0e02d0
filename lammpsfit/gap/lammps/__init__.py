"""A GAP as a LAMMPS pair style: a model goes in, a folder that LAMMPS runs comes out.

:func:`lammpsfit.gap.lammps.export.export_model` is the front door. It writes the model as text
(``model_text``), builds the plugin of ``source/`` once for each LAMMPS, compiler and processor
(``build``), runs LAMMPS (``run``), and hands out nothing that does not agree with the calculator.
Where there is no compiler, ``external`` takes the model into LAMMPS by way of ``fix external``.
"""
