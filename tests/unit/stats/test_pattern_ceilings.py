"""The ceiling from repeats is the agreement of the noisy mean with the noise-free patterns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from brainalign.errors import UndefinedError
from brainalign.similarity import CkaForm, RsaForm
from brainalign.stats import as_repeats, pattern_ceiling


@dataclass(frozen=True)
class Case:
    form: Any
    quantity: str
    tolerance: float


CASES = {
    "cka": Case(CkaForm(), "cka", 0.02),
    "rsa": Case(RsaForm(), "rsa", 0.03),
    "rsa euclidean": Case(RsaForm(distance="sqeuclidean", compare="pearson"), "rsa", 0.03),
}


def patterns(repeats: int, noise: float, seed: int, n: int = 150, v: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal((n, 8)) @ rng.standard_normal((8, v)) / 8**0.5
    return truth, truth[:, None] + noise * rng.standard_normal((n, repeats, v))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("repeats", [2, 3, 4, 6])
def test_ceiling_is_the_agreement_with_the_truth(name: str, repeats: int) -> None:
    case = CASES[name]
    errors = []
    for seed in range(5):
        truth, data = patterns(repeats, 1.5, seed)
        ceiling, _ = pattern_ceiling(case.form, as_repeats(data), quantity=case.quantity, seed=seed)
        reached = case.form.score(case.form.prepare(data.mean(axis=1)), case.form.prepare(truth))
        errors.append(float(np.asarray(ceiling.value)) - reached)
    # with two repeats only the linear noise term can be known, and the ceiling comes out low
    assert -0.09 if repeats == 2 else -case.tolerance <= np.mean(errors) <= case.tolerance


def test_left_out_blocks_are_recomputation() -> None:
    _, data = patterns(2, 1.0, 0, n=40)
    blocks = [np.arange(5), np.arange(30, 40)]
    form = CkaForm()
    _, left_out = pattern_ceiling(form, as_repeats(data), quantity="cka", blocks=blocks, n_splits=1)
    a, b = as_repeats(data).subset_means((1, 1), np.random.default_rng(0))
    for i, block in enumerate(blocks):
        agreement = form.score(*(form.prepare(np.delete(m, block, axis=0)) for m in (a, b)))
        assert left_out[i] == pytest.approx(1 / np.sqrt(1 + (1 / agreement - 1) / 2))


def test_pure_noise_and_single_presentations_have_no_ceiling() -> None:
    rng = np.random.default_rng(5)
    with pytest.raises(UndefinedError, match="at least two"):
        pattern_ceiling(CkaForm(), as_repeats(rng.standard_normal((30, 1, 5))), quantity="cka")
    refused = 0
    for seed in range(8):
        noise = np.random.default_rng(seed).standard_normal((60, 2, 30))
        try:
            ceiling, _ = pattern_ceiling(CkaForm(), as_repeats(noise), quantity="cka", seed=seed)
            assert float(np.asarray(ceiling.value)) < 0.4
        except UndefinedError:
            refused += 1
    assert refused >= 1
