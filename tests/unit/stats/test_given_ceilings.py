"""Ceilings that datasets ship, and the ways in which ceilings are commonly used wrongly."""

import numpy as np
import pytest

from brainalign.errors import CeilingError, ChoiceError, UndefinedError
from brainalign.stats import Ceiling, ncsnr_ceiling, noise_ceiling, published_ceiling


def trials(n=4000, repeats=3, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal(n)
    return signal, signal[:, None] + noise * rng.standard_normal((n, repeats))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_ceiling_fits_the_trials_that_are_averaged(n):
    """A perfect model reaches another r on single trials than on means of three; each with its own ceiling."""
    signal, y = trials(noise=0.9)
    r = np.corrcoef(signal, y[:, :n].mean(axis=1))[0, 1]
    ceiling = ncsnr_ceiling([1 / 0.9], n)
    assert ceiling.n_repeats == n
    assert ceiling.bound("r")[0] == pytest.approx(r, abs=0.02)
    assert ceiling.bound("r2")[0] == pytest.approx(r**2, abs=0.02)


def test_mixed_repeats_in_every_spelling():
    a, b, c = 5445, 2000, 1764
    ratio = np.array([0.0, 0.3, 1.7])
    expected = ratio**2 / (ratio**2 + (a / 3 + b / 2 + c) / (a + b + c))
    counts = np.repeat([3, 2, 1], [a, b, c])
    for given in ({3: a, 2: b, 1: c}, counts, np.random.default_rng(0).permutation(counts)):
        assert np.allclose(ncsnr_ceiling(ratio, given).value, expected)


def test_a_given_ratio_takes_its_counts_from_the_responses():
    y = np.random.default_rng(1).standard_normal((40, 3, 2))
    y[:10, 2] = np.nan
    given = noise_ceiling(y, ncsnr=[0.5, 2.0])
    assert np.allclose(given.value, ncsnr_ceiling([0.5, 2.0], {2: 10, 3: 30}).value)
    with pytest.raises(CeilingError, match="2 neuroids"):
        noise_ceiling(y, ncsnr=[0.5])
    with pytest.raises(ChoiceError, match="computes another"):
        noise_ceiling(y, ncsnr=[0.5, 2.0], method="split-half")


def test_a_recomputed_ratio_agrees_with_the_recipe():
    """Z-score within sessions, unbiased variance over three repeats; the root of the mean, not the mean of roots."""
    _, y = trials(n=3000, noise=1.2)
    z = (y - y.mean()) / y.std()
    variance = z.var(axis=1, ddof=1).mean()
    ratio = np.sqrt(max(1 - variance, 0)) / np.sqrt(variance)
    biased = np.sqrt(max(1 - z.std(axis=1, ddof=1).mean() ** 2, 0)) / z.std(axis=1, ddof=1).mean()
    assert ratio == pytest.approx(1 / 1.2, abs=0.03)
    assert abs(biased - 1 / 1.2) > 0.1
    assert noise_ceiling(y[:, :, None]).value[0] == pytest.approx(ncsnr_ceiling([ratio], 3).value[0], abs=0.01)


def test_sessions_left_in_lower_the_ratio():
    _, y = trials(n=1000, noise=0.7)
    shifted = y + np.array([-1.0, 0.0, 1.0])  # repeat k in session k
    within = shifted - shifted.mean(axis=0)
    assert noise_ceiling(shifted[:, :, None]).value[0] < noise_ceiling(within[:, :, None]).value[0] - 0.1


def test_a_variance_share_is_no_correlation():
    """Noise ceiling 30 % allows r = 0.548, not 0.3."""
    ceiling = published_ceiling([30.0, 60.0], unit="percent", n_repeats=12, source="test")
    assert ceiling.bound("r") == pytest.approx([0.548, 0.775], abs=1e-3)
    assert ceiling.normalise([np.sqrt(0.3), np.sqrt(0.6)], "r") == pytest.approx([1, 1])
    assert ceiling.normalise([0.3, 0.6], "r2") == pytest.approx([1, 1])


def test_reliability_is_a_share_already():
    """r2 of a perfect model over the Spearman-Brown reliability is 1; over its square it would be far above."""
    signal, y = trials(n=20000, repeats=4, noise=3.0)
    ceiling = noise_ceiling(y[:, :, None], method="split-half")
    r2 = np.corrcoef(signal, y.mean(axis=1))[0, 1] ** 2
    assert ceiling.normalise([r2], "r2")[0] == pytest.approx(1, abs=0.05)
    assert r2 / ceiling.value[0] ** 2 > 2


def test_negative_halves_stay_finite_and_visible():
    y = np.stack([np.arange(20.0), -np.arange(20.0)], axis=1)[:, :, None]
    value = noise_ceiling(y, method="split-half").value[0]
    assert value == pytest.approx(-1)  # the corrected formula would be infinite
    assert np.isnan(Ceiling("reliability", np.array([value]), 2, "x").normalise([0.1], "r2")[0])


def test_units_are_told_apart():
    assert published_ceiling([0.0, 0.6], unit="fraction", n_repeats=None, source="x").value.max() == 0.6
    with pytest.raises(CeilingError, match="in percent; is the unit the other"):
        published_ceiling([0.1, 0.6], unit="percent", n_repeats=3, source="x")
    with pytest.raises(CeilingError, match="in fraction"):
        published_ceiling([10.0, 60.0], unit="fraction", n_repeats=3, source="x")
    with pytest.raises(ChoiceError, match="Did you mean 'percent'"):
        published_ceiling([10.0], unit="per cent", n_repeats=3, source="x")


def test_means_are_divided_and_what_has_no_ceiling_is_counted():
    value = np.array([0.36, 0.04, 0.0, np.nan, 1e-9])
    scores = np.array([0.3, 0.1, 0.05, 0.2, np.nan])
    found = Ceiling("variance", value, 3, "x").aggregate(scores)
    assert (found.n_used, found.n_excluded) == (2, 3)
    assert found.normalised == pytest.approx(0.2 / 0.4)
    assert found.normalised != pytest.approx(np.mean([0.3 / 0.6, 0.1 / 0.2]) + 0.01)
    with pytest.raises(CeilingError, match="does not bound 'rsa'"):
        Ceiling("variance", value, 3, "x").aggregate(scores, "rsa")
    with pytest.raises(UndefinedError, match="none of 5"):
        Ceiling("variance", np.zeros(5), 3, "x").aggregate(scores)
    with pytest.raises(CeilingError, match="do not match"):
        Ceiling("variance", value, 3, "x").aggregate(scores[:2])


def test_noise_neuroids_do_not_explode_the_aggregate():
    rng = np.random.default_rng(0)
    share = np.concatenate([np.full(50, 0.5), np.full(50, 1e-6)])
    scores = np.concatenate([np.full(50, 0.35), 0.05 * rng.standard_normal(50)])
    found = Ceiling("variance", share, 3, "x").aggregate(scores)
    assert found.normalised == pytest.approx(0.5, abs=0.02)
    assert abs(np.mean(scores / np.sqrt(share))) > 1 or np.std(scores / np.sqrt(share)) > 10


def test_a_neuroid_that_never_varies_has_a_ceiling_of_zero_and_is_left_out():
    y = np.random.default_rng(0).standard_normal((30, 3, 2))
    y[:, :, 1] = 0
    ceiling = noise_ceiling(y)
    assert ceiling.value[1] == 0
    assert np.isnan(ceiling.normalise([0.1, 0.1], "r")[1])


def test_ratios_that_cannot_be():
    for bad in ([-0.1], [np.inf]):
        with pytest.raises(CeilingError, match="ratio of standard deviations"):
            ncsnr_ceiling(bad, 3)
    for counts in (0, [3, 0], []):
        with pytest.raises(CeilingError, match="at least 1"):
            ncsnr_ceiling([0.5], counts)
    assert np.isnan(ncsnr_ceiling([np.nan], 3).value[0])
