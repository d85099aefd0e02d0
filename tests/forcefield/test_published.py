"""Forces of every potential of the library, by LAMMPS styles written out here.

Numbers are typed again from their sources, in the units and the order of those; nothing of what
lammpsfit writes for LAMMPS is used. Potentials that were fitted here have no other source than
their file: of these its numbers are taken as they stand.
"""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import BSpline, PPoly

from lammpsfit.forcefield import library_names, load_potential
from lammpsfit.forcefield.coulomb.ewald import periodic_coulomb

POTENTIALS = Path(__file__).parents[2] / "potentials"

BOX = 18.0
APART = 1.6
"""Least distance of two atoms in Å: inside most bonds, outside the holes of Buckingham forms."""

EWALD = "kspace_style ewald 1e-10"

BKS = {"Si-O": (18003.7572, 4.87318, 133.5381), "O-O": (1388.773, 2.76, 175.0)}
"""Buckingham's A in eV, B in 1/Å and C in eV Å^6."""

CHIK = {
    "Si-Si": (3150.462646, 2.851451, 626.751953),
    "Si-O": (27029.419922, 5.158606, 148.099091),
    "O-O": (659.595398, 2.590066, 26.836679),
}

ML = {"Si-O": (20453.601, 1 / 0.191735, 93.496), "O-O": (1003.387, 1 / 0.356855, 81.491)}
ML_SIO = {"Si-O": (3968.508, 1 / 0.1876, 0.677)}
ML_ALL = ML | {"Si-Si": (2643.111, 1 / 0.303616, 232.009)}

CORE = {"Si-Si": 3423200.0, "Si-O": 29.0, "O-O": 113.0}
"""D in eV Å^24."""

TETER = {
    "O": (-1.2, 2029.2204, 0.343645, 192.58),
    "Si": (2.4, 13702.905, 0.193817, 54.681),
    "Al": (1.8, 12201.417, 0.195628, 31.997),
    "P": (3.0, 26655.472, 0.181968, 86.856),
    "Ti": (2.4, 23707.909, 0.18558, 14.513),
    "Zr": (2.4, 17943.384, 0.226627, 127.65),
    "La": (1.8, 4369.39, 0.2786, 60.28),
    "Li": (0.6, 41051.938, 0.15116, 0.0),
    "Na": (0.6, 4383.7555, 0.243838, 30.7),
    "K": (0.6, 20526.972, 0.233708, 51.489),
    "Mg": (1.2, 7063.4907, 0.2109, 19.21),
    "Ca": (1.2, 7747.1834, 0.252623, 93.109),
    "Sr": (1.2, 14566.637, 0.245015, 81.773),
}
"""Charge, and A, rho and C with oxygen."""

GUILLOT_SATOR = {
    "O": (-0.945, 9022.79, 0.265, 85.0921),
    "Si": (1.89, 50306.10, 0.161, 46.2978),
    "Ti": (1.89, 50126.64, 0.178, 46.2978),
    "Al": (1.4175, 28538.42, 0.172, 34.5778),
    "Fe": (0.945, 13032.93, 0.190, 0.0),
    "Mg": (0.945, 32652.64, 0.178, 27.2810),
    "Ca": (0.945, 155667.70, 0.178, 42.2597),
    "Na": (0.4725, 120303.80, 0.170, 0.0),
    "K": (0.4725, 2284.77, 0.290, 0.0),
}

BJP = {
    "Ca-Ca": (0.0035, 0.0800, 2.3440, 20.9856),
    "Ca-Al": (0.0032, 0.0740, 1.9572, 17.1710),
    "Ca-O": (0.0077, 0.1780, 2.9935, 42.2556),
    "Al-Al": (0.0029, 0.0680, 1.5704, 14.0498),
    "Al-O": (0.0075, 0.1640, 2.6067, 34.5747),
    "O-O": (0.0120, 0.2630, 3.6430, 85.0840),
    "Ca-Si": (0.0027, 0.0630, 1.8924, 22.9907),
    "Si-O": (0.0070, 0.1560, 2.5419, 46.2930),
    "Al-Si": (0.0025, 0.0570, 1.5056, 18.8116),
    "Si-Si": (0.0012, 0.0460, 1.4408, 25.1873),
}
"""A in eV, rho and sigma in Å, C in eV Å^6."""

PMMCS = {
    "O": (-1.2, 0.042395, 1.379316, 3.618701, 22.0),
    "Si": (2.4, 0.340554, 2.0067, 2.1, 1.0),
    "Al": (1.8, 0.361581, 1.900442, 2.164818, 0.9),
    "P": (3.0, 0.831326, 2.585833, 1.80079, 1.0),
    "Ge": (2.4, 0.158118, 2.29423, 2.261313, 5.0),
    "Sn": (2.4, 0.0794, 2.15677, 2.633076, 3.0),
    "Ti": (2.4, 0.024235, 2.254703, 2.708943, 1.0),
    "Zr": (2.4, 0.206237, 2.479675, 2.436997, 1.0),
    "Li": (0.6, 0.001114, 3.429506, 2.68136, 1.0),
    "Na": (0.6, 0.023363, 1.763867, 3.006315, 5.0),
    "K": (0.6, 0.011612, 2.062605, 3.305308, 5.0),
    "Cu": (0.6, 0.09072, 3.802168, 2.055405, 1.0),
    "Ag": (0.6, 0.088423, 3.439162, 2.265956, 1.0),
    "Be": (1.2, 0.239919, 2.52742, 1.815405, 1.0),
    "Mg": (1.2, 0.038908, 2.281, 2.586153, 5.0),
    "Ca": (1.2, 0.030211, 2.241334, 2.923245, 5.0),
    "Sr": (1.2, 0.019623, 1.886, 3.32833, 3.0),
    "Ba": (1.2, 0.065011, 1.547596, 3.39341, 5.0),
    "Mn": (1.2, 0.029658, 1.997543, 2.852075, 3.0),
    "Fe": (1.2, 0.078171, 1.822638, 2.658163, 2.0),
    "Co": (1.2, 0.012958, 2.361272, 2.756282, 3.0),
    "Ni": (1.2, 0.029356, 2.679137, 2.500754, 3.0),
    "Zn": (1.2, 0.001221, 3.150679, 2.85185, 1.0),
    "Sc": (1.8, 0.000333, 3.144445, 3.2, 2.6),
    "Cr": (1.8, 0.399561, 1.785079, 2.34081, 1.0),
    "Nd": (1.8, 0.01458, 1.8251, 3.398717, 3.0),
    "Gd": (1.8, 0.000132, 2.013, 4.351589, 3.0),
    "Er": (1.8, 0.040448, 2.294078, 2.837722, 3.0),
}
"""Charge, and De in eV, a in 1/Å, r0 in Å and C in eV Å^12 with oxygen."""

SHIK_CHARGES = {
    "Si": 1.7755,
    "B": 1.6126,
    "Al": 1.6334,
    "Li": 0.5727,
    "Na": 0.6018,
    "K": 0.6849,
    "Mg": 1.085,
    "Ca": 1.4977,
}
SHIK = {
    "O-O": (1120.528996, 2.892741833, 26.13207696, 16800),
    "O-Si": (23107.84764, 5.097856735, 139.6947857, 66.0),
    "Si-Si": (2797.979165, 4.407320018, 0.0, 3423204),
    "O-Mg": (139373, 6.0395, 79.562, 16800),
    "Si-Mg": (516227, 5.3958, 0.0, 16800),
    "Mg-Mg": (19669, 4.0, 0.0, 16800),
    "O-Ca": (146905, 5.6094, 45.073, 16800),
    "Si-Ca": (77366, 5.077, 0.0, 16800),
    "Ca-Ca": (21633, 3.2562, 0.0, 16800),
    "O-B": (16182.14122, 5.6068912, 59.20266682, 32.0),
    "B-B": (1805.537033, 3.822750437, 69.1743994, 6000.0),
    "Li-B": (4148.6, 3.5726, 102.36, 16800),
    "Na-B": (3148.5, 3.6183, 34.0, 16800),
    "K-B": (1548.6, 2.7283, 201.36, 16800),
    "B-Si": (4798.0, 3.6703, 207.0, 16800),
    "Mg-B": (5000.0, 4.0533, 0.736, 16800),
    "Ca-B": (848.55, 5.9826, 81.355, 16800),
    "O-Li": (6745.2, 4.912, 41.221, 70.0),
    "Si-Li": (17284, 4.3848, 0.0, 16800),
    "Li-Li": (2323.8, 3.9129, 0.0, 3240),
    "O-Na": (1127566, 6.8986, 40.562, 16800),
    "Si-Na": (495653, 5.4151, 0.0, 16800),
    "Na-Na": (1476.9, 3.4075, 0.0, 16800),
    "O-K": (258160, 5.1698, 130.77, 16800),
    "Si-K": (268967, 4.3289, 0.0, 16800),
    "K-K": (3648.0, 4.4207, 0.0, 16800),
    "O-Al": (21740, 5.3054, 65.815, 66.0),
    "Al-Al": (1799.1, 3.6778, 100.0, 16800),
}
"""A in eV, B in 1/Å, C in eV Å^6 and D in eV Å^24."""


class Published:
    """A compound, the charges of its species, and LAMMPS lines about pairs of names."""

    def __init__(self, atoms, charges, style, pairs, after=()):
        self.atoms, self.charges = atoms, charges
        self.style, self.pairs, self.after = style, pairs, after

    def lines(self):
        types = {name: k for k, name in enumerate(self.atoms, 1)}
        yield from (f"set type {types[name]} charge {q!r}" for name, q in self.charges.items())
        yield f"pair_style {self.style}"
        yield "pair_modify table 0"
        for pair, words in self.pairs:
            yield f"pair_coeff {' '.join(pair_types(pair, types))} {words}"
        yield from self.after


def pair_types(pair, types):
    if pair == "*":
        return "*", "*"
    return [str(k) for k in sorted(types[name] for name in pair.split("-"))]


def silica(q, buckingham):
    """Buckingham, damped shifted force, and cores, as Liu et al. have them."""
    pairs = [("*", "coul/dsf"), ("*", "buck 0.0 1.0 0.0")]
    pairs += [(pair, f"buck {A} {1 / B!r} {C}") for pair, (A, B, C) in buckingham.items()]
    pairs += [(pair, f'lepton "{D}/r^24"') for pair, D in CORE.items()]
    charges = {"Si": q, "O": -q / 2}
    return Published(
        {"Si": 32, "O": 64}, charges, "hybrid/overlay buck 8.0 coul/dsf 0.25 8.0 lepton 8.0", pairs
    )


def silica_ewald(q, buckingham, short, cores):
    style = f"hybrid/overlay buck/coul/long {short} 10.0 lepton {short}"
    pairs = [("*", "buck/coul/long 0.0 1.0 0.0")]
    pairs += [(p, f"buck/coul/long {A} {1 / B!r} {C}") for p, (A, B, C) in buckingham.items()]
    pairs += [(pair, f'lepton "{D}/r^24"') for pair, D in cores.items()]
    return Published({"Si": 32, "O": 64}, {"Si": q, "O": -q / 2}, style, pairs, (EWALD,))


def teter():
    pairs = [("*", "coul/dsf"), ("*", "buck 0.0 1.0 0.0")]
    for name in ("Na", "Si", "O"):
        _, A, rho, C = TETER[name]
        pairs.append((f"{name}-O", f"buck {A} {rho} {C}"))
    pairs += [(pair, f'lepton "{D}/r^24"') for pair, D in CORE.items()]
    charges = {name: TETER[name][0] for name in ("Na", "Si", "O")}
    style = "hybrid/overlay buck 8.0 coul/dsf 0.25 8.0 lepton 8.0"
    return Published({"Na": 32, "Si": 16, "O": 48}, charges, style, pairs)


def with_oxygen(rows, atoms, style, others, words, cores=()):
    """A potential whose pairs are those with oxygen; `others` is for those of cations."""
    pairs = [("*", others)]
    pairs += [(f"{name}-O", words.format(*numbers)) for name, (_, *numbers) in rows.items()]
    pairs += [(pair, f'lepton "{D}/r^24"') for pair, D in cores]
    charges = {name: row[0] for name, row in rows.items()}
    return Published(atoms, charges, style, pairs, (EWALD,))


def born():
    pairs = [(p, f"{A} {rho} {sigma} {C} 0.0") for p, (A, rho, sigma, C) in BJP.items()]
    charges = {"Ca": 1.2, "Al": 1.8, "Si": 2.4, "O": -1.2}
    atoms = {"Ca": 8, "Al": 16, "Si": 16, "O": 64}
    return Published(atoms, charges, "born/coul/long 10.0", pairs, (EWALD,))


def shik(atoms, charges, numbers):
    """Buckingham, cores and Coulomb, all smoothed; oxygen balances the charges."""
    charges = dict(charges)
    charges["O"] = -sum(n * charges[name] for name, n in atoms.items() if name != "O") / atoms["O"]
    fade = "exp(-0.04/(r-{R})^2)"
    coulomb = f"qi*qj*(1/r-1/10+(r-10)/100)*{fade.format(R=10)}"
    pairs = [("*", f'lepton/coul "{coulomb}"')]
    for pair, (A, B, C, D) in numbers.items():
        v, end = (f"({A}*exp(-{B}*{x})-{C}/{x}^6+{D}/{x}^24)" for x in ("r", "8"))
        pairs.append((pair, f'lepton "({v}-{end})*{fade.format(R=8)}"'))
    return Published(atoms, charges, "hybrid/overlay lepton 8.0 lepton/coul 10.0", pairs)


def fitted(name):
    """Return the charges of a file of the library, and its pairs with the numbers of terms."""
    content = tomllib.loads((POTENTIALS / f"{name}.toml").read_text("utf-8"))
    charges = {species: row["charge"] for species, row in content["species"].items()}
    return charges, content["pairs"]


def fitted_shik(name):
    """SHIK's forms with other numbers."""
    charges, rows = fitted(name)
    numbers = {
        pair: (row["A"], 1.0 / row["rho"], row["C"], terms["repulsion"]["D"])
        for pair, terms in rows.items()
        for row in [terms["buckingham"]]
    }
    return shik({"Na": 16, "Si": 24, "O": 56}, charges, numbers)


def splined(name):
    """CHIK's forms, and on each pair a spline, as sums of cubes that end at its knots."""
    charges, rows = fitted(name)
    pairs = [("*", "coul/dsf")]
    for pair, terms in rows.items():
        pairs.append((pair, "buck {A!r} {rho!r} {C!r}".format(**terms["buckingham"])))
        core = f"{terms['repulsion']['D']!r}/r^24"
        pairs.append((pair, f'lepton "{core}+{cubes(**terms["spline"])}"'))
    style = "hybrid/overlay buck 8.0 coul/dsf 0.25 8.0 lepton 8.0"
    return Published({"Si": 32, "O": 64}, charges, style, pairs)


def cubes(knots, c):
    """Write a spline for Lepton: each knot t_k with a jump of the third derivative a cube of it."""
    first, last = knots[1] - knots[0], knots[-1] - knots[-2]
    inner = [knots[0] - k * first for k in (3, 2, 1)]
    t = [*inner, *knots, *(knots[-1] + k * last for k in (1, 2, 3))]
    spline = BSpline(np.array(t), np.array([*c, 0.0, 0.0, 0.0]), 3)
    pieces = PPoly.from_spline(spline)
    inside = (pieces.x[:-1] >= knots[0] - 1e-9) & (pieces.x[:-1] < knots[-1] - 1e-9)
    third = np.append(pieces.c[0][inside], 0.0)
    jumps = np.diff(third).tolist()
    terms = [f"({a!r})*max(0,{t!r}-r)^3" for a, t in zip(jumps, knots[1:], strict=True)]
    straight = f"({float(spline(knots[0]))!r})+({float(spline(knots[0], 1))!r})*(r-{knots[0]!r})"
    return f"select(step({knots[0]!r}-r),{straight},{'+'.join(terms)})"


def each(rows, more):
    """Two of every cation, `more` of some, and the oxygen that makes them neutral."""
    atoms = {name: 2 + more.get(name, 0) for name in rows if name != "O"}
    charge = sum(n * rows[name][0] for name, n in atoms.items())
    return atoms | {"O": round(-charge / rows["O"][0])}


PUBLISHED = {
    "BKS": silica(2.4, BKS),
    "BKS-Ewald": silica_ewald(2.4, BKS, 10.0, CORE),
    "BJP": born(),
    "CHIK": silica(1.910418, CHIK),
    "CHIK-Ewald": silica_ewald(1.910418, CHIK, 6.5, CORE),
    "Guillot-Sator": with_oxygen(
        GUILLOT_SATOR,
        each(GUILLOT_SATOR, {"Si": 10, "Mg": 2}),
        *("buck/coul/long 11.0", "0.0 1.0 0.0", "{} {} {}"),
    ),
    "LF-Silica": splined("LF-Silica"),
    "LF-SodiumSilicate": fitted_shik("LF-SodiumSilicate"),
    "ML": silica(1.955, ML),
    "ML-ALL": silica(1.955, ML_ALL),
    "ML-SiO": silica(1.484, ML_SIO),
    "PMMCS": with_oxygen(
        PMMCS,
        each(PMMCS, {}),
        *("hybrid/overlay pedone 5.5 coul/long 12.0", "coul/long", "pedone {} {} {} {}"),
    ),
    "SHIK": shik(
        {"Si": 8, "B": 4, "Al": 4, "Li": 4, "Na": 4, "K": 4, "Mg": 4, "Ca": 4, "O": 40},
        *(SHIK_CHARGES, SHIK),
    ),
    "Teter": teter(),
    "Teter-Ewald": with_oxygen(
        TETER,
        each(TETER, {"Si": 2}),
        "hybrid/overlay buck/coul/long 10.0 lepton 10.0",
        *("buck/coul/long 0.0 1.0 0.0", "buck/coul/long {} {} {}"),
        (("Si-O", 29.0), ("O-O", 113.0), ("P-O", 10.0)),
    ),
}


def configuration(published, seed):
    """Return positions, shape (n, 3), without close pairs, and the name of each atom."""
    generator = np.random.default_rng(seed)
    names = np.repeat(list(published.atoms), list(published.atoms.values()))
    positions = np.empty((0, 3))
    while len(positions) < len(names):
        trial = generator.uniform(0, BOX, 3)
        apart = positions - trial
        apart -= BOX * np.round(apart / BOX)
        if np.all(np.linalg.norm(apart, axis=1) > APART):
            positions = np.vstack([positions, trial])
    return positions, names


def forces_of(potential, positions, names):
    """Sum -dU/dr over all periodic images, and add the Ewald sum where there is one."""
    forces = np.zeros_like(positions)
    images = np.stack(np.meshgrid(*[BOX * np.arange(-1, 2)] * 3), -1).reshape(-1, 3)
    apart = positions[:, None, None] - positions[None, :, None] - images
    r = np.linalg.norm(apart, axis=-1)
    i, j, image = np.nonzero((r > 0) & (r < potential.outer_cutoff))
    r, apart = r[i, j, image], apart[i, j, image]
    pairs = np.char.add(np.char.add(names[i], "-"), names[j])
    for pair in np.unique(pairs):
        here = pairs == pair
        pull = -potential.slope(str(pair), r[here]) / r[here]
        np.add.at(forces, i[here], pull[:, None] * apart[here])
    if potential.pair_coulomb is None:
        charges = np.array([potential.charges[name] for name in names])
        forces += periodic_coulomb(positions, charges, np.full(3, BOX))[1]
    return forces


@pytest.fixture(scope="module")
def computed(oracle, tmp_path_factory):
    """Return potential, positions, names and the forces of LAMMPS for every potential."""
    jobs, known = [], []
    for seed, (name, published) in enumerate(PUBLISHED.items()):
        potential = load_potential(name).for_composition(published.atoms)
        positions, names = configuration(published, seed)
        types = np.array([list(published.atoms).index(each) + 1 for each in names])
        jobs.append((potential, positions, types, tuple(published.lines())))
        known.append((potential, positions, names))
    found = oracle.lammps(tmp_path_factory.mktemp("published"), *jobs)
    return {
        name: (*one, forces) for name, one, (_, forces) in zip(PUBLISHED, known, found, strict=True)
    }


def test_every_potential_is_here():
    assert set(PUBLISHED) == set(library_names())
    for name, published in PUBLISHED.items():
        assert set(published.atoms) == set(load_potential(name).species)


@pytest.mark.lammps
@pytest.mark.parametrize("name", PUBLISHED)
def test_forces_are_those_of_the_published_numbers(computed, name):
    potential, positions, names, forces = computed[name]
    off = forces_of(potential, positions, names) - forces
    assert np.sqrt(np.mean(forces**2)) > 1.0
    assert np.sqrt(np.mean(off**2)) < 1e-6
