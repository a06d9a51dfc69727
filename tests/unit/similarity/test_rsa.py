import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from brainalign.errors import ChoiceError, InputError, NonFiniteError, PairingError, ShapeError, UndefinedError
from brainalign.similarity import RsaForm, compare_rdms, rdm, rsa, rsa_form
from brainalign.stats import PairForm

PRODUCTS = ["rho-a", "spearman", "pearson", "cosine", "whitened-pearson", "whitened-cosine"]
COMPARATORS = [*PRODUCTS, "tau-a", "tau-b"]
BLOCKS = [np.array([0]), np.array([5, 2, 9]), np.arange(10, 18), np.array([2])]


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(24, 4))
    return np.hstack([latent, rng.normal(size=(24, 4))]), latent @ rng.normal(size=(4, 9)) + rng.normal(size=(24, 9))


def _prepared(form, pair):
    return form.prepare(pair[0]), form.prepare(pair[1])


def test_it_is_a_pair_form():
    for compare in COMPARATORS:
        form = rsa_form(compare=compare)
        assert isinstance(form, PairForm)
        assert form.smooth
        assert form.recomputed == compare.startswith("tau")


@pytest.mark.parametrize("compare", COMPARATORS)
@pytest.mark.parametrize("distance", ["correlation", "euclidean", "sqeuclidean", "cosine"])
def test_rsa_is_the_comparison_of_rdms(pair, distance, compare):
    X, Y = pair
    direct = rsa(X, Y, distance=distance, compare=compare)
    by_rdms = compare_rdms(rdm(X, distance=distance), rdm(Y, distance=distance), compare=compare)
    assert direct == pytest.approx(by_rdms, abs=1e-12)
    form = rsa_form(distance, compare)
    mixed = form.score(form.prepare(X), form.prepare_rdm(rdm(Y, distance=distance)))
    assert mixed == pytest.approx(direct, abs=1e-12)


@pytest.mark.parametrize("compare", ["rho-a", "spearman"])
@pytest.mark.parametrize("distance", ["euclidean", "sqeuclidean", "correlation", "cosine"])
def test_categorical_models_keep_their_ties(distance, compare):
    groups = np.repeat(np.arange(5), 6)
    Y = np.random.default_rng(1).normal(size=(30, 12))
    two_levels = pdist(groups[:, None]).astype(bool).astype(float)
    expected = compare_rdms(two_levels, rdm(Y, distance=distance), compare=compare)
    for one_hot in (np.eye(5)[groups], np.sqrt(2) * np.eye(5)[groups] + 0.1):
        assert rsa(one_hot, Y, distance=distance, compare=compare) == pytest.approx(expected, abs=1e-12)


def test_ties_do_not_pay_under_rho_a():
    rng = np.random.default_rng(2)
    truth = np.sort(rng.normal(size=300))
    two_levels = (np.arange(300) >= 150).astype(float)
    rho_a, spearman = (compare_rdms(two_levels, truth, compare=c) for c in ("rho-a", "spearman"))
    assert spearman == pytest.approx(spearmanr(two_levels, truth).statistic, abs=1e-12)
    assert rho_a == pytest.approx(0.75, abs=1e-4)  # the mean over tie breaks, against sqrt(3) / 2 for spearman
    assert spearman == pytest.approx(3**0.5 / 2, abs=1e-4)


@pytest.mark.parametrize("compare", PRODUCTS)
def test_leaving_blocks_out_holds_ranks_fixed(pair, compare):
    form = RsaForm(compare=compare)
    a, b = _prepared(form, pair)
    found = form.leave_blocks_out(a, b, BLOCKS)
    for value, block in zip(found, BLOCKS, strict=True):
        keep = np.setdiff1d(np.arange(24), block)
        ranked_anew = form.score(form.restrict(a, keep), form.restrict(b, keep))
        if compare not in ("rho-a", "spearman"):
            assert value == pytest.approx(ranked_anew, abs=1e-12)
            continue
        upper = np.triu_indices(len(keep), 1)
        u, v = (side.values.numpy()[np.ix_(keep, keep)][upper] for side in (a, b))
        expected = np.corrcoef(u, v)[0, 1] * a.spread * b.spread
        assert value == pytest.approx(expected, abs=1e-12)
        assert value == pytest.approx(ranked_anew, abs=0.03)


@pytest.mark.parametrize("compare", ["tau-a", "tau-b"])
def test_leaving_blocks_out_of_tau_ranks_anew(pair, compare):
    form = rsa_form(compare=compare)
    found = form.leave_blocks_out(*_prepared(form, pair), [*BLOCKS, np.arange(22)])
    for value, block in zip(found, BLOCKS, strict=False):
        keep = np.setdiff1d(np.arange(24), block)
        assert value == pytest.approx(rsa(pair[0][keep], pair[1][keep], compare=compare), abs=1e-12)
    assert np.isnan(found[-1])


def test_leaving_out_the_block_that_holds_nearly_all_variance_keeps_digits(pair):
    X, Y = pair[0].copy(), pair[1]
    X[3] *= 1e5
    keep = np.setdiff1d(np.arange(24), [3])
    for compare in ("pearson", "whitened-pearson", "whitened-cosine"):
        form = RsaForm("sqeuclidean", compare)
        found = form.leave_blocks_out(form.prepare(X), form.prepare(Y), [np.array([3])])[0]
        assert found == pytest.approx(rsa(X[keep], Y[keep], distance="sqeuclidean", compare=compare), abs=1e-6)


def test_leaving_out_what_made_the_rdm_vary_is_undefined():
    form = RsaForm("euclidean", "pearson")
    a = form.prepare_rdm(np.where(np.arange(10) < 4, 2.0, 1.0))  # stimulus 0 is far from all others
    b = form.prepare_rdm(np.arange(10.0))
    assert np.isnan(form.leave_blocks_out(a, b, [np.array([0]), np.array([1, 2, 3])])).all()
    assert np.isfinite(form.leave_blocks_out(a, b, [np.array([1])])).all()


@pytest.mark.parametrize("compare", COMPARATORS)
def test_restricting_is_preparing_the_subset(pair, compare):
    form = rsa_form(compare=compare)
    rows = np.array([7, 3, 20, 11, 0, 15])
    small, direct = (
        [prepare(matrix) for matrix in pair]
        for prepare in (
            lambda matrix: form.restrict(form.prepare(matrix), rows),
            lambda matrix: form.prepare(matrix[rows]),
        )
    )
    assert form.score(*small) == pytest.approx(form.score(*direct), abs=1e-12)
    assert form.score(small[0], direct[1]) == pytest.approx(form.score(*direct), abs=1e-12)


@pytest.mark.parametrize("compare", COMPARATORS)
def test_permuted_is_recomputing(pair, compare):
    X, Y = pair
    form = rsa_form(compare=compare)
    rng = np.random.default_rng(3)
    permutations = np.stack([rng.permutation(24) for _ in range(6)])
    found = form.permuted([form.prepare(X), form.prepare(X[:, :5])], form.prepare(Y), permutations)
    expected = [[rsa(x, Y[p], compare=compare) for p in permutations] for x in (X, X[:, :5])]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("compare", PRODUCTS)
def test_null_moments_are_those_of_sampled_permutations(pair, compare):
    form = RsaForm(compare=compare)
    a, b = _prepared(form, pair)
    rng = np.random.default_rng(4)
    null = form.permuted([a], b, rng.permuted(np.tile(np.arange(24), (20_000, 1)), axis=1))[0]
    mean, sd = form.null_moments(a, b)
    assert abs(null.mean() - mean) < 4 * sd / np.sqrt(20_000)
    z = (null - mean) / sd
    assert abs(null.std() / sd - 1) < 4 * np.sqrt((np.mean(z**4) - 1) / (4 * 20_000))
    skewness = form.null_skewness(a, b)
    assert abs(np.mean(z**3) - skewness) < 4 * np.std(z**3 - 3 * z - 1.5 * skewness * z**2) / np.sqrt(20_000)


def test_undefined_cases_are_named(pair):
    X, Y = pair
    bad = X.copy()
    bad[4] = 1.0
    with pytest.raises(UndefinedError, match="X: row 4 is constant"):
        rsa(bad, Y)
    with pytest.raises(UndefinedError, match=r"Y: .*two units"):
        rsa(X, Y[:, :1])
    with pytest.raises(UndefinedError, match="equally far apart"):
        rsa(np.eye(24), Y, distance="euclidean")
    with pytest.raises(UndefinedError, match="equally far apart"):
        rsa(np.eye(24, dtype=np.float32) * 3.3, Y, distance="cosine", compare="pearson")
    with pytest.raises(UndefinedError, match="zero"):
        compare_rdms(np.zeros(6), np.ones(6), compare="cosine")
    with pytest.raises(UndefinedError, match="constant"):
        compare_rdms(np.ones(6), np.arange(6.0))
    with pytest.raises(UndefinedError, match="at least 3"):
        rsa(X[:2], Y[:2])
    assert np.isfinite(rsa(X, Y[:, :1], distance="euclidean"))


def test_bad_input_is_refused(pair):
    X, Y = pair
    with pytest.raises(ChoiceError, match="'spearman'"):
        rsa(X, Y, compare="spearmann")
    with pytest.raises(ChoiceError, match="'cosine'"):
        rsa(X, Y, distance="cosin")
    with pytest.raises(ShapeError, match="7 dissimilarities"):
        compare_rdms(np.arange(7.0), np.arange(7.0))
    with pytest.raises(ShapeError, match="vector"):
        compare_rdms(np.eye(4), np.eye(4))
    with pytest.raises(PairingError, match="6 pairs, b has 10"):
        compare_rdms(np.arange(6.0), np.arange(10.0))
    with pytest.raises(NonFiniteError, match="row 2"):
        compare_rdms([1.0, 2.0, np.nan], [1.0, 2.0, 3.0])
    form = RsaForm()
    a, b = form.prepare(X), form.prepare(Y[:20])
    with pytest.raises(PairingError, match="24 stimuli"):
        form.score(a, b)
    with pytest.raises(InputError, match="repeat"):
        form.restrict(a, np.array([0, 1, 1, 2]))
    with pytest.raises(InputError, match="each of 0 to 23"):
        form.permuted([a], a, np.zeros((1, 24), dtype=int))
    with pytest.raises(UndefinedError, match="2 stimuli remain"):
        form.restrict(a, np.array([0, 1]))


def test_rdms_may_be_negative_and_large():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=45), rng.normal(size=45)
    for compare in COMPARATORS:
        assert compare_rdms(a * 1e30, b * 1e-30, compare=compare) == pytest.approx(compare_rdms(a, b, compare=compare))
    form = RsaForm("euclidean")
    assert form.score(form.prepare_rdm(a), form.prepare_rdm(b)) == pytest.approx(spearmanr(a, b).statistic)


@pytest.mark.parametrize("compare", ["rho-a", "spearman", "tau-a", "tau-b"])
def test_steps_of_rounding_are_one_chain_of_ties(compare):
    steps = 1 + 5e-15 * np.arange(10)
    assert np.ptp(steps) > 32 * np.finfo(np.float64).eps
    with pytest.raises(UndefinedError, match="constant"):
        compare_rdms(steps, np.arange(10.0), compare=compare)
