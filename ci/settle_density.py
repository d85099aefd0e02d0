"""Measure how long the density of a liquid takes to settle, and how fast it forgets.

A molten box of silica at 3600 K begins at the density of its start structure, and a barostat holds
zero pressure from then on. Printed are the density in each ps, and mean, spread and integrated
correlation time of all but the first quarter.

    python ci/settle_density.py BKS CHIK [--barostat 1.0] [--ps 30] [--atoms 306]
"""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

from lammpsfit.child.process import run_in_child
from lammpsfit.config import read_job
from lammpsfit.fit.run.problem import build_problem
from lammpsfit.md.protocol import Protocol
from lammpsfit.md.sample import sample
from lammpsfit.structure.blocks import autocorrelation_time

JOB = Path(__file__).parent.parent / "examples" / "silica" / "quick.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("potentials", nargs="+")
    parser.add_argument("--barostat", type=float, default=1.0, help="damping time, ps")
    parser.add_argument("--ps", type=int, default=30)
    parser.add_argument("--atoms", type=int, default=306)
    options = parser.parse_args()

    problem = build_problem(read_job(JOB))
    problem = replace(
        problem,
        system=replace(problem.system, atoms=options.atoms),
        melting=replace(problem.melting, structure="random"),
    ).checked()
    start = problem.melted(tell=print)
    protocol = Protocol(
        3600.0, 0.0, options.ps, blocks=options.ps, ensemble="npt", barostat=options.barostat
    )
    for name in options.potentials:
        potential, r = problem.load(name), problem.target.reference.r
        task = partial(sample, potential, protocol, start, 7, r, keep=True)
        found = run_in_child(task, protocol.timeout(options.atoms))
        density = found.frames.density({x: kind.mass for x, kind in potential.species.items()})
        late = density[len(density) // 4 :]
        tau = autocorrelation_time(late) * protocol.every_fs / 1000
        print(f"{name}, barostat {options.barostat:g} ps")
        print("  g/cm³ in each ps:", " ".join(f"{x:.3f}" for x in found.density))
        print(f"  mean {late.mean():.3f}, spread {late.std():.3f}, correlation time {tau:.2f} ps")


if __name__ == "__main__":
    main()
