"""The command line of active learning: ``lammpsfit gap learn``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lammpsfit.cli_gap_work import by_lammps, make_folder
from lammpsfit.cli_output import Force, JsonFile, Walltime, open_session, say, write_result
from lammpsfit.errors import InputError, StoppedError, warn


def add_commands(app: typer.Typer) -> None:
    """Give the commands of this module to the application they belong to."""
    app.command()(learn)


def learn(
    job_file: Annotated[Path, typer.Argument(help="job file (TOML)", metavar="JOB.toml")],
    output: Annotated[Path, typer.Option("-o", "--output", help="folder to make")],
    start: Annotated[
        list[Path], typer.Option(help="structures that runs begin with; may be repeated")
    ],
    calculator: Annotated[
        str, typer.Option(help="module:factory of the calculator that labels, as in gap label")
    ],
    temperature: Annotated[
        list[float], typer.Option(help="temperature, K; give it several times for several runs")
    ],
    time: Annotated[float, typer.Option(help="length of each run, ps")] = 20.0,
    trust: Annotated[
        float, typer.Option(help="largest predicted error of a force that is trusted, eV/Å")
    ] = 0.2,
    look: Annotated[float, typer.Option(help="time between two looks at the errors, ps")] = 0.05,
    most: Annotated[int, typer.Option(help="labels at most")] = 60,
    ensemble: Annotated[str, typer.Option(help="npt, nvt or nve")] = "npt",
    pressure: Annotated[float, typer.Option(help="pressure, bar")] = 0.0,
    timestep: Annotated[float, typer.Option(help="timestep, fs")] = 2.0,
    seed: Annotated[int, typer.Option(min=0, help="seed of velocities and thermostats")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=1000, help="frames labelled at a time")] = 1,
    lammps: Annotated[
        bool,
        typer.Option("--lammps", help="move the atoms by LAMMPS, if there is a C++ compiler"),
    ] = False,
    walltime: Walltime = None,
    json_file: JsonFile = None,
    force: Force = False,
) -> None:
    """Run dynamics with a model, label frames where it is lost, fit again, until it is not."""
    from dataclasses import asdict

    from lammpsfit.farm.stop import Stop
    from lammpsfit.files import write_json, write_text
    from lammpsfit.gap.frame_roles import load_frame_roles
    from lammpsfit.gap.job import read_gap_job
    from lammpsfit.gap.lammps.forces import plain
    from lammpsfit.gap.model_file import load_model, save_model
    from lammpsfit.gap.work.checkpoint import Checkpoint
    from lammpsfit.gap.work.dynamics import Dynamics
    from lammpsfit.gap.work.learn import LearnRequest
    from lammpsfit.gap.work.learn import learn as run_learn
    from lammpsfit.gap.work.learner import GapLearner
    from lammpsfit.gap.work.source import open_source
    from lammpsfit.labelled.frame import digest
    from lammpsfit.labelled.frames import read_frames, to_atoms
    from lammpsfit.report.count_progress import StepProgress
    from lammpsfit.run_pages.gap_learn import learn_lines, learn_page

    names = ("learn.html", "learn.json", "learnt.json", "labels.extxyz")
    page, data, final, labels = (output / name for name in names)
    state = output / "learn.state.json"
    session = open_session(
        "gap learn",
        json_file,
        files=(page, data, final, labels),
        inputs=[job_file, *start, state],
        folder=output,
        walltime=walltime,
        force=force,
    )
    job = read_gap_job(job_file)
    dynamics = Dynamics(
        ensemble=ensemble,  # type: ignore[arg-type]  # it checks this
        pressure=pressure,
        timestep=timestep,
        seed=seed,
    )
    request = LearnRequest(dynamics, tuple(temperature), time, look, trust, most)
    starts = read_frames(start, labelled=False)
    parts = load_frame_roles(job, warn)
    if unknown := {s for one in starts for s in one.symbols} - {
        s for one in parts.train for s in one.symbols
    }:
        raise InputError(f"no frame of the job has {sorted(unknown)[0]}, which a start has")
    about = {
        "job": job.dump(),
        "frames": digest(parts.train),
        "starts": digest(starts),
        "calculator": calculator,
        "request": asdict(request) | {"most": 0},
    }
    checkpoint = Checkpoint(state, about)
    known = checkpoint.read()
    exports = output / "lammps"
    if lammps:
        plain(exports)  # refuses what cannot be, before anything is built
    make_folder(output)
    with StepProgress(session.console) as progress, Stop(session.walltime) as stop:

        def tell(number: int, run: int, now: float) -> None:
            done = round(now / request.look)
            progress(f"round {number}, run {run + 1}", done, request.looks, f"{now:.2f} ps")
            if (why := stop()) is not None:
                raise StoppedError(f"stopped ({why}) in round {number}: the same command goes on")

        moved: list[Any] = []

        def mover(model: Path) -> Any:
            while moved:  # LAMMPS of the last model, whose plugin the next one takes away
                getattr(moved.pop(), "clean", lambda: None)()
            source = by_lammps(open_source(model, None), exports / model.stem, session)
            moved.append(source.calculator)
            return source.calculator

        learner = GapLearner(
            output, job, parts, calculator, workers, progress, stop, mover if lammps else None
        )
        atoms = [to_atoms(one) for one in starts]
        rounds = run_learn(atoms, learner, request, known, checkpoint.keep, tell)
    for line in learn_lines(rounds):
        say(session.console, line)
    with session.outputs.writing():
        count = learner.write_all(len(rounds), labels)
        content: dict[str, Any] = {
            "labels": count,
            "rounds": [[run.as_dict() for run in runs] for runs in rounds],
        }
        write_json(data, content)
        save_model(load_model(learner.model_file(len(rounds) - 1)), final)
        write_text(page, learn_page(job.title or "Active learning", rounds, request))
    say(session.console, f"{final}: the model after {count} labels")
    write_result(session, content)
