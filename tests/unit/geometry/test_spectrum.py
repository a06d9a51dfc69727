"""Power laws of spectra: recovery in and out of sample, with noise and repeats, across subjects."""

import numpy as np
import pytest

from brainalign.errors import InputError, NonFiniteError, PairingError, ShapeError, UndefinedError
from brainalign.geometry import cross_spectrum, repeat_spectrum, spectrum_exponent
from brainalign.geometry.spectrum import fit_power_law
from brainalign.testing.clouds import power_law, rotated


def noisy_repeats(n_repeats, exponent=1.0, n=400, p=100, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    signal = rotated(power_law(n, exponent, p, seed), p)
    return signal, [signal + noise * rng.normal(size=signal.shape) for _ in range(n_repeats)]


def test_fit_recovers_an_exact_law():
    exponent, used = fit_power_law(3.0 * np.arange(1, 200) ** -1.3, (11, 150))
    assert exponent == pytest.approx(1.3, rel=1e-9)
    assert used == 140
    # ranks without positive variance, or with mere rounding, have no logarithm
    values = np.arange(1, 200) ** -1.3
    values[[20, 40]] = [-1, 1e-17]
    exponent, used = fit_power_law(values, (11, 150))
    assert exponent == pytest.approx(1.3, rel=1e-9)
    assert used == 138


def test_weights_are_one_over_rank():
    values = np.array([1.0, 0.7, 0.2, 0.15, 0.1])
    x, y = np.log(np.arange(1, 6)), np.log(values)
    weight = 1 / np.arange(1, 6)
    mx, my = np.average(x, weights=weight), np.average(y, weights=weight)
    slope = (weight * (x - mx) * (y - my)).sum() / (weight * (x - mx) ** 2).sum()
    assert fit_power_law(values, (1, 5))[0] == pytest.approx(-slope)


def test_held_out_spectrum_by_definition():
    X = power_law(50, 1.0, 12)
    folds = np.arange(50) % 5
    spectra = []
    for fold in range(5):
        train, test = X[folds != fold], X[folds == fold]
        basis = np.linalg.svd(train - train.mean(0), full_matrices=False)[2]
        spectra.append((((test - train.mean(0)) @ basis.T) ** 2).mean(0))
    result = spectrum_exponent(X, fit=(2, 10))
    np.testing.assert_allclose(result.variances, np.mean(spectra, axis=0), rtol=1e-9)
    np.testing.assert_allclose(result.eigenvalues, np.linalg.eigvalsh(np.cov(X.T))[::-1], rtol=1e-9)
    assert (result.kind, result.fit, result.n_used) == ("held-out", (2, 10), 9)


def test_in_sample_exponent_is_too_steep_where_stimuli_are_few():
    few = spectrum_exponent(power_law(200, 0.0, 100), fit=(5, 80))
    assert few.in_sample > 0.3
    assert few.exponent == pytest.approx(0, abs=0.05)
    many = spectrum_exponent(power_law(3000, 1.0, 60), fit=(3, 50))
    assert many.exponent == pytest.approx(1, abs=0.05)
    assert many.in_sample == pytest.approx(1, abs=0.05)


def test_repeats_take_the_noise_out():
    signal, repeats = noisy_repeats(2)
    shared = spectrum_exponent(repeats[0], fit=(3, 40), repeats=repeats[1])
    clean = spectrum_exponent(signal, fit=(3, 40))
    noisy = spectrum_exponent(repeats[0], fit=(3, 40))
    assert shared.kind == "repeats"
    assert noisy.exponent < clean.exponent - 0.3
    assert abs(shared.exponent - clean.exponent) < 0.2


def test_repeat_spectrum_by_definition_and_its_sum():
    _, repeats = noisy_repeats(3, n=80, p=10)
    first, second = (repeats[0] + repeats[2]) / 2, repeats[1]
    halves = [h - h.mean(0) for h in (first, second)]
    expected = np.mean(
        [
            ((own @ basis.T) * (other @ basis.T)).sum(0) / 79
            for own, other in (halves, halves[::-1])
            for basis in [np.linalg.svd(own, full_matrices=False)[2]]
        ],
        axis=0,
    )
    np.testing.assert_allclose(repeat_spectrum(repeats), expected, rtol=1e-9)
    # all components together hold the covariance of the halves
    assert repeat_spectrum(repeats).sum() == pytest.approx((halves[0] * halves[1]).sum() / 79)
    noise = np.random.default_rng(1).normal(size=(2, 300, 20))
    assert abs(repeat_spectrum(noise).mean()) < 0.05


def test_cross_spectrum_of_subjects_without_common_neuroids():
    signal = power_law(500, 1.0, 40)
    rng = np.random.default_rng(2)
    first = rotated(signal, 60, 1) + 0.2 * rng.normal(size=(500, 60))
    second = rotated(signal, 80, 2) + 0.2 * rng.normal(size=(500, 80))
    spectrum = cross_spectrum(first, second)
    truth = np.arange(1, 41) ** -1.0
    np.testing.assert_allclose(spectrum[:8], truth[:8], rtol=0.35)
    assert fit_power_law(spectrum, (1, 15))[0] == pytest.approx(1, abs=0.25)
    unrelated = cross_spectrum(first, second[rng.permutation(500)])
    assert np.abs(unrelated).max() < 0.2 * spectrum[0]
    assert abs(unrelated.mean()) < 0.01


def test_cross_spectrum_by_definition_with_few_stimuli():
    rng = np.random.default_rng(3)
    X, Y = rng.normal(size=(12, 30)), rng.normal(size=(12, 20))
    folds = np.arange(12) % 3
    expected = []
    for fold in range(3):
        train, test = folds != fold, folds == fold
        x, y = X - X[train].mean(0), Y - Y[train].mean(0)
        u, _, vt = np.linalg.svd(x[train].T @ y[train], full_matrices=False)
        a, b = x[test] @ u[:, :7], y[test] @ vt[:7].T
        expected.append(((a - a.mean(0)) * (b - b.mean(0))).sum(0) / 3)
    np.testing.assert_allclose(cross_spectrum(X, Y, n_folds=3), np.mean(expected, axis=0), rtol=1e-8)


def test_bad_input():
    X = power_law(60, 1.0, 20)
    with pytest.raises(InputError, match="there are 12"):
        spectrum_exponent(X[:, :12])
    with pytest.raises(InputError, match="no range"):
        spectrum_exponent(X, fit=(5, 5))
    with pytest.raises(ShapeError):
        spectrum_exponent(X[:8], fit=(1, 5))
    with pytest.raises(ShapeError, match="cross_spectrum"):
        spectrum_exponent(X, fit=(1, 9), repeats=X[:, :10])
    with pytest.raises(PairingError):
        spectrum_exponent(X, fit=(1, 9), repeats=X[:30])
    with pytest.raises(InputError, match="at least two"):
        repeat_spectrum([X])
    with pytest.raises(InputError, match="n_folds"):
        cross_spectrum(X, X, n_folds=1)
    with pytest.raises(UndefinedError):
        spectrum_exponent(np.ones((60, 20)), fit=(1, 9))
    with pytest.raises(UndefinedError, match="all 48 stimuli are equal"):
        cross_spectrum(np.ones((60, 20)), X)
    with pytest.raises(NonFiniteError):
        spectrum_exponent(np.full((60, 20), np.inf), fit=(1, 9))
    assert spectrum_exponent(X, fit=(2, 500)).fit == (2, 20)
