"""Ceilings recover known noise, and divide only what they bound."""

from typing import ClassVar

import numpy as np
import pytest

from brainalign.errors import CeilingError, ChoiceError, ShapeError, UndefinedError
from brainalign.stats import Ceiling, as_repeats, noise_ceiling
from brainalign.stats.ceilings import noise_variances


def simulated(n: int = 2000, repeats: int = 3, noise: tuple[float, ...] = (0.3, 1.0, 2.5), seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((n, 1, len(noise)))
    return signal + rng.standard_normal((n, repeats, len(noise))) * np.array(noise)


def test_ncsnr_recovers_the_known_share() -> None:
    ceiling = noise_ceiling(simulated(n=6000))
    expected = 1 / (1 + np.array([0.3, 1.0, 2.5]) ** 2 / 3)
    assert ceiling.kind == "variance"
    assert ceiling.n_repeats == 3
    assert np.allclose(ceiling.value, expected, atol=0.03)


def test_unequal_repeats_use_the_mean_of_inverse_counts() -> None:
    data = simulated()
    data[:1000, 2] = np.nan
    ceiling = noise_ceiling(data)
    inverse = (1 / 2 + 1 / 3) / 2
    assert ceiling.n_repeats == pytest.approx(1 / inverse)
    assert np.allclose(ceiling.value, 1 / (1 + np.array([0.09, 1.0, 6.25]) * inverse), atol=0.04)


def test_official_recipe_agrees_on_z_scored_trials() -> None:
    """On z-scored single trials, 1 - noise variance is the signal variance (Allen et al. 2022)."""
    data = simulated(noise=(1.0, 2.0))
    data = (data - data.mean(axis=(0, 1))) / data.std(axis=(0, 1))
    noise = data.var(axis=1, ddof=1).mean(axis=0)
    ncsnr = np.sqrt(np.maximum(1 - noise, 0)) / np.sqrt(noise)
    official = ncsnr**2 / (ncsnr**2 + 1 / 3)
    assert np.allclose(noise_ceiling(data).value, official, atol=2e-3)


def test_leaving_blocks_out_is_recomputation() -> None:
    data = simulated(n=40)
    repeats = as_repeats(data)
    blocks = [np.arange(0, 7), np.arange(7, 8), np.arange(20, 40)]
    noise, signal, inverse = noise_variances(repeats, blocks)
    for i, block in enumerate(blocks):
        again = noise_variances(as_repeats(np.delete(data, block, axis=0)))
        assert np.allclose(noise[i], again[0])
        assert np.allclose(signal[i], again[1])
        assert inverse[i] == pytest.approx(again[2])


def test_split_half_agrees_with_ncsnr_and_keeps_negatives() -> None:
    data = simulated(n=3000, repeats=4)
    halves = noise_ceiling(data, method="split-half")
    assert halves.kind == "reliability"
    assert np.allclose(halves.value, noise_ceiling(data).value, atol=0.03)
    rng = np.random.default_rng(1)
    nothing = noise_ceiling(rng.standard_normal((200, 2, 50)), method="split-half")
    assert np.min(nothing.value) < 0
    assert np.min(nothing.value) > -0.5


def test_split_half_scales_from_the_half_it_took_to_the_repeats_that_are_scored() -> None:
    data = simulated(n=4000, repeats=5, noise=(2.0,))
    assert noise_ceiling(data, method="split-half").value == pytest.approx(1 / (1 + 4 / 5), abs=0.03)


def test_labelled_responses_in_any_order() -> None:
    class Labelled(dict):  # the two names that a labelled object must answer to
        attrs: ClassVar[dict] = {}

    class Values:
        def __init__(self, values: np.ndarray) -> None:
            self.values = values

    data = simulated(n=50)
    order = np.random.default_rng(3).permutation(150)
    rows, labels = data.reshape(150, 3)[order], np.repeat([f"s{i}" for i in range(50)], 3)[order]
    ceiling = noise_ceiling(Labelled(response=Values(rows), stimulus=Values(labels)))
    assert np.allclose(ceiling.value, noise_ceiling(data).value)


def test_no_repeats_no_ceiling() -> None:
    with pytest.raises(UndefinedError, match="more than once"):
        noise_ceiling(simulated(repeats=1))
    with pytest.raises(ShapeError, match="averaged before"):
        noise_ceiling(np.zeros((10, 4)))
    with pytest.raises(ChoiceError, match="split-half"):
        noise_ceiling(simulated(), method="splithalf")


def test_averaged_responses_have_a_null_ceiling_with_the_reason() -> None:
    class Averaged:
        attrs: ClassVar[dict] = {"averaged": "14 repeats were averaged by the authors"}

    ceiling = noise_ceiling(Averaged())
    assert ceiling.kind is None
    with pytest.raises(CeilingError, match="14 repeats"):
        ceiling.normalise(0.3, "r")


def test_normalise_follows_the_kinds() -> None:
    variance = Ceiling("variance", np.array([0.36, 0.0]), 3, "ncsnr")
    assert np.allclose(variance.normalise([0.3, 0.3], "r"), [0.5, np.nan], equal_nan=True)
    assert np.allclose(variance.normalise([0.3, 0.3], "r2"), [0.3 / 0.36, np.nan], equal_nan=True)
    correlation = Ceiling("correlation", 0.8, 3, "repeats", quantity="cka")
    assert correlation.normalise(0.4, "cka") == pytest.approx(0.5)
    for ceiling, quantity in ((variance, "rsa"), (variance, "cka"), (correlation, "r"), (correlation, "rsa")):
        with pytest.raises(CeilingError, match="does not bound"):
            ceiling.normalise(0.3, quantity)
    with pytest.raises(CeilingError, match="do not match"):
        variance.normalise([0.1, 0.2, 0.3], "r")


def test_aggregate_is_divided_not_neuroids() -> None:
    ceiling = Ceiling("variance", np.array([0.81, 0.01, 0.0]), 3, "ncsnr")
    assert ceiling.normalise(0.25, "r") == pytest.approx(0.25 / np.mean([0.9, 0.1]))
