"""Paired differences against SciPy's exhaustive test."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from brainalign.errors import UndefinedError
from brainalign.stats.relations import sign_flip


def test_against_scipy_over_all_signs() -> None:
    d = np.random.default_rng(0).standard_normal(9) * 1e-8 + 5e-9
    found = sign_flip(d)
    reference = scipy_stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert found.exact and found.n_permutations == 511
    assert found.p == pytest.approx(reference.pvalue, abs=1e-12)
    t = scipy_stats.ttest_1samp(d, 0).confidence_interval()
    assert found.interval.low == pytest.approx(t.low) and found.interval.high == pytest.approx(t.high)


def test_many_pairs_are_sampled() -> None:
    d = np.random.default_rng(1).standard_normal(40) + 0.3
    found = sign_flip(d, n_permutations=5000)
    assert not found.exact and found.smallest_p == pytest.approx(1 / 5001)
    assert found.p == pytest.approx(scipy_stats.ttest_1samp(d, 0).pvalue, abs=0.015)


def test_few_pairs_cannot_be_significant() -> None:
    found = sign_flip([1.0, 1.1, 0.9, 1.0])
    assert found.p == found.smallest_p == 0.125
    with pytest.raises(UndefinedError, match="at least two"):
        sign_flip([1.0])
