"""Batch norms folded into convolutions: the same outputs, and the network as it was afterwards."""

import numpy as np
import pytest
import torch
from torch import nn

from brainalign.models import load_network
from brainalign.models.folding import folded

PAIRS = (("0", "1"), ("3.0", "3.1"))


def network() -> nn.Module:
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5))
    module = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), inner)
    for norm in (module[1], inner[1]):
        nn.init.uniform_(norm.weight, 0.5, 2.0)
        nn.init.normal_(norm.bias)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.1, 3.0)
    return module.eval()


def test_outputs_are_equal_and_norms_are_gone() -> None:
    module, x = network(), torch.randn(2, 3, 9, 9)
    with torch.no_grad():
        expected = module(x)
        with folded(module, PAIRS, observed=()):
            assert not any(isinstance(part, nn.BatchNorm2d) for part in module.modules())
            torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-6)


def test_observed_pairs_stay() -> None:
    module = network()
    with folded(module, PAIRS, observed={"0"}):
        assert isinstance(module[1], nn.BatchNorm2d)
        assert isinstance(module[3][1], nn.Identity)
    with folded(module, PAIRS, observed={"3.1"}):
        assert isinstance(module[1], nn.Identity)
        assert isinstance(module[3][1], nn.BatchNorm2d)


def test_the_network_is_put_back_even_after_an_error() -> None:
    module = network()
    parts, state = list(module.modules()), {k: v.clone() for k, v in module.state_dict().items()}
    with pytest.raises(RuntimeError, match="stop"), folded(module, PAIRS, observed=()):
        raise RuntimeError("stop")
    assert all(now is then for now, then in zip(module.modules(), parts, strict=True))
    assert all(torch.equal(module.state_dict()[name], value) for name, value in state.items())


def test_efficientnet_lite_declares_every_norm_and_pads_as_published() -> None:
    package = pytest.importorskip("efficientnet_lite_pytorch")
    found = load_network("efficientnet-lite0-random")
    norms = {name for name, part in found.module.named_modules() if isinstance(part, nn.BatchNorm2d)}
    assert norms == {norm for _, norm in found.norms_after_convolutions}
    published = package.EfficientNet.from_name("efficientnet-lite0").eval()
    published.load_state_dict(found.module.state_dict())
    x = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        np.testing.assert_array_equal(found.module.extract_features(x).numpy(), published.extract_features(x).numpy())
        # in float64, since the rounding of float32 grows through random weights, on some processors to 1e-5
        x, expected = x.double(), published.double().extract_features(x.double()).numpy()
        with folded(found.module.double(), found.norms_after_convolutions, observed=()):
            got = found.module.extract_features(x).numpy()
    assert np.abs(got - expected).max() < 1e-12 * np.abs(expected).max()
