"""Tables of stimulus sets."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from brainalign.errors import CorruptEntryError, EntryNotFoundError, FormatVersionError, InputError, VariantError
from brainalign.store import Store, stimuli
from brainalign.store.layout import stimuli_path


def _table(**other: Any) -> pd.DataFrame:
    columns = {"stimulus": ["b", "a"], "file": ["b.png", "a.png"], "bytes": [10, 20], "sha256": ["0" * 64, "1" * 64]}
    return pd.DataFrame({**columns, **other})


def test_a_table_comes_back_as_it_was(store: Store) -> None:
    table = _table(group=["p", None], weight=[0.5, float("nan")])
    assert store.put_stimuli("s/1", table, source="/images", kind="folder", attrs={"size": [1, 2]})
    found = store.stimuli("s/1")
    assert list(found["stimulus"]) == ["b", "a"]
    assert list(found["bytes"]) == [10, 20]
    assert pd.isna(found["group"][1]) and pd.isna(found["weight"][1])
    assert {k: found.attrs[k] for k in ("set", "source", "kind", "attrs")} == {
        "set": "s/1",
        "source": "/images",
        "kind": "folder",
        "attrs": {"size": [1, 2]},
    }
    assert store.stimulus_sets() == ["s/1"]


def test_the_same_table_is_written_once_and_other_content_refused(store: Store) -> None:
    assert store.put_stimuli("s", _table(), source="/old")
    assert not store.put_stimuli("s", _table(), source="/old")
    assert store.put_stimuli("s", _table(), source="/moved")
    assert store.stimuli("s").attrs["source"] == "/moved"
    with pytest.raises(VariantError, match=r"'sha256' differs for 1 of 2"):
        store.put_stimuli("s", _table(sha256=["0" * 64, "2" * 64]))
    with pytest.raises(VariantError, match="1 ids are new; 1 are missing"):
        store.put_stimuli("s", _table(stimulus=["b", "c"]))
    with pytest.raises(VariantError, match="order of the rows"):
        store.put_stimuli("s", _table().iloc[::-1])
    assert store.put_stimuli("s", _table(stimulus=["b", "c"]), replace=True)
    assert list(store.stimuli("s")["stimulus"]) == ["b", "c"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (_table().drop(columns="stimulus"), "no column 'stimulus'"),
        (_table(stimulus=["a", "a"]), r"twice or more, first \['a'\]"),
        (_table(stimulus=["a", 1]), "row 1: the id must be a text"),
        (_table(stimulus=["a", ""]), "row 1"),
        (_table().iloc[:0], "no rows"),
    ],
)
def test_bad_tables_are_refused(disk: Store, table: pd.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        disk.put_stimuli("s", table)
    assert disk.stimulus_sets() == []


def test_kinds_are_checked(disk: Store) -> None:
    with pytest.raises(InputError, match="'folder', 'zip'"):
        disk.put_stimuli("s", _table(), kind="tar")


def test_a_set_that_is_not_there_offers_near_names(store: Store) -> None:
    with pytest.raises(EntryNotFoundError, match="holds no stimulus set"):
        store.stimuli("pictures")
    store.put_stimuli("pictures", _table())
    with pytest.raises(EntryNotFoundError, match="Did you mean 'pictures'"):
        store.stimuli("picture")


def test_damage_and_other_versions_are_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put_stimuli("s", _table())
    data = store.files.read(stimuli_path("s"))
    store.files.write(stimuli_path("s"), data[: len(data) // 2])
    with pytest.raises(CorruptEntryError, match="'s'"):
        store.stimuli("s")
    monkeypatch.setattr(stimuli, "FORMAT", "brainalign.store/2")
    monkeypatch.setattr(stimuli, "__version__", "9.0.0")
    store.files.remove(stimuli_path("s"))
    store.put_stimuli("s", _table())
    with pytest.raises(FormatVersionError, match=r"brainalign.store/2.*written by brainalign 9.0.0"):
        store.stimuli("s")
