import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from brainalign.datasets import import_rdms
from brainalign.errors import DatasetError, NonFiniteError, ShapeError
from brainalign.store import open_store

IDS = ["a", "b", "c", "d", "e"]


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    return np.stack([pdist(rng.normal(size=(5, 3))) for _ in range(2)])


@pytest.fixture
def square(pairs):
    return np.stack([squareform(p) for p in pairs])


def put(store, rdms, **options):
    return import_rdms(store, dataset="lab", rdms=rdms, stimuli=options.pop("stimuli", IDS), **options)


def test_square_and_condensed_agree_in_scipy_order(store, pairs, square):
    reports = put(store, {"V1": square, "IT": pairs})
    assert [r.subject for r in reports] == ["sub01", "sub02"]
    back = store.responses("lab", "sub02")
    assert back.attrs["kind"] == "rdms"
    assert back["roi"].values.tolist() == ["V1", "IT"]
    assert back["stimulus"].values.tolist() == IDS
    assert np.array_equal(back["dissimilarity"].values, [pairs[1], pairs[1]])


@pytest.mark.parametrize("form", ["npz", "npy"])
def test_files(store, square, tmp_path, form):
    if form == "npz":
        np.savez(tmp_path / "r.npz", early=square.astype(">f4"), names=np.array(["x"]))
        put(store, tmp_path / "r.npz", rois={"early": "V1"})
    else:
        np.save(tmp_path / "r.npy", square)
        put(store, tmp_path / "r.npy", rois=["V1"])
    back = store.responses("lab", "sub01")
    assert back["roi"].values.tolist() == ["V1"]
    assert np.allclose(squareform(back["dissimilarity"].values[0]), square[0], rtol=1e-6)


def test_one_subject_without_a_subject_axis(store, square, pairs):
    put(store, {"V1": square[0]}, subjects=["anna"])
    assert np.array_equal(store.responses("lab", "anna")["dissimilarity"].values[0], pairs[0])


def test_only_some_subjects(store, square):
    assert [r.subject for r in put(store, {"V1": square}, only=["sub02"])] == ["sub02"]
    assert store.subjects("lab") == ["sub02"]


def test_what_is_no_rdm_is_refused(store, square):
    skewed = square.copy()
    skewed[1, 0, 2] += 0.5
    with pytest.raises(DatasetError, match=r"subject 1 is not symmetric: 'a' against 'c'"):
        put(store, {"V1": skewed})
    with pytest.raises(DatasetError, match="these are similarities"):
        put(store, {"V1": 5 - square})
    with pytest.raises(ShapeError, match=r"shape \(2, 5, 4\)"):
        put(store, {"V1": square[:, :, :4]})
    holed = square.copy()
    holed[0, 1, 3] = holed[0, 3, 1] = np.nan
    with pytest.raises(NonFiniteError, match="subject 0: 'b' against 'd'"):
        put(store, {"V1": holed})
    with pytest.raises(DatasetError, match="different numbers of subjects"):
        put(store, {"V1": square, "IT": square[:1]})
    with pytest.raises(DatasetError, match="'a' stands twice"):
        put(store, {"V1": square}, stimuli=["a", "a", "c", "d", "e"])
    with pytest.raises(DatasetError, match="1 subject names were given for RDMs of 2"):
        put(store, {"V1": square}, subjects=["x"])


def test_diagonal_of_cross_run_rdms_is_not_used(store, square, pairs):
    noisy = square + 0.01 * np.eye(5)
    put(store, {"V1": noisy})
    assert np.array_equal(store.responses("lab", "sub01")["dissimilarity"].values[0], pairs[0])
