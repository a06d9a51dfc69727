"""The store as a whole: what it lists, and what other readers see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.store import Store, open_store

Make = Callable[..., xr.Dataset]


def test_entries_lists_everything(store: Store, make_responses: Make, rdms: xr.Dataset) -> None:
    assert store.entries().empty
    store.put_stimuli("pictures", pd.DataFrame({"stimulus": ["a", "b"]}))
    store.put_responses("d", "v", "s", make_responses(["a", "b"]), options={})
    store.put_rdms("o", "v", "s", rdms, options={})
    store.put_embeddings("lab:m/1", "r", "pictures", {"fc": np.eye(2)}, stimuli=["a", "b"])
    entries = store.entries()
    assert entries["kind"].tolist() == ["responses", "rdms", "embeddings", "stimuli"]
    assert entries["model"].tolist() == ["", "", "lab:m/1", ""]
    assert entries["stimulus_set"].tolist() == ["", "", "pictures", "pictures"]
    assert entries["entry_sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert entries["entry_sha256"][0] == store.responses("d", "s").attrs["entry_sha256"]


def test_nothing_is_created_by_looking(tmp_path: Path) -> None:
    store = open_store(tmp_path / "nowhere")
    assert store.entries().empty and store.models() == [] and store.check(full=True, repair=True).ok
    assert not (tmp_path / "nowhere").exists()


def test_long_and_awkward_names_come_back_in_full(store: Store, make_responses: Make) -> None:
    names = ["x/" * 150, "..", "ü:*?"]
    for name in names:
        store.put_responses(name, name, name, make_responses(["a", "b"]), options={})
    for name in names:
        assert store.subjects(name) == [name] and store.variants(name) == [name]
        assert store.responses(name, name)["response"].shape == (2, 7)
    store.put_embeddings(names[0], "r", "set", {"a/b": np.eye(2)}, stimuli=["a", "b"])
    assert list(store.embeddings(names[0], stimuli="set").data_vars) == ["a/b"]


def test_an_entry_is_plain_zarr_for_any_reader(disk: Store, make_responses: Make) -> None:
    given = make_responses(["a", "b", "c"]).assign_coords({"odd/name": ("neuroid", np.arange(7.0))})
    disk.put_responses("d", "v", "s", given, options={"z": 1})
    (folder,) = (Path(disk.url) / "responses/d/v/s").glob("e-*")
    plain = xr.open_zarr(folder, consolidated=False, chunks=None)
    np.testing.assert_array_equal(plain["response"].values, given["response"].values)
    assert plain["response"].dims == ("presentation", "neuroid")
    assert plain["stimulus"].values.tolist() == ["a", "b", "c"]
    assert plain.attrs["format"] == "brainalign.store/1"
    assert plain.attrs["options"] == {"z": 1}
    assert disk.responses("d", "s")["odd/name"].values.tolist() == list(range(7))


def test_two_processes_may_put_the_same_entry(store: Store, make_responses: Make) -> None:
    again = Store(store.files)
    given = make_responses(["a", "b"])
    assert store.put_responses("d", "v", "s", given, options={})
    assert not again.put_responses("d", "v", "s", given, options={})


def test_an_entry_named_in_full_is_found_without_a_look_at_the_others(
    store: Store, make_responses: Callable[..., xr.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = ["a", "b", "c"]
    for name in ("m", "n"):
        store.put_embeddings(name, "1", "set", {"fc": np.eye(3)}, stimuli=ids)
    store.put_responses("d", "v", "s", make_responses(ids), options={})
    monkeypatch.setattr("brainalign.store.lookup.list_places", lambda *_: pytest.fail("looked at everything"))
    assert store.embeddings("m", stimuli="set", revision="1").attrs["model"] == "m"
    assert store.responses("d", "s", variant="v").attrs["subject"] == "s"
