"""What is published of networks names networks that exist, and says where it stands."""

import pytest

from brainalign.models.covariates import PUBLISHED, of_tag, published


def test_every_published_accuracy_has_a_source():
    for name, (top1, where, source) in PUBLISHED.items():
        assert 0 < top1 < 1 and where and source, name
    assert published("no such network") == {}


def test_published_weights_of_open_clip_exist_and_their_training_sets_are_known():
    open_clip = pytest.importorskip("open_clip")
    known = {f"open_clip:{arch}/{tag}" for arch, tag in open_clip.list_pretrained()}
    named = {name for name in PUBLISHED if name.startswith("open_clip:")}
    assert len(named) == 16 and named <= known
    assert of_tag("laion2b_s34b_b79k")["training_data"] == "LAION-2B"


def test_published_resnets_are_found_by_their_files(shared_data):
    from brainalign.models import load_network

    network = load_network(f"cifar-resnet:{shared_data / 'weights_cifar_resnet' / 'resnet20-12fca82f.th'}")
    assert network.attributes["top1"] == 0.9173 and network.attributes["depth"] == 20
    assert network.attributes["training_data"] == "CIFAR-10"
    squeezenet = load_network(f"deep-compression:{shared_data / 'weights_squeezenet' / 'compressed_SqueezeNet.net'}")
    assert squeezenet.attributes["top1"] == 0.575 and squeezenet.attributes["n_nonzero"] < squeezenet.n_parameters
