"""What a pair distribution is and where it comes from, as comments of its table and as JSON."""

from __future__ import annotations

import math
from typing import Any

from ase.data import atomic_masses, atomic_numbers

from lammpsfit.reference.analyse import Analysis
from lammpsfit.structure.blocks import Estimate
from lammpsfit.structure.bonding import BondAngles, Coordination
from lammpsfit.structure.rdf import FloatArray
from lammpsfit.units import DALTON_PER_CUBIC_ANGSTROM

NORMALISATION = (
    "g(r) = pairs(r) V / [N_i (N_j - delta_ij) V_shell(r)], averaged over frames, each with its "
    "own volume V: as compute rdf of LAMMPS"
)


def header(analysis: Analysis, command: str) -> list[str]:
    """Comment lines for the table of g(r)."""
    n = sum(analysis.atoms.values())
    atoms = ", ".join(f"{number} {name}" for name, number in analysis.atoms.items())
    lines = [f"Partial pair distribution functions of {n} atoms: {atoms}"]
    lines += [f"Source: {path} ({form}, {n} frames)" for path, form, n in analysis.sources]
    lines += [
        _frames(analysis),
        _box(analysis),
        "Temperature: unknown (a trajectory of positions does not tell it)",
        f"Normalisation: {NORMALISATION}",
        _errors(analysis),
        f"Range: {_range(analysis)}",
    ]
    lines += [f"Cutoff: {line}" for line in cutoff_lines(analysis)]
    lines += [f"Coordination: {coordination_line(c)}" for c in analysis.coordination]
    lines += [f"Note: {line}" for line in analysis.warnings]
    lines.append(f"Command: {command}")
    return lines


def angle_header(analysis: Analysis, command: str) -> list[str]:
    """Comment lines for the table of bond angles."""
    return [
        "Distributions p of the bond angle A-B-C at B in 1/degree: sum of p times the bin width "
        "is 1, not divided by sin(theta)",
        *(f"Source: {path} ({form}, {n} frames)" for path, form, n in analysis.sources),
        _frames(analysis),
        _errors(analysis),
        *(f"Cutoff: {line}" for line in cutoff_lines(analysis)),
        *(f"Mean: {line}" for line in angle_lines(analysis)),
        f"Command: {command}",
    ]


def cutoff_lines(analysis: Analysis) -> list[str]:
    """Say for each pair where a bond ends, and how that was found."""
    return [
        f"{pair} {cutoff:.2f} Å ({'given' if pair in analysis.given else 'first minimum of g(r)'})"
        for pair, cutoff in analysis.cutoffs.items()
    ]


def coordination_line(c: Coordination) -> str:
    """Say how many neighbours there are, and the share of each number above 0.5 %."""
    shares = ", ".join(
        f"{k}: {100 * share:.1f} %" for k, share in enumerate(c.fraction) if share >= 0.005
    )
    return f"{c.neighbour} around {c.centre} {_with_error(c.number, 3)} ({shares})"


def angle_lines(analysis: Analysis) -> list[str]:
    """Say the mean of each angle."""
    if analysis.angles is None:
        return []
    pairs = zip(analysis.angles.triples, analysis.angles.mean, strict=True)
    return [f"{triple} {_with_error(mean, 1)}°" for triple, mean in pairs]


def summary(analysis: Analysis, command: str) -> dict[str, Any]:
    """Everything that was measured, for programs; None where an error is not known."""
    rdf, settings = analysis.rdf, analysis.settings
    known = rdf.blocks is not None and len(rdf.blocks) > 1
    errors = rdf.variance**0.5
    return {
        "command": command,
        "sources": [
            {"file": str(path), "format": form, "frames": n} for path, form, n in analysis.sources
        ],
        "frames": {
            "used": analysis.used,
            "skipped": analysis.skipped,
            "stride": settings.selection.stride,
            "dropped_for_equal_blocks": analysis.dropped,
            "blocks": settings.blocks,
        },
        "atoms": dict(analysis.atoms),
        "density_g_per_cm3": mass_density(analysis),
        "volume_A3": dict(zip(("mean", "min", "max"), analysis.volume, strict=True)),
        "smallest_height_A": analysis.smallest_height,
        "normalisation": NORMALISATION,
        "r_A": rdf.r.tolist(),
        "g": {pair: g.tolist() for pair, g in zip(rdf.pairs, rdf.g, strict=True)},
        "g_error": {
            pair: error.tolist() if known else None
            for pair, error in zip(rdf.pairs, errors, strict=True)
        },
        "cutoffs": {
            pair: {"r_A": cutoff, "given": pair in analysis.given}
            for pair, cutoff in analysis.cutoffs.items()
        },
        "coordination": [_coordination(c) for c in analysis.coordination],
        "angles": {} if analysis.angles is None else _angles(analysis.angles),
        "notes": list(analysis.warnings),
    }


def angle_columns(angles: BondAngles) -> dict[str, FloatArray]:
    """Columns of the table of bond angles; errors where they are known."""
    columns = {"theta_deg": angles.theta}
    columns |= {f"p_{name}": p for name, p in zip(angles.triples, angles.p, strict=True)}
    columns |= {
        f"err_{name}": error
        for name, error in zip(angles.triples, angles.error, strict=True)
        if not math.isnan(error[0])
    }
    return columns


def _frames(analysis: Analysis) -> str:
    selection = analysis.settings.selection
    total = sum(n for _, _, n in analysis.sources)
    line = f"Frames: {analysis.used} of {total}, the first {analysis.skipped} skipped"
    if selection.stride > 1:
        line += f", then one in {selection.stride}"
    if analysis.dropped:
        line += f", then {analysis.dropped} left out for blocks of equal length"
    return line


def _box(analysis: Analysis) -> str:
    mean, low, high = analysis.volume
    changes = "constant" if math.isclose(low, high, rel_tol=1e-9) else f"{low:.6g} to {high:.6g}"
    return (
        f"Box: volume {mean:.6g} Å^3 ({changes}), smallest height "
        f"{analysis.smallest_height:.5g} Å, {sum(analysis.atoms.values()) / mean:.5g} atoms/Å^3"
        f"{_mass_density(analysis)}"
    )


def _mass_density(analysis: Analysis) -> str:
    density = mass_density(analysis)
    return "" if density is None else f", {density:.4g} g/cm^3"


def mass_density(analysis: Analysis) -> float | None:
    """Return the density in g/cm³ that ``[system]`` of a job wants; None without elements."""
    if not atomic_numbers.keys() >= analysis.atoms.keys():
        return None
    mass = sum(n * atomic_masses[atomic_numbers[name]] for name, n in analysis.atoms.items())
    return float(mass / analysis.volume[0] / DALTON_PER_CUBIC_ANGSTROM)


def _errors(analysis: Analysis) -> str:
    blocks = analysis.settings.blocks
    if blocks == 1:
        return "Errors: none, one block"
    return (
        f"Errors: standard error of the mean from {blocks} blocks of {analysis.used // blocks} "
        f"frames; right if a block is longer than the correlation time"
    )


def _range(analysis: Analysis) -> str:
    end = float(analysis.rdf.edges[-1])
    half = analysis.smallest_height / 2
    if end <= half * (1 + 1e-9):
        return f"up to {end:.5g} Å, within half the smallest height of the box"
    return f"up to {end:.5g} Å; beyond {half:.5g} Å periodic images count as neighbours"


def _with_error(estimate: Estimate, digits: int) -> str:
    if math.isnan(estimate.error):
        return f"{estimate.mean:.{digits}f}"
    return f"{estimate.mean:.{digits}f} ± {estimate.error:.{digits}f}"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _coordination(c: Coordination) -> dict[str, Any]:
    return {
        "centre": c.centre,
        "neighbour": c.neighbour,
        "mean": c.number.mean,
        "error": _number(c.number.error),
        "fraction": c.fraction.tolist(),
        "fraction_error": [_number(x) for x in c.error],
    }


def _angles(angles: BondAngles) -> dict[str, Any]:
    return {
        name: {
            "mean_deg": mean.mean,
            "error_deg": _number(mean.error),
            "theta_deg": angles.theta.tolist(),
            "p": p.tolist(),
            "p_error": [_number(x) for x in error],
        }
        for name, mean, p, error in zip(
            angles.triples, angles.mean, angles.p, angles.error, strict=True
        )
    }
