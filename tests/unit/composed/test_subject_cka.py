"""The ceiling of CKA across subjects, against Gram matrices averaged by hand."""

import numpy as np
import pytest

from brainalign.composed import subject_cka_ceiling
from brainalign.errors import CeilingError, PairingError, ShapeError, UndefinedError
from brainalign.similarity import cka


def group(noise, n=60, seed=0):
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, 4))
    return [latent @ rng.standard_normal((4, 30)) + noise * rng.standard_normal((n, 30)) for _ in range(4)]


def test_the_biased_bounds_are_those_of_averaged_gram_matrices():
    subjects = group(1.0)
    grams = []
    for x in subjects:
        x = x - x.mean(axis=0)
        grams.append(x @ x.T / np.linalg.norm(x @ x.T))

    def against(i, pool):
        mean = np.mean([grams[j] for j in pool], axis=0)
        return (grams[i] * mean).sum() / np.linalg.norm(mean)

    lower = np.mean([against(i, [j for j in range(4) if j != i]) for i in range(4)])
    upper = np.mean([against(i, range(4)) for i in range(4)])
    found = subject_cka_ceiling(subjects, estimator="biased")
    assert (found.value, found.upper) == pytest.approx((lower, upper))


def test_the_true_latent_lies_between_the_bounds():
    rng = np.random.default_rng(0)
    n = 200
    latent = rng.standard_normal((n, 5))
    subjects = [latent @ rng.standard_normal((5, 60)) + 3 * rng.standard_normal((n, 60)) for _ in range(6)]
    found = subject_cka_ceiling(subjects)
    pooled = np.concatenate([x / np.linalg.norm((x - x.mean(0)).T @ (x - x.mean(0))) ** 0.5 for x in subjects], axis=1)
    best = np.mean([cka(x, pooled) for x in subjects])
    assert found.value < best <= found.upper + 1e-9
    assert found.value < found.upper < 1


def test_noise_has_no_ceiling_to_speak_of():
    rng = np.random.default_rng(1)
    assert abs(subject_cka_ceiling([rng.standard_normal((80, 50)) for _ in range(5)]).value) < 0.1


def test_it_bounds_cka_only_and_needs_the_same_stimuli():
    found = subject_cka_ceiling(group(0.5))
    assert found.normalise(0.3, "cka") == pytest.approx(0.3 / found.value)
    with pytest.raises(CeilingError, match="does not bound 'rsa'"):
        found.normalise(0.3, "rsa")
    with pytest.raises(ShapeError, match="at least two"):
        subject_cka_ceiling(group(0.5)[:1])
    with pytest.raises(PairingError, match=r"\[50, 60\] stimuli"):
        subject_cka_ceiling([group(0.5)[0], group(0.5)[1][:50]])
    with pytest.raises(UndefinedError, match="subject 1 do not vary"):
        subject_cka_ceiling([group(0.5)[0], np.ones((60, 3))])
