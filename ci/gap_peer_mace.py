"""MACE, trained from scratch on a CPU, beside which the GAP benchmarks are set.

``pip install 'torch==2.13.0+cpu' mace-torch`` (or whatever torch for CPUs there is) into an
environment that has lammpsfit too. Training ends when it has used up its CPU seconds; the weights
are the averaged ones of the epoch whose forces on some of the training frames, which are not
learnt from, were best.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lammpsfit.gap.predict import Prediction
from lammpsfit.labelled.frames import Frame, to_atoms

BUDGET_S = float(os.environ.get("MACE_BUDGET_S", "1200"))
"""CPU seconds of the training."""

CUTOFF = 6.0
CHANNELS = "16x0e + 16x1o"
BATCH = 2
HELD_OUT = 5
"""One of so many training frames decides which epoch is kept."""

RATE = 0.01
WEIGHTS = {"energy_weight": 1.0, "forces_weight": 100.0, "stress_weight": 10.0}


def fit_and_predict(
    train: Sequence[Frame], test: Sequence[Frame], folder: Path
) -> tuple[list[Prediction], float]:
    """Fit, and predict other frames: predictions, and CPU seconds of the fit."""
    import torch
    from mace.modules import WeightedEnergyForcesStressLoss

    began = time.process_time()
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(1)
    alone = float(np.mean([frame.energy / len(frame) for frame in train]))
    learn = [frame for k, frame in enumerate(train) if k % HELD_OUT]
    judged = batches(train[::HELD_OUT], 1, shuffle=False)
    loader = batches(learn, BATCH, shuffle=True)
    model = make_model(train, alone)
    loss_of = WeightedEnergyForcesStressLoss(**WEIGHTS)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE, amsgrad=True)
    decay = torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=decay)
    best, kept, epoch = np.inf, None, 0
    while (used := time.process_time() - began) < BUDGET_S:
        for group in optimiser.param_groups:  # to a hundredth along half a cosine
            group["lr"] = RATE * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * used / BUDGET_S)))
        for batch in loader:
            optimiser.zero_grad()
            found = model(batch.to_dict(), training=True, compute_stress=True)
            loss = loss_of(pred=found, ref=batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimiser.step()
            average.update_parameters(model)
        epoch += 1
        error = force_error(average.module, judged)
        if error < best:
            best = error
            kept = {name: value.clone() for name, value in average.module.state_dict().items()}
        print(
            f"epoch {epoch}, {used:.0f} s: held out {error:.4f}, best {best:.4f} eV/Å", flush=True
        )
    cpu = time.process_time() - began
    model.load_state_dict(kept)
    asked = batches(test, 1, shuffle=False)
    return [predict_one(*pair, model) for pair in zip(test, asked, strict=True)], cpu


def batches(frames: Sequence[Frame], size: int, *, shuffle: bool):
    """Return frames as MACE takes them."""
    from mace.data import AtomicData, KeySpecification, config_from_atoms
    from mace.tools import AtomicNumberTable
    from mace.tools.torch_geometric.dataloader import DataLoader

    keys = KeySpecification(
        info_keys={"energy": "REF_energy", "stress": "REF_stress"},
        arrays_keys={"forces": "REF_forces"},
    )
    table = AtomicNumberTable(sorted({int(z) for f in frames for z in to_atoms(f).numbers}))
    data = []
    for frame in frames:
        atoms = to_atoms(frame.unlabelled())
        atoms.info |= {"REF_energy": frame.energy, "REF_stress": frame.stress}
        atoms.arrays["REF_forces"] = frame.forces
        config = config_from_atoms(atoms, key_specification=keys)
        data.append(AtomicData.from_config(config, z_table=table, cutoff=CUTOFF))
    return DataLoader(data, batch_size=size, shuffle=shuffle)


def make_model(frames: Sequence[Frame], alone: float):
    """Return a model with weights at random; `alone` is the energy of an atom, eV."""
    import torch
    from e3nn import o3
    from mace.modules import ScaleShiftMACE, interaction_classes

    numbers = sorted({int(z) for frame in frames for z in to_atoms(frame).numbers})
    block = interaction_classes["RealAgnosticResidualInteractionBlock"]
    edges = [batch.edge_index.shape[1] for batch in batches(frames[:3], 1, shuffle=False)]
    return ScaleShiftMACE(
        atomic_inter_scale=float(np.sqrt(np.mean([np.mean(f.forces**2) for f in frames]))),
        atomic_inter_shift=0.0,
        r_max=CUTOFF,
        num_bessel=8,
        num_polynomial_cutoff=5,
        max_ell=3,
        interaction_cls=block,
        interaction_cls_first=block,
        num_interactions=2,
        num_elements=len(numbers),
        hidden_irreps=o3.Irreps(CHANNELS),
        MLP_irreps=o3.Irreps("16x0e"),
        atomic_energies=np.full((1, len(numbers)), alone),
        avg_num_neighbors=float(np.mean(edges)) / len(frames[0]),
        atomic_numbers=numbers,
        correlation=3,
        gate=torch.nn.functional.silu,
    )


def force_error(model, loader) -> float:
    """Return the MAE of forces, eV/Å."""
    errors = []
    for batch in loader:
        found = model(batch.to_dict(), compute_force=True)["forces"].detach()
        errors.append(float((found - batch.forces).abs().mean()))
    return float(np.mean(errors))


def predict_one(frame: Frame, batch, model) -> Prediction:
    """Predict a frame."""
    found = model(batch.to_dict(), compute_force=True, compute_stress=True)
    energy, forces, stress = (
        found[name].detach().numpy().astype(float) for name in ("energy", "forces", "stress")
    )
    each = np.full(len(frame), energy[0] / len(frame))
    rows, columns = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)
    return Prediction(float(energy[0]), each, forces, stress.reshape(3, 3)[rows, columns])
