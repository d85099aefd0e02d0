"""What a Gauss-Newton fit costs its master: CPU seconds per evaluation to read, learn and step.

The evaluations of a finished run are told again to a fresh search, as on a resume. Whatever the
master does between two evaluations is in it, but for handing out tasks and writing files.

    python ci/bench_master.py RUN [RUN...]
"""

import argparse
import time
from pathlib import Path
from statistics import mean, median

from lammpsfit.errors import InputError
from lammpsfit.fit.run.build import build_optimiser
from lammpsfit.fit.run.open_fit import Fit, open_fit
from lammpsfit.fit.run.run_folder import open_run


def costs_of(fit: Fit) -> list[float]:
    """Tell a run's evaluations again; return CPU seconds for each."""
    optimiser = build_optimiser(fit.job, fit.conditions, fit.space)
    seconds = []
    for record in fit.records:
        began = time.process_time()
        optimiser.tell(*fit.told(record))
        seconds.append(time.process_time() - began)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    try:
        fits = [open_fit(*open_run(run)) for run in parser.parse_args().runs]
    except InputError as error:
        parser.error(str(error))
    print("| run | parameters | atoms | evaluations | s of one | master, s per evaluation |")
    print("|---|--:|--:|--:|--:|--:|")
    for fit in fits:
        seconds = costs_of(fit)
        took = median(record["seconds"] for record in fit.records)
        print(
            f"| {fit.folder.path.name} | {fit.space.dim} | {fit.problem.system.atoms} "
            f"| {len(seconds)} | {took:.0f} | {mean(seconds):.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
