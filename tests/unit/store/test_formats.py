"""Every version of the layout that was ever written is read, from archives that are never made anew."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainalign.errors import FormatVersionError
from brainalign.store import join, open_store
from brainalign.store.formats import MIGRATIONS, migrated, readable
from brainalign.store.layout import FORMAT

ARCHIVES = Path(__file__).parents[2] / "data" / "archives"


@pytest.mark.parametrize("format", readable())
def test_a_store_of_every_version_is_read(format: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(ARCHIVES / f"{format.replace('/', '.')}.zip") as archive:
        archive.extractall(tmp_path)
    store = open_store(tmp_path / "store")
    report = store.check(full=True)
    assert report.ok and report.entries == 4, str(report)
    joined = join(store.responses("archived", "s1"), store.embeddings("lab/net", stimuli="photos"))
    np.testing.assert_array_equal(joined.X["fc|mean"].values, np.arange(12, dtype="f4").reshape(4, 3)[::-1])
    np.testing.assert_array_equal(joined.Y["response"].values, np.arange(8.0).reshape(4, 2))
    assert joined.Y["V1"].values.tolist() == [True, False]
    rdms = store.responses("archived-rdms", "s1")
    assert rdms["dissimilarity"].values.tolist() == [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]
    assert store.stimuli("photos")["group"].tolist() == ["x", "x", "y", "y"]
    assert store.embeddings("lab/net", stimuli="photos").attrs["attributes"] == {"family": "resnet"}


def test_an_older_document_is_changed_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def renamed(document: Any) -> Any:
        return {"arrays": document["fields"], "format": document["format"]}

    monkeypatch.setitem(MIGRATIONS, "brainalign.store/0", (FORMAT, renamed))
    monkeypatch.setitem(MIGRATIONS, "brainalign.store/-1", ("brainalign.store/0", lambda d: {**d, "fields": {"a": 1}}))
    assert migrated({"format": "brainalign.store/-1"}) == {"format": FORMAT, "arrays": {"a": 1}}
    assert migrated({"format": FORMAT, "arrays": {}}) == {"format": FORMAT, "arrays": {}}


def test_a_store_of_an_older_format_is_read_through_its_migration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    from brainalign.store.layout import document_sha256

    store = open_store(tmp_path)
    store.put_embeddings("m", "1", "set", {"fc": np.eye(3)}, stimuli=["a", "b", "c"])
    place = "embeddings/m@1/set"
    pointer = json.loads(store.files.read(f"{place}/current.json"))
    group = json.loads(store.files.read(f"{place}/{pointer['entry']}/zarr.json"))
    group["attributes"]["fields"] = group["attributes"].pop("arrays")
    group["attributes"]["format"] = pointer["format"] = "brainalign.store/0"
    pointer["entry_sha256"] = document_sha256(group["attributes"])
    store.files.write(f"{place}/{pointer['entry']}/zarr.json", json.dumps(group).encode())
    store.files.write(f"{place}/current.json", json.dumps(pointer).encode())
    with pytest.raises(FormatVersionError, match=r"brainalign\.store/0"):
        store.embeddings("m", stimuli="set")
    report = store.check(full=True, discard=True)
    assert not report.ok and report.discarded == []  # another format is no damage

    def renamed(document: Any) -> Any:
        return {k: v for k, v in document.items() if k != "fields"} | {"arrays": document["fields"]}

    monkeypatch.setitem(MIGRATIONS, "brainalign.store/0", (FORMAT, renamed))
    assert store.embeddings("m", stimuli="set")["fc"].values.tolist() == np.eye(3).tolist()
    assert store.check(full=True).ok
