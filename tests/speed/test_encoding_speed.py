"""Encoding against himalaya: ``pytest tests/speed/test_encoding_speed.py --benchmark-only``.

Compare the minima of the two benchmarks on a quiet machine (OMP_WAIT_POLICY=PASSIVE). BRAINALIGN_SPEED_TARGETS sets
the number of targets, 15,000 unless given.
"""

import os

import numpy as np
import pytest
import torch

from brainalign.encoding import EncodingPlan

N_TARGETS = int(os.environ.get("BRAINALIGN_SPEED_TARGETS", "15000"))
ALPHAS = np.logspace(0, 6, 15)


@pytest.fixture(scope="module")
def problem():
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(1000, 2048, generator=generator) * torch.arange(1, 2049) ** -0.5
    Y = X @ torch.randn(2048, N_TARGETS, generator=generator)
    Y = Y / Y.std(dim=0) + 1.5 * torch.randn(1000, N_TARGETS, generator=generator)
    return X, Y


def ours(X, Y):
    return EncodingPlan(X, folds=5, alphas=ALPHAS, standardize=False).fit(Y)


def himalaya(X, Y, folds):
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV

    set_backend("torch")
    scores = []
    for train, test in folds:
        mean_x, mean_y = X[train].mean(dim=0), Y[train].mean(dim=0)
        model = KernelRidgeCV(alphas=ALPHAS, cv=5, solver_params={"n_targets_batch": 2000})
        scores.append(model.fit(X[train] - mean_x, Y[train] - mean_y).score(X[test] - mean_x, Y[test] - mean_y))
    return torch.stack(scores)


def test_ridge_gcv(benchmark, problem):
    fit = benchmark.pedantic(ours, args=problem, rounds=3, warmup_rounds=1)
    benchmark.extra_info["r2"] = float(fit.r2.mean())


def test_ridge_himalaya(benchmark, problem):
    folds = EncodingPlan(problem[0], folds=5, alphas=ALPHAS, standardize=False).folds
    scores = benchmark.pedantic(himalaya, args=(*problem, folds), rounds=2, warmup_rounds=0)
    benchmark.extra_info["r2"] = float(scores.mean())
    assert float(scores.mean()) == pytest.approx(float(ours(*problem).r2.mean()), abs=0.002)


def test_leave_blocks_out(benchmark, problem):
    X, Y = problem
    fit = ours(X, Y[:, :3000])
    blocks = np.array_split(np.random.default_rng(0).permutation(1000), 50)
    benchmark.pedantic(fit.leave_blocks_out, args=(blocks,), rounds=2, warmup_rounds=0)


def test_hundred_permutations(benchmark, problem):
    X, Y = problem
    plan = EncodingPlan(X, folds=5, alphas=ALPHAS, standardize=False)
    orders = np.stack([np.random.default_rng(s).permutation(1000) for s in range(100)])
    segments = [np.arange(200)]
    benchmark.pedantic(
        plan.permuted, args=(Y[:, :200], orders), kwargs={"segments": segments}, rounds=2, warmup_rounds=0
    )
