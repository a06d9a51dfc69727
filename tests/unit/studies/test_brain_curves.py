"""Responses whose dimension without noise is known: what noise adds, what repeats take away, and what a model shows."""

import numpy as np
import pytest

import brainalign as ba
from brainalign.errors import InputError, PairingError, UndefinedError
from brainalign.stats import as_repeats
from brainalign.studies.brain_curves import brain_curves
from brainalign.studies.response_noise import Draws, noise_matched

N, V, D = 200, 40, 6


def _responses(noise: float, *, seed: int = 0, n_repeats: int = 3):
    rng = np.random.default_rng(seed)
    code = rng.uniform(-1, 1, (N, D))
    signal = code @ rng.standard_normal((D, V))
    spread = rng.uniform(0.5, 1.5, V)  # some neuroids are noisier than others
    return code, signal, signal[:, None] + noise * spread * rng.standard_normal((N, n_repeats, V))


@pytest.fixture(scope="module")
def curves():
    code, _, responses = _responses(1.0)
    model = code @ np.random.default_rng(9).standard_normal((D, 100))
    return brain_curves(responses, model=model, structure=False, notes=["V4 of s1", "photos"])


def _at(curves, of: str, scale: int = 16):
    table = curves.dimension
    return table[(table["of"] == of) & (table["scale"] == scale)].set_index("repeats")["dimension"]


def test_repeats_take_noise_away(curves) -> None:
    brain = _at(curves, "brain")
    assert brain.index.tolist() == [1, 2, 3]
    assert brain[1] > brain[2] > brain[3] > D - 1
    assert _at(curves, "noise")[1] > brain[1]
    _, _, responses = _responses(1.0)
    expected = ba.dimension_curve(responses.mean(axis=1), scales=(16, 32), reference=None).values
    assert brain[3] == pytest.approx(expected[0])
    assert curves.n_stimuli == N and curves.n_neuroids == V and curves.n_repeats == 3
    assert curves.notes == ["V4 of s1", "photos"]


def test_a_model_of_the_signal_with_the_noise_is_the_brain(curves) -> None:
    brain, control = _at(curves, "brain"), _at(curves, "model + noise")
    assert control.to_numpy() == pytest.approx(brain.to_numpy(), rel=0.08)
    assert _at(curves, "model").iloc[0] < 0.75 * brain[3]
    assert "with the noise of 3 repeats" in curves.sentence()


def test_a_model_of_another_dimension_is_not() -> None:
    _, _, responses = _responses(0.5)
    wide = np.random.default_rng(1).standard_normal((N, 60))
    found = brain_curves(responses, model=wide)
    assert _at(found, "model + noise")[3] > 1.5 * _at(found, "brain")[3]


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_the_interval_without_noise_holds_the_truth(noise: float) -> None:
    held = []
    for seed in range(2):
        _, signal, responses = _responses(noise, seed=seed)
        truth = ba.dimension_curve(signal, scales=(16, 32), reference=None).values
        found = brain_curves(responses, seed=seed)
        clean = found.dimension[found.dimension["of"] == "brain without noise"]
        held += ((clean["low"] <= truth) & (truth <= clean["high"])).tolist()
        # and says something: narrower than from nothing to what was measured
        assert (clean["high"] - clean["low"] < _at(found, "brain")[1]).all()
    assert np.mean(held) >= 0.75


def test_too_much_noise_has_a_reason() -> None:
    _, _, responses = _responses(8.0)
    found = brain_curves(responses)
    clean = found.dimension[found.dimension["of"] == "brain without noise"]
    assert clean["dimension"].isna().all() and clean["reason"].str.contains("too near").all()
    assert "unknown" in found.sentence()


def test_reliable_neuroids_alone_and_structure() -> None:
    _, _, responses = _responses(1.0)
    chosen = np.arange(V) < 20
    found = brain_curves(responses, neuroids=chosen, structure=True, structure_method="slb", repeats=(1, 3))
    assert found.n_neuroids == 20 and set(found.dimension["repeats"].dropna()) == {1, 3, np.inf}
    curve = ba.structure_curve(responses[:, :, chosen].mean(axis=1), method="slb")
    mean = found.structure[(found.structure["of"] == "brain") & (found.structure["repeats"] == 3)]
    assert mean["distance"].tolist() == pytest.approx(curve.consecutive.tolist())


def test_noise_has_the_covariance_that_repeats_show() -> None:
    rng = np.random.default_rng(3)
    mixing = rng.standard_normal((5, 5))
    responses = as_repeats(rng.standard_normal((1500, 1, 5)) + rng.standard_normal((1500, 4, 5)) @ mixing)
    drawn = Draws(responses, 0).noise(2)
    np.testing.assert_allclose(np.cov(drawn.T), mixing.T @ mixing / 2, atol=0.2 * np.abs(mixing.T @ mixing).max())


def test_a_matched_model_has_the_signal_variance_and_its_own_distances() -> None:
    code, signal, responses = _responses(1.0)
    found = as_repeats(responses)
    matched = noise_matched(code, found)
    assert matched.var(axis=0, ddof=1).sum() == pytest.approx(signal.var(axis=0, ddof=1).sum(), rel=0.05)
    a, b = ba.rdm(code, distance="euclidean"), ba.rdm(matched, distance="euclidean")
    assert np.ptp(b / a) < 1e-9 * b.max()


def test_what_has_no_curve() -> None:
    _, _, responses = _responses(1.0)
    with pytest.raises(UndefinedError, match="not every stimulus was repeated"):
        brain_curves(responses[:, :1])
    with pytest.raises(PairingError, match="the model has 10"):
        brain_curves(responses, model=np.eye(10))
    with pytest.raises(InputError, match="no neuroid"):
        brain_curves(responses, neuroids=[False] * V)
    with pytest.raises(UndefinedError, match="two are needed"):
        brain_curves(responses[:7])
