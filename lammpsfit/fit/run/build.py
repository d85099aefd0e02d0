"""From a job file to the objects of a fit, everything checked before any time is spent."""

from typing import Final

import numpy as np

from lammpsfit.config import Job, ParameterTable
from lammpsfit.errors import InputError
from lammpsfit.fit.base import Constraint, Optimiser, Slopes
from lammpsfit.fit.newton.descent import GaussNewtonSettings
from lammpsfit.fit.newton.optimiser import GaussNewton, MultistartSettings
from lammpsfit.fit.run.conditions import Condition, Conditions, of_condition
from lammpsfit.fit.run.problem import Problem, build_problem, start_potential
from lammpsfit.forcefield import Free, ParameterSpace, Potential, Tie
from lammpsfit.forcefield.guard import SpaceGuard, collapse
from lammpsfit.inputs import quoted
from lammpsfit.suggest import suggestion
from lammpsfit.target import MAIN, bulk_modulus

NEUTRAL_IN_ALL: Final = (
    "tie the charges so that every composition is neutral, or let one follow from each of them "
    "([charges] per_composition = true)"
)
"""What helps where one set of charges must leave several compositions neutral."""

COEFFICIENTS: Final = "c"
"""Symbol that stands for all coefficients of the spline of a pair."""

STUCK: Final = 0.5
"""Share of the cost of a gas without structure at which a descent that ends has gone nowhere."""


def build_conditions(job: Job) -> Conditions:
    """Load everything a job names, and check that it fits together.

    Raises
    ------
    InputError
        At the first thing that does not.
    """
    start = start_potential(job)
    bulk_modulus.check_conditions(job.bulk_modulus, [MAIN, *(other.name for other in job.also)])
    between = {name for table in job.bulk_modulus for name in table.conditions}
    main = build_problem(job, start, watch=MAIN in between)
    if job.strategy.race and main.target.structure is None:
        raise InputError("strategy.race must be 0 without [reference]: only R is bounded by a part")
    if not job.also:
        return Conditions.only(main)
    if job.strategy.race:
        raise InputError(
            "strategy.race must be 0 with [[also]]: one condition alone does not tell that all "
            "together cost too much"
        )
    every = [Condition(MAIN, _weight(1.0, main), main)]
    for other in job.also:
        if other.name == MAIN:
            raise InputError(
                f"[[also]] must not be named {quoted(MAIN)}, as the job's own condition is"
            )
        with of_condition(other.name):
            problem = build_problem(job.under(other), start, watch=other.name in between)
            every.append(Condition(other.name, _weight(other.weight, problem), problem))
    orders = [one.problem.system.species for one in every]
    union = tuple(dict.fromkeys(name for order in orders for name in order))
    # names of pairs are best those of a formula that has them all
    species = next((order for order in orders if len(order) == len(union)), union)
    settings = {one.name: one.problem.setting for one in every}
    joint = bulk_modulus.build(job.bulk_modulus, settings)
    return Conditions(start.restricted(species), tuple(every), joint)


def _weight(weight: float, problem: Problem) -> float:
    """Return the weight of a condition: none where nothing is wanted of it alone."""
    return weight if problem.target.terms else 0.0


def build_space(job: Job, conditions: Conditions) -> ParameterSpace:
    """Make the parameter space of a job.

    Raises
    ------
    InputError
        If the job frees nothing, a name or bound is wrong, or the charges of a condition do not
        add up to zero everywhere.
    """
    known = conditions.potential.parameters
    free, ties = [], []
    for name, table in _named(job, conditions.potential):
        if name not in known:
            raise InputError(
                f"[parameters]: no parameter {quoted(name)}: {suggestion(name, known)}"
            )
        if table.tied_to is not None:
            ties.append(Tie(name, table.tied_to, table.times))
        else:
            free.append(Free(name, *_bounds(name, table, known[name]), log=table.log))
    if not free:
        raise InputError("[parameters] must free at least one parameter, such as q_Si")
    space = ParameterSpace(
        base=conditions.potential,
        free=tuple(free),
        ties=tuple(ties),
        balance=job.charges.balance or conditions.potential.balance,
        composition=conditions.main.system.composition,
    )
    # a net charge is a sum of functions of one parameter each: these corners decide
    corners = [np.zeros(space.dim), *np.eye(space.dim)]
    for one in conditions.every[1:]:
        with of_condition(one.name):
            composition = one.problem.system.composition
            there = space.under(composition)
            for u in corners:
                there.potential(u).check_neutral(composition, NEUTRAL_IN_ALL)
    return space


def _named(job: Job, potential: Potential) -> list[tuple[str, ParameterTable]]:
    """Name the entries of ``[parameters]``: that of a spline is one for each coefficient.

    Coefficients that have an entry of their own keep it. A name that is given twice is here twice.
    """
    given = [(potential.parameter_name(name), table) for name, table in job.parameters.items()]
    own = {name for name, _ in given}
    found: list[tuple[str, ParameterTable]] = []
    for name, table in given:
        symbol, _, pair = name.rpartition("_")
        terms = potential.pairs.get(pair, ()) if symbol == COEFFICIENTS else ()
        members = [f"{c}_{pair}" for t in terms if t.form.knots for c in t.form.parameter_names]
        if name in potential.parameters or not members:
            found.append((name, table))
        elif table.tied_to is not None:
            raise InputError(f"{name} stands for {len(members)} coefficients: tie them one by one")
        else:
            found += [(member, table) for member in members if member not in own]
    return found


def build_constraint(job: Job, conditions: Conditions, space: ParameterSpace) -> Constraint:
    """Make the guard against collapse as a constraint on points of the unit cube."""
    return build_guard(job, conditions, space)[0]


def build_guard(
    job: Job, conditions: Conditions, space: ParameterSpace
) -> tuple[Constraint, Slopes]:
    """Make that constraint with its derivatives."""
    guards = [
        SpaceGuard(there, conditions.temperature, job.strategy.guard)
        for there in _spaces(conditions, space)
    ]
    return (
        lambda points: np.hstack([guard.margins(points) for guard in guards]),
        lambda u: np.vstack([guard.slopes(u) for guard in guards]),
    )


def _spaces(conditions: Conditions, space: ParameterSpace) -> list[ParameterSpace]:
    """Return the space as each composition sees it, none twice."""
    spaces: list[ParameterSpace] = []
    for one in conditions.every:
        there = space.under(one.problem.system.composition)
        if there not in spaces:
            spaces.append(there)
    return spaces


def build_optimiser(job: Job, conditions: Conditions, space: ParameterSpace) -> Optimiser:
    """Make the search a job asks for, beginning at the job's potential.

    Raises
    ------
    InputError
        If that potential itself would collapse.
    """
    table = job.strategy
    potential, temperature = conditions.potential, conditions.temperature
    guard = collapse(potential, temperature, table.guard)
    if not guard.sound:
        raise InputError(
            f"the start {potential.name} must not collapse at {temperature:g} K; {guard.reason}: "
            "start elsewhere, or lower strategy.barrier"
        )
    constraint, slopes = build_guard(job, conditions, space)
    start = space.unit(potential)
    linearise = conditions.linearise(space)
    if table.name != "paper":
        descent = GaussNewtonSettings(
            radius=table.radius, spread=table.spread, patience=table.quiet, batch=table.batch
        )
        # 0: no term knows a gas
        stuck = STUCK * conditions.structureless or np.inf
        multistart = MultistartSettings(table.starts, stuck=stuck, descent=descent)
        return GaussNewton(space.dim, multistart, linearise, job.seed, constraint, start, slopes)
    # with scikit-learn, which takes longer to import than all else
    from lammpsfit.fit.paper import DescentSettings, ExploreSettings, PaperSettings, PaperStrategy

    explore = ExploreSettings(
        n_design=table.design,
        plateau=table.plateau,
        max_explore=table.explore,
        race=table.race,
    )
    refine = DescentSettings(max_iterations=table.refine) if table.refine else None
    return PaperStrategy(
        space.dim,
        PaperSettings(explore, refine),
        seed=job.seed,
        constraint=constraint,
        start=start,
        linearise=linearise if table.gradients == "fluctuations" else None,
    )


def _bounds(name: str, table: ParameterTable, start: float) -> tuple[float, float]:
    if table.min is not None and table.max is not None:
        return table.min, table.max
    assert table.factor is not None  # the job file gives either
    if start == 0:
        raise InputError(f"{name} is 0 at the start, so a factor gives no bounds: use min and max")
    low, high = sorted((start / table.factor, start * table.factor))
    return low, high
