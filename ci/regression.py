"""Scripted regression: known potentials with the full protocol, against recorded values.

Each potential runs once with examples/silica/paper.toml (3000 atoms, 10 + 10 ps, about 80 s of
one idle core). Two comparisons follow, and either can fail:

- with ci/regression.json, the values this script measured before: R and each pair's cost
  within three standard errors, the run-to-run spread of short liquids included;
- with the literature (H. Liu et al., MRS Communications 9, 593 (2019),
  doi:10.1557/mrc.2019.47, Tables 2 and 4): each pair's cost within 2.5 points. Its range of r
  is not stated, and its reference was not read off a figure; BKS, which relaxes slowly, and
  the Si-Si of ML are furthest off.

    python ci/regression.py [POTENTIAL ...] [--record]
"""

import argparse
import json
import math
import platform
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from lammpsfit.config import read_job
from lammpsfit.farm.local import LocalFarm, available_cores
from lammpsfit.farm.stop import Stop
from lammpsfit.fit.run.conditions import Conditions
from lammpsfit.fit.run.evaluate_potentials import evaluate_potentials
from lammpsfit.fit.run.problem import build_problem
from lammpsfit.report.progress import ProgressMonitor
from lammpsfit.report.results import rows
from lammpsfit.report.tables import cost_json, print_costs
from lammpsfit.structure.cost import Cost
from lammpsfit.versions import FIT_PACKAGES, versions

HERE = Path(__file__).parent
JOB = HERE.parent / "examples" / "silica" / "paper.toml"
RECORD = HERE / "regression.json"

RUN_TO_RUN = 0.004
"""Spread of R between runs of one potential from different seeds and start structures; that of
the single pairs is half as large again, at most."""

LITERATURE = {
    "BKS": {"Si-O": 0.2145, "O-O": 0.1290, "Si-Si": 0.1554},
    "CHIK": {"Si-O": 0.1229, "O-O": 0.0609, "Si-Si": 0.1176},
    "ML": {"Si-O": 0.0735, "O-O": 0.0358, "Si-Si": 0.1280},
}
LITERATURE_TOLERANCE = 0.025


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("potentials", nargs="*", default=["BKS", "CHIK", "ML"])
    parser.add_argument("--record", action="store_true", help="record the values measured now")
    options = parser.parse_args()

    job = read_job(JOB)
    problem = build_problem(job)
    loaded = {name: problem.load(name) for name in options.potentials}
    monitor = ProgressMonitor(Console(soft_wrap=True))
    results = evaluate_potentials(
        loaded, 1, Conditions.only(problem), job.seed, LocalFarm(available_cores()), monitor, Stop()
    )
    print_costs(rows(results))
    measured = {row.label: row.cost for row in rows(results)}
    if options.record:
        record(measured)
        return
    recorded = json.loads(RECORD.read_text())["potentials"]
    complaints = [
        complaint
        for name, cost in measured.items()
        for complaint in complaints_about(name, cost, recorded.get(name))
    ]
    print("\n".join(complaints) or "agrees with the recorded values and the literature")
    if complaints:
        raise SystemExit(1)


def complaints_about(name: str, cost: Cost | None, recorded: dict | None) -> list[str]:
    """Say what does not agree, one line each."""
    if cost is None:
        return [f"{name}: the run failed"]
    found = []
    if recorded is None:
        found.append(f"{name}: nothing recorded, run with --record")
    else:
        found += _compare(f"{name}: R", cost.value, cost.error, recorded)
        for pair, one in cost.pairs.items():
            before = {
                "cost": recorded["pair_costs"][pair],
                "cost_error": recorded["pair_cost_errors"][pair],
            }
            found += _compare(f"{name}: {pair}", one.cost, one.error, before, 1.5 * RUN_TO_RUN)
    for pair, value in LITERATURE.get(name, {}).items():
        if abs(cost.pairs[pair].cost - value) > LITERATURE_TOLERANCE:
            found.append(
                f"{name}: {pair} is {100 * cost.pairs[pair].cost:.1f} %, "
                f"the literature has {100 * value:.1f} %"
            )
    return found


def _compare(
    what: str, value: float, error: float, before: dict, spread: float = RUN_TO_RUN
) -> list[str]:
    allowed = 3 * math.hypot(error, before["cost_error"], spread)
    if abs(value - before["cost"]) <= allowed:
        return []
    return [
        f"{what} is {100 * value:.2f} %, recorded {100 * before['cost']:.2f} %, "
        f"allowed difference {100 * allowed:.2f}"
    ]


def record(measured: dict[str, Cost | None]) -> None:
    """Write what was measured, with date and versions."""
    content = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {available_cores()} cores",
        "versions": versions(FIT_PACKAGES),
        "potentials": {name: cost_json(cost) for name, cost in measured.items() if cost},
    }
    RECORD.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"recorded in {RECORD}")


if __name__ == "__main__":
    main()
