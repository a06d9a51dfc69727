"""Real networks know their classes as well as their makers say; figures stand in docs/models.md.

``pytest -n0 -s -m slow tests/e2e/test_real_accuracies.py`` prints them.
"""

import pandas as pd
import pytest

from brainalign.datasets.images import import_images
from brainalign.models import embed
from brainalign.store import open_store
from brainalign.studies.accuracy import accuracy_differences, measure_accuracy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(shared_data, tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("real"))
    import_images(
        store, "cifar", shared_data / "cifar10_test" / "cifar10_test_jpg.zip", id_from="path", labels="folder"
    )
    listed = pd.read_csv(shared_data / "imagenet1000" / "labels.tsv", sep="\t")
    labels = {f"{i:04d}_{wnid}": str(i) for i, wnid in zip(listed["index"], listed["wnid"], strict=True)}
    import_images(store, "imagenet", shared_data / "imagenet1000" / "images_short256.zip", labels=labels)
    return store


def printed(found):
    for one in found:
        print(one.table.drop(columns=["reason", "dropped"]).to_string(index=False))
    pairs = accuracy_differences(found)
    print(pairs.to_string(index=False))
    return pairs


def order(pairs, property_id):
    """(better, worse) of the pairs that differ by three paired standard errors, without revisions."""
    told = pairs[(pairs["property"] == property_id) & pairs["told_apart"]]
    return {(b.split("@")[0], w.split("@")[0]) for b, w in zip(told["better"], told["worse"], strict=True)}


def test_resnets_on_the_test_images_of_cifar(store, shared_data):
    # accuracy on these JPEG images as measured by others with a plain loop
    known = {"20-12fca82f": 0.810, "32-d509ac18": 0.826, "44-014dd654": 0.827, "56-4bfd9763": 0.832}
    found = []
    for name, accuracy in known.items():
        file = shared_data / "weights_cifar_resnet" / f"resnet{name}.th"
        key = embed(f"cifar-resnet:{file}", "cifar", store, layers=["layer3", "output"])
        one = measure_accuracy(key, "cifar", store, results=store.url + "-results")
        found.append(one)
        top1 = one.judged[("output|mean", "accuracy.top1")]
        assert top1.value == pytest.approx(accuracy, abs=6e-4)
        assert one.judged[("layer3|mean", "accuracy.probe.logistic")].value > 0.75
    told = order(printed(found), "accuracy.top1")
    names = [one.model.split("@")[0] for one in found]
    assert told <= {(deep, shallow) for i, shallow in enumerate(names) for deep in names[i + 1 :]}
    assert (names[3], names[0]) in told and (names[2], names[1]) not in told


def test_imagenet_networks_on_one_photo_a_class(store, shared_data):
    networks = {
        "efficientnet-lite0": 0.88,
        "efficientnet-lite1": 0.88,
        "efficientnet-lite2": 0.89,
        f"deep-compression:{shared_data / 'weights_squeezenet' / 'compressed_SqueezeNet.net'}": 0.60,
    }
    found = []
    for name, least in networks.items():
        one = measure_accuracy(embed(name, "imagenet", store, layers=["output"]), "imagenet", store)
        found.append(one)
        assert one.judged[("output|mean", "accuracy.top1")].value > least
        probe = one.table[one.table["property"] == "accuracy.probe.logistic"].iloc[0]
        assert "one image a class" in probe["reason"]
    told = order(printed(found), "accuracy.top1")
    squeezenet = found[-1].model.split("@")[0]
    assert {(f"efficientnet-lite{i}", squeezenet) for i in range(3)} <= told
    assert ("efficientnet-lite0", "efficientnet-lite2") not in told
