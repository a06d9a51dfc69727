"""The revision names weights and preprocessing, and nothing else."""

import copy

import pytest
import torch
from torch import nn
from torchvision import transforms

from brainalign.errors import InputError, ModelError
from brainalign.models.network import Network, described_transform, weights_revision
from brainalign.models.preprocess import Preprocessing


def test_revision_changes_with_one_bit_of_one_weight(tiny):
    other = copy.deepcopy(tiny)
    before = weights_revision(tiny, "p")
    assert weights_revision(other, "p") == before
    with torch.no_grad():
        other.stem.weight[0, 0, 0, 0] = torch.nextafter(other.stem.weight[0, 0, 0, 0], torch.tensor(9.0))
    assert weights_revision(other, "p") != before
    assert len(before) == 12


def test_revision_does_not_depend_on_layout_mode_or_order():
    a, b = nn.Sequential(), nn.Sequential()
    one, two = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
    a.add_module("one", one)
    a.add_module("two", two)
    b.add_module("two", two)
    b.add_module("one", one)
    before = weights_revision(a, "p")
    b.eval().to(memory_format=torch.channels_last)
    assert weights_revision(b, "p") == before


def test_revision_changes_with_preprocessing_type_and_shape():
    a, b = nn.Module(), nn.Module()
    a.register_buffer("w", torch.zeros(4))
    b.register_buffer("w", torch.zeros(2, 2))
    c = nn.Module()
    c.register_buffer("w", torch.zeros(4, dtype=torch.int32))
    assert len({weights_revision(m, p) for m in (a, b, c) for p in ("p", "q")}) == 6


def test_names_with_an_at_sign_are_refused(tiny):
    with pytest.raises(InputError, match="without '@'"):
        Network(id="a@b", module=tiny, preprocess=Preprocessing(size=4), preprocessing="")


def test_callables_need_a_description_that_can_be_hashed():
    compose = transforms.Compose([transforms.ToTensor()])
    assert "ToTensor" in described_transform(compose, model="m")[1]
    assert described_transform((lambda image: image, "as it is"), model="m")[1] == "as it is"
    with pytest.raises(ModelError, match="no description"):
        described_transform(lambda image: image, model="m")
    with pytest.raises(ModelError, match="must be a Preprocessing"):
        described_transform(3, model="m")


def test_layers_and_parameters(tiny):
    net = Network(id="tiny", module=tiny, preprocess=Preprocessing(size=4), preprocessing="")
    assert net.layers()[:2] == ["stem", "act"]
    assert net.n_parameters == sum(p.numel() for p in tiny.parameters())
    assert net.renamed("other").id == "other"
