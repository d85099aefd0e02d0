"""What there is to show of a GAP: errors in units people use, pictures of fits and curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from lammpsfit.gap.accuracy import Compared, calibration
from lammpsfit.gap.learning import Curve, mean_and_spread
from lammpsfit.gap.train import TrainResult
from lammpsfit.labelled.frame import Frame
from lammpsfit.report.gap import Parity, plot_calibration, plot_parity, plot_training
from lammpsfit.report.gap_curves import LearningCurve, plot_learning_curves
from lammpsfit.units import BAR_PER_EV_PER_CUBIC_ANGSTROM, BAR_PER_GPA

MEV: Final = 1e3
GPA: Final = BAR_PER_EV_PER_CUBIC_ANGSTROM / BAR_PER_GPA
SHOWN: Final = {"energy": ("meV/atom", MEV), "forces": ("eV/Å", 1.0), "stress": ("GPa", GPA)}
"""Unit that each quantity is shown in, and how many of it are one of ours."""


def error_lines(compared: Mapping[str, Compared]) -> Iterator[str]:
    """Say MAE and RMSE of each quantity, and how good the predicted errors are."""
    if not compared:
        yield "no errors to tell: no frame is held out"
    for name, one in compared.items():
        unit, factor = SHOWN[name]
        line = f"{name:>7}: MAE {one.mae * factor:.4g}, RMSE {one.rmse * factor:.4g} {unit}"
        if (judged := calibration(one)) is not None:
            line += (
                f"; within 1 and 2 predicted errors {100 * judged.within[0]:.0f} and "
                f"{100 * judged.within[1]:.0f} % (normal: 68 and 95 %)"
            )
        yield line


def draw_errors(
    compared: Mapping[str, Compared], parity: Path, calibrated: Path, title: str = ""
) -> None:
    """Draw predictions over labels; beside it errors of forces over predicted ones, if any.

    Nothing is drawn where nothing was compared.
    """
    if not compared:
        return
    panels = [_panel(name, one) for name, one in compared.items()]
    plot_parity(panels, parity, title)
    if "forces" in compared and (judged := calibration(compared["forces"])) is not None:
        plot_calibration(
            judged.predicted, judged.made, judged.within, "eV/Å", calibrated, "errors of the forces"
        )


def _panel(name: str, one: Compared) -> Parity:
    unit, factor = SHOWN[name]
    # of energies only differences mean anything, and they are thousandths of their values
    zero = one.reference.mean() if name == "energy" else 0.0
    title = "energy, from the mean" if name == "energy" else name
    return Parity(title, unit, factor * (one.reference - zero), factor * (one.predicted - zero))


def draw_training(trained: TrainResult, path: Path, title: str = "") -> None:
    """Draw the likelihood and the errors of the frames that decide, step by step."""
    steps = trained.state.steps
    plot_training(
        {
            "error of validation forces (eV/Å)": {
                "MAE": np.array([step.held_out_mae for step in steps]),
                "RMSE": np.array([step.held_out_rmse for step in steps]),
            },
            "− ln likelihood": {"": np.array([step.loss for step in steps])},
        },
        steps.index(trained.best),
        path,
        title,
    )


def draw_curves(
    curves: Mapping[str, Curve], held_out: Sequence[Frame], folder: Path, title: str = ""
) -> tuple[Path, Path]:
    """Draw ``curve.png``, and ``scatter.png`` of the forces by models of the smallest size."""
    curve, scatter = folder / "curve.png", folder / "scatter.png"
    shown = {
        name: LearningCurve(one.sizes.astype(float), one.forces, MEV * one.energy)
        for name, one in curves.items()
    }
    plot_learning_curves(shown, curve, title)
    forces = [frame.forces.ravel() for frame in held_out if frame.forces is not None]
    panels = [
        Parity(f"{name}, {one.sizes[0]} frames", "eV/Å", np.concatenate(forces), one.predicted)
        for name, one in curves.items()
    ]
    plot_parity(panels, scatter, title)
    return curve, scatter


def curve_lines(curves: Mapping[str, Curve]) -> Iterator[str]:
    """Say the errors of each size as a table."""
    yield f"{'frames':>6}  {'descriptors':<11}  {'forces (eV/Å)':>17}  {'energy (meV/atom)':>17}"
    sizes = next(iter(curves.values())).sizes
    for k, size in enumerate(sizes):
        for name, one in curves.items():
            forces, energy = mean_and_spread(one.forces[k]), mean_and_spread(MEV * one.energy[k])
            yield (
                f"{size:>6}  {name:<11}  {forces[0]:>8.4f} ± {forces[1]:.4f}  "
                f"{energy[0]:>9.2f} ± {energy[1]:5.2f}"
            )
