"""What cannot be embedded says which layer, which image, and why."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from brainalign.errors import (
    ActivationError,
    ChoiceError,
    DatasetError,
    ImageError,
    InputError,
    ModelError,
    UnknownLayerError,
)
from brainalign.testing.small_network import embed_small, image_table, images_of, small_network


def test_overflow_of_the_stored_type_names_layer_and_stimulus(store):
    with pytest.raises(ActivationError, match=r"'gain\|mean' .* float16, first for stimulus '00'.*float32"):
        embed_small(store, small_network(1e6), dtype="float16")


def test_nan_names_layer_and_stimulus(store):
    with pytest.raises(ActivationError, match=r"'gain\|mean' has .* stimulus '00'"):
        embed_small(store, small_network(float("nan")))
    assert store.models() == []


def test_a_changed_image_is_refused(store):
    Image.new("RGB", (20, 20)).save(images_of(store) / "07.png")
    with pytest.raises(DatasetError, match=r"'07' \(07.png in 'set'\) has other bytes"):
        embed_small(store)


def test_an_image_that_does_not_decode_is_named(store):
    folder = images_of(store)
    (folder / "07.png").write_bytes(b"not an image")
    store.put_stimuli("set", image_table(folder), source=str(folder), kind="folder", replace=True)
    with pytest.raises(ImageError, match=r"'07'.*does not decode"):
        embed_small(store)


def test_images_of_several_shapes_are_refused(store):
    def as_it_is(image):
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float()

    with pytest.raises(ActivationError, match="must give one shape"):
        embed_small(store, preprocessing=(as_it_is, "as it is"))
    with pytest.raises(ModelError, match="gave list"):
        embed_small(store, preprocessing=(lambda image: [1], "a list"))


def test_a_network_that_does_not_take_the_images(store):
    with pytest.raises(ModelError, match=r"does not run on images of shape \(3, 12, 12\)"):
        embed_small(store, nn.Conv2d(4, 1, 1), layers=None)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"layers": ["haed"]}, UnknownLayerError, "'head'"),
        ({"layers": []}, UnknownLayerError, "no layer was asked for"),
        ({"pooling": "median"}, ChoiceError, "unknown pooling"),
        ({"dtype": "int8"}, ChoiceError, "unknown dtype"),
        ({"batch_size": 0}, InputError, "at least 1"),
        ({"device": "gpu"}, ChoiceError, "unknown device"),
        ({"max_memory": 1000}, InputError, "max_memory"),
    ],
)
def test_wrong_arguments(store, options, error, message):
    with pytest.raises(error, match=message):
        embed_small(store, **options)
