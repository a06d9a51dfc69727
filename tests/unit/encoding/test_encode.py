"""Held-out scores: what the result says, traps of cross-validation, ceilings, warnings."""

import numpy as np
import pytest
import torch

from brainalign.encoding import encode
from brainalign.errors import CeilingError, PairingError
from brainalign.stats import Ceiling


def problem(n=60, p=8, v=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, X @ rng.standard_normal((p, v)) + 2 * rng.standard_normal((n, v))


def test_the_result_is_the_mean_over_folds():
    X, Y = problem()
    result = encode(X, Y, predictions=True)
    np.testing.assert_allclose(result.r, result.fold_r.mean(axis=0))
    np.testing.assert_allclose(result.r2, result.fold_r2.mean(axis=0))
    assert result.alpha.shape == (5, 5)
    assert len(result.folds) == 5
    for fold, (_, test) in enumerate(result.folds):
        expected = np.corrcoef(result.predictions[test, 2], Y[test, 2])[0, 1]
        assert result.fold_r[fold, 2] == pytest.approx(expected)
    assert result.undefined == 0
    assert result.normalised is None
    assert result.mean("r2") == pytest.approx(result.r2.mean())
    assert result.parameters["selection"] == "gcv"


def test_undefined_neuroids_are_counted_and_left_out_of_means():
    X, Y = problem()
    Y[:, 1] = 2.0
    result = encode(X, Y)
    assert result.undefined == 1
    assert np.isnan(result.r[1])
    assert result.mean("r") == pytest.approx(np.delete(result.r, 1).mean())


def test_repeats_across_folds_inflate_and_groups_prevent_it():
    # features are random for each stimulus, responses are noise about a mean of each stimulus: nothing to learn
    rng = np.random.default_rng(0)
    stimulus = np.repeat(np.arange(100), 3)
    X = rng.standard_normal((100, 300))[stimulus]
    Y = rng.standard_normal((100, 60))[stimulus] + 0.7 * rng.standard_normal((300, 60))
    leaking = encode(X, Y)
    grouped = encode(X, Y, groups=stimulus)
    assert leaking.mean("r") > 0.4
    assert abs(grouped.mean("r")) < 0.05


def test_noise_scores_zero_in_the_mean_and_negative_values_are_kept():
    rng = np.random.default_rng(1)
    result = encode(rng.standard_normal((80, 30)), rng.standard_normal((80, 400)))
    assert abs(result.mean("r")) < 0.03
    assert result.r.min() < 0
    assert result.r2.min() < 0


def test_normalised_r_is_a_ratio_of_sums_over_neuroids_with_a_ceiling():
    X, Y = problem()
    Y[:, 4] = 1.0
    result = encode(X, Y, ceiling=Ceiling("variance", np.array([0.25, 0.64, 0.0, 1e-12, 0.5]), 3, "ncsnr"))
    used = [0, 1, 3]
    assert result.n_normalised == 3
    assert result.normalised == pytest.approx(result.r[used].sum() / (0.5 + 0.8 + 1e-6))
    assert result.normalised_r2 == pytest.approx(result.r2[used].sum() / (0.25 + 0.64 + 1e-12))
    np.testing.assert_array_equal(result.ceiling, [0.25, 0.64, 0.0, 1e-12, 0.5])


def test_negative_reliability_is_left_out():
    X, Y = problem(v=2)
    result = encode(X, Y, ceiling=Ceiling("reliability", np.array([-0.2, 0.49]), 2, "split-half"))
    assert result.n_normalised == 1
    assert result.normalised == pytest.approx(result.r[1] / 0.7)


def test_ceilings_that_do_not_bound_r_are_refused():
    X, Y = problem()
    with pytest.raises(CeilingError, match="no noise ceiling: averaged on disk"):
        encode(X, Y, ceiling=Ceiling.absent("averaged on disk"))
    with pytest.raises(CeilingError, match="does not bound 'r2'"):
        encode(X, Y, ceiling=Ceiling("correlation", 0.5, 3, "loso", quantity="rsa"))
    with pytest.raises(CeilingError, match=r"shape \(3,\) and Y 5 neuroids"):
        encode(X, Y, ceiling=Ceiling("variance", np.ones(3), 3, "ncsnr"))


def test_a_grid_that_ends_too_soon_warns_once():
    X, Y = problem(n=100)
    with pytest.warns(UserWarning, match="100% of the alphas of predictable targets lie at an end") as record:
        result = encode(X, X @ np.ones((8, 3)) + 0.01 * Y[:, :3], alphas=[1e2, 1e3, 1e4])
    assert len(record) == 1
    assert result.edge_share == 1.0


def test_noise_at_the_end_of_the_grid_does_not_warn():
    rng = np.random.default_rng(0)
    result = encode(rng.standard_normal((100, 5)), rng.standard_normal((100, 50)))
    assert result.edge_share > 0.2


@pytest.mark.parametrize("selection", ["gcv", "loo", "kfold"])
def test_integers_lists_and_tensors_are_the_numbers_they_hold(selection):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 255, (40, 6))
    Y = X @ rng.integers(-3, 4, (6, 3)) + rng.integers(-200, 200, (40, 3))
    expected = encode(X.astype(float), Y.astype(float), selection=selection).r
    for kind in (X.astype(np.uint8), X.astype(">f8"), np.asfortranarray(X), X.astype(np.float16)):
        np.testing.assert_allclose(encode(kind, Y, selection=selection).r, expected, atol=1e-5)
    np.testing.assert_allclose(encode(torch.as_tensor(X), torch.as_tensor(Y), selection=selection).r, expected)


def test_rows_that_do_not_pair_are_refused():
    X, Y = problem()
    with pytest.raises(PairingError):
        encode(X, Y[:-1])


def test_inputs_are_not_written():
    X, Y = problem()
    kept = X.copy(), Y.copy()
    X.flags.writeable = Y.flags.writeable = False
    with np.errstate(all="raise"):
        encode(X.copy(), Y.copy(), reduce=("pca", 3), predictions=True)
    tensors = torch.as_tensor(kept[0].copy()), torch.as_tensor(kept[1].copy())
    encode(*tensors, selection="loo")
    np.testing.assert_array_equal(tensors[0], X)
    np.testing.assert_array_equal(tensors[1], Y)
