"""Ridge regression against himalaya, and against ourselves: ``pytest -n0 -s tests/speed/test_encoding_speed.py``.

Each test runs both sides in turn, A B A B, and prints the ratio of the minima: no time is asserted. Use a quiet machine
and OMP_WAIT_POLICY=PASSIVE. BRAINALIGN_SPEED_TARGETS: number of targets (15,000); BRAINALIGN_SPEED_ROUNDS: rounds (5).
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from brainalign.encoding import EncodingPlan, make_folds

N_TARGETS = int(os.environ.get("BRAINALIGN_SPEED_TARGETS", "15000"))
ROUNDS = int(os.environ.get("BRAINALIGN_SPEED_ROUNDS", "5"))
ALPHAS = np.logspace(0, 6, 15)


def simulated(n, p, v):
    """Features with a decaying spectrum and targets of which a third is signal, float32."""
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(n, p, generator=generator) * torch.arange(1, p + 1) ** -0.5
    Y = X @ torch.randn(p, v, generator=generator)
    return X, Y.div_(Y.std(dim=0)).add_(torch.randn(n, v, generator=generator), alpha=1.5)


@pytest.fixture(scope="module")
def problem():
    return simulated(1000, 2048, N_TARGETS)


def ours(X, Y, selection="gcv", folds=5):
    return EncodingPlan(X, folds=folds, alphas=ALPHAS, standardize=False, selection=selection).fit(Y)


def himalaya(X, Y, folds, primal=False):
    """Held-out r2 (folds, v) and alphas; inner folds are those of `ours`."""
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV
    from himalaya.ridge import RidgeCV

    set_backend("torch")
    options = {"alphas": ALPHAS, "solver_params": {"n_targets_batch": 2000}}
    scores, alphas = [], []
    for train, test in folds:
        mean_x, mean_y = X[train].mean(dim=0), Y[train].mean(dim=0)
        inner = make_folds(len(train), 5)
        model = RidgeCV(cv=inner, **options) if primal else KernelRidgeCV(cv=inner, warn=False, **options)
        model.fit(X[train] - mean_x, Y[train] - mean_y)
        scores.append(model.score(X[test] - mean_x, Y[test] - mean_y))
        alphas.append(model.best_alphas_)
    return torch.stack(scores).numpy(), torch.stack(alphas).numpy()


def alternate(name, first, second, rounds=ROUNDS):
    """Time two functions in turn; print minima and their ratio; return the last values."""
    seconds, last = np.empty((rounds, 2)), [None, None]
    for i in range(rounds):
        for j, function in enumerate((first, second)):
            start = time.perf_counter()
            last[j] = function()
            seconds[i, j] = time.perf_counter() - start
    least = seconds.min(axis=0)
    threads, load = torch.get_num_threads(), os.getloadavg()[0]
    print(f"\n{name}: {least[0]:.2f} s against {least[1]:.2f} s, {least[1] / least[0]:.2f} times as fast", end="; ")
    print(f"{threads} threads, load {load:.1f}")
    return last


@pytest.mark.parametrize("selection", ["gcv", "kfold"])
def test_ridge_against_himalaya(problem, selection):
    X, Y = problem
    folds = make_folds(1000, 5)
    fit, (r2, alphas) = alternate(
        f"ridge 1000 x 2048, {N_TARGETS} targets, 15 alphas, 5 folds, {selection}",
        lambda: ours(X, Y, selection, folds),
        lambda: himalaya(X, Y, folds),
    )
    same = np.isclose(fit.alpha, alphas).mean()
    print(f"held-out r2 {fit.r2.mean():.4f} against {r2.mean():.4f}; same alphas {same:.4f}")
    assert fit.r2.mean() == pytest.approx(r2.mean(), abs=0.002)


def test_kfold_chooses_as_without_mixing(problem):
    """The share of alphas that mixing few products leaves as they are, against float64 (no time)."""
    X, Y = problem[0], problem[1][:, :3000]
    mixed, exact = ours(X, Y, "kfold"), ours(X.double(), Y.double(), "kfold")
    same = (mixed.alpha == exact.alpha).mean()
    print(f"\nsame alphas as in float64: {same:.5f}")
    assert same >= 0.999


def test_rois_of_one_layer_share_its_decompositions(problem):
    X, Y = problem
    rois = torch.chunk(Y, 64, dim=1)
    together, apart = alternate(
        f"8 subjects x 8 ROIs of one layer, {N_TARGETS} targets in all, together against 64 calls",
        lambda: ours(X, Y).r,
        lambda: [ours(X, roi).r for roi in rois],
    )
    np.testing.assert_allclose(together, np.concatenate(apart, axis=1), atol=1e-4)


@pytest.mark.parametrize("primal", [True, False], ids=["RidgeCV", "KernelRidgeCV"])
def test_large_problem_against_himalaya(primal):
    """A quarter of the size in every direction, where himalaya still fits: it advises RidgeCV here."""
    X, Y = simulated(2500, 1480, N_TARGETS // 4)
    folds = [(np.arange(2000), np.arange(2000, 2500))]
    fit, (r2, _) = alternate(
        f"2500 x 1480, {N_TARGETS // 4} targets, one split, {'primal' if primal else 'kernel'}",
        lambda: ours(X, Y, folds=folds),
        lambda: himalaya(X, Y, folds, primal),
    )
    assert fit.r2.mean() == pytest.approx(r2.mean(), abs=0.004)


def test_memory_of_the_large_problem():
    """10,000 x 5,920, 15,000 targets, one split: the largest resident set of a process of its own."""
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); import numpy as np, test_encoding_speed as t\n"
        "X, Y = t.simulated(10_000, 5_920, t.N_TARGETS); start = time.perf_counter()\n"
        "fit = t.ours(X, Y, folds=[(np.arange(8000), np.arange(8000, 10_000))])\n"
        "print(f'{time.perf_counter() - start:.0f} s, r2 {fit.r2.mean():.3f}')"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", program, here], check=True, capture_output=True, text=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"\n10,000 x 5,920, {N_TARGETS} targets, one split: {done.stdout.strip()}, {peak:.2f} GiB")
    assert peak < 5e9 / 2**30


def test_leave_blocks_out(problem):
    X, Y = problem[0], problem[1][:, :3000]
    fit = ours(X, Y)
    blocks = np.array_split(np.random.default_rng(0).permutation(1000), 50)
    alternate(
        "50 blocks left out of 3,000 targets, against the fit itself",
        lambda: fit.leave_blocks_out(blocks),
        lambda: ours(X, Y),
        rounds=2,
    )


def test_hundred_permutations(problem):
    X, Y = problem[0], problem[1][:, :200]
    plan = EncodingPlan(X, folds=5, alphas=ALPHAS, standardize=False)
    orders = np.stack([np.random.default_rng(s).permutation(1000) for s in range(100)])
    alternate(
        "100 permutations of 200 targets, against the first ten one by one",
        lambda: plan.permuted(Y, orders, segments=[np.arange(200)]),
        lambda: [ours(X, Y[order]) for order in orders[:10]],
        rounds=2,
    )
