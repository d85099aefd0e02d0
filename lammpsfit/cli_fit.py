"""A fit on the command line: what it will do, how it is run, and what came of it."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from lammpsfit.cli_output import Session, say, write_result
from lammpsfit.errors import StoppedError
from lammpsfit.words import FITTED

if TYPE_CHECKING:
    from lammpsfit.config import Job
    from lammpsfit.farm.base import Farm
    from lammpsfit.fit.run.conditions import Conditions
    from lammpsfit.fit.run.open_fit import Fit
    from lammpsfit.fit.run.problem import Problem
    from lammpsfit.fit.run.result import FitResult
    from lammpsfit.fit.run.run_folder import RunFolder
    from lammpsfit.fit.run.warm_start import Memory
    from lammpsfit.forcefield import Potential
    from lammpsfit.md.export import Check
    from lammpsfit.target import Evaluation


def describe(job: "Job", console: Console, warm: Sequence[Path] = ()) -> "list[Memory]":
    """Check a job as a whole and say what it will do; return what it has of earlier runs."""
    from lammpsfit.fit.run.build import build_conditions, build_optimiser, build_space
    from lammpsfit.fit.run.warm_start import recall

    conditions = build_conditions(job)
    space = build_space(job, conditions)
    conditions.of_size(job.confirm).load_known(job.confirm.compare)
    build_optimiser(job, conditions, space)
    name = conditions.potential.name
    fitted = f"{space.dim} parameters of {name} ({', '.join(space.names)})"
    say(console, f"{job.title or name}: {fitted}, {_words(conditions.main)}")
    for one in conditions.every[1:]:
        weight = f"weight {one.weight:g}" if one.weight else "nothing is wanted of it alone"
        say(console, f"also {one.name}: {_words(one.problem)}; {weight}")
    memories = [recall(path, job, conditions, space) for path in warm]
    for memory in memories:
        say(console, memory.words)
    return memories


def begin(output: Path, job: "Job", memories: "list[Memory]") -> "Fit":
    """Make the run folder of a new fit, with what there is of earlier runs, and open it."""
    from lammpsfit.fit.run.open_fit import open_fit
    from lammpsfit.fit.run.run_folder import create_run, open_run
    from lammpsfit.fit.run.warm_start import take_in

    fit = open_fit(*open_run(create_run(output, job).path))
    take_in(fit, memories)
    return fit


def _words(problem: "Problem") -> str:
    from lammpsfit.md.ensemble import state_words

    system, protocol = problem.system, problem.protocol
    return (
        f"{system.atoms} atoms of {system.formula} at {state_words(system, protocol)}, "
        f"{protocol.relax:g} + {protocol.sample:g} ps"
    )


def run_to_end(opening: "Callable[[], Fit]", farm: "Farm[Evaluation]", session: Session) -> None:
    """Open a fit and run it to its end, then print, draw and export what came of it.

    From before there is a journal, signals stop the fit in order.
    """
    from lammpsfit.farm.stop import Stop
    from lammpsfit.fit.run.loop import run_fit
    from lammpsfit.report.progress import ProgressMonitor

    with Stop(session.walltime) as stop:
        opened = opening()
        for note in opened.notes:
            say(session.console, f"note: {note}")
        opened.deadline = stop.deadline
        result = run_fit(opened, farm, ProgressMonitor(session.console), stop)
    write_result(session, result.summary)
    _present(result, session.console)
    if result.stopped is not None:
        again = f"lammpsfit resume {shlex.quote(str(opened.folder.path))}"
        say(session.console, f"stopped ({result.stopped}): '{again}' goes on from here")
        raise typer.Exit(StoppedError.exit_code)


def _present(result: "FitResult", console: Console) -> None:
    """Show the result of a fit: table, pictures, LAMMPS files."""
    from lammpsfit.report.convergence import plot_convergence
    from lammpsfit.report.results import levels, plot_other_terms, plot_results, points, rows, under
    from lammpsfit.report.tables import print_costs
    from lammpsfit.report.uncertainty import plot_uncertainty, uncertainty_lines

    fit, folder = result.fit, result.fit.folder
    title = fit.job.title
    known = {label: cost for label, cost in levels(result.rows).items() if label != FITTED}
    plot_convergence(
        points(fit.records), folder.path / "convergence.png", title, known, fit.conditions.minimised
    )
    if result.potential is None:
        return
    for one in fit.conditions.every:
        target, found = one.problem.target, under(result.rows, one.name)
        if target.structure is not None:
            plot_results(target.reference, found, folder.rdf_plot(one.name), title)
        plot_other_terms(target, found, folder.terms_plot(one.name), title)
    print_costs(rows(result.rows), console)
    for name, value in result.summary["best"]["parameters"].items():
        start = fit.conditions.potential.parameters[name]
        say(console, f"{name:>10} = {value:<12.6g} (start {start:.6g})")
    if (block := result.summary.get("uncertainty")) is not None:
        if any(direction["resolved"] for direction in block["directions"]):
            plot_uncertainty(block, folder.path / "uncertainty.png", title)
        for line in uncertainty_lines(block, result.summary["best"]["parameters"]):
            say(console, line)
    check = export_fit(folder, fit.conditions, folder.lammps)
    say(console, f"{folder.lammps}: {check}")
    write_report(folder.path, console)


def export_fit(
    folder: "RunFolder",
    conditions: "Conditions",
    output: Path,
    potential: "Potential | None" = None,
) -> "Check":
    """Export a potential of a fit, by default its result, tried on the compound it was fitted to.

    Species are in the order of its formula. Where no condition has all species, or the start
    structure was removed or has a tilted box, a small box of another compound is molten.
    """
    from lammpsfit.md.export import export_potential

    if potential is None:
        potential = conditions.load(str(folder.potential))
    whole = conditions.whole
    if whole is None:
        return export_potential(potential, output)
    system, temperature = whole.problem.system, whole.problem.protocol.temperature
    structure = folder.structure(system.atoms, whole.name)
    tilted = whole.problem.box is not None and whole.problem.box.tilted
    return export_potential(
        potential.for_composition(system.composition),
        output,
        structure if structure.exists() and not tilted else None,
        temperature,
    )


def write_report(run: Path, console: Console) -> None:
    """Write the page of a finished fit; whatever goes wrong with it, the fit is done."""
    page = run / "report.html"
    try:
        from lammpsfit.run_pages import write_page

        write_page(run, page)
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        again = f"lammpsfit report {shlex.quote(str(run))}"
        say(console, f"{page}: not written ({why}); '{again}' tries again")
    else:
        say(console, f"{page}: all of this, with pictures")
