import numpy as np
import pytest
import torch

from brainalign.errors import ChoiceError, InputError, PairingError, ResponseKindError, UndefinedError
from brainalign.similarity import CkaForm, cka
from brainalign.stats import PairForm

ESTIMATORS = ["debiased", "biased"]
KERNELS = ["linear", "rbf"]
BLOCKS = [np.array([0]), np.array([5, 2, 9]), np.arange(10, 22), np.array([2]), np.array([], dtype=int)]


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(30, 4))
    return np.hstack([latent, rng.normal(size=(30, 4))]), latent @ rng.normal(size=(4, 9)) + rng.normal(size=(30, 9))


def _prepared(form, pair):
    return form.prepare(pair[0]), form.prepare(pair[1])


def test_it_is_a_pair_form():
    assert isinstance(CkaForm(), PairForm)
    assert CkaForm().smooth


def test_unrelated_representations_with_many_units():
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(100, 5000)), rng.normal(size=(100, 4000))
    assert cka(X, Y, estimator="biased") > 0.95
    assert abs(cka(X, Y)) < 0.05


def test_negative_values_stay_negative():
    rng = np.random.default_rng(2)
    values = [cka(rng.normal(size=(12, 40)), rng.normal(size=(12, 40))) for _ in range(20)]
    assert min(values) < 0 < max(values)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_leaving_blocks_out_is_recomputing(pair, estimator):
    X, Y = pair
    form = CkaForm(estimator)
    found = form.leave_blocks_out(*_prepared(form, pair), BLOCKS)
    for value, block in zip(found, BLOCKS, strict=True):
        keep = np.setdiff1d(np.arange(30), block)
        assert value == pytest.approx(cka(X[keep], Y[keep], estimator=estimator), abs=1e-10)


def test_every_single_stimulus_left_out(pair):
    X, Y = pair
    form = CkaForm()
    found = form.leave_blocks_out(*_prepared(form, pair), [np.array([i]) for i in range(30)])
    expected = [cka(np.delete(X, i, axis=0), np.delete(Y, i, axis=0)) for i in range(30)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_leaving_out_the_stimulus_that_holds_nearly_all_variance_keeps_digits(pair, estimator):
    X, Y = pair[0].copy(), pair[1]
    X[3] *= 1e4
    form = CkaForm(estimator)
    found = form.leave_blocks_out(form.prepare(X), form.prepare(Y), [np.array([3])])[0]
    expected = cka(np.delete(X, 3, axis=0), np.delete(Y, 3, axis=0), estimator=estimator)
    assert found == pytest.approx(expected, abs=1e-6)


def test_too_few_stimuli_left_are_not_a_number(pair):
    form = CkaForm()
    found = form.leave_blocks_out(*_prepared(form, pair), [np.arange(27), np.arange(26)])
    assert np.isnan(found[0])
    assert np.isfinite(found[1])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_restricting_is_preparing_the_subset(pair, estimator, kernel):
    form = CkaForm(estimator, kernel)
    rows = np.array([7, 3, 20, 11, 0, 15])
    for matrix in pair:
        small, direct = form.restrict(form.prepare(matrix), rows), form.prepare(matrix[rows])
        torch.testing.assert_close(small.values, direct.values, atol=1e-12, rtol=0)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_permuted_is_recomputing(pair, estimator, kernel):
    X, Y = pair
    form = CkaForm(estimator, kernel)
    rng = np.random.default_rng(3)
    permutations = np.stack([rng.permutation(30) for _ in range(6)])
    found = form.permuted([form.prepare(X), form.prepare(X[:, :5])], form.prepare(Y), permutations)
    expected = [[cka(x, Y[p], estimator=estimator, kernel=kernel) for p in permutations] for x in (X, X[:, :5])]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_null_moments_are_those_of_sampled_permutations(pair, estimator, kernel):
    form = CkaForm(estimator, kernel)
    a, b = _prepared(form, pair)
    rng = np.random.default_rng(4)
    null = form.permuted([a], b, rng.permuted(np.tile(np.arange(30), (20_000, 1)), axis=1))[0]
    mean, sd = form.null_moments(a, b)
    assert abs(null.mean() - mean) < 4 * sd / np.sqrt(20_000)
    z = (null - mean) / sd
    assert abs(null.std() / sd - 1) < 4 * np.sqrt((np.mean(z**4) - 1) / (4 * 20_000))
    skewness = form.null_skewness(a, b)
    assert abs(np.mean(z**3) - skewness) < 4 * np.std(z**3 - 3 * z - 1.5 * skewness * z**2) / np.sqrt(20_000)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_leaving_blocks_out_of_rbf_holds_its_width(pair, estimator):
    form = CkaForm(estimator, "rbf", 0.8)
    a, b = _prepared(form, pair)
    found = form.leave_blocks_out(a, b, BLOCKS)
    for value, block in zip(found, BLOCKS, strict=True):
        keep = np.setdiff1d(np.arange(30), block)
        direct = CkaForm(estimator)
        kept = [direct._prepared(side.values[keep][:, keep], 0.0, "rest") for side in (a, b)]
        assert value == pytest.approx(direct.score(*kept), abs=1e-12)
        width_anew = form.score(form.restrict(a, keep), form.restrict(b, keep))
        assert value == pytest.approx(width_anew, abs=0.05)


@pytest.mark.parametrize("max_memory", [8_000, 20_000, 33_000])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_blocks_of_rows_give_the_same_number(pair, estimator, kernel, max_memory):
    X, Y = pair[0] + 3, pair[1] - 5
    options = {"estimator": estimator, "kernel": kernel}
    whole = cka(X, Y, **options)
    assert cka(X, Y, max_memory=max_memory + 2 * (X.nbytes + Y.nbytes), **options) == pytest.approx(whole, abs=1e-10)
    assert cka(X, Y, max_memory="1GB", **options) == whole


def test_blocks_of_rows_keep_few_dimensions_and_equal_stimuli():
    rng = np.random.default_rng(5)
    X = rng.integers(0, 3, size=(40, 2)).astype(float)  # many stimuli are equal, distances take few values
    Y = rng.normal(size=(40, 3))
    for kernel in KERNELS:
        blocked = cka(X, Y, kernel=kernel, max_memory=15_000)
        assert blocked == pytest.approx(cka(X, Y, kernel=kernel), abs=1e-10)


def test_blocks_of_rows_refuse_what_cannot_work(pair):
    X, Y = pair
    with pytest.raises(InputError, match="needs at least"):
        cka(X, Y, max_memory=1000)
    with pytest.raises(UndefinedError, match="Y has no structure"):
        cka(X, np.full((30, 2), 0.1), max_memory=10_000)
    X, Y = np.repeat([[0.0], [1.0]], [25, 5], axis=0), pair[1]
    for max_memory in (None, 12_000):
        with pytest.raises(UndefinedError, match="at least half of the pairs"):
            cka(X, Y, kernel="rbf", max_memory=max_memory)


def test_a_bandwidth_belongs_to_rbf(pair):
    with pytest.raises(InputError, match="rbf"):
        cka(*pair, bandwidth=0.5)
    with pytest.raises(InputError, match="positive"):
        cka(*pair, kernel="rbf", bandwidth=0.0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_constant_representation_is_undefined(pair, estimator, dtype):
    constant = np.full((30, 3), 0.1, dtype=dtype)
    with pytest.raises(UndefinedError, match="Y has no structure"):
        cka(pair[0], constant, estimator=estimator)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_stimuli_that_are_all_equally_alike_are_undefined_when_debiased(pair, dtype):
    with pytest.raises(UndefinedError, match="equally alike"):
        cka((0.3 * np.eye(30) + 7).astype(dtype), pair[0])


def test_bad_input_is_refused(pair):
    X, Y = pair
    with pytest.raises(UndefinedError, match="3 stimuli"):
        cka(X[:3], Y[:3])
    with pytest.raises(ChoiceError, match="'debiased'"):
        cka(X, Y, estimator="unbiased")
    with pytest.raises(ChoiceError, match="linear"):
        cka(X, Y, kernel="polynomial")
    with pytest.raises(PairingError, match="30 rows"):
        cka(X, Y[:20])
    form = CkaForm()
    with pytest.raises(ResponseKindError, match="RSA"):
        form.prepare_rdm(np.arange(6.0))
    with pytest.raises(PairingError, match="30 stimuli"):
        form.score(form.prepare(X), form.prepare(Y[:20]))
    with pytest.raises(InputError, match="repeat"):
        form.restrict(form.prepare(X), np.array([0, 1, 1, 2]))
    with pytest.raises(InputError, match="shape"):
        form.permuted([form.prepare(X)], form.prepare(Y), np.arange(30))
