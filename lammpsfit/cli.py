"""The command line: parse, call, print."""

import io
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lammpsfit import __version__
from lammpsfit.errors import InputError, LammpsfitError, RunError, StoppedError

if TYPE_CHECKING:
    from lammpsfit.config import Job
    from lammpsfit.farm.base import Farm
    from lammpsfit.farm.launch import Launch
    from lammpsfit.fit.result import FitResult
    from lammpsfit.fit.state import Fit
    from lammpsfit.md.evaluate import Evaluation

# Each command imports what it needs when it runs: ``lammpsfit --help`` must not wait for
# LAMMPS, scikit-learn and matplotlib.

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Fit classical potentials to ab initio structure, with LAMMPS.",
)

JsonFile = Annotated[
    Path | None, typer.Option("--json", help="also write the result here, as JSON")
]
Workers = Annotated[
    int | None, typer.Option(help="evaluations at a time; default: one per available core")
]
Oversubscribe = Annotated[
    bool, typer.Option("--oversubscribe", help="allow more workers than cores")
]
MaxEvaluations = Annotated[
    int | None, typer.Option(help="most evaluations of the search, instead of the job's")
]
Walltime = Annotated[
    str | None, typer.Option(help="stop in time for this limit: seconds, mm:ss, [d-]hh:mm:ss")
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lammpsfit {__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Fit classical potentials to ab initio structure, with LAMMPS."""


@app.command()
def fit(
    context: typer.Context,
    job_file: Annotated[Path, typer.Argument(help="job file (TOML)", metavar="JOB.toml")],
    output: Annotated[Path, typer.Option("-o", "--output", help="run folder to make")],
    workers: Workers = None,
    oversubscribe: Oversubscribe = False,
    max_evaluations: MaxEvaluations = None,
    walltime: Walltime = None,
    strategy: Annotated[str | None, typer.Option(help="strategy, instead of the job's")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="check everything, run nothing")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Fit a potential to a reference."""
    from lammpsfit.config import override, read_job
    from lammpsfit.files import check_folder
    from lammpsfit.fit.run_folder import create_run, open_run
    from lammpsfit.fit.state import open_fit

    session = _session(walltime, json_file)
    job = override(read_job(job_file), strategy=strategy, evaluations=max_evaluations)
    farm = _farm(context, workers, oversubscribe, job)
    check_folder(output)
    _describe(job, session.console)
    if dry_run:
        return
    _run(lambda: open_fit(*open_run(create_run(output, job).path)), farm, session)


@app.command()
def resume(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="run folder", metavar="RUN")],
    workers: Workers = None,
    oversubscribe: Oversubscribe = False,
    max_evaluations: MaxEvaluations = None,
    walltime: Walltime = None,
    json_file: JsonFile = None,
) -> None:
    """Continue a fit from its journal."""
    from lammpsfit.config import override
    from lammpsfit.fit.run_folder import open_run
    from lammpsfit.fit.state import open_fit

    session = _session(walltime, json_file)
    folder, job, journal = open_run(run)
    farm = _farm(context, workers, oversubscribe, job)
    if journal.damaged:
        _say(session.console, f"{folder.journal}: {journal.damaged} damaged line(s) left out")
    job = override(job, evaluations=max_evaluations)
    _run(lambda: open_fit(folder, job, journal), farm, session)


@app.command()
def evaluate(
    context: typer.Context,
    potentials: Annotated[
        list[str],
        typer.Argument(help="names in the library, or TOML files", metavar="POTENTIAL..."),
    ],
    job_file: Annotated[
        Path, typer.Option("--job", help="job file that sets system, protocol and reference")
    ],
    repeats: Annotated[int, typer.Option(min=1, help="runs of each, with fresh seeds")] = 1,
    workers: Workers = None,
    oversubscribe: Oversubscribe = False,
    plot: Annotated[Path | None, typer.Option(help="draw g(r) into this PNG file")] = None,
    json_file: JsonFile = None,
) -> None:
    """Run potentials and tell how far each is from the reference."""
    from lammpsfit.config import read_job
    from lammpsfit.farm.stop import Stop
    from lammpsfit.files import check_file
    from lammpsfit.fit.evaluate_potentials import evaluate_potentials
    from lammpsfit.fit.problem import build_problem
    from lammpsfit.report.progress import ProgressMonitor
    from lammpsfit.report.results import levels, plot_results, rows
    from lammpsfit.report.tables import costs_json, print_costs

    session = _session(None, json_file)
    if plot is not None:
        check_file(plot)
    job = read_job(job_file)
    farm = _farm(context, workers, oversubscribe, job)
    problem = build_problem(job)
    loaded = {name: problem.load(name) for name in potentials}
    monitor = ProgressMonitor(session.console)
    with Stop() as stop:
        results = evaluate_potentials(loaded, repeats, problem, job.seed, farm, monitor, stop)
    print_costs(rows(results), session.console)
    if plot is not None:
        plot_results(problem.target.reference, results, plot, job.title)
    _write_json(json_file, costs_json(rows(results)))
    if not levels(results):
        raise RunError("every run failed, see the notes above")


@app.command()
def export(
    source: Annotated[
        str, typer.Argument(help="run folder, name in the library, or TOML file", metavar="SOURCE")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to write")],
    json_file: JsonFile = None,
) -> None:
    """Write a potential as LAMMPS files, run them again and compare the forces."""
    from lammpsfit.files import check_folder
    from lammpsfit.fit.run_folder import RunFolder
    from lammpsfit.forcefield import load_potential
    from lammpsfit.md.export import export_potential

    session = _session(None, json_file)
    check_folder(output)
    run = RunFolder(Path(source))
    if Path(source).is_dir() and not run.potential.exists():
        raise InputError(f"{source}: no finished fit in this folder (no potential.toml)")
    potential = load_potential(str(run.potential) if Path(source).is_dir() else source)
    check = export_potential(potential, output)
    _say(session.console, f"{output}: {check}")
    _write_json(json_file, check.as_dict())


@dataclass(frozen=True)
class Session:
    """The options of one call that are no part of a job, checked."""

    console: Console
    walltime: float | None
    json_file: Path | None


def _session(walltime: str | None, json_file: Path | None) -> Session:
    """Check the options of a call before any time is spent."""
    from lammpsfit.farm.stop import parse_walltime
    from lammpsfit.files import check_file
    from lammpsfit.report.tables import output_console

    if json_file is not None:
        check_file(json_file)
    seconds = None if walltime is None else parse_walltime(walltime)
    return Session(output_console(), seconds, json_file)


def _farm(
    context: typer.Context, workers: int | None, oversubscribe: bool, job: "Job"
) -> "Farm[Evaluation]":
    """Make the farm, of this machine or of the MPI job we are the first rank of."""
    from lammpsfit.farm.launch import open_farm
    from lammpsfit.farm.sturdy import SturdyFarm

    farm: Farm[Evaluation] = open_farm(
        context.obj, workers, oversubscribe, job.farm.ranks_per_evaluation
    )
    return SturdyFarm(farm, lambda line: print(f"lammpsfit: {line}", file=sys.stderr))


def _run(opening: "Callable[[], Fit]", farm: "Farm[Evaluation]", session: Session) -> None:
    """Open a fit and run it to its end, then print, draw and export what came of it.

    From before there is a journal, signals stop the fit in order.
    """
    from lammpsfit.farm.stop import Stop
    from lammpsfit.fit.loop import run_fit
    from lammpsfit.report.progress import ProgressMonitor

    with Stop(session.walltime) as stop:
        opened = opening()
        opened.deadline = stop.deadline
        result = run_fit(opened, farm, ProgressMonitor(session.console), stop)
    _write_json(session.json_file, result.summary)
    _present(result, session.console)
    if result.stopped is not None:
        again = f"lammpsfit resume {shlex.quote(str(opened.folder.path))}"
        _say(session.console, f"stopped ({result.stopped}): '{again}' goes on from here")
        raise typer.Exit(StoppedError.exit_code)


def _present(result: "FitResult", console: Console) -> None:
    """Show the result of a fit: table, pictures, LAMMPS files."""
    from lammpsfit.fit.problem import BEST
    from lammpsfit.md.export import export_potential
    from lammpsfit.report.plots import plot_convergence
    from lammpsfit.report.results import levels, plot_results, points, rows
    from lammpsfit.report.tables import print_costs

    fit, folder = result.fit, result.fit.folder
    title = fit.job.title
    known = {label: cost for label, cost in levels(result.rows).items() if label != BEST}
    plot_convergence(points(fit.records), folder.path / "convergence.png", title, known)
    if result.potential is None:
        return
    plot_results(fit.problem.target.reference, result.rows, folder.path / "gr.png", title)
    print_costs(rows(result.rows), console)
    for name, value in result.summary["best"]["parameters"].items():
        start = fit.problem.potential.parameters[name]
        _say(console, f"{name:>10} = {value:<12.6g} (start {start:.6g})")
    structure = folder.structure(fit.problem.system.atoms)
    temperature = fit.problem.protocol.temperature
    check = export_potential(result.potential, folder.lammps, structure, temperature)
    _say(console, f"{folder.lammps}: {check}")


def _describe(job: "Job", console: Console) -> None:
    """Check a job as a whole and say what it will do."""
    from lammpsfit.fit.problem import build_optimiser, build_problem, build_space

    problem = build_problem(job)
    space = build_space(job, problem)
    problem.of_size(job.confirm).load_known(job.confirm.compare)
    build_optimiser(job, problem, space)
    system, protocol = problem.system, problem.protocol
    _say(
        console,
        f"{job.title or problem.potential.name}: {space.dim} parameters of "
        f"{problem.potential.name} ({', '.join(space.names)}), {system.atoms} atoms of "
        f"{system.formula} at {system.density:g} g/cm³, {protocol.temperature:g} K, "
        f"{protocol.relax:g} + {protocol.sample:g} ps",
    )


def _say(console: Console, line: str) -> None:
    """Print a line as it stands: names of files and titles are no markup, and are not broken."""
    console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)


def _write_json(path: Path | None, content: Mapping[str, Any]) -> None:
    from lammpsfit.files import write_json

    if path is not None:
        write_json(path, content)


def main() -> None:
    """Run the command line, or under an MPI launcher our part of it."""
    from lammpsfit.md.process import THREAD_VARIABLES

    for variable in THREAD_VARIABLES:
        # the cores belong to the evaluations: threads of this process would take them away
        os.environ.setdefault(variable, "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Å and ± must not end a fit
    from lammpsfit.farm.launch import launched

    with _one_line_errors():
        launch = launched()
    if launch is None:
        _command(None)
    elif launch.rank == 0:
        with launch:
            _command(launch)
    else:
        launch.serve()


def _command(launch: "Launch | None") -> None:
    with _one_line_errors():
        app(obj=launch)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """End on errors a user can act on with one line, without a traceback."""
    try:
        yield
    except LammpsfitError as error:
        print(f"lammpsfit: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
