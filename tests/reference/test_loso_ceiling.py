"""The ceiling of RSA across subjects: that of rsatoolbox, and pooled as the comparator asks."""

import numpy as np
import pytest

from brainalign import compare_rdms, loso_ceiling
from brainalign.composed.loso import pooled_rdms, subject_ceilings
from brainalign.errors import ShapeError

PEERS = {
    "cosine": "cosine",
    "pearson": "corr",
    "spearman": "spearman",
    "rho-a": "rho-a",
    "tau-a": "tau-a",
    "tau-b": "tau-b",
    "whitened-cosine": "cosine_cov",
    "whitened-pearson": "corr_cov",
}


def _subjects(seed=0, n_subjects=6, n=14, noise=1.0):
    rng = np.random.default_rng(seed)
    truth = np.exp(rng.normal(size=n * (n - 1) // 2))
    return np.abs(
        truth * np.exp(0.4 * rng.normal(size=(n_subjects, 1))) + noise * rng.normal(size=(n_subjects, len(truth)))
    )


@pytest.mark.filterwarnings("ignore:Noise ceiling for tau")
@pytest.mark.parametrize("compare", PEERS)
def test_bounds_are_those_of_rsatoolbox(compare):
    rdm = pytest.importorskip("rsatoolbox.rdm")
    bounds = pytest.importorskip("rsatoolbox.inference.noise_ceiling").boot_noise_ceiling
    rdms = _subjects()
    found = loso_ceiling(rdms, compare=compare)
    assert (found.value, found.upper) == pytest.approx(bounds(rdm.RDMs(rdms), method=PEERS[compare]), abs=1e-9)


@pytest.mark.parametrize("compare", ["cosine", "pearson", "spearman", "rho-a"])
def test_no_rdm_agrees_with_all_subjects_better_than_the_upper_bound(compare):
    rng = np.random.default_rng(1)
    rdms = _subjects(seed=2)
    _, everyone = pooled_rdms(rdms, compare=compare)
    upper = loso_ceiling(rdms, compare=compare).upper
    for size in (0.01, 0.1, 1.0):
        other = everyone + size * everyone.std() * rng.normal(size=everyone.shape)
        assert np.mean([compare_rdms(rdm, other, compare=compare) for rdm in rdms]) <= upper + 1e-9


def test_raw_means_are_no_bound_of_rank_comparators():
    """One subject whose dissimilarities are huge decides the raw mean, and not the mean of ranks."""
    rdms = _subjects(seed=3, n_subjects=5)
    rdms[0] = np.exp(8 * np.random.default_rng(4).normal(size=rdms.shape[1]))
    agreement = np.mean([compare_rdms(rdm, rdms.mean(axis=0), compare="spearman") for rdm in rdms])
    upper = loso_ceiling(rdms, compare="spearman").upper
    assert upper > 1.14 * agreement


def test_the_lower_bound_leaves_the_subject_out():
    rdms = np.random.default_rng(5).random((4, 300))
    lower, upper = subject_ceilings(rdms, compare="pearson")
    assert abs(lower.mean()) < 0.1 < 0.4 < upper.mean()


@pytest.mark.parametrize("rdms", [np.ones(10), np.ones((1, 10))])
def test_one_subject_has_no_ceiling(rdms):
    with pytest.raises(ShapeError, match="n_subjects >= 2"):
        loso_ceiling(rdms)
