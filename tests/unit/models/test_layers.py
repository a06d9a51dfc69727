"""Layers are found by running, and chosen by name, pattern, place or number."""

import pytest
import torch
from torch import nn

from brainalign.errors import ActivationError, UnknownLayerError
from brainalign.models.layers import probe_layers
from brainalign.models.selection import select_layers


def names(layers):
    return [layer.name for layer in layers]


def test_probe_lists_what_a_forward_pass_reaches_in_order(tiny, images):
    probed = probe_layers(tiny, images)
    assert names(probed) == [
        "stem", "act#1", "blocks.0", "blocks.1", "blocks.2", "blocks", "act#2",
        "tokens_first", "pair", "head", "output",
    ]  # fmt: skip


def test_the_axis_of_stimuli_is_found_where_tokens_come_first(tiny, images):
    by_name = {layer.name: layer for layer in probe_layers(tiny, images)}
    assert (by_name["tokens_first"].axis, by_name["tokens_first"].shape) == (1, (16, 7))
    assert (by_name["stem"].axis, by_name["stem"].shape) == (0, (4, 9, 9))


def test_the_first_tensor_of_a_tuple_counts(tiny, images):
    assert {layer.name: layer.shape for layer in probe_layers(tiny, images)}["pair"] == (7, 4, 4)


def test_hooks_are_gone_afterwards(tiny, images):
    probe_layers(tiny, images)
    assert not any(part._forward_hooks for part in tiny.modules())


def test_names_and_patterns_come_in_order_of_depth(tiny, images):
    probed = probe_layers(tiny, images)
    assert names(select_layers(probed, ["head", "blocks.*", "stem"])) == [
        "stem", "blocks.0", "blocks.1", "blocks.2", "head",
    ]  # fmt: skip
    assert names(select_layers(probed, "act#*")) == ["act#1", "act#2"]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_a_number_is_spread_evenly_and_ends_at_the_last(tiny, images, n):
    chosen = names(select_layers(probe_layers(tiny, images), n))
    assert len(chosen) == n
    assert chosen[-1] == "head"


def test_default_layers_of_the_network_come_first(tiny, images):
    probed = probe_layers(tiny, images)
    assert names(select_layers(probed, None, default=["blocks.1"])) == ["blocks.1"]
    assert len(select_layers(probed, None)) == 6


def test_places_in_depth(tiny, images):
    probed = probe_layers(tiny, images)
    assert names(select_layers(probed, ["depth:0", "depth:1"])) == ["stem", "head"]
    with pytest.raises(UnknownLayerError, match="from 0 to 1"):
        select_layers(probed, "depth:2")


def test_a_wrong_name_offers_near_ones(tiny, images):
    with pytest.raises(UnknownLayerError, match=r"no layer 'blocks.9' is reached.*'blocks.0'"):
        select_layers(probe_layers(tiny, images), ["blocks.9"])


def test_a_layer_that_is_not_reached_is_refused(tiny, images):
    with pytest.raises(UnknownLayerError, match="'unused' is reached"):
        select_layers(probe_layers(tiny, images), ["unused"])


def test_a_layer_that_runs_twice_must_be_told_apart(tiny, images):
    with pytest.raises(UnknownLayerError, match=r"runs 2 times.*'act#1' or 'act#2'"):
        select_layers(probe_layers(tiny, images), ["act"])


def test_a_layer_that_mixes_stimuli_is_refused(images):
    class Mixing(nn.Module):
        def __init__(self):
            super().__init__()
            self.windows, self.integers = nn.Identity(), nn.Identity()

        def forward(self, x):
            self.windows(x.reshape(-1, 3, 3))
            self.integers(x.long())
            return x

    probed = probe_layers(Mixing(), images)
    with pytest.raises(UnknownLayerError, match="has no axis of stimuli"):
        select_layers(probed, ["windows"])
    with pytest.raises(UnknownLayerError, match="no tensor of floating-point"):
        select_layers(probed, ["integers"])
    assert names(select_layers(probed, None)) == ["output"]


def test_a_network_that_runs_other_layers_for_other_batches_is_refused(images):
    class Fickle(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Identity(), nn.Identity()

        def forward(self, x):
            return self.a(x) if len(x) == 2 else self.b(x)

    with pytest.raises(ActivationError, match="other layers for another batch"):
        probe_layers(Fickle(), images)


def test_the_trunk_opens_the_largest_container_first():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 1),
        nn.Sequential(*[nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()) for _ in range(8)]),
        nn.Flatten(),
    )
    chosen = names(select_layers(probe_layers(net, torch.zeros(3, 3, 4, 4)), 6))
    assert chosen == ["0", "1.1", "1.3", "1.4", "1.6", "2"]  # blocks, not what is inside them
