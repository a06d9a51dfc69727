"""The layer is chosen inside the training folds."""

import numpy as np
import pytest

from brainalign.encoding import encode, select_layer
from brainalign.errors import ChoiceError, InputError, PairingError, UndefinedError
from brainalign.stats import Ceiling


def problem(n=80, v=6, seed=0):
    rng = np.random.default_rng(seed)
    layers = {name: rng.standard_normal((n, 10)) for name in ("a", "b", "c")}
    Y = np.hstack([layers["a"] @ rng.standard_normal((10, v // 2)), layers["b"] @ rng.standard_normal((10, v // 2))])
    return layers, Y + rng.standard_normal((n, v))


@pytest.mark.parametrize("by", ["mean", "neuroid"])
def test_the_result_is_put_together_from_those_of_the_layers(by):
    layers, Y = problem()
    made = select_layer(layers, Y, by=by, predictions=True)
    assert list(made.by_layer) == ["a", "b", "c"]
    for fold, (_, test) in enumerate(made.result.folds):
        for v in range(6):
            name = str(made.layer[fold] if by == "mean" else made.layer[fold, v])
            source = made.by_layer[name]
            assert made.result.fold_r[fold, v] == source.fold_r[fold, v]
            assert made.result.alpha[fold, v] == source.alpha[fold, v]
            np.testing.assert_array_equal(made.result.predictions[test, v], source.predictions[test, v])
            inner = [r.inner_r2[fold].mean() if by == "mean" else r.inner_r2[fold, v] for r in made.by_layer.values()]
            assert name == list(made.by_layer)[int(np.argmax(inner))]
    for name, X in layers.items():
        np.testing.assert_allclose(made.by_layer[name].r, encode(X, Y).r)


def test_each_neuroid_finds_its_layer():
    layers, Y = problem()
    made = select_layer(layers, Y, by="neuroid")
    assert (made.layer[:, :3] == "a").all()
    assert (made.layer[:, 3:] == "b").all()


def test_no_test_row_enters_the_choice():
    layers, Y = problem()
    made = select_layer(layers, Y)
    test = made.result.folds[2][1]
    changed = Y.copy()
    changed[test] = layers["c"][test, :6] * 50
    other = select_layer(layers, changed)
    np.testing.assert_allclose(other.inner[:, 2], made.inner[:, 2], rtol=1e-9)


def test_the_luckiest_of_many_layers_is_not_found():
    rng = np.random.default_rng(0)
    layers = {f"layer{i}": rng.standard_normal((100, 20)) for i in range(30)}
    made = select_layer(layers, rng.standard_normal((100, 4)))
    best = max(result.mean("r") for result in made.by_layer.values())
    assert best > 0.06
    assert abs(made.result.mean("r")) < best - 0.02


def test_neuroids_that_cannot_be_explained_have_no_say():
    layers, Y = problem()
    ceiling = Ceiling("variance", np.array([0.0, 0.0, 0.0, 0.5, 0.5, 0.5]), 3, "ncsnr")
    made = select_layer(layers, Y, ceiling=ceiling)
    assert (made.layer == "b").all()
    assert made.result.n_normalised == 3
    assert made.result.normalised == pytest.approx(made.result.r[3:].sum() / (3 * 0.5**0.5))


def test_unusable_arguments_are_refused():
    layers, Y = problem()
    with pytest.raises(InputError, match="layers is empty"):
        select_layer({}, Y)
    with pytest.raises(ChoiceError, match="by='roi'"):
        select_layer(layers, Y, by="roi")
    with pytest.raises(PairingError, match="layer 'b'"):
        select_layer({**layers, "b": layers["b"][:-1]}, Y)
    with pytest.raises(UndefinedError, match="nothing to choose by"):
        select_layer(layers, np.ones((80, 2)))
