#!/usr/bin/env python3
"""Writes golden Procrustes maps and similarities of science section 8: NumPy and SciPy in fp64.

    pip install numpy scipy h5py
    tests/reference/align_golden.py tests/golden/align.h5

Every case has the residuals of a site and of the anchor, fit and judge part, in fp32, with their groups. Folds,
shuffles and the sample of pairs are drawn as the suite draws them (philox.py), so that all is compared.
"""

import argparse
import dataclasses

import numpy as np
import scipy
import scipy.linalg
import scipy.spatial
import scipy.stats

import golden
import philox

SEED = 20250519
RUN_SEED = 5  # run.seed of the suite
FOLDS = 4
SHUFFLES = 100
LARGEST_SAMPLE = 2000
SAMPLE_STREAM, FOLD_STREAM = 2**32, 2**33


@dataclasses.dataclass
class Case:
    fit: int
    judge: int
    site: int  # dimensions
    reference: int
    inner: int  # dimensions of what both are made from
    noise: float = 0.0
    exact: bool = False  # small integers, of which fp32 holds every product and sum: rank-deficient to the last bit
    turned: bool = False  # the site is a rotation of the reference
    group: int = 1


CASES = {
    "square": Case(fit=90, judge=50, site=12, reference=12, inner=12, noise=0.3, turned=True, group=2),
    "narrow_site": Case(fit=90, judge=50, site=9, reference=16, inner=16, noise=0.2, group=3),
    "wide_site": Case(fit=90, judge=50, site=16, reference=9, inner=16, noise=0.2),
    "few_probes": Case(fit=20, judge=18, site=40, reference=33, inner=40, noise=0.1),
    "few_for_one": Case(fit=24, judge=20, site=40, reference=11, inner=12, noise=0.1, group=2),
    "few_for_other": Case(fit=24, judge=20, site=11, reference=40, inner=12, noise=0.1, group=2),
    "deficient": Case(fit=70, judge=30, site=20, reference=24, inner=5, exact=True),
    "deficient_few": Case(fit=16, judge=14, site=40, reference=36, inner=4, exact=True),
    "cut_by_noise": Case(fit=80, judge=60, site=30, reference=30, inner=4, noise=0.5, group=2),
    "unrelated": Case(fit=60, judge=40, site=10, reference=10, inner=0, noise=1.0),
}


def integers(generator, *shape):
    return generator.integers(-3, 4, shape).astype(np.float64)


def rows_of(case, generator):
    """(site, reference), [fit + judge, d] each."""
    n = case.fit + case.judge
    if case.exact:
        inner = integers(generator, n, case.inner)
        return tuple(inner @ integers(generator, case.inner, d) + 2 for d in (case.site, case.reference))
    spread = np.exp(-0.15 * np.arange(case.inner))
    inner = generator.standard_normal((n, case.inner)) * spread
    maps = [generator.standard_normal((case.inner, d)) / np.sqrt(max(1, case.inner)) for d in (case.site, case.reference)]
    if case.turned:
        maps[0] = maps[1] @ scipy.stats.ortho_group.rvs(case.reference, random_state=generator) * 2.5
    noises = [case.noise * generator.standard_normal((n, d)) for d in (case.site, case.reference)]
    return tuple(golden.single(inner @ m + e + 0.7) for m, e in zip(maps, noises, strict=True))


def numerical_rank(values, n, dx, dy):
    return int((values > 2.0**-52 * values[0] * max(n, dx, dy)).sum())


@dataclasses.dataclass
class Map:
    mean_x: np.ndarray
    mean_y: np.ndarray
    u: np.ndarray
    v: np.ndarray
    values: np.ndarray
    c: float

    @property
    def rank(self):
        return len(self.values)

    def predicted(self, x, rank):
        """x̂ − μ_ref"""
        return self.c * (x - self.mean_x) @ self.u[:, :rank] @ self.v[:, :rank].T


def procrustes(x, y):
    """From the singular vectors of C itself."""
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    a, b = x - mean_x, y - mean_y
    u, values, vt = scipy.linalg.svd(a.T @ b, full_matrices=False)
    rank = numerical_rank(values, len(x), x.shape[1], y.shape[1])
    c = np.linalg.norm(b) / np.linalg.norm(a)
    return Map(mean_x, mean_y, u[:, :rank], vt[:rank].T, values[:rank], c)


def folds_of(groups):
    """Whole groups, shuffled and dealt out in turn."""
    first = list(dict.fromkeys(groups))
    order = philox.permutation(len(first), RUN_SEED, philox.SHUFFLE_ALIGNMENT, FOLD_STREAM)
    fold = {first[group]: turn % FOLDS for turn, group in enumerate(order)}
    return np.array([fold[group] for group in groups])


def choose_rank(x, y, folds, full):
    """(rank that predicts the held-out folds best, its squared errors by rank)"""
    errors, tried = [], full
    for fold in range(FOLDS):
        held = folds == fold
        made = procrustes(x[~held], y[~held])
        target = y[held] - made.mean_y
        errors.append([((made.predicted(x[held], r) - target) ** 2).sum() for r in range(1, made.rank + 1)])
        tried = min(tried, made.rank)
    total = np.sum([error[:tried] for error in errors], axis=0)
    best = int(total.argmin()) + 1
    return (full if best == tried else best), total


def hsic(k, l):
    """Song et al. 2012, as written there."""
    n = len(k)
    k, l = (m - np.diag(np.diag(m)) for m in (k, l))
    ones = np.ones(n)
    middle = (ones @ k @ ones) * (ones @ l @ ones) / ((n - 1) * (n - 2))
    return (np.trace(k @ l) + middle - 2 / (n - 2) * (ones @ k @ l @ ones)) / (n * (n - 3))


def cka(x, y):
    """(unbiased, biased)"""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    k, l = x @ x.T, y @ y.T
    unbiased = hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))
    biased = np.linalg.norm(x.T @ y) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    return unbiased, biased


def cosine_correlation(x, y, groups):
    index = np.arange(len(x))
    if len(x) > LARGEST_SAMPLE:
        drawn = philox.permutation(len(x), RUN_SEED, philox.SHUFFLE_ALIGNMENT, SAMPLE_STREAM)
        index = np.sort(drawn[:LARGEST_SAMPLE])
    cosines = [1 - scipy.spatial.distance.pdist((rows - rows.mean(axis=0))[index], "cosine") for rows in (x, y)]
    apart = scipy.spatial.distance.pdist(groups[index, None].astype(np.float64), "chebyshev") > 0
    return scipy.stats.pearsonr(cosines[0][apart], cosines[1][apart]).statistic


def effective_rank(values):
    return np.exp(scipy.stats.entropy(values))


def floor(fit, judge, components):
    """Residual of the reference projected on its own leading principal components."""
    mean = fit.mean(axis=0)
    axes = scipy.linalg.svd(fit - mean, full_matrices=False)[2][:components]
    centred = judge - mean
    return np.linalg.norm(centred - centred @ axes.T @ axes) / np.linalg.norm(centred)


def residuals_shuffled(predicted, target):
    for shuffle in range(SHUFFLES):
        order = philox.permutation(len(target), RUN_SEED, philox.SHUFFLE_ALIGNMENT, shuffle)
        yield np.linalg.norm(predicted - target[order]) / np.linalg.norm(target)


def judge(case, made, rank, site, reference, groups):
    """What a map is worth, by name."""
    x, y = site[case.fit :], reference[case.fit :]
    predicted, target = made.predicted(x, rank), y - made.mean_y
    centred = x - made.mean_x
    left = centred - centred @ made.u[:, :rank] @ made.u[:, :rank].T
    nearest = scipy.spatial.distance.cdist(predicted, target).argmin(axis=1)
    unbiased, biased = cka(x, y)
    return {
        "residual": np.linalg.norm(predicted - target) / np.linalg.norm(target),
        "residual_floor": floor(reference[: case.fit], y, case.site) if case.site < case.reference else 0.0,
        "residual_shuffled": np.quantile(list(residuals_shuffled(predicted, target)), 0.05),
        "outside": (left**2).sum() / (centred**2).sum(),
        "retrieval": (nearest == np.arange(len(y))).mean(),
        "cka": unbiased,
        "cka_biased": biased,
        "cosine_correlation": cosine_correlation(x, y, groups[case.fit :]),
        "effective_rank": effective_rank(made.values),
    }


def check(name, case, made, errors):
    """A case that hangs on the last bit is refused."""
    best = np.sort(errors)
    if len(best) > 1 and not case.exact and best[1] - best[0] < 1e-6 * best[0]:
        raise SystemExit(f"{name}: two ranks predict equally well; take another seed")
    gaps = made.values[:-1] - made.values[1:]
    if len(gaps) and gaps.min() < 1e-9 * made.values[0]:
        raise SystemExit(f"{name}: two singular values are equal; take another seed")


def write_case(file, name, case, seed):
    generator = np.random.default_rng(seed)
    site, reference = rows_of(case, generator)
    groups = np.arange(case.fit + case.judge) // case.group
    fit_site, fit_reference = site[: case.fit], reference[: case.fit]
    made = procrustes(fit_site, fit_reference)
    folds = folds_of(groups[: case.fit].tolist())
    rank, errors = choose_rank(fit_site, fit_reference, folds, made.rank)
    check(name, case, made, errors)
    judged = judge(case, made, rank, site, reference, groups)
    print(f"{name:14} rank {rank:2} of {made.rank:2}, residual {judged['residual']:.6f}, CKA {judged['cka']:.4f}")

    group = file.create_group(name)
    group.attrs["fit"] = case.fit
    group.attrs["rank"] = rank
    group.attrs["numerical_rank"] = made.rank
    group.attrs["scale"] = made.c
    group.attrs["run_seed"] = RUN_SEED
    for key, value in judged.items():
        group.attrs[key] = float(value)
    golden.put(group, "site", site, np.float32)
    golden.put(group, "reference", reference, np.float32)
    golden.put(group, "group", groups, np.int32)
    golden.put(group, "fold", folds, np.int32)
    golden.put(group, "mean", made.mean_x)
    golden.put(group, "map", made.u[:, :rank] @ made.v[:, :rank].T)


def write_sample(file, seed):
    """More rows than pairs are taken from, whose cosines are those of a sample."""
    generator = np.random.default_rng(seed)
    x = golden.single(generator.standard_normal((LARGEST_SAMPLE + 100, 3)))
    y = golden.single(x[:, :2] + 0.8 * generator.standard_normal((len(x), 2)))
    groups = np.arange(len(x)) // 3
    group = file.create_group("sample")
    group.attrs["run_seed"] = RUN_SEED
    group.attrs["cosine_correlation"] = cosine_correlation(x, y, groups)
    group.attrs["cka"], group.attrs["cka_biased"] = cka(x, y)
    golden.put(group, "site", x, np.float32)
    golden.put(group, "reference", y, np.float32)
    golden.put(group, "group", groups, np.int32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output")
    options = parser.parse_args()
    with golden.create(options.output, SEED, {"scipy": scipy.__version__}) as file:
        for index, (name, case) in enumerate(CASES.items()):
            write_case(file, name, case, [SEED, index])
        write_sample(file, [SEED, len(CASES)])


if __name__ == "__main__":
    main()
