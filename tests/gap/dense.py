"""The textbook formulas written out for a few atoms: loops, differences, explicit Hessians."""

import itertools

import numpy as np
from numpy.polynomial import legendre

STEP = 1e-4
"""Of central differences, Å or strain."""


def images(frame, i, cutoff):
    """Species and vector of every neighbour of an atom, by looking at all cells around."""
    for shift in itertools.product(range(-3, 4), repeat=3):
        for j, symbol in enumerate(frame.symbols):
            vector = frame.positions[j] + shift @ frame.cell - frame.positions[i]
            if 0.0 < np.linalg.norm(vector) < cutoff:
                yield symbol, vector


def gaussian(parameters, kind, s, k, r, cutoff):
    width = cutoff * np.exp(parameters[f"{kind}_eta"][s, k])
    centre = cutoff * parameters[f"{kind}_centre"][s, k]
    return np.exp(-(((r - centre) / width) ** 2)) * 0.5 * (np.cos(np.pi * r / cutoff) + 1.0)


def descriptors_of(frame, descriptors, parameters):
    """G of every atom, pair of neighbours by pair of neighbours."""
    p = {name: np.asarray(values) for name, values in parameters.items()}
    radial, angular = descriptors.radial, descriptors.angular
    species = descriptors.species
    rows = []
    for i in range(len(frame)):
        G = np.zeros((len(species), radial.count))
        for symbol, vector in images(frame, i, radial.cutoff):
            s = species.index(symbol)
            for k in range(radial.count):
                G[s, k] += gaussian(p, "radial", s, k, np.linalg.norm(vector), radial.cutoff)
        channels = [(s, k) for s in range(len(species)) for k in range(angular.count)]
        near = list(images(frame, i, angular.cutoff))
        three = []
        for degree in angular.degrees:
            for x, y in itertools.combinations_with_replacement(channels, 2):
                total = 0.0
                for (symbol_j, u), (symbol_k, v) in itertools.product(near, repeat=2):
                    if species.index(symbol_j) == x[0] and species.index(symbol_k) == y[0]:
                        a, b = np.linalg.norm(u), np.linalg.norm(v)
                        total += (
                            gaussian(p, "angular", *x, a, angular.cutoff)
                            * gaussian(p, "angular", *y, b, angular.cutoff)
                            * legendre.legval(u @ v / a / b, [0.0] * degree + [1.0])
                        )
                three.append(total)
        rows.append(np.concatenate([G.ravel(), three]))
    return np.array(rows)


def moved(frame, coordinate, step):
    """The frame with one coordinate, or one strain, moved."""
    from dataclasses import replace

    n = 3 * len(frame)
    if coordinate < n:
        positions = np.array(frame.positions)
        positions.flat[coordinate] += step
        return replace(frame, positions=positions)
    a, b = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)][coordinate - n]
    F = np.eye(3)
    F[a, b] += 0.5 * step
    F[b, a] += 0.5 * step
    return replace(frame, positions=frame.positions @ F, cell=frame.cell @ F)


def described(frame, descriptors, parameters, theta):
    """Scaled descriptors z (n, d) and their derivatives in each observation (n, c, d)."""
    lengths = descriptors.layout.lengths
    scale = np.array(descriptors.scale) * np.repeat(theta, lengths)

    def z(at):
        G = descriptors_of(at, descriptors, parameters)
        return (G - np.array(descriptors.offset)) / scale

    columns = []
    for c in range(3 * len(frame) + 6):
        slope = (z(moved(frame, c, STEP)) - z(moved(frame, c, -STEP))) / (2 * STEP)
        columns.append(-slope if c < 3 * len(frame) else slope / frame.volume)
    return z(frame), np.stack(columns, axis=1)


def covariance(one, other, frame, other_frame, amplitude):
    """Covariances of energy, forces and stresses of two frames, Hessian by Hessian."""
    (z, B), (y, C) = one, other
    K = np.zeros((1 + B.shape[1], 1 + C.shape[1]))
    for i, j in itertools.product(range(len(z)), range(len(y))):
        if frame.symbols[i] != other_frame.symbols[j]:
            continue
        d = z[i] - y[j]
        k = amplitude**2 * np.exp(-0.5 * d @ d)
        hessian = k * (np.eye(len(d)) - np.outer(d, d))  # d2k / dz dy
        K[0, 0] += k
        K[0, 1:] += C[j] @ (k * d)
        K[1:, 0] += B[i] @ (-k * d)
        K[1:, 1:] += B[i] @ hessian @ C[j].T
    return K
