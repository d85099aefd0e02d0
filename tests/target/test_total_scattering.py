"""Total S(q) and G(r): each route beside another, and files that are believed or refused."""

import pickle

import numpy as np
import pytest

from lammpsfit.config import TermTables
from lammpsfit.errors import InputError
from lammpsfit.md.frames import Frames
from lammpsfit.md.histogram import Histogram
from lammpsfit.reference.total_table import read_total_table
from lammpsfit.structure.neighbours import pairs_within
from lammpsfit.structure.pair_counts import Composition
from lammpsfit.structure.scattering import neutron_weights, xray_weights
from lammpsfit.structure.structure_factor import (
    densities,
    structure_factors,
    transform,
    wavevectors,
)
from lammpsfit.target import Setting, build_terms

ATOMS = {"Si": 102, "O": 204}
COMPOSITION = Composition.of([name for name, n in ATOMS.items() for _ in range(n)])


@pytest.fixture(scope="module")
def setting(problem):
    return Setting(problem.potential, problem.system, problem.protocol)


@pytest.fixture(scope="module")
def box(setting):
    masses = {name: kind.mass for name, kind in setting.potential.species.items()}
    return setting.system.box_length(masses)


@pytest.fixture(scope="module")
def positions(box):
    """Three frames of atoms that keep some distance."""
    rng = np.random.default_rng(5)
    places = np.stack(np.meshgrid(*[np.arange(7)] * 3), -1).reshape(-1, 3)[:306] * box / 7
    return [places[rng.permutation(306)] + rng.normal(0, 0.25, (306, 3)) for _ in range(3)]


def frames_of(problem, positions, box, terms=()):
    """What a run would have kept of these positions."""
    histogram = Histogram.onto(problem.target.reference.r, 8.0).refined()
    pairs = ("Si-Si", "Si-O", "O-O")
    counts = np.zeros((len(positions), 3, histogram.size), np.uint16)
    for frame, places in enumerate(positions):
        i, j, d = pairs_within(places, box * np.eye(3), histogram.cutoff)
        row = COMPOSITION.kinds[i] + COMPOSITION.kinds[j]
        bins = (d / histogram.dr).astype(int)
        for k in range(3):
            mine = (row == k) & (bins < histogram.size)
            counts[frame, k] = np.bincount(bins[mine], minlength=histogram.size)
    measured = {
        term.name: np.array([term.measure(COMPOSITION, p, box * np.eye(3)) for p in positions])
        for term in terms
        if term.measure is not None
    }
    found = Frames(histogram, ATOMS, box**3, counts, np.zeros(len(positions)), measured)
    assert found.pairs == pairs
    return found


def factor_table(path, header="# made up", scale=1.0, end=20.0, level=1.0):
    q = np.arange(0.3, end, 0.04)
    S = level + 0.8 * np.exp(-(((q - 1.6) / 0.3) ** 2)) + 0.3 * np.sin(1.6 * q) / q
    path.write_text(
        f"{header}\n" + "".join(f"{a * scale:.4f} {b:.5f}\n" for a, b in zip(q, S, strict=True))
    )
    return path


def rdf_table(path, header="# made up", scale=1.0, density=0.0660, as_G=False):
    r = np.arange(0.05, 9.0, 0.05)
    g = 3.0 * np.exp(-(((r - 1.62) / 0.1) ** 2)) + 1 / (1 + np.exp(-(r - 2.4) / 0.1))
    y = 4 * np.pi * density * r * (g - 1) if as_G else g
    path.write_text(
        f"{header}\n" + "".join(f"{a * scale:.4f},{b:.5f}\n" for a, b in zip(r, y, strict=True))
    )
    return path


def one_term(setting, name, **table):
    (term,) = build_terms(TermTables.model_validate({name: [table]}), setting)
    return term


def weights_of(radiation, q):
    pairs = COMPOSITION.pairs
    if radiation == "xray":
        return xray_weights(ATOMS, pairs, q)
    return np.repeat(neutron_weights(ATOMS, pairs), q.size, axis=1)


@pytest.mark.parametrize("keys", [{"q_max": 3.0}, {"q_min": 6.0}])
def test_either_route_may_be_all_there_is(problem, setting, positions, box, keys, tmp_path):
    file = factor_table(tmp_path / "sq.csv")
    term = one_term(setting, "total_scattering", radiation="neutron", file=file, **keys)
    whole = one_term(setting, "total_scattering", radiation="neutron", file=file)
    frames = frames_of(problem, positions, box, [term])
    found = term.observe(frames)
    assert found.shape == (3, term.x.size)
    every = whole.observe(frames_of(problem, positions, box, [whole]))
    same = np.isin(whole.x.round(6), term.x.round(6))
    assert same.sum() > 20
    assert found[:, np.isin(term.x.round(6), whole.x.round(6))] == pytest.approx(every[:, same])


def test_both_ways_to_densities_agree(positions, box):
    hkl = wavevectors(box * np.eye(3), 3.0, 0.1, 10**9).hkl
    every = densities(COMPOSITION, positions[0], box * np.eye(3), hkl)
    few = densities(COMPOSITION, positions[0], box * np.eye(3), hkl[[3, -1]])
    assert few == pytest.approx(every[:, [3, -1]], abs=1e-10)


@pytest.mark.parametrize("radiation", ["neutron", "xray"])
def test_small_q_is_the_weighted_sum_of_partial_factors(
    setting, positions, box, radiation, tmp_path
):
    file = factor_table(tmp_path / "sq.csv")
    term = one_term(setting, "total_scattering", radiation=radiation, file=file)
    cell = box * np.eye(3)
    S = term.measure(COMPOSITION, positions[0], cell)
    vectors = wavevectors(cell, 4.0, 0.1, 10**9)
    partial = structure_factors(COMPOSITION, positions[0], cell, vectors)
    total = np.sum(weights_of(radiation, vectors.q) * partial, axis=0)
    at = np.linalg.norm(vectors.hkl, axis=1) * 2 * np.pi / box
    w = np.bincount(vectors.bins, np.interp(at, *np.loadtxt(file, skiprows=1).T))
    expected = total - w / np.bincount(vectors.bins)
    bins = ((vectors.q - term.edges[0]) / 0.1).astype(int)
    found = (S - term.wanted[: S.size])[bins]
    # form factors hardly change within a bin
    assert found == pytest.approx(expected, abs=2e-2 if radiation == "xray" else 1e-9)
    empty = np.setdiff1d(np.arange(S.size), bins)
    assert S[empty] == pytest.approx(term.wanted[empty])
    assert term.x[0] > 2 * np.pi / box - 0.1


def test_another_box_has_wavevectors_of_its_own(setting, positions, box, tmp_path):
    """As a confirmation of another size has, or a run at constant pressure in each frame."""
    file = factor_table(tmp_path / "sq.csv")
    term = one_term(setting, "total_scattering", radiation="neutron", file=file)
    cell = 2.0 * box * np.eye(3)
    twice = np.concatenate([positions[0] + box * np.array(o) for o in np.ndindex(2, 2, 2)])
    eight = Composition.of(["Si"] * 102 + ["O"] * 204)
    kinds = Composition(eight.species, np.tile(eight.kinds, 8))
    S, n = term.measure(kinds, twice, cell), term.edges.size - 1
    q = 2 * np.pi / (2 * box) * np.linalg.norm(wavevectors(cell, 4.0, 0.1, 10**9).hkl, axis=1)
    w = np.interp(q, *term.table)
    inside = (q >= term.edges[0]) & (q < term.edges[-1])
    number = np.histogram(q[inside], term.edges)[0]
    # at a wavevector that the small box has not, the repeated one has S = 0 but for its atoms
    single = term.measure(COMPOSITION, positions[0], box * np.eye(3))
    small = (
        2 * np.pi / box * np.linalg.norm(wavevectors(box * np.eye(3), 4.0, 0.1, 10**9).hkl, axis=1)
    )
    mine = (small >= term.edges[0]) & (small < term.edges[-1])
    few = np.histogram(small[mine], term.edges)[0]
    w_few = np.histogram(small[mine], term.edges, weights=np.interp(small[mine], *term.table))[0]
    w_all = np.histogram(q[inside], term.edges, weights=w[inside])[0]
    # Σ S of the large box = 8 Σ S of the small one at its wavevectors, minus a self part elsewhere
    b = neutron_weights(ATOMS, ("Si-Si", "O-O")).ravel() ** 0.5
    self_part = 1 - (102 / 306 * (b[0] * 3) ** 2 + 204 / 306 * (b[1] * 1.5) ** 2)
    sum_small = (single - term.wanted[:n]) * few + w_few
    sum_large = (S - term.wanted[:n]) * number + w_all
    expected = 8 * (sum_small - few * self_part) + number * self_part
    seen = number > 0
    assert sum_large[seen] == pytest.approx(expected[seen], abs=1e-6)


@pytest.mark.parametrize("radiation", ["neutron", "xray"])
def test_large_q_is_the_transform_of_g(problem, setting, positions, box, radiation, tmp_path):
    file = factor_table(tmp_path / "sq.csv")
    term = one_term(setting, "total_scattering", radiation=radiation, file=file)
    frames = frames_of(problem, positions, box, [term])
    high = term.q.size
    assert high > 300
    assert term.observe(frames).shape == (3, term.x.size)
    r = frames.histogram.centres
    g = Frames.g(  # on the finest bins there are
        Frames(
            Histogram(frames.histogram.dr, 1, 0, r.size, r.size),
            ATOMS,
            frames.volume,
            frames.counts,
            frames.pressure,
        )
    )
    q = term.x[-20:]
    S = transform(r, g, 306 / box**3, q)
    total = 1 + np.sum(weights_of(radiation, q) * (S - 1), axis=1)
    assert term.observe(frames)[:, -20:] == pytest.approx(total, abs=0.03)


def test_g_of_a_box_is_the_weighted_sum_of_partial_g(problem, setting, positions, box, tmp_path):
    r = problem.target.reference.r
    g = 3.0 * np.exp(-(((r - 1.62) / 0.1) ** 2)) + (r > 2.4)
    rows = "".join(f"{x:.4f} {y:.5f}\n" for x, y in zip(r, g, strict=True))
    (tmp_path / "g.csv").write_text(rows)
    keys = {"file": tmp_path / "g.csv", "quantity": "g"}
    term = one_term(setting, "total_rdf", radiation="neutron", r_min=0.5, **keys)
    frames = frames_of(problem, positions, box)
    weights = weights_of("neutron", r)
    expected = np.sum(weights * frames.g(), axis=1)[:, r > 0.5]
    found = term.observe(frames)
    assert found.shape == expected.shape
    assert found == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(("radiation", "window"), [("neutron", "none"), ("xray", "lorch")])
def test_G_is_the_transform_of_S(problem, setting, positions, box, radiation, window, tmp_path):
    """2/π ∫ q [S(q) - 1] M(q) sin(qr) dq of the S(q) that the same pairs make."""
    file = rdf_table(tmp_path / "gr.csv", as_G=True)
    keys = {"radiation": radiation, "window": window, "q_max": 18.0}
    term = one_term(setting, "total_rdf", file=file, quantity="G", r_min=1.0, **keys)
    frames = frames_of(problem, positions, box)
    q = np.arange(0.01, 18.0, 0.02)
    r, dr, counts = frames.coarse_counts(0.005)
    split = [pair.split("-") for pair in frames.pairs]
    f = [306 * (1 + (a == b)) / (ATOMS[a] * (ATOMS[b] - (a == b))) for a, b in split]
    wave = np.sinc(np.multiply.outer(r, q) / np.pi)
    ideal = (4 * np.pi * 306 / box**3 * dr * r**2) @ wave
    partial = [fk * n @ wave - ideal for fk, n in zip(f, counts[0], strict=True)]
    i = np.sum(weights_of(radiation, q) * partial, axis=0)
    M = np.sinc(q / 18.0) if window == "lorch" else 1.0
    G = 2 / np.pi * 0.02 * (q * i * M) @ np.sin(np.multiply.outer(q, term.x))
    found = term.observe(frames)[0]
    assert found == pytest.approx(G, abs=0.02 * np.abs(G).max())
    assert np.abs(G).max() > 0.5


def test_T_is_G_above_the_straight_line(problem, setting, positions, box, tmp_path):
    frames = frames_of(problem, positions, box)
    density = 306 / box**3
    file = rdf_table(tmp_path / "G.csv", as_G=True, density=density)
    keys = {"radiation": "neutron", "q_max": 20.0, "r_min": 1.0}
    G = one_term(setting, "total_rdf", file=file, quantity="G", **keys)
    rows = "".join(
        f"{r:.4f} {y + 4 * np.pi * density * r:.6f}\n"
        for r, y in np.loadtxt(file, delimiter=",", skiprows=1)
    )
    (tmp_path / "T.csv").write_text(rows)
    T = one_term(setting, "total_rdf", file=tmp_path / "T.csv", quantity="T", **keys)
    assert T.per_frame(frames) == pytest.approx(G.per_frame(frames), abs=1e-5)
    assert T.name == "T(r) neutron"


def test_units_of_a_file_are_believed(setting, tmp_path):
    plain = read_total_table(factor_table(tmp_path / "a.csv"), "q")
    for header in ("# Q (1/nm), S(Q)", "q_nm-1 S", "# q [nm⁻¹]", "# q in nm^-1"):
        table = read_total_table(factor_table(tmp_path / "b.csv", header, 10.0), "q")
        assert table.x == pytest.approx(plain.x), header
    for header in ("# Q (1/Å)", "q_A-1 S", "# Q [Å⁻¹] and S", "# in inverse nothing"):
        table = read_total_table(factor_table(tmp_path / "c.csv", header), "q")
        assert table.x == pytest.approx(plain.x), header
    told = read_total_table(factor_table(tmp_path / "d.csv", scale=10.0), "q", "1/nm")
    assert told.x == pytest.approx(plain.x)
    for header in ("# r (nm)", "r_nm,g", "# distance in nm"):
        table = read_total_table(rdf_table(tmp_path / "r.csv", header, 0.1), "r")
        assert table.x[-1] == pytest.approx(8.95), header
    assert read_total_table(rdf_table(tmp_path / "r.csv", "# r (Å), G (1/Å²)"), "r").x[-1] > 8


@pytest.mark.parametrize(
    ("header", "scale", "keys", "match"),
    [
        ("# q (1/nm)", 1.0, {}, r"highest peak of S is at q = 0.158 1/Å, where atoms 2.5 Å apart"),
        ("#", 10.0, {}, r"q goes up to 199.\d 1/Å, .* is the file in 1/nm\? Say unit"),
        ("# q (1/nm)", 1.0, {"unit": "1/Å"}, "says that q is in 1/nm, the job 1/Å: mend one"),
        ("# 1/nm, 1/Å", 1.0, {}, "says that q is in 1/nm and 1/Å: mend one"),
        ("#", 1.0, {"quantity": "S-1"}, r'with quantity = "S-1", S must be 1 .* it is 2'),
        ("#", 1.0, {"quantity": "F_barn", "radiation": "xray"}, "F_barn.* is for neutrons"),
        ("# r (Å), g", 1.0, {}, "says that its first column is r, not q"),
        ("#", 1.0, {"q_min": 1.0, "q_max": 1.06}, r"no bin of 0.1 1/Å is left between"),
        ("#", 1.0, {"q_min": 30.0, "q_max": 40.0}, r"no two points are left with 30 < q < 40"),
    ],
)
def test_a_file_that_cannot_be_is_refused(setting, tmp_path, header, scale, keys, match):
    file = factor_table(tmp_path / "sq.csv", header, scale)
    with pytest.raises(InputError, match=match):
        one_term(setting, "total_scattering", **({"radiation": "neutron", "file": file} | keys))


@pytest.mark.parametrize(
    ("header", "scale", "keys", "match"),
    [
        ("#", 0.1, {}, r"highest peak of g is at r = 0.16 Å, where no bond is"),
        ("# r (nm)", 1.0, {}, r"highest peak of g is at r = 16"),
        (
            "#",
            1.0,
            {"quantity": "G"},
            "g must be 0 below its first peak at 1.6 Å, but it is 1: is it another",
        ),
        ("#", 1.0, {"radiation": "xray"}, r"q_max must say where the transform ended"),
        ("#", 1.0, {"r_max": 9.0}, r"r_max must be at most 7.9\d Å, .* \(8 Å\), got 9 Å"),
        ("#", 1.0, {"quantity": "T_barn", "radiation": "xray", "q_max": 20.0}, "for neutrons"),
    ],
)
def test_an_rdf_that_cannot_be_is_refused(setting, tmp_path, header, scale, keys, match):
    file = rdf_table(tmp_path / "gr.csv", header, scale)
    table = {"radiation": "neutron", "file": file, "quantity": "g"} | keys
    with pytest.raises(InputError, match=match):
        one_term(setting, "total_rdf", **table)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1 2\n", "at least 8 rows of q"),
        ("1 2 3 4\n" * 9, "rows of q, the curve, and perhaps its error, got 9 rows of 4"),
        ("".join(f"{9 - k} 1\n" for k in range(9)), "q must increase from 0"),
        ("".join(f"{k} 1\n" for k in range(9)) + "x y\n", "line 10: must be numbers, got 'x y'"),
        ("".join(f"{k} 1\n" for k in range(9)) + "9\n", "line 10: must have 2 numbers"),
        ("".join(f"{k} 1 -1\n" for k in range(9)), "third column must be errors"),
        ("".join(f"{k} nan\n" for k in range(9)), "all be finite"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, text, match):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=match):
        read_total_table(tmp_path / "t.csv", "q")


def test_q_times_S_minus_1_is_compared_where_asked(problem, setting, positions, box, tmp_path):
    file = factor_table(tmp_path / "sq.csv")
    keys = {"radiation": "neutron", "file": file}
    plain = one_term(setting, "total_scattering", **keys)
    weighed = one_term(setting, "total_scattering", compare="q(S-1)", **keys)
    both = [frames_of(problem, positions, box, [term]) for term in (plain, weighed)]
    S, found = plain.observe(both[0])[0], weighed.observe(both[1])[0]
    assert found == pytest.approx(plain.x * (S - 1.0), abs=1e-9)
    difference = plain.x * (S - plain.wanted)
    d = np.linalg.norm(difference) / np.linalg.norm(plain.x * (plain.wanted - 1.0))
    assert np.linalg.norm(weighed.per_frame(both[1])[0]) == pytest.approx(d)
    assert weighed.gas == pytest.approx(1.0) == pytest.approx(plain.gas)
    assert "|q (S - wanted)|" in weighed.column.words
    assert weighed.curve.y_label == "q [S(q) − 1] (1/Å)"


def test_quantities_of_one_curve_make_one_term(setting, tmp_path):
    file = factor_table(tmp_path / "S.csv")
    q, S = np.loadtxt(file, skiprows=1).T
    same = one_term(setting, "total_scattering", radiation="neutron", file=file)
    barn = 0.2760  # (2 · 5.805 fm + 4.1507 fm)² / 9 / 100, natural isotopes
    for quantity, y in (("S-1", S - 1), ("q(S-1)", q * (S - 1)), ("F_barn", barn * (S - 1))):
        np.savetxt(tmp_path / "other.csv", np.transpose([q, y, 0.01 + 0 * q]), header="q in 1/Å")
        keys = {"file": tmp_path / "other.csv", "quantity": quantity}
        other = one_term(setting, "total_scattering", radiation="neutron", **keys)
        assert other.wanted == pytest.approx(same.wanted, abs=5e-4), quantity
        assert other.wanted_error.shape == other.wanted.shape
    assert same.wanted_error is None
    assert pickle.loads(pickle.dumps(same)).wanted == pytest.approx(same.wanted)
