"""Damage is found and named; litter is found and removed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from brainalign.errors import CorruptEntryError, FormatVersionError
from brainalign.store import LayerSpec, Store, formats, write

Make = Callable[..., xr.Dataset]
IDS = ["a", "b", "c"]


def _path(store: Store, ending: str) -> str:
    (found,) = [p for p in store.files.walk("responses") if p.endswith(ending)]
    return f"responses/{found}"


@pytest.fixture
def filled(store: Store, make_responses: Make) -> Store:
    """A store with one entry of responses and one of embeddings."""
    store.put_responses("d", "v", "s", make_responses(IDS), options={})
    store.put_embeddings("m", "1", "set", {"fc": np.eye(3)}, stimuli=IDS)
    return store


def test_a_sound_store(filled: Store) -> None:
    report = filled.check(full=True)
    assert report.ok and report.entries == 2
    assert str(report) == "2 entries, 0 damaged, 0 pieces of litter"


@pytest.mark.parametrize("how", ["flipped", "truncated", "empty", "missing"])
def test_a_damaged_chunk_is_never_read_as_numbers(filled: Store, how: str) -> None:
    path = _path(filled, "response/c/0/0")
    data = filled.files.read(path)
    if how == "missing":
        filled.files.remove(path)
    else:
        changed = {"flipped": data[:20] + bytes([data[20] ^ 4]) + data[21:], "truncated": data[:-7], "empty": b""}
        filled.files.write(path, changed[how])
    with pytest.raises(CorruptEntryError, match=r"'response' of responses/d/v/s"):
        _ = filled.responses("d", "s")["response"].values
    report = filled.check(full=True)
    assert len(report.problems) == 1 and "responses/d/v/s" in report.problems[0]
    assert not report.ok and "1 damaged" in str(report)
    if how in ("missing", "empty"):
        assert len(filled.check().problems) == 1
    assert filled.embeddings("m", stimuli="set")["fc"].values.tolist() == np.eye(3).tolist()


def test_a_damaged_coordinate_is_named(filled: Store) -> None:
    path = _path(filled, "stimulus/c/0")
    data = filled.files.read(path)
    filled.files.write(path, data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CorruptEntryError, match="'stimulus'"):
        filled.responses("d", "s")


def test_a_chunk_of_other_content_with_a_right_checksum_is_found_by_a_full_check(
    filled: Store, make_responses: Make
) -> None:
    filled.put_responses("d", "v", "other", make_responses(IDS, seed=1), options={})
    paths = sorted(p for p in filled.files.walk("responses") if p.endswith("response/c/0/0"))
    filled.files.write(f"responses/{paths[1]}", filled.files.read(f"responses/{paths[0]}"))
    assert filled.check().ok
    (problem,) = filled.check(full=True).problems
    assert "does not match its hash" in problem


def test_a_changed_document_is_refused(filled: Store) -> None:
    (found,) = [p for p in filled.files.walk("responses/d/v/s") if p.count("/") == 1 and p.endswith("/zarr.json")]
    path = f"responses/d/v/s/{found}"
    filled.files.write(path, filled.files.read(path).replace(b'"simulated": true', b'"simulated": false'))
    with pytest.raises(CorruptEntryError, match="does not match the hash in its pointer"):
        filled.responses("d", "s")
    assert len(filled.check().problems) == 1


@pytest.mark.parametrize("text", [b"", b"[1]", b'{"format": "brainalign.store/1"}', b"\xff"])
def test_a_damaged_pointer_is_named_and_nothing_below_it_removed(filled: Store, text: bytes) -> None:
    filled.files.write("responses/d/v/s/current.json", text)
    with pytest.raises(CorruptEntryError, match=r"responses/d/v/s/current.json"):
        filled.responses("d", "s")
    report = filled.check(repair=True)
    assert len(report.problems) == 1 and report.removed == []


def test_an_unknown_format_names_the_version_that_wrote_it(
    store: Store, make_responses: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "FORMAT", "brainalign.store/7")
    monkeypatch.setattr(write, "__version__", "7.3.1")
    store.put_responses("d", "v", "s", make_responses(IDS), options={})
    with pytest.raises(FormatVersionError, match=r"'brainalign.store/7', written by brainalign 7.3.1"):
        store.responses("d", "s")
    report = store.check(repair=True)
    assert not report.ok and report.removed == []
    monkeypatch.setattr(formats, "FORMAT", "brainalign.store/7")
    assert store.responses("d", "s")["response"].shape == (3, 7)


def test_litter_is_removed_and_living_writers_are_spared(filled: Store) -> None:
    filled.files.write("responses/d/v/s/e-dead/response/c/0/0", b"x")
    filled.files.write("responses/d/v/s/current.json.123.tmp", b"x")
    filled.files.write("stimuli/set.parquet.123.tmp", b"x")
    writer = filled.embedding_writer("m", "2", "set", stimuli=IDS, layers=[LayerSpec("fc", 2)], chunk_rows=1)
    writer.append({"fc": np.ones((1, 2))})
    report = filled.check(repair=True)
    assert sorted(report.removed) == [
        "responses/d/v/s/current.json.123.tmp",
        "responses/d/v/s/e-dead",
        "stimuli/set.parquet.123.tmp",
    ]
    assert len(report.busy) == 1 and "being written" in str(report)
    writer.append({"fc": np.ones((2, 2))})
    writer.commit()
    assert filled.check(repair=True, full=True).litter == []
    assert filled.embeddings("m@2", stimuli="set")["fc"].values.tolist() == np.ones((3, 2)).tolist()


def test_a_dead_writer_is_litter_until_it_resumes(store: Store) -> None:
    arguments = {"stimuli": IDS, "layers": [LayerSpec("fc", 2)], "chunk_rows": 1}
    with store.embedding_writer("m", "1", "set", **arguments) as writer:
        writer.append({"fc": np.ones((2, 2))})
    assert len(store.check().litter) == 1
    with store.embedding_writer("m", "1", "set", **arguments) as writer:
        assert writer.rows_done == 2
    assert "repair removes it" in str(store.check())
    assert len(store.check(repair=True).removed) == 1
    with store.embedding_writer("m", "1", "set", **arguments) as writer:
        assert writer.rows_done == 0
    assert store.check().litter == []


def test_what_is_damaged_is_discarded_and_made_again_alone(filled: Store, make_responses: Make) -> None:
    path = _path(filled, "response/c/0/0")
    filled.files.write(path, filled.files.read(path)[:-7])
    kept = filled.embeddings("m", stimuli="set").attrs["entry_sha256"]
    report = filled.check(full=True)
    assert list(report.damaged) == ["responses/d/v/s"]
    assert "brainalign store check --full --discard" in str(report)
    assert "brainalign data ingest d ROOT --subject s" in str(report)
    assert filled.check(full=True, discard=True).discarded == ["responses/d/v/s"]
    assert filled.check(full=True).ok
    assert filled.put_responses("d", "v", "s", make_responses(IDS), options={})
    assert filled.check(full=True).ok
    assert filled.embeddings("m", stimuli="set").attrs["entry_sha256"] == kept
