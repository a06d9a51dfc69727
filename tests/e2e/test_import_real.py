"""Real images and responses into a store and back, value by value."""

import hashlib
import zipfile

import numpy as np
import pytest

from brainalign.datasets import ingest
from brainalign.datasets.images import iter_images
from brainalign.stats import noise_ceiling
from brainalign.store import average_repeats, open_store


@pytest.fixture(scope="module")
def v4_store(shared_data, tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("v4") / "store")
    return store, ingest("macaque-v4", shared_data / "macaque_v4", store)


def test_v4_responses_are_those_of_the_files(v4_store, shared_data):
    store, report = v4_store
    sizes = {entry.subject: (entry.n_neuroids, entry.n_stimuli) for entry in report.entries}
    assert sizes == {"190923": (33, 1200), "201025": (89, 1200), "210224": (67, 800), "210325": (50, 640)}
    for session in sizes:
        mean = average_repeats(store.responses("macaque-v4", session))
        expected = np.load(shared_data / "macaque_v4" / f"responses_{session}.npy")
        assert np.allclose(mean["response"].values, expected.T, rtol=1e-12)
        assert mean["stimulus"].values[6] == f"{session}-0007"


@pytest.mark.parametrize(
    ("session", "member"), [("190923", "images_190923/image0007.jpg"), ("210325", "image0007.jpg")]
)
def test_v4_image_k_plus_one_belongs_to_column_k(v4_store, shared_data, session, member):
    store, _ = v4_store
    row = store.stimuli("macaque-v4").set_index("stimulus").loc[f"{session}-0007"]
    with zipfile.ZipFile(shared_data / "macaque_v4" / f"images_{session}.zip") as archive:
        assert row["sha256"] == hashlib.sha256(archive.read(member)).hexdigest()
    assert (row["width"], row["height"]) == (112, 112)


def test_v4_images_read_back(v4_store):
    store, _ = v4_store
    stimulus, image = next(iter(iter_images(store, "macaque-v4")))
    assert stimulus == "190923-0001"
    assert image.size == (112, 112)


def test_v4_ceilings_are_those_known(v4_store):
    store, _ = v4_store
    single = store.responses("macaque-v4", "210325")
    ceiling = noise_ceiling(single, method="split-half", n_splits=10)
    assert abs(np.median(ceiling.value) - 0.764) < 0.01
    assert abs(ceiling.value.min() - 0.53) < 0.02
    assert abs(ceiling.value.max() - 0.93) < 0.02
    averaged = noise_ceiling(store.responses("macaque-v4", "190923"))
    assert averaged.kind is None
    assert "14 repeats" in averaged.reason


def test_objects92_rdms_are_those_of_the_file(shared_data, tmp_path):
    store = open_store(tmp_path / "store")
    report = ingest("objects92", shared_data / "objects92", store)
    assert [entry.subject for entry in report.entries] == [f"sub{i:02d}" for i in range(1, 16)]
    pairs = np.triu_indices(92, 1)
    with np.load(shared_data / "objects92" / "rdms.npz") as known:
        for number, subject in enumerate(store.subjects("objects92")):
            back = store.responses("objects92", subject)
            for roi, name in enumerate(("fmri15_EVC", "fmri15_IT")):
                assert np.array_equal(back["dissimilarity"].values[roi], known[name][number][pairs])
    assert back["stimulus"].values.tolist() == [f"{i:03d}" for i in range(1, 93)]
    assert back["sha256"].values.tolist() == store.stimuli("objects92")["sha256"].tolist()
