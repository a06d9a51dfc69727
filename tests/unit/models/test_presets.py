"""Blocks, stages and the last block, found from how modules repeat."""

import pytest
import torch
from torch import nn

from brainalign.errors import UnknownLayerError
from brainalign.models.layers import probe_layers
from brainalign.models.selection import select_layers


def chosen(module, size, preset):
    with torch.no_grad():
        probed = probe_layers(module.eval(), torch.rand(3, 3, size, size))
    return [layer.name for layer in select_layers(probed, preset)]


def test_a_residual_network_has_blocks_and_stages():
    from torchvision.models import resnet18

    net = resnet18()
    assert chosen(net, 64, "blocks") == [f"layer{s}.{b}" for s in (1, 2, 3, 4) for b in (0, 1)]
    assert chosen(net, 64, "stages") == ["layer1.1", "layer2.1", "layer3.1", "layer4.1"]
    assert chosen(net, 64, "last") == ["layer4.1"]


def test_a_network_of_stages_of_blocks_and_a_transformer():
    import timm

    convnext = timm.create_model("test_convnext")
    assert chosen(convnext, 160, "stages") == [f"stages.{i}" for i in range(4)]
    assert chosen(convnext, 160, "blocks")[0] == "stages.0.blocks.0"
    vit = timm.create_model("test_vit")
    assert chosen(vit, 160, "blocks") == [f"blocks.{i}" for i in range(len(vit.blocks))]


def test_channels_last_maps_are_recognised():
    import timm

    net = timm.create_model("test_convnext").eval()
    with torch.no_grad():
        probed = {layer.name: layer for layer in probe_layers(net, torch.rand(3, 3, 160, 160))}
    assert probed["stages.0.blocks.0.mlp"].channels_last and not probed["stages.0"].channels_last


def test_without_repeated_units_it_says_so():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    assert chosen(net, 8, "last") == ["1"]
    with pytest.raises(UnknownLayerError, match="no repeated units"):
        chosen(net, 8, "blocks")
