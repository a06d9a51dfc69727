"""Declared preprocessing against torchvision, and what changes its hash."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from brainalign.errors import ChoiceError, InputError
from brainalign.models.preprocess import Preprocessing

HALF = (0.5, 0.4, 0.3)


@pytest.fixture(params=[(60, 41), (37, 80), (48, 48)])
def image(request):
    width, height = request.param
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("resize_to", [None, 40])
def test_equals_torchvision(image, resize_to):
    ours = Preprocessing(size=32, resize_to=resize_to, mean=HALF, std=(0.2, 0.25, 0.3))(image)
    theirs = transforms.Compose(
        [
            transforms.Resize(resize_to or 32, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize(HALF, (0.2, 0.25, 0.3)),
        ]
    )(image)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_exact_does_not_crop():
    image = Image.new("RGB", (40, 10), "red")
    image.paste("blue", (20, 0, 40, 10))
    out = Preprocessing(size=8, resize="exact", interpolation="box")(image)
    assert out[0, :, :4].min() == 1 and out[2, :, 4:].min() == 1


def test_the_description_spells_out_defaults_and_changes_with_every_value():
    base = Preprocessing(size=32)
    assert base.canonical() == Preprocessing(size=32, resize_to=32).canonical()
    others = [
        Preprocessing(size=31), Preprocessing(size=32, resize_to=33), Preprocessing(size=32, resize="exact"),
        Preprocessing(size=32, interpolation="box"), Preprocessing(size=32, mean=HALF),
        Preprocessing(size=32, std=HALF),
    ]  # fmt: skip
    assert len({p.canonical() for p in [base, *others]}) == 7


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"interpolation": "bicubc"}, ChoiceError),
        ({"resize": "long-side"}, ChoiceError),
        ({"resize_to": 8}, InputError),
        ({"std": (1.0, 0.0, 1.0)}, InputError),
    ],
)
def test_wrong_declarations(wrong, error):
    with pytest.raises(error):
        Preprocessing(size=16, **wrong)
