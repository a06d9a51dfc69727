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
    # published on the validation images; these photos seem to be training images, on which networks score more
    networks = {"efficientnet-lite0": 0.751, "efficientnet-lite1": 0.767, "efficientnet-lite2": 0.776}
    found = []
    for name, published in networks.items():
        one = measure_accuracy(embed(name, "imagenet", store, layers=["output"]), "imagenet", store)
        found.append(one)
        assert published < one.judged[("output|mean", "accuracy.top1")].value < 1
    file = shared_data / "weights_squeezenet" / "compressed_SqueezeNet.net"
    squeezenet = measure_accuracy(
        embed(f"deep-compression:{file}", "imagenet", store, layers=["output"]), "imagenet", store
    )
    # as decoded and run by others on the same photos, with a crop that may differ
    assert squeezenet.judged[("output|mean", "accuracy.top1")].value == pytest.approx(0.632, abs=0.03)
    found.append(squeezenet)
    for one in found:
        probe = one.table[one.table["property"] == "accuracy.probe.logistic"].iloc[0]
        assert "one image a class" in probe["reason"]
    pairs = printed(found)
    told = order(pairs, "accuracy.top1")
    assert {(name, squeezenet.model.split("@")[0]) for name in networks} <= told
    names = list(networks)
    assert not told & {(small, large) for i, small in enumerate(names) for large in names[i + 1 :]}


def test_a_quantized_network_of_litert(store, shared_data):
    pytest.importorskip("ai_edge_litert")
    file = shared_data / "weights_tflite" / "mobilenet_v1_0.25_128_quant.tflite"
    key = embed(f"litert:{file}", "imagenet", store, layers=["output"])
    found = measure_accuracy(key, "imagenet", store, first_class=1, properties=["accuracy.top1", "accuracy.top5"])
    print(found.table.to_string(index=False))
    assert found.table["layer"].iloc[0] == "MobilenetV1/Predictions/Reshape_1|mean"
    # as measured by others on the same photos, with a crop that may differ
    assert found.table["value"].iloc[0] == pytest.approx(0.471, abs=0.03)
