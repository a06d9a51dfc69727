"""Half-samples of many layers and targets at once give what one pair at a time gives."""

import numpy as np
import pytest

from brainalign.benchmarks import Benchmark
from brainalign.evaluate.half_sampling import HalfSampling, Halves, left_out_of_all, mean_spread
from brainalign.metrics import resample
from brainalign.similarity import MutualKnnForm
from brainalign.stats import Repeats

FORM = MutualKnnForm(k=5)
BENCH = Benchmark(id="toy", dataset="toy", half_samples=20)


def chance(n: int) -> float:
    return 5 / (n - 1)


@pytest.fixture(scope="module")
def responses() -> tuple[list, list, Repeats]:
    rng = np.random.default_rng(0)
    X, other = rng.standard_normal((2, 80, 6))
    single = (X @ rng.standard_normal((6, 12)))[:, None] + rng.standard_normal((80, 4, 12))
    repeats = Repeats(single.reshape(320, 12), np.arange(80), np.full(80, 4))
    return [FORM.prepare(X), FORM.prepare(other)], [FORM.prepare(repeats.mean()), FORM.prepare(X)], repeats


def test_intervals_are_those_of_each_pair() -> None:
    X, other, noise = np.random.default_rng(1).standard_normal((3, 80, 6))
    layers, targets = [X, other], [X + noise, X]
    prepared = [FORM.prepare(a) for a in layers], [(FORM.prepare(b), None) for b in targets]
    found = HalfSampling(FORM, chance, 80, None, BENCH).spreads(*prepared)
    for t, b in enumerate(targets):
        for i, a in enumerate(layers):
            expected = resample("mutual-knn.k5", a, b, n=20, level=BENCH.level, seed=BENCH.seed)
            assert vars(found[t][i].interval) == pytest.approx(vars(expected))
            assert found[t][i].noise_free is None
            assert found[t][i].reason is None


def test_noise_free_values_lie_above_where_there_is_signal_and_are_refused_where_there_is_none(
    responses: tuple,
) -> None:
    layers, targets, repeats = responses
    halves = Halves.of(FORM, repeats, seed=0)
    assert halves is not None
    assert (halves.n_repeats, halves.n_half, len(halves.prepared)) == (4.0, 2, 4)
    signal, noise = HalfSampling(FORM, chance, 80, None, BENCH).spreads(layers, [(targets[0], halves)])[0]
    assert signal.noise_free is not None
    assert signal.interval.estimate < signal.noise_free.estimate < signal.noise_free.high
    assert noise.noise_free is None
    assert noise.reason is not None
    mean = mean_spread([signal, signal])
    assert mean.noise_free is not None
    assert mean.noise_free.estimate == pytest.approx(signal.noise_free.estimate)
    assert mean_spread([signal, noise]).noise_free is None


def test_a_stimulus_that_was_shown_once_leaves_no_halves(responses: tuple) -> None:
    once = Repeats(np.zeros((3, 2)), np.arange(2), np.array([2, 1]))
    assert Halves.of(FORM, once, seed=0) is None


def test_blocks_are_left_out_of_all_pairs_as_of_each(responses: tuple) -> None:
    layers, targets, _ = responses
    blocks = [np.arange(5), np.array([7, 30]), np.array([79])]
    found = left_out_of_all(FORM, layers, targets, blocks, 80)
    for t, b in enumerate(targets):
        for i, a in enumerate(layers):
            np.testing.assert_array_equal(found[t, i], FORM.leave_blocks_out(a, b, blocks))
