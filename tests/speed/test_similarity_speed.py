"""Similarity against peers: ``pytest -n0 tests/speed/test_similarity_speed.py --benchmark-only``.

Compare minima within a group, on a quiet machine (OMP_WAIT_POLICY=PASSIVE). BRAINALIGN_SPEED_STIMULI sets the number of
stimuli, 1,000 unless given; loops of resamples are timed over a few and given for all in ``extra_info``.
"""

import os

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from brainalign.metrics import calibrate, resample
from brainalign.similarity import CkaForm, RsaForm, cka, mutual_knn, rdm
from brainalign.stats import draw_permutations
from brainalign.stats.crossed import draw_crossed
from brainalign.stats.forms import permuted_pairs

N = int(os.environ.get("BRAINALIGN_SPEED_STIMULI", "1000"))
RESAMPLES = 1000
FEW = 10


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 5000))
    return X, X[:, :1024] + 3 * rng.normal(size=(N, 1024))


def _extrapolated(benchmark, done, wanted):
    stats = benchmark.stats
    if stats is not None:
        benchmark.extra_info[f"seconds for {wanted}"] = stats.stats.min * wanted / done


@pytest.mark.benchmark(group="rdm, correlation")
def test_rdm(benchmark, pair):
    benchmark.pedantic(rdm, args=(pair[0],), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="rdm, correlation")
def test_rdm_rsatoolbox(benchmark, pair):
    toolbox = pytest.importorskip("rsatoolbox")
    data = toolbox.data.Dataset(pair[0])
    options = {"method": "correlation"}
    found = benchmark.pedantic(toolbox.rdm.calc_rdm, args=(data,), kwargs=options, rounds=5, warmup_rounds=1)
    np.testing.assert_allclose(found.dissimilarities[0], rdm(pair[0]), atol=1e-9)


@pytest.mark.benchmark(group="rsa rho-a with an interval")
def test_rsa_with_its_jackknife(benchmark, pair):
    form = RsaForm()
    a, b = map(form.prepare, pair)
    blocks = [np.array([i]) for i in range(N)]
    benchmark.pedantic(lambda: (form.score(a, b), form.leave_blocks_out(a, b, blocks)), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="rsa rho-a with an interval")
@pytest.mark.parametrize("boot_noise_ceil", [False, True])
def test_rsa_bootstrap_rsatoolbox(benchmark, pair, boot_noise_ceil):
    toolbox = pytest.importorskip("rsatoolbox")
    named = {"index": np.arange(N)}
    first, second = (toolbox.rdm.RDMs(rdm(Z)[None], pattern_descriptors=named) for Z in pair)
    model = toolbox.model.ModelFixed("first", first)
    options = {"method": "rho-a", "N": FEW, "boot_noise_ceil": boot_noise_ceil}
    benchmark.pedantic(toolbox.inference.eval_bootstrap_pattern, args=(model, second), kwargs=options, rounds=2)
    _extrapolated(benchmark, FEW, RESAMPLES)


@pytest.mark.benchmark(group="debiased cka, z and p")
def test_cka_z_alone_in_closed_form(benchmark, pair):
    form = CkaForm()
    a, b = map(form.prepare, pair)
    benchmark.pedantic(lambda: (form.score(a, b), form.null_moments(a, b)), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="debiased cka, z and p")
def test_cka_z_and_p_in_closed_form(benchmark, pair):
    form = CkaForm()
    a, b = map(form.prepare, pair)
    benchmark.pedantic(lambda: (form.null_moments(a, b), form.null_skewness(a, b)), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="debiased cka, z and p")
def test_cka_sampled_permutations(benchmark, pair):
    form = CkaForm()
    a, b = map(form.prepare, pair)
    drawn = draw_crossed(N, RESAMPLES)
    benchmark.pedantic(permuted_pairs, args=(form, [a], [b], drawn), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="debiased cka, z and p")
def test_rsa_sampled_permutations(benchmark, pair):
    form = RsaForm()
    a, b = map(form.prepare, pair)
    drawn = draw_crossed(N, RESAMPLES)
    benchmark.pedantic(permuted_pairs, args=(form, [a], [b], drawn), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="debiased cka, z and p")
def test_cka_lean_loop_over_permutations(benchmark, pair):
    form = CkaForm()
    a, b = (form.prepare(Z).values.numpy() for Z in pair)
    orders = draw_permutations(N, FEW)
    benchmark.pedantic(lambda: [float((a * b[np.ix_(p, p)]).sum()) for p in orders], rounds=3, warmup_rounds=1)
    _extrapolated(benchmark, FEW, RESAMPLES)


@pytest.mark.benchmark(group="debiased cka, z and p")
def test_cka_recomputed_for_each_permutation(benchmark, pair):
    X, Y = pair
    orders = draw_permutations(N, 3)
    benchmark.pedantic(lambda: [cka(X, Y[p]) for p in orders], rounds=2)
    _extrapolated(benchmark, 3, RESAMPLES)


@pytest.mark.benchmark(group="debiased cka, interval")
def test_cka_interval(benchmark, pair):
    form = CkaForm()
    a, b = map(form.prepare, pair)
    blocks = [np.array([i]) for i in range(N)]
    benchmark.pedantic(form.leave_blocks_out, args=(a, b, blocks), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="debiased cka, interval")
def test_cka_recomputed_without_each_stimulus(benchmark, pair):
    X, Y = pair
    benchmark.pedantic(lambda: [cka(np.delete(X, i, 0), np.delete(Y, i, 0)) for i in range(3)], rounds=2)
    _extrapolated(benchmark, 3, N)


@pytest.mark.benchmark(group="debiased cka, interval")
def test_all_of_cka_from_matrices(benchmark, pair):
    benchmark.pedantic(
        lambda: (calibrate("cka.linear.debiased", *pair), resample("cka.linear.debiased", *pair)), rounds=3
    )


@pytest.fixture(scope="module")
def cloud():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(10 * N, 1024)).astype(np.float32)
    return X, X + rng.normal(size=X.shape).astype(np.float32)


@pytest.mark.benchmark(group="mutual knn")
def test_mutual_knn(benchmark, cloud):
    benchmark.pedantic(mutual_knn, args=cloud, rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="mutual knn")
def test_mutual_knn_scikit_learn(benchmark, cloud):
    def by_scikit_learn():
        near = [
            NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(Z).kneighbors()[1] for Z in cloud
        ]
        return np.mean([len(np.intersect1d(a, b)) for a, b in zip(*near, strict=True)]) / 10

    assert benchmark.pedantic(by_scikit_learn, rounds=3) == pytest.approx(mutual_knn(*cloud), abs=1e-3)
