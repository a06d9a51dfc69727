import numpy as np
import pandas as pd
import pytest

from brainalign.datasets import import_responses
from brainalign.errors import DatasetError, InputError, NonFiniteError, ShapeError, VariantError
from brainalign.store import average_repeats, open_store

IDS = ["001", "002", "010", "cat"]


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(4, 3))


def put(store, matrix, stimuli=IDS, **options):
    return import_responses(store, dataset="lab", subject="s1", matrix=matrix, stimuli=stimuli, **options)


def read(store):
    return store.responses("lab", "s1")


def test_array_round_trip(store, values):
    report = put(store, values, licence="CC0", attrs={"scanner": "7T"})
    back = read(store)
    assert np.array_equal(back["response"].values, values)
    assert back["stimulus"].values.tolist() == IDS
    assert back["all"].values.all()
    assert back.attrs["scanner"] == "7T"
    assert back.attrs["averaged"] == ""
    assert not back.attrs["simulated"]
    assert (report.n_stimuli, report.n_neuroids, report.repeats, report.written) == (4, 3, (1, 1), True)
    assert not put(store, values, licence="CC0", attrs={"scanner": "7T"}).written


@pytest.mark.parametrize("ending", ["npy", "npz", "csv", "tsv", "parquet"])
def test_files_of_every_kind(store, values, tmp_path, ending):
    path = tmp_path / f"m.{ending}"
    table = pd.DataFrame(values, columns=["u0", "u1", "u2"]).assign(image=IDS, session=["1", "1", "2", "2"])
    options = {"stimuli": "image", "sessions": "session"}
    if ending == "npy":
        np.save(path, values)
    elif ending == "npz":
        np.savez(path, responses=values, other=np.zeros(2))
    elif ending == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    if ending.startswith("np"):
        (tmp_path / "ids.txt").write_text("\n".join(IDS) + "\n")
        options = {"stimuli": tmp_path / "ids.txt", "sessions": [1, 1, 2, 2], "key": "responses"}
    put(store, path, **options)
    back = read(store)
    assert np.allclose(back["response"].values, values, rtol=1e-15)
    assert back["stimulus"].values.tolist() == IDS
    assert back["session"].values.tolist() == ["1", "1", "2", "2"]


@pytest.mark.parametrize("dtype", [">f8", "<f4", ">f4", "f2", "i2", ">i4", "u1", "?"])
def test_every_real_precision_and_byte_order(store, dtype):
    given = np.arange(12).reshape(4, 3).astype(dtype)
    put(store, given)
    back = read(store)["response"].values
    assert back.dtype.isnative
    assert np.array_equal(back, given.astype(np.float64))


def test_strided_and_transposed_matrices(store, values):
    wide = np.asfortranarray(np.repeat(values, 2, axis=1))
    put(store, wide[:, ::2].T, axes=("neuroid", "stimulus"))
    assert np.array_equal(read(store)["response"].values, values)


@pytest.mark.parametrize(
    ("axes", "order"),
    [(("stimulus", "repetition", "neuroid"), (0, 1, 2)), (("neuroid", "stimulus", "repetition"), (2, 0, 1))],
)
def test_repetition_axis_with_gaps(store, axes, order):
    cube = np.random.default_rng(1).normal(size=(4, 3, 2))
    cube[1, 2] = cube[3, 0] = np.nan
    report = put(store, cube.transpose(order), axes=axes)
    back = read(store)
    assert (report.repeats, report.n_presentations) == ((2, 3), 10)
    assert back["repetition"].values[back["stimulus"].values == "cat"].tolist() == [1, 2]
    mean = average_repeats(back)
    assert mean["stimulus"].values.tolist() == IDS
    assert np.allclose(mean["response"].values, np.nanmean(cube, axis=1))


def test_partial_nan_and_absent_stimuli_are_named(store):
    cube = np.zeros((4, 2, 3))
    cube[2, 1, 0] = np.nan
    with pytest.raises(NonFiniteError, match=r"'010', repeat 1 \(1 of 3 neuroids\)"):
        put(store, cube, axes=("stimulus", "repetition", "neuroid"))
    cube[2] = np.nan
    with pytest.raises(DatasetError, match="no repeat at all, first '010'"):
        put(store, cube, axes=("stimulus", "repetition", "neuroid"))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_response_is_named(store, values, bad):
    values[2, 1] = bad
    with pytest.raises(NonFiniteError, match=r"'010' \(row 2\), neuroid 1"):
        put(store, values)
    assert store.subjects("lab") == []


def test_repeats_as_rows(store, values):
    ids = ["a", "b", "a", "b"]
    with pytest.raises(DatasetError, match=r"'a'.*repeats="):
        put(store, values, ids)
    with pytest.raises(DatasetError, match="'a' has repeat 1 more than once"):
        put(store, values, ids, repeats=[1, 1, 1, 2])
    with pytest.raises(DatasetError, match="averaged responses have each stimulus once"):
        put(store, values, ids, averaged=3)
    put(store, values, ids, repeats="count")
    assert read(store)["repetition"].values.tolist() == [0, 0, 1, 1]


def test_averaged_responses_keep_the_reason(store, values):
    report = put(store, values, averaged=14)
    assert read(store).attrs["averaged"] == report.averaged
    assert "14 repeats" in report.averaged
    assert read(store).attrs["n_repeats_reported"] == 14
    with pytest.raises(InputError, match="averaged=0"):
        put(store, values, averaged=0)


def test_roi_table_in_another_order(store, values):
    table = pd.DataFrame(values, columns=["u0", "u1", "u2"]).assign(image=IDS)
    rois = pd.DataFrame(
        {
            "neuroid": ["u2", "u0", "u1"],
            "roi": ["V4", "V1", ""],
            "visual": [True, True, False],
            "x": [7, 8, 9],
            "ncsnr": [0.1, 0.2, 0.3],
        }
    )
    report = put(store, table, "image", rois=rois)
    back = read(store)
    assert report.rois == ("V1", "V4", "visual")
    assert back["V1"].values.tolist() == [True, False, False]
    assert back["visual"].values.tolist() == [True, False, True]
    assert back["x"].values.tolist() == [8, 9, 7]
    assert back["ncsnr"].values.tolist() == [0.2, 0.3, 0.1]
    with pytest.raises(DatasetError, match="2 rows; the matrix has 3"):
        put(store, table, "image", rois=rois.iloc[:2])
    with pytest.raises(DatasetError, match="'none' hold no neuroid"):
        put(store, table, "image", rois=rois.assign(none=False))


@pytest.mark.parametrize(
    ("matrix", "options", "error", "message"),
    [
        (np.zeros((4, 3)), {"stimuli": IDS[:3]}, DatasetError, "3 stimulus labels were given for 4 rows"),
        (np.zeros((4, 3), dtype=complex), {}, InputError, "complex128"),
        (np.array([["a"] * 3] * 4), {}, InputError, "real numbers are needed"),
        (np.zeros((4, 3), dtype=object), {}, InputError, "object"),
        (np.zeros((4, 3, 2)), {}, ShapeError, r"shape \(4, 3, 2\)"),
        (np.zeros((4, 0)), {}, ShapeError, "empty"),
        (np.zeros((4, 3)), {"axes": ("stimulus", "voxel")}, InputError, "must name 'stimulus' and 'neuroid'"),
        (np.zeros((4, 3)), {"stimuli": "absent.txt"}, DatasetError, "'absent.txt' is not a file"),
        (np.zeros((4, 3)), {"stimuli": ["1", "2", None, "4"]}, DatasetError, "row 2 has no usable label"),
        (pd.DataFrame({"image": IDS, "u": 1.0, "note": "x"}), {"stimuli": "image"}, InputError, "'note'"),
        (pd.DataFrame({"image": IDS, "u": 1.0}), {"stimuli": "imag"}, InputError, "first 'image'; name the column"),
        ("absent.npy", {}, DatasetError, "no file absent.npy"),
        (np.zeros((4, 3)), {"repeats": list("abcd")}, DatasetError, "repeats must be integers"),
    ],
)
def test_input_that_cannot_be_used(store, matrix, options, error, message):
    with pytest.raises(error, match=message):
        put(store, matrix, **options)


def test_files_that_cannot_be_read(store, tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="holds Python objects"):
        put(store, tmp_path / "objects.npy")
    np.save(tmp_path / "whole.npy", np.zeros((4, 3)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:-8])
    with pytest.raises(DatasetError, match="damaged"):
        put(store, tmp_path / "cut.npy")
    np.savez(tmp_path / "two.npz", a=np.zeros(1), b=np.zeros(1))
    with pytest.raises(DatasetError, match=r"2 arrays and no array of it was named"):
        put(store, tmp_path / "two.npz")
    (tmp_path / "m.mat").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"\.mat is not read"):
        put(store, tmp_path / "m.mat")


def test_ids_must_be_in_the_stimulus_set(store, values):
    store.put_stimuli("set", pd.DataFrame({"stimulus": ["001", "002", "010", "cats"]}))
    with pytest.raises(DatasetError, match=r"1 of 4 stimuli are not in the set 'set'.*Did you mean 'cats'"):
        put(store, values, stimulus_set="set")


def test_same_variant_with_other_content_is_refused(store, values):
    put(store, values)
    with pytest.raises(VariantError):
        put(store, values + 1)


def test_one_neuroid_and_simulated_mark(store):
    report = put(store, np.arange(4.0)[:, None], simulated=True)
    assert report.n_neuroids == 1
    assert read(store).attrs["simulated"] is True
