"""Responses and RDMs, put and read back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.errors import EntryNotFoundError, InputError, NonFiniteError, ShapeError, StoreError, VariantError
from brainalign.store import Store

Make = Callable[..., xr.Dataset]
IDS = ["a", "b", "a", "c", "b", "a"]


def test_responses_come_back_lazily_and_bit_for_bit(store: Store, make_responses: Make) -> None:
    given = make_responses(IDS)
    assert store.put_responses("d/1", "v", "s1", given, options={"zscore": True})
    found = store.responses("d/1", "s1")
    assert not found["response"].variable._in_memory
    assert found["response"].dtype == np.float32
    np.testing.assert_array_equal(found["response"].values, given["response"].values)
    assert found["stimulus"].values.tolist() == IDS
    for name in ("session", "x", "ncsnr", "hemisphere"):
        assert found[name].values.tolist() == given[name].values.tolist()
        assert found[name].dims == given[name].dims
    assert {k: found.attrs[k] for k in ("dataset", "variant", "subject", "kind", "simulated", "averaged")} == {
        "dataset": "d/1",
        "variant": "v",
        "subject": "s1",
        "kind": "responses",
        "simulated": True,
        "averaged": "",
    }
    assert found.attrs["affine"] == np.eye(4).tolist()
    assert found.attrs["options"] == {"zscore": True}
    assert len(found.attrs["entry_sha256"]) == 64


def test_roi_labels_become_boolean_variables(store: Store, make_responses: Make) -> None:
    given = make_responses(IDS)
    store.put_responses("d", "v", "s1", given, options={})
    found = store.responses("d", "s1")
    member = found["prf-visualrois/V1v"]
    assert member.dtype == bool and member.dims == ("neuroid",)
    np.testing.assert_array_equal(member.values, given["roi"].values[:, 0])
    assert found["roi"].attrs["labels"] == ["prf-visualrois/V1v", "early"]
    chosen = found.isel(neuroid=member.values)["response"]
    np.testing.assert_array_equal(chosen.values, given["response"].values[:, member.values])


@pytest.mark.parametrize(
    "index",
    [
        {"presentation": [4, 0, 0, 3]},
        {"presentation": slice(None, None, -2), "neuroid": [6, 1]},
        {"neuroid": 3},
        {"presentation": 2, "neuroid": slice(1, 5, 2)},
        {"presentation": [], "neuroid": [0, 6]},
        {"presentation": np.array([True, False, True, True, False, False])},
        {"presentation": xr.DataArray([0, 1, 5], dims="k"), "neuroid": xr.DataArray([2, 2, 0], dims="k")},
    ],
)
def test_every_kind_of_index_reads_what_numpy_would(disk: Store, make_responses: Make, index: dict[str, Any]) -> None:
    given = make_responses(IDS)
    disk.put_responses("d", "v", "s1", given, options={})
    found = disk.responses("d", "s1")["response"].isel(index)
    np.testing.assert_array_equal(found.values, given["response"].isel(index).values)


def test_what_was_read_can_be_put_again(store: Store, make_responses: Make) -> None:
    table = pd.DataFrame({"stimulus": ["a", "b", "c"], "sha256": list("xyz"), "print": ["00", "11", "22"]})
    store.put_stimuli("pictures", table)
    store.put_responses("d", "v", "s1", make_responses(IDS), options={})
    found = store.responses("d", "s1")
    assert found["sha256"].values.tolist() == ["x", "y", "x", "z", "y", "x"]
    assert not store.put_responses("d", "v", "s1", found, options={})
    store.put_responses("d", "v", "s2", found, options={})
    assert store.responses("d", "s2")["response"].equals(found["response"])


def test_the_same_again_does_nothing_and_anything_else_is_refused(store: Store, make_responses: Make) -> None:
    given = make_responses(IDS)
    assert store.put_responses("d", "v", "s1", given, options={"bands": [1, 2]})
    first = store.responses("d", "s1").attrs["entry_sha256"]
    assert not store.put_responses("d", "v", "s1", given, options={"bands": [1, 2]})
    with pytest.raises(VariantError, match=r"option bands: stored \[1, 2\], given \[1, 3\]"):
        store.put_responses("d", "v", "s1", given, options={"bands": [1, 3]})
    with pytest.raises(VariantError, match="option new: stored nothing, given 1"):
        store.put_responses("d", "v", "s1", given, options={"bands": [1, 2], "new": 1})
    with pytest.raises(VariantError, match="variable response: the values differ"):
        store.put_responses("d", "v", "s1", make_responses(IDS, seed=1), options={"bands": [1, 2]})
    with pytest.raises(VariantError, match="variable x: stored only"):
        store.put_responses("d", "v", "s1", given.drop_vars("x"), options={"bands": [1, 2]})
    with pytest.raises(VariantError, match="attribute simulated: stored True, given False"):
        store.put_responses("d", "v", "s1", given.assign_attrs(simulated=False), options={"bands": [1, 2]})
    assert store.responses("d", "s1").attrs["entry_sha256"] == first
    assert store.put_responses("d", "v", "s1", make_responses(IDS, seed=1), options={"bands": [1, 2]}, replace=True)
    assert store.responses("d", "s1").attrs["entry_sha256"] != first
    assert store.check().litter and store.check(repair=True).removed and not store.check().litter


def test_the_hash_names_content_not_place_in_time(store: Store, disk: Store, make_responses: Make) -> None:
    given = make_responses(IDS).assign_attrs(provenance={"numpy": "2.0"})
    store.put_responses("d", "v", "s1", given, options={})
    disk.put_responses("d2", "v", "s1", given, options={})
    first = store.responses("d", "s1").attrs
    assert first["provenance"]["numpy"] == "2.0"
    other = store.responses("d", "s1")
    assert not store.put_responses("d", "v", "s1", other.assign_attrs(provenance={"numpy": "3.0"}), options={})
    assert disk.responses("d2", "s1").attrs["entry_sha256"] != first["entry_sha256"]


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("float16", "float32"), (">f4", "float32"), ("int16", "float32"), ("int32", "float64"), (">f8", "float64")],
)
def test_types_are_kept_exactly(disk: Store, make_responses: Make, dtype: str, kept: str) -> None:
    given = make_responses(IDS)
    given["response"] = (given["response"] * 100).astype(dtype)
    disk.put_responses("d", "v", "s1", given, options={})
    found = disk.responses("d", "s1")["response"]
    assert found.dtype == kept and found.dtype.isnative
    np.testing.assert_array_equal(found.values, given["response"].values)


def test_transposed_and_strided_responses_are_read_as_labelled(disk: Store, make_responses: Make) -> None:
    given = make_responses(IDS)
    disk.put_responses("d", "v", "s1", given.transpose("neuroid", "presentation", ...), options={})
    np.testing.assert_array_equal(disk.responses("d", "s1")["response"].values, given["response"].values)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_named(store: Store, make_responses: Make, value: float) -> None:
    given = make_responses(IDS)
    given["response"][3, 5] = value
    with pytest.raises(NonFiniteError, match=r"first at stimulus 'c' \(presentation 3\), neuroid 5"):
        store.put_responses("d", "v", "s1", given, options={})
    assert store.entries().empty and store.check().litter == []


def _broken(given: xr.Dataset, how: str) -> xr.Dataset:
    match how:
        case "no response":
            return given.drop_vars("response")
        case "no ids":
            return given.drop_vars("stimulus")
        case "number ids":
            return given.assign_coords(stimulus=("presentation", range(6)))
        case "empty":
            return given.isel(neuroid=[])
        case "complex":
            return given.assign(response=given["response"] * 1j)
        case "roi of numbers":
            return given.assign(roi=given["roi"].astype(int))
        case "label twice":
            given["roi"].attrs["labels"] = ["V1", "V1"]
            return given
        case "label of a variable":
            given["roi"].attrs["labels"] = ["V1", "ncsnr"]
            return given
        case "dates":
            return given.assign_coords(day=("presentation", pd.date_range("2026-01-01", periods=6)))
        case "matrix beside":
            return given.assign(extra=given["response"])
        case "odd attribute":
            return given.assign_attrs(scanner=object())
        case "simulated of text":
            return given.assign_attrs(simulated="yes")
    raise AssertionError(how)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no response", "with the variable 'response'"),
        ("no ids", "coordinate 'stimulus'"),
        ("number ids", "presentation 0 has 0"),
        ("empty", "is empty"),
        ("complex", "real numbers"),
        ("roi of numbers", "must be boolean"),
        ("label twice", "unique"),
        ("label of a variable", "'ncsnr'"),
        ("dates", "datetime64"),
        ("matrix beside", "'extra' has the dimensions"),
        ("odd attribute", "scanner"),
        ("simulated of text", "must be a bool"),
    ],
)
def test_bad_responses_are_refused_and_leave_nothing(disk: Store, make_responses: Make, how: str, words: str) -> None:
    with pytest.raises((InputError, ShapeError), match=words):
        disk.put_responses("d", "v", "s1", _broken(make_responses(IDS), how), options={})
    assert disk.entries().empty and disk.check().litter == []


def test_rdms_are_a_kind_of_response(store: Store, rdms: xr.Dataset) -> None:
    assert store.put_rdms("objects", "v", "s1", rdms, options={})
    assert not store.put_rdms("objects", "v", "s1", rdms, options={})
    found = store.responses("objects", "s1")
    assert found.attrs["kind"] == "rdms"
    assert found["roi"].values.tolist() == ["EVC", "IT"]
    assert found["stimulus"].values.tolist() == list("abcde")
    np.testing.assert_array_equal(found["dissimilarity"].values, rdms["dissimilarity"].values)


def test_rdms_of_the_wrong_size_are_refused(disk: Store, rdms: xr.Dataset) -> None:
    with pytest.raises(ShapeError, match="5 stimuli make 10"):
        disk.put_rdms("o", "v", "s", rdms.isel(pair=slice(9)), options={})
    with pytest.raises(InputError, match="1 ids are repeated"):
        disk.put_rdms("o", "v", "s", rdms.assign_coords(stimulus=("stimulus", list("abcda"))), options={})


def test_names_are_looked_up_with_help(store: Store, make_responses: Make) -> None:
    given = make_responses(IDS)
    with pytest.raises(EntryNotFoundError, match="holds none"):
        store.responses("nsd", "subj01")
    store.put_responses("nsd", "b2", "subj01", given, options={})
    store.put_responses("nsd", "b3", "subj01", given, options={})
    store.put_responses("nsd", "b3", "subj02", given, options={})
    with pytest.raises(EntryNotFoundError, match="Did you mean 'nsd'"):
        store.responses("nds", "subj01")
    with pytest.raises(EntryNotFoundError, match="'subj02'"):
        store.responses("nsd", "subj03")
    with pytest.raises(EntryNotFoundError, match="'b2'"):
        store.responses("nsd", "subj01", variant="b1")
    with pytest.raises(VariantError, match=r"'b2' \(responses\), 'b3' \(responses\)"):
        store.responses("nsd", "subj01")
    assert store.responses("nsd", "subj02").attrs["variant"] == "b3"
    assert store.responses("nsd", "subj01", variant="b2").attrs["variant"] == "b2"
    assert store.subjects("nsd") == ["subj01", "subj02"]
    assert store.subjects("nsd", "b2") == ["subj01"]
    assert store.variants("nsd") == ["b2", "b3"]


def test_an_entry_can_be_removed(store: Store, make_responses: Make) -> None:
    store.put_responses("d", "v", "s1", make_responses(IDS), options={})
    (path,) = store.entries()["path"]
    store.remove(path)
    assert store.entries().empty
    with pytest.raises(StoreError, match="no entry at"):
        store.remove(path)


def test_responses_larger_than_a_chunk(disk: Store, make_responses: Make) -> None:
    given = make_responses([f"{i:04d}" for i in range(1500)], 1300)
    disk.put_responses("d", "v", "s1", given, options={})
    found = disk.responses("d", "s1")["response"]
    rows = np.random.default_rng(0).permutation(1500)[:700]
    columns = np.sort(np.random.default_rng(1).permutation(1300)[:40])
    np.testing.assert_array_equal(found[rows, columns].values, given["response"].values[np.ix_(rows, columns)])
    assert disk.check(full=True).ok
