"""Extrapolation of a score to responses without noise."""

import numpy as np
import pytest

from brainalign.errors import InputError, UndefinedError
from brainalign.similarity import MutualKnnForm
from brainalign.stats.noise_free import between, noise_free_bracket, noise_free_ends
from brainalign.stats.resampling import Interval, mean_interval

REPEATS = {"n_repeats": 6.0, "n_half": 3.0}


def test_each_form_is_exact_where_it_holds():
    noise = 1 / np.array([6.0, 3.0])
    linear, _ = noise_free_bracket(*(0.7 - 0.9 * noise), chance=0.0, **REPEATS)
    assert linear == pytest.approx(0.7, rel=1e-12)
    _, harmonic = noise_free_bracket(*(0.1 + 0.6 / (1 + 5 * noise)), chance=0.1, **REPEATS)
    assert harmonic == pytest.approx(0.7, rel=1e-12)


def test_unequal_steps_are_taken_into_account():
    noise = 1 / np.array([7.3, 3.0])
    linear, harmonic = noise_free_bracket(*(0.5 / (1 + noise)), n_repeats=7.3, n_half=3.0, chance=0.0)
    assert harmonic == pytest.approx(0.5, rel=1e-12)
    assert linear < 0.5


def test_noise_that_drowns_the_signal_has_no_extrapolation():
    full, half = np.array([0.30, 0.02, 0.30]), np.array([0.05, 0.03, 0.31])
    _, harmonic = noise_free_bracket(full, half, chance=0.03, **REPEATS)
    assert np.isnan(harmonic).tolist() == [True, True, False]
    drawn = {"drawn_full": np.full(20, 0.3), "drawn_half": np.full(20, 0.05), "drawn_chance": np.full(20, 0.03)}
    with pytest.raises(UndefinedError, match=r"0\.3 at 6 repeats and 0\.2 at 3: noise is too strong"):
        noise_free_ends(0.3, 0.2, **drawn, chance=0.03, sizes=np.full(20, 50), n=100, **REPEATS)


def test_there_must_be_fewer_repeats_than_all():
    with pytest.raises(InputError, match="got 4 of 4"):
        noise_free_bracket(0.5, 0.4, n_repeats=4, n_half=4, chance=0)


def test_the_interval_holds_both_forms():
    low, high = Interval(0.4, 0.35, 0.45, 0.02), Interval(0.5, 0.42, 0.58, 0.04)
    both = between(low, high)
    assert (both.estimate, both.low, both.high) == (pytest.approx(0.45), 0.35, 0.58)


def test_the_mean_of_independent_parts():
    mean = mean_interval([Interval(0.2, 0.0, 0.4, 0.3), Interval(0.4, 0.2, 0.6, 0.4)])
    assert mean.estimate == pytest.approx(0.3)
    assert mean.se == pytest.approx(0.25)
    assert mean.high - mean.estimate == pytest.approx(1.959964 * 0.25, rel=1e-6)


@pytest.mark.parametrize(("noise", "dimensions"), [(0.5, 20), (1.0, 20), (1.0, 100)])
def test_neighbours_of_gaussian_responses_lie_between_the_two_forms(noise, dimensions):
    # a generator that has nothing to do with the simulated cortex; means over simulations, so that sampling is small
    rng = np.random.default_rng(0)
    n, repeats, form = 150, 4, MutualKnnForm(k=10)
    scale = np.arange(1, dimensions + 1) ** -0.5
    found = []
    for _ in range(12):
        X, other = rng.standard_normal((2, n, dimensions)) * scale
        clean = (0.6 * X + 0.4 * other) @ rng.standard_normal((dimensions, 60))
        clean /= clean.std(axis=0)
        shown = clean + np.sqrt(noise) * rng.standard_normal((repeats, n, 60))
        a = form.prepare(X)
        halves = (form.prepare(shown[rows].mean(axis=0)) for rows in ([0, 1], [2, 3], [0, 2], [1, 3]))
        half = np.mean([form.score(a, b) for b in halves])
        found.append([form.score(a, form.prepare(clean)), form.score(a, form.prepare(shown.mean(axis=0))), half])
    truth, full, half = np.mean(found, axis=0)
    linear, harmonic = noise_free_bracket(full, half, n_repeats=4, n_half=2, chance=10 / (n - 1))
    assert full < linear < truth + 0.005
    assert truth - 0.005 < harmonic
