"""Run potentials of the library, and compare what they give with what is known of them.

For SHIK silica, 648 atoms at 3600 K, 3 + 12 ps: R against the ab initio liquid, and the density of
the liquid at zero pressure. It takes some minutes on one core; what is finished is kept in the
folder, and the same command goes on from there.

    python ci/check_library.py runs/check-library
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "silica"
LAMMPSFIT = Path(sys.executable).parent / "lammpsfit"


@dataclass(frozen=True)
class Known:
    """A number that was measured before, with how far off it may be."""

    value: float
    tolerance: float
    source: str


KNOWN = {
    "SHIK": {
        "R, %": Known(8.66, 0.4, "alpha = 0 shifted force, 10 Å, no smoothing, same protocol"),
        "density, g/cm³": Known(2.174, 0.02, "the same"),
    }
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder for the runs")
    parser.add_argument("--atoms", type=int, default=648)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    off = 0
    for name, known in KNOWN.items():
        found = measure(name, arguments.output, arguments.atoms)
        for quantity, expected in known.items():
            value, error = found[quantity]
            agrees = abs(value - expected.value) <= expected.tolerance + 2 * error
            off += not agrees
            print(
                f"{name:8} {quantity:16} {value:8.3f} ± {error:.3f}   known {expected.value:g} "
                f"± {expected.tolerance:g} ({expected.source})   {'' if agrees else 'OFF'}"
            )
    sys.exit(1 if off else 0)


def measure(name: str, folder: Path, atoms: int) -> dict[str, tuple[float, float]]:
    """Validate one potential on silica, and return values with their errors."""
    result = folder / f"{name}.json"
    command = [LAMMPSFIT, "validate", name, "--job", EXAMPLES / "quick.toml", "-o", folder / name]
    options = ["--atoms", atoms, "--relax", 3, "--sample", 12, "--workers", 1]
    words = [*command, *options, "--json", result, "--force"]
    subprocess.run([str(word) for word in words], check=True, stdout=sys.stderr)
    facts = json.loads(result.read_text("utf-8"))["facts"]
    found = {}
    for group in facts.values():
        for quantity, fact in group.items():
            if estimate := fact["values"].get(name):
                found[f"{quantity}, {fact['unit']}"] = (estimate["mean"], estimate["error"])
    return found


if __name__ == "__main__":
    main()
