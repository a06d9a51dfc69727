"""The pair-safe bootstrap against explicit resampling."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr

from brainalign.errors import InputError, ShapeError
from brainalign.stats.bootstrap import draw_counts, pair_bootstrap


def matrices(n=14, seed=0):
    rng = np.random.default_rng(seed)
    return squareform(pdist(rng.standard_normal((n, 5)))), squareform(pdist(rng.standard_normal((n, 5))))


@pytest.mark.parametrize("centred", [True, False])
def test_each_sample_is_that_of_its_resampled_matrix_without_pairs_of_copies(centred):
    A, B = matrices()
    counts = draw_counts(14, 6, seed=1)
    values = pair_bootstrap(A + 3 * np.eye(14), B, counts, centred=centred)
    for count, value in zip(counts, values, strict=True):
        drawn = np.repeat(np.arange(14), count.astype(int))
        i, j = np.triu_indices(len(drawn), 1)
        apart = drawn[i] != drawn[j]
        a, b = A[drawn[i], drawn[j]][apart], B[drawn[i], drawn[j]][apart]
        expected = pearsonr(a, b).statistic if centred else a @ b / np.sqrt(a @ a * (b @ b))
        assert value == pytest.approx(expected, abs=1e-12)


def test_counts_sum_to_the_sample_and_keep_groups():
    counts = draw_counts(30, 50, seed=0)
    assert (counts.sum(axis=1) == 30).all()
    groups = np.repeat(np.arange(10), 3)
    grouped = draw_counts(30, 50, groups=groups, seed=0).reshape(50, 10, 3)
    assert (grouped == grouped[:, :, :1]).all()
    assert (grouped[:, :, 0].sum(axis=1) == 10).all()
    with pytest.raises(InputError, match="at least two samples"):
        draw_counts(5, 1)
    with pytest.raises(ShapeError, match="3 labels for 5"):
        draw_counts(5, 4, groups=[0, 1, 1])


def test_a_constant_matrix_has_no_value():
    A, _ = matrices()
    assert np.isnan(pair_bootstrap(A, np.ones_like(A) - np.eye(14), draw_counts(14, 3))).all()


def test_samples_are_cut_without_a_trace(monkeypatch):
    A, B = matrices()
    counts = draw_counts(14, 25, seed=2)
    whole = pair_bootstrap(A, B, counts)
    monkeypatch.setattr("brainalign.stats.bootstrap.CHUNK_BYTES", 1)
    np.testing.assert_allclose(pair_bootstrap(A, B, counts), whole, rtol=1e-12)
