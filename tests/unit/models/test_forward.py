"""Pooled rows of one forward pass, and what is refused."""

import pytest
import torch
from torch import nn

from brainalign.errors import ActivationError
from brainalign.models.batching import Batching
from brainalign.models.forward import Forward, at_inference
from brainalign.models.layers import probe_layers
from brainalign.models.pooling import parse_pooling
from brainalign.models.selection import select_layers

CPU = torch.device("cpu")


def plan(module, images, layers, rule="flatten"):
    chosen = select_layers(probe_layers(module, images), layers)
    return {la.name: (la, parse_pooling(rule).bound(la.name, la.shape, seed=0)) for la in chosen}


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_rows_equal_plain_forward_hooks(tiny, images, memory_format):
    forward = Forward(tiny, plan(tiny, images, ["stem", "act#2", "tokens_first", "pair", "output"]), CPU)
    with at_inference(tiny, CPU):
        rows = forward.rows(images, Batching(3, memory_format), ["a", "b", "c"])
        x = torch.relu(tiny.stem(images))
        deep = torch.relu(tiny.blocks(x))
        expected = {
            "stem": tiny.stem(images), "act#2": deep, "tokens_first": deep.flatten(2).permute(0, 2, 1),
            "pair": deep * 2, "output": tiny(images),
        }  # fmt: skip
    for name, value in expected.items():
        torch.testing.assert_close(torch.from_numpy(rows[name]), value.flatten(1), rtol=1e-6, atol=1e-6)


def test_the_network_is_handed_back_as_it_came(tiny):
    tiny.train()
    tiny.blocks.eval()
    with at_inference(tiny, CPU):
        assert not any(part.training for part in tiny.modules())
        tiny.to(memory_format=torch.channels_last)
    assert tiny.training and tiny.stem.training and not tiny.blocks[0].training
    assert tiny.stem.weight.is_contiguous()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_named(tiny, images, bad):
    forward = Forward(tiny, plan(tiny, images, ["stem", "head"]), CPU)
    images = images.clone()
    images[1, 0, 0, 0] = bad
    with torch.no_grad(), pytest.raises(ActivationError, match=r"layer 'stem' has .* stimulus 'b'"):
        forward.rows(images, Batching(3), ["a", "b", "c"])


def test_a_shape_that_changes_is_refused(images):
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
    forward = Forward(module, plan(module, images, ["0"]), CPU)
    with torch.no_grad(), pytest.raises(ActivationError, match="shape changes"):
        forward.rows(images[:, :, :5], Batching(3), ["a", "b", "c"])


def test_a_layer_that_is_skipped_later_is_refused(images):
    class Skipping(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.skip = nn.Identity(), False

        def forward(self, x):
            return x if self.skip else self.a(x)

    module = Skipping()
    forward = Forward(module, plan(module, images, ["a"]), CPU)
    module.skip = True
    with torch.no_grad(), pytest.raises(ActivationError, match="not reached for the images from 'a'"):
        forward.rows(images, Batching(3), ["a", "b", "c"])


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize("rule", ["flatten", "mean", "srp:1000", "cls"])
def test_what_a_later_module_writes_over_is_kept_as_it_was(images, rule, memory_format):
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.Flatten(2), nn.Hardtanh(inplace=True)).eval()
    names = ["0", "2"] if rule != "cls" else ["2"]
    chosen = plan(module, images, names, rule)
    with torch.no_grad():
        rows = Forward(module, chosen, CPU).rows(images, Batching(3, memory_format), ["a", "b", "c"])
        before = module[0](images)
        outputs = {"0": before, "2": before.relu().flatten(2)}
    for name in names:
        expected = chosen[name][1](outputs[name])
        torch.testing.assert_close(torch.from_numpy(rows[name]), expected, rtol=1e-5, atol=1e-5)
