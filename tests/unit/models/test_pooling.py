"""Pooling rules against their plain forms."""

import numpy as np
import pytest
import torch

from brainalign.errors import ChoiceError, InputError, ShapeError
from brainalign.models.pooling import Tokens, layer_seed, parse_pooling


def pooled(rule, x, seed=0):
    bound = parse_pooling(rule).bound("layer", x.shape[1:], seed=seed)
    out = bound(x)
    assert out.shape == (len(x), bound.n_features)
    return out


@pytest.fixture
def maps():
    return torch.randn(5, 4, 3, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def tokens():
    return torch.randn(5, 7, 4, generator=torch.Generator().manual_seed(0))


def test_flatten(maps):
    assert torch.equal(pooled("flatten", maps), maps.reshape(5, -1))


def test_flatten_does_not_depend_on_the_memory_format(maps):
    assert torch.equal(pooled("flatten", maps.contiguous(memory_format=torch.channels_last)), maps.reshape(5, -1))


def test_mean_of_maps_is_over_space_and_of_tokens_over_tokens(maps, tokens):
    torch.testing.assert_close(pooled("mean", maps), maps.mean((2, 3)))
    torch.testing.assert_close(pooled("mean", tokens), tokens.mean(1))


def test_mean_last_keeps_the_last_axis(maps):
    torch.testing.assert_close(pooled("mean-last", maps), maps.mean((1, 2)))


def test_cls_is_the_first_token(tokens, maps):
    assert torch.equal(pooled("cls", tokens), tokens[:, 0])
    with pytest.raises(ShapeError, match="needs tokens"):
        pooled("cls", maps)


@pytest.mark.parametrize("rule", ["flatten", "mean", "mean-last", "srp:8"])
def test_vectors_stay_as_they_are(rule):
    x = torch.randn(5, 8)
    assert torch.equal(pooled(rule, x), x)


def test_half_precision_does_not_overflow():
    x = torch.full((2, 1, 64, 64), 6e4, dtype=torch.float16)
    assert pooled("mean", x).tolist() == [[pytest.approx(6e4, rel=1e-3)]] * 2


def test_projection_is_the_same_for_any_batch_and_keeps_distances():
    x = torch.randn(20, 3, 40, 40, generator=torch.Generator().manual_seed(3))
    whole = pooled("srp:2000", x).numpy()
    parts = np.concatenate([pooled("srp:2000", part).numpy() for part in x.split(7)])
    np.testing.assert_array_equal(whole, parts)
    before = torch.pdist(x.flatten(1)).numpy()
    after = torch.pdist(torch.from_numpy(whole)).numpy()
    assert np.abs(after / before - 1).max() < 0.15


def test_projection_depends_on_seed_and_layer():
    x = torch.randn(4, 100)
    assert not torch.equal(pooled("srp:10", x, seed=layer_seed(0, "a")), pooled("srp:10", x, seed=layer_seed(1, "a")))
    assert layer_seed(0, "a") != layer_seed(0, "b")


@pytest.mark.parametrize(
    ("rule", "error"), [("maen", ChoiceError), ("mean:3", InputError), ("srp", InputError), ("srp:0", InputError)]
)
def test_rules_that_cannot_be_read(rule, error):
    with pytest.raises(error):
        parse_pooling(rule)


def test_max_and_patches():
    tokens = torch.arange(2 * 5 * 3.0).reshape(2, 5, 3)
    known = Tokens(total=5, prefix=2, class_token=True)
    patches = parse_pooling("patches").bound("x", (5, 3), seed=0, tokens=known)
    assert torch.equal(patches(tokens), tokens[:, 2:].mean(1))
    maps = torch.rand(2, 3, 4, 4)
    assert torch.equal(parse_pooling("max").bound("x", (3, 4, 4), seed=0)(maps), maps.amax((2, 3)))
    last = parse_pooling("mean").bound("x", (4, 4, 3), seed=0, channels_last=True)
    torch.testing.assert_close(last(maps.permute(0, 2, 3, 1)), maps.mean((2, 3)))
    assert last.n_features == 3


def test_a_patch_is_never_taken_for_a_class_token():
    known = Tokens(total=5, prefix=1, class_token=True)
    with pytest.raises(ShapeError, match="none of which is a class token"):
        parse_pooling("cls").bound("patch_embed", (4, 3), seed=0, tokens=known)
    assert parse_pooling("patches").bound("patch_embed", (4, 3), seed=0, tokens=known).prefix == 0
    with pytest.raises(ShapeError, match="registers are not known"):
        parse_pooling("patches").bound("x", (5, 3), seed=0)
