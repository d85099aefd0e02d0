"""Run a Python module that ends when whoever started it is gone, however that ended.

``python -m lammpsfit.farm.die_with_us MODULE``. Parsl's interchange would stay for ever.
"""

import os
import runpy
import sys

from lammpsfit.child.main import die_with_parent

if __name__ == "__main__":
    die_with_parent(os.getppid())
    runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
