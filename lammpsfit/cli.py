"""The command line: parse, call, print."""

import errno
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from lammpsfit import __version__
from lammpsfit.cli_fit import begin, describe, export_fit, run_to_end
from lammpsfit.cli_gap import app as gap_app
from lammpsfit.cli_init import init
from lammpsfit.cli_output import (
    Force,
    JsonFile,
    ParslFile,
    Walltime,
    open_session,
    say,
    write_result,
)
from lammpsfit.cli_usage import run_app
from lammpsfit.errors import InputError, LammpsfitError, RunError, warn
from lammpsfit.inputs import one_line, shown
from lammpsfit.streams import steady_streams

if TYPE_CHECKING:
    from lammpsfit.config import Job
    from lammpsfit.farm.base import Farm
    from lammpsfit.farm.launch import Launch

# Each command imports what it needs when it runs: ``lammpsfit --help`` must not wait for
# LAMMPS, scikit-learn and matplotlib.

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Fit classical potentials to ab initio structure, with LAMMPS.",
)
app.add_typer(gap_app, name="gap")

Workers = Annotated[
    int | None, typer.Option(help="evaluations at a time; default: one per available core")
]
Oversubscribe = Annotated[
    bool, typer.Option("--oversubscribe", help="allow more workers than cores")
]
MaxEvaluations = Annotated[
    int | None, typer.Option(help="largest number of evaluations of the search; default: the job's")
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


app.command()(init)


@app.command()
def fit(
    context: typer.Context,
    job_file: Annotated[Path, typer.Argument(help="job file (TOML)", metavar="JOB.toml")],
    output: Annotated[Path, typer.Option("-o", "--output", help="run folder to make")],
    workers: Workers = None,
    parsl: ParslFile = None,
    oversubscribe: Oversubscribe = False,
    max_evaluations: MaxEvaluations = None,
    walltime: Walltime = None,
    strategy: Annotated[
        str | None, typer.Option(help="search strategy; default: the job's")
    ] = None,
    warm: Annotated[
        list[Path] | None,
        typer.Option(
            "--warm",
            metavar="RUN",
            help="run folder of an earlier fit whose samples are taken over; may be given again",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="check everything, run nothing")
    ] = False,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Fit a potential to a reference."""
    from lammpsfit.config import override, read_job
    from lammpsfit.fit.run.run_folder import check_new_run

    job = override(read_job(job_file), strategy=strategy, evaluations=max_evaluations)
    session = open_session(
        "fit",
        json_file,
        inputs=[job_file, parsl, *job.files],
        run=output,
        walltime=walltime,
        force=force,
    )
    farm = _farm(context, workers, oversubscribe, job, parsl)
    check_new_run(output)
    memories = describe(job, session.console, warm or [])
    if dry_run:
        return
    run_to_end(lambda: begin(output, job, memories), farm, session)


@app.command()
def resume(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="run folder", metavar="RUN")],
    workers: Workers = None,
    parsl: ParslFile = None,
    oversubscribe: Oversubscribe = False,
    max_evaluations: MaxEvaluations = None,
    walltime: Walltime = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Continue a fit from its journal."""
    from lammpsfit.config import override
    from lammpsfit.fit.run.open_fit import open_fit
    from lammpsfit.fit.run.run_folder import open_run

    session = open_session(
        "resume", json_file, inputs=[parsl], run=run, walltime=walltime, force=force
    )
    folder, job, journal = open_run(run)
    farm = _farm(context, workers, oversubscribe, job, parsl)
    job = override(job, evaluations=max_evaluations)
    run_to_end(lambda: open_fit(folder, job, journal), farm, session)


@app.command()
def evaluate(
    context: typer.Context,
    potentials: Annotated[
        list[str],
        typer.Argument(
            help="names in the library, TOML files, or run folders", metavar="POTENTIAL..."
        ),
    ],
    job_file: Annotated[
        Path, typer.Option("--job", help="job file that sets system, protocol and reference")
    ],
    repeats: Annotated[
        int, typer.Option(min=1, max=1000, help="runs of each, with fresh seeds")
    ] = 1,
    workers: Workers = None,
    parsl: ParslFile = None,
    oversubscribe: Oversubscribe = False,
    plot: Annotated[
        Path | None, typer.Option(help="draw g(r), or what else is wanted, into this PNG file")
    ] = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Run potentials and compare each with the reference."""
    from lammpsfit.config import read_job
    from lammpsfit.farm.stop import Stop
    from lammpsfit.fit.run.build import build_conditions
    from lammpsfit.fit.run.evaluate_potentials import evaluate_potentials
    from lammpsfit.fit.run.run_folder import for_condition, potential_of
    from lammpsfit.forcefield import names_file
    from lammpsfit.report.progress import ProgressMonitor
    from lammpsfit.report.results import (
        levels,
        plot_other_terms,
        plot_results,
        results_json,
        rows,
        under,
    )
    from lammpsfit.report.tables import print_costs
    from lammpsfit.target import MAIN

    job = read_job(job_file)
    sources = {name: potential_of(name) for name in potentials}
    names = [MAIN, *(other.name for other in job.also)]
    plots = {} if plot is None else {name: for_condition(plot, name) for name in names}
    session = open_session(
        "evaluate",
        json_file,
        files=plots.values(),
        inputs=[job_file, parsl, *job.files, *(Path(x) for x in sources.values() if names_file(x))],
        force=force,
    )
    farm = _farm(context, workers, oversubscribe, job, parsl)
    conditions = build_conditions(job)
    loaded = {name: conditions.load(source) for name, source in sources.items()}
    monitor = ProgressMonitor(session.console)
    with Stop() as stop:
        results = evaluate_potentials(loaded, repeats, conditions, job.seed, farm, monitor, stop)
    print_costs(rows(results), session.console)
    with session.outputs.writing():
        for one in conditions.every if plots else ():
            found, target = under(results, one.name), one.problem.target
            if target.structure is None:
                plot_other_terms(target, found, plots[one.name], job.title)
            else:
                plot_results(target.reference, found, plots[one.name], job.title)
    write_result(session, results_json(results))
    if not levels(results):
        raise RunError("every run failed, see the notes above")


@app.command()
def validate(
    context: typer.Context,
    potentials: Annotated[
        list[str],
        typer.Argument(
            help="names in the library, TOML files, or run folders", metavar="POTENTIAL..."
        ),
    ],
    job_file: Annotated[
        Path, typer.Option("--job", help="job file that sets system, conditions and reference")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="folder to write; runs in it are not run again")
    ],
    condition: Annotated[
        str, typer.Option(help="one of the job's [[also]] conditions, by name")
    ] = "main",
    atoms: Annotated[int | None, typer.Option(help="atoms in the box; default: the job's")] = None,
    relax: Annotated[
        float | None, typer.Option(help="ps before the first frame; default: the job's")
    ] = None,
    sample: Annotated[
        float | None, typer.Option(help="ps of sampling; default: twice the job's")
    ] = None,
    no_npt: Annotated[
        bool, typer.Option("--no-npt", help="skip the run for the density at zero pressure")
    ] = False,
    no_liquid: Annotated[
        bool, typer.Option("--no-liquid", help="skip the run of the liquid")
    ] = False,
    temperature: Annotated[
        list[float] | None,
        typer.Option(
            help="also run the liquid at this temperature, K; with two or more, diffusion has an "
            "activation energy"
        ),
    ] = None,
    quench: Annotated[
        float | None, typer.Option(help="also make a glass: cooling rate in K/ps")
    ] = None,
    quench_to: Annotated[float, typer.Option(help="temperature of the glass, K")] = 300.0,
    quench_pressure: Annotated[
        float | None,
        typer.Option(help="cool at this pressure in bar; default: at the density of the job"),
    ] = None,
    glasses: Annotated[
        int, typer.Option(help="glasses of each potential, for errors between them")
    ] = 1,
    expansion: Annotated[
        list[float] | None,
        typer.Option(
            help="also measure the density of the glass at this temperature, K, for its thermal "
            "expansion; once or more"
        ),
    ] = None,
    crystal: Annotated[
        list[Path] | None,
        typer.Option(help="bring this crystal to rest: CIF, POSCAR, extended XYZ, LAMMPS data"),
    ] = None,
    cutoff: Annotated[
        list[str] | None,
        typer.Option(help="longest bond in Å, such as Si-O=2.2; default: first minimum of g(r)"),
    ] = None,
    angles: Annotated[
        Path | None,
        typer.Option(help="table of bond angles to compare with; default: the job's"),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="measured S(q) to compare the glass with, or the liquid: neutron=FILE, xray=FILE; "
            "neutron:S-1=FILE where the file holds another quantity"
        ),
    ] = None,
    workers: Workers = None,
    parsl: ParslFile = None,
    oversubscribe: Oversubscribe = False,
    walltime: Walltime = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Run potentials for longer, and measure structure, density, diffusion and the glass.

    Finished runs are kept: after a stop, the same command goes on from there.
    """
    from lammpsfit.config import read_job
    from lammpsfit.farm.stop import Stop
    from lammpsfit.fit.run.run_folder import potential_of
    from lammpsfit.forcefield import names_file
    from lammpsfit.md.observe import Quench
    from lammpsfit.reference.options import parse_cutoffs
    from lammpsfit.report.facts import print_facts
    from lammpsfit.report.unit_progress import UnitProgress
    from lammpsfit.validate.against import parse_measured
    from lammpsfit.validate.command import validate as run_validation
    from lammpsfit.validate.output import FILES
    from lammpsfit.validate.plan import Request, build_plan

    job = read_job(job_file)
    if quench is None and quench_pressure is not None:
        raise InputError("--quench-pressure says how a glass is made: add --quench RATE")
    session = open_session(
        "validate",
        json_file,
        files=[output / name for name in FILES],
        folder=output,
        inputs=[
            *(job_file, angles, *job.files, *(crystal or ())),
            *(table.file for table in parse_measured(against or ())),
            *(Path(x) for x in map(potential_of, potentials) if names_file(x)),
        ],
        walltime=walltime,
        force=force,
    )
    request = Request(
        potentials,
        job_file,
        condition,
        atoms,
        relax,
        sample,
        not no_npt,
        None if quench is None else Quench(quench, quench_to, quench_pressure),
        parse_cutoffs(cutoff or []),
        angles,
        glasses,
        crystal or (),
        not no_liquid,
        against or (),
        temperature or (),
        expansion or (),
    )
    farm = _farm(context, workers, oversubscribe, job, parsl)
    plan = build_plan(request)
    command = shlex.join(["lammpsfit", *sys.argv[1:]])
    with Stop(session.walltime) as stop, session.outputs.writing():
        view = run_validation(plan, output, farm, UnitProgress(session.console), stop, command)
    print_facts(view.facts, session.console)
    for line in view.lines:
        say(session.console, line)
    write_result(session, view.content)
    say(session.console, f"{output / 'validate.html'}: all of this, with pictures")


@app.command()
def reference(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="trajectories of the same atoms (vasprun.xml, XDATCAR, xyz, LAMMPS dump), or "
            "tables of g(r)",
            metavar="TRAJECTORY...",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="table of g(r) to write (CSV)")],
    form: Annotated[
        str,
        typer.Option(
            "--format", help="auto, vasprun, xdatcar, xyz, lammps-dump, rdf-table or lammps-rdf"
        ),
    ] = "auto",
    skip: Annotated[
        str, typer.Option(help="frames to leave out at the beginning, or a time such as 2ps")
    ] = "0",
    stride: Annotated[int, typer.Option(help="take every n-th of the other frames")] = 1,
    r_max: Annotated[
        float | None, typer.Option(help="end of the range in Å; default: half the box")
    ] = None,
    dr: Annotated[float | None, typer.Option(help="width of a bin in Å; default: 0.02")] = None,
    blocks: Annotated[int, typer.Option(help="blocks for the errors; 1: no errors")] = 10,
    species: Annotated[
        str | None, typer.Option(help="species of the LAMMPS types, such as 1=Si,2=O")
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(help="cell for xyz files without one: a,b,c in Å, or a .cell file of CP2K"),
    ] = None,
    cutoff: Annotated[
        list[str] | None,
        typer.Option(help="longest bond in Å, such as Si-O=2.2; default: first minimum of g(r)"),
    ] = None,
    pairs: Annotated[
        str | None, typer.Option(help="pairs of a table in its order, such as Si-O,O-O or 1-2,2-2")
    ] = None,
    angles: Annotated[
        Path | None, typer.Option(help="also write the bond angles here (CSV)")
    ] = None,
    png: Annotated[Path | None, typer.Option(help="draw g(r) and the angles here")] = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Make a reference from trajectories: partial g(r), bond angles, coordination numbers."""
    from lammpsfit.reference.analyse import Settings
    from lammpsfit.reference.command import Request, make_reference
    from lammpsfit.reference.options import parse_cutoffs, parse_pairs, parse_types
    from lammpsfit.reference.trajectory import Selection
    from lammpsfit.report.count_progress import FrameProgress
    from lammpsfit.report.structure import plot_structure

    session = open_session(
        "reference",
        json_file,
        files=(output, angles, png),
        inputs=[*files, *(Path(one) for one in cell or ())],
        force=force,
    )
    request = Request(
        tuple(files),
        form,
        Settings(Selection(skip, stride), r_max, dr, blocks, parse_cutoffs(cutoff or [])),
        parse_types(species),
        tuple(cell or ()),
        tuple(parse_pairs(pairs)),
        shlex.join(["lammpsfit", *sys.argv[1:]]),
    )
    with session.outputs.writing():
        with FrameProgress(session.console) as progress:
            result = make_reference(request, output, angles, progress)
        if png is not None:
            plot_structure(result.rdf, png, result.title, result.cutoffs, result.angles)
    write_result(session, result.summary)
    for line in result.lines:
        say(session.console, line)


@app.command()
def export(
    source: Annotated[
        str, typer.Argument(help="run folder, name in the library, or TOML file", metavar="SOURCE")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to write")],
    formula: Annotated[
        str | None,
        typer.Option(help="compound to export for; it sets the species and their charges"),
    ] = None,
    evaluation: Annotated[
        int | None,
        typer.Option(
            min=0, help="of a run folder, the potential of this evaluation; default: the result"
        ),
    ] = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Write a potential as LAMMPS files; run them first and compare the forces."""
    from lammpsfit.config import read_job
    from lammpsfit.fit.run.build import build_conditions
    from lammpsfit.fit.run.open_fit import open_fit
    from lammpsfit.fit.run.run_folder import RunFolder, open_run, potential_of
    from lammpsfit.forcefield import load_potential, names_file
    from lammpsfit.md.export import EXPORTED, export_potential
    from lammpsfit.md.system import composition_of

    folder = RunFolder(Path(source))
    found = None
    if evaluation is not None:
        found = open_fit(*open_run(folder.path)).of_evaluation(evaluation)
    potential = potential_of(source) if found is None else source
    session = open_session(
        "export",
        json_file,
        files=[output / name for name in EXPORTED],
        folder=output,
        inputs=[Path(potential)] if found is None and names_file(potential) else (),
        force=force,
    )
    with session.outputs.writing():
        if formula is not None:
            composition = composition_of(formula)
            compound = (found or load_potential(potential)).for_composition(composition)
            compound.check_neutral(composition)
            check = export_potential(compound, output, composition=composition)
        elif folder.job.exists():
            check = export_fit(folder, build_conditions(read_job(folder.job)), output, found)
        else:
            check = export_potential(load_potential(potential), output)
    say(session.console, f"{output}: {check}")
    write_result(session, check.as_dict())


@app.command()
def library(
    species: Annotated[
        list[str] | None,
        typer.Argument(help="list only potentials with these elements; a formula names several"),
    ] = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """List the potentials that come with lammpsfit: species, terms, Coulomb sum, source."""
    from lammpsfit.forcefield import library_with
    from lammpsfit.md.system import composition_of
    from lammpsfit.report.library import library_lines, library_row

    session = open_session("library", json_file, force=force)
    found = library_with(name for formula in species or () for name in composition_of(formula))
    for line in library_lines(found):
        say(session.console, line)
    write_result(session, {one.name: library_row(one) for one in found})


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="run folders", metavar="RUN...")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="HTML file; default for one run: RUN/report.html"),
    ] = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Write the HTML report of a run, finished or not; several runs get one to compare."""
    from lammpsfit.run_pages import as_data, write_comparison, write_page

    if output is None:
        if len(runs) > 1:
            raise InputError("several runs need a name for their page: -o compare.html")
        output = runs[0] / "report.html"
    own = len(runs) == 1 and output.resolve() == (runs[0] / "report.html").resolve()
    session = open_session("report", json_file, files=() if own else [output], force=force)
    with session.outputs.writing():
        views = [write_page(runs[0], output)] if len(runs) == 1 else write_comparison(runs, output)
    for note in dict.fromkeys(note for view in views for note in view.notes):
        say(session.console, f"note: {note}")
    say(session.console, f"{output}: written")
    write_result(session, as_data(views))


def _farm(
    context: typer.Context,
    workers: int | None,
    oversubscribe: bool,
    job: "Job",
    parsl: Path | None,
) -> "Farm[Any]":
    """Return a farm of workers: of this machine, of this MPI job, or of Parsl."""
    from lammpsfit.farm.launch import open_farm, open_parsl_farm
    from lammpsfit.farm.parts import PartsFarm
    from lammpsfit.farm.sturdy import SturdyFarm

    wanted = parsl or job.farm.parsl
    if parsl is not None or (job.farm.engine == "parsl" and workers is None):
        farm = open_parsl_farm(context.obj, wanted, workers, warn)
    else:
        farm = open_farm(context.obj, workers, oversubscribe, job.farm.ranks_per_evaluation)
    return PartsFarm(SturdyFarm(farm, warn))


def main() -> None:
    """Run the command line, or under an MPI launcher our part of it."""
    from lammpsfit.child.process import THREAD_VARIABLES

    for variable in THREAD_VARIABLES:
        # the cores belong to the evaluations: threads of this process would take them away
        os.environ.setdefault(variable, "1")
    # pictures are files: what a notebook sets for its own windows may not even be installed here
    os.environ["MPLBACKEND"] = "agg"
    steady_streams()  # a terminal without Å and ±, or a full disk, must not end a fit
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
        run_app(app, launch)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn errors that a user can mend into one line and an exit code, without a traceback."""
    try:
        yield
    except InputError as error:
        _refuse(str(error))
    except LammpsfitError as error:
        print(f"lammpsfit: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        _refuse(f"{shown(str(error.filename))}: the name is longer than the system allows")


def _refuse(why: str) -> NoReturn:
    print(one_line(f"lammpsfit: {why}"), file=sys.stderr)
    sys.exit(InputError.exit_code)
