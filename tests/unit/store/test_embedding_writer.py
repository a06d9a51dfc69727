"""Embeddings: streamed, resumed, read back; one variable a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from brainalign.errors import (
    EntryNotFoundError,
    InputError,
    NonFiniteError,
    PairingError,
    ShapeError,
    StoreError,
    VariantError,
)
from brainalign.store import EmbeddingWriter, LayerSpec, Store
from brainalign.store.embeddings import default_chunk_rows
from brainalign.store.files import Files

N = 23
IDS = [f"img/{i}.png" for i in range(N)]
RNG = np.random.default_rng(0)
ARRAYS = {
    "features.3|mean": RNG.standard_normal((N, 5)).astype("f4"),
    "fc": RNG.standard_normal((N, 3)).astype("f4"),
}
LAYERS = [LayerSpec(k, v.shape[1], {"layer": k, "pooling": "mean", "seed": 0}) for k, v in ARRAYS.items()]


def _writer(store: Store, **other: Any) -> EmbeddingWriter:
    arguments: dict[str, Any] = {
        "stimuli": IDS,
        "layers": LAYERS,
        "chunk_rows": 4,
        "attrs": {"attributes": {"family": "x"}},
    }
    return store.embedding_writer("lab:net/1", "0a1b", "set", **{**arguments, **other})


def _batch(start: int, stop: int) -> dict[str, npt.NDArray[np.float32]]:
    return {k: v[start:stop] for k, v in ARRAYS.items()}


def _feed(writer: EmbeddingWriter, stop: int, sizes: Sequence[int] = (3,)) -> None:
    row, i = writer.rows_done, 0
    while row < stop:
        step = min(sizes[i % len(sizes)], stop - row)
        writer.append(_batch(row, row + step))
        row, i = row + step, i + 1


def _assert_stored(store: Store) -> None:
    found = store.embeddings("lab:net/1", stimuli="set")
    assert list(found.data_vars) == list(ARRAYS)
    assert found["stimulus"].values.tolist() == IDS
    for key, values in ARRAYS.items():
        assert not found[key].variable._in_memory
        np.testing.assert_array_equal(found[key].values, values)


@pytest.mark.parametrize("sizes", [(1,), (4,), (3, 7, 2), (N,)])
def test_batches_of_any_size_make_the_same_entry(store: Store, sizes: Sequence[int]) -> None:
    with _writer(store) as writer:
        assert writer.rows_done == 0
        _feed(writer, N, sizes)
        sha = writer.commit()
        assert writer.commit() == sha
    _assert_stored(store)
    attrs = store.embeddings("lab:net/1@0a1b", stimuli="set").attrs
    assert (attrs["model"], attrs["revision"], attrs["entry_sha256"]) == ("lab:net/1", "0a1b", sha)
    assert attrs["attributes"] == {"family": "x"}
    layer = store.embeddings("lab:net/1", stimuli="set")["features.3|mean"].attrs
    assert (layer["layer"], layer["pooling"], layer["seed"]) == ("features.3|mean", "mean", 0)
    assert store.check(full=True).ok and store.check().litter == []


def test_the_hash_does_not_depend_on_chunks(disk: Store, store: Store) -> None:
    hashes = set()
    for chunk_rows in (1, 5, None):
        with _writer(store, chunk_rows=chunk_rows, replace=True) as writer:
            _feed(writer, N)
            hashes.add(writer.commit())
    assert len(hashes) == 1


@pytest.mark.parametrize("stop", [0, 3, 4, 11, 20, N])
def test_an_interrupted_writer_resumes_at_the_last_whole_chunk(store: Store, stop: int) -> None:
    with pytest.raises(KeyboardInterrupt), _writer(store) as writer:
        _feed(writer, stop)
        raise KeyboardInterrupt
    with pytest.raises(EntryNotFoundError):
        store.embeddings("lab:net/1", stimuli="set")
    with _writer(store) as writer:
        assert writer.rows_done == (N if stop == N else stop // 4 * 4)
        _feed(writer, N)
        resumed = writer.commit()
    _assert_stored(store)
    with _writer(store, replace=True, chunk_rows=6) as writer:
        _feed(writer, N)
        assert writer.commit() == resumed
    assert store.check(full=True).ok


def test_other_arguments_do_not_resume(disk: Store) -> None:
    with _writer(disk) as writer:
        _feed(writer, 12)
    with _writer(disk, stimuli=IDS[::-1]) as writer:
        assert writer.rows_done == 0
    with _writer(disk, dtype="float16") as writer:
        assert writer.rows_done == 0
    with _writer(disk) as writer:
        assert writer.rows_done == 12


def test_damaged_leftovers_are_written_anew(disk: Store) -> None:
    with _writer(disk) as writer:
        _feed(writer, 12)
    (chunk,) = [p for p in disk.files.walk("embeddings") if p.endswith("a001/c/1/0")]
    data = bytearray(disk.files.read(f"embeddings/{chunk}"))
    data[5] ^= 1
    disk.files.write(f"embeddings/{chunk}", bytes(data))
    with _writer(disk) as writer:
        assert writer.rows_done == 0
        _feed(writer, N)
        writer.commit()
    _assert_stored(disk)


def test_what_is_complete_needs_no_rows(store: Store) -> None:
    with _writer(store) as writer:
        _feed(writer, N)
        sha = writer.commit()
    with _writer(store, chunk_rows=9) as writer:
        assert writer.rows_done == N
        assert writer.commit() == sha
        with pytest.raises(StoreError, match="complete"):
            writer.append(_batch(0, 1))


def test_other_embeddings_of_the_same_name_are_refused_with_the_difference(store: Store) -> None:
    with _writer(store) as writer:
        _feed(writer, N)
        writer.commit()
    with pytest.raises(VariantError, match=r'family": "x"}, given \{"family": "y"\}'):
        _writer(store, attrs={"attributes": {"family": "y"}})
    with pytest.raises(VariantError, match="layers: stored"):
        _writer(store, layers=LAYERS[:1])
    with pytest.raises(VariantError, match="stimuli_sha256"):
        _writer(store, stimuli=IDS[::-1])
    with _writer(store, layers=LAYERS[:1], replace=True) as writer:
        writer.append({LAYERS[0].key: ARRAYS[LAYERS[0].key]})
        writer.commit()
    assert list(store.embeddings("lab:net/1", stimuli="set").data_vars) == [LAYERS[0].key]
    assert len(store.check(repair=True).removed) == 1
    assert store.check(full=True).ok


def test_two_writers_never_mix(store: Store) -> None:
    first, second = _writer(store), _writer(store)
    _feed(first, 8)
    _feed(second, N, (5,))
    _feed(first, 20)
    sha = second.commit()
    _feed(first, N)
    assert first.commit() == sha
    first.close()
    second.close()
    _assert_stored(store)
    report = store.check(full=True)
    assert report.ok and report.litter == []


def test_a_slower_writer_of_other_embeddings_is_told(store: Store) -> None:
    first, second = _writer(store), _writer(store, attrs={})
    _feed(first, N)
    _feed(second, N)
    first.commit()
    with pytest.raises(VariantError, match="made otherwise"):
        second.commit()
    first.close()
    second.close()
    _assert_stored(store)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(store: Store, value: float) -> None:
    batch = {k: v.copy() for k, v in _batch(4, 8).items()}
    batch["fc"][2, 1] = value
    with _writer(store) as writer:
        writer.append(_batch(0, 4))
        with pytest.raises(NonFiniteError, match=r"layer 'fc'.*'img/6.png' \(row 6\), feature 1"):
            writer.append(batch)
        writer.append(_batch(4, N))  # the refused batch left no trace
        writer.commit()
    _assert_stored(store)


def test_overflow_of_the_stored_type_is_named(disk: Store) -> None:
    with _writer(disk, dtype="float16") as writer, pytest.raises(NonFiniteError, match=r"as float16.*1000000"):
        writer.append({k: np.full_like(v, 1e6) for k, v in _batch(0, 2).items()})


@pytest.mark.parametrize(
    ("batch", "error", "words"),
    [
        ({"fc": ARRAYS["fc"]}, InputError, r"missing \['features.3\|mean'\]"),
        ({**_batch(0, 4), "extra": ARRAYS["fc"]}, InputError, r"unknown \['extra'\]"),
        ({**_batch(0, 4), "fc": ARRAYS["fc"][:3]}, PairingError, "same rows"),
        ({**_batch(0, 4), "fc": ARRAYS["fc"][:4, :2]}, ShapeError, r"'fc': expected \(rows, 3\)"),
        ({k: np.concatenate([v, v]) for k, v in ARRAYS.items()}, ShapeError, "46 rows given for 23"),
    ],
)
def test_batches_that_do_not_fit_are_refused(disk: Store, batch: Any, error: type[Exception], words: str) -> None:
    with _writer(disk) as writer, pytest.raises(error, match=words):
        writer.append(batch)


def test_an_incomplete_entry_is_not_committed(disk: Store) -> None:
    with _writer(disk) as writer:
        _feed(writer, 10)
        with pytest.raises(StoreError, match="10 of 23 rows"):
            writer.commit()
    with pytest.raises(StoreError, match="closed"):
        writer.append(_batch(10, 12))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"stimuli": []}, "none given"),
        ({"stimuli": ["a", "a"]}, r"repeated, first \['a'\]"),
        ({"stimuli": ["a", 3]}, "row 1"),
        ({"layers": []}, "unique and not empty"),
        ({"layers": [LayerSpec("a", 1), LayerSpec("a", 2)]}, "unique"),
        ({"layers": [LayerSpec("a", 0)]}, "no features"),
        ({"layers": [LayerSpec("stimulus", 2)]}, "another key"),
        ({"dtype": "int8"}, "float16"),
        ({"chunk_rows": 0}, "at least 1"),
    ],
)
def test_arguments_are_checked(disk: Store, other: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        _writer(disk, **other)


def test_content_of_the_stimuli_is_kept_beside_the_rows(store: Store) -> None:
    table = pd.DataFrame({"stimulus": IDS[::-1], "sha256": [f"{i:064d}" for i in range(N)], "print": "00"})
    store.put_stimuli("set", table.iloc[:-1])
    with _writer(store) as writer:
        _feed(writer, N)
        writer.commit()
    found = store.embeddings("lab:net/1", stimuli="set")
    assert found["sha256"].values.tolist() == ["", *[f"{i:064d}" for i in range(N - 2, -1, -1)]]
    assert found["print"].values.tolist() == ["", *["00"] * (N - 1)]


def test_arrays_in_memory(store: Store) -> None:
    assert store.put_embeddings("lab:net/1", "0a1b", "set", ARRAYS, stimuli=IDS)
    _assert_stored(store)
    assert not store.put_embeddings("lab:net/1", "0a1b", "set", ARRAYS, stimuli=IDS)
    changed = {**ARRAYS, "fc": ARRAYS["fc"] + 1}
    with pytest.raises(VariantError, match="other values of layer 'fc'"):
        store.put_embeddings("lab:net/1", "0a1b", "set", changed, stimuli=IDS)
    half = {k: v.astype("f2") for k, v in ARRAYS.items()}
    assert store.put_embeddings("half", "1", "set", half, stimuli=IDS)
    assert store.embeddings("half", stimuli="set")["fc"].dtype == np.float16
    with pytest.raises(NonFiniteError):
        store.put_embeddings("bad", "1", "set", {"a": np.full((N, 2), np.nan)}, stimuli=IDS)
    with pytest.raises(InputError, match="expected arrays"):
        store.put_embeddings("bad", "1", "set", {"a": np.zeros((N - 1, 2))}, stimuli=IDS)
    assert store.check().litter == []
    assert store.models() == [("half", "1", "set"), ("lab:net/1", "0a1b", "set")]
    assert store.models("other") == []


def test_models_are_looked_up_with_help(store: Store) -> None:
    for model, revision, name in (
        ("net", "r1", "set"),
        ("net", "r2", "set"),
        ("net", "r1", "more"),
        ("a@b", "r1", "set"),
    ):
        store.put_embeddings(model, revision, name, {"fc": ARRAYS["fc"]}, stimuli=IDS)
    assert store.embeddings("net@r2", stimuli="set").attrs["revision"] == "r2"
    assert store.embeddings("net", stimuli="more").attrs["revision"] == "r1"
    assert store.embeddings("net", revision="r1", stimuli="set").attrs["revision"] == "r1"
    assert store.embeddings("a@b", stimuli="set").attrs["model"] == "a@b"
    assert store.embeddings("a@b@r1", stimuli="set").attrs["model"] == "a@b"
    with pytest.raises(VariantError, match="'r1', 'r2'"):
        store.embeddings("net", stimuli="set")
    with pytest.raises(EntryNotFoundError, match="Did you mean 'net'"):
        store.embeddings("nett", stimuli="set")
    with pytest.raises(EntryNotFoundError, match="'r1'"):
        store.embeddings("net@r3", stimuli="set")
    with pytest.raises(EntryNotFoundError, match="of the set 'sets'"):
        store.embeddings("net", stimuli="sets")


def test_chunks_of_wide_layers_stay_small(disk: Store) -> None:
    assert default_chunk_rows(73000, [100_000], 4) * 100_000 * 4 <= 16 << 20
    assert default_chunk_rows(10, [3], 4) == 10
    assert default_chunk_rows(10, [10**9], 4) == 1


def test_a_full_disk_keeps_whole_chunks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = _writer(store)
    _feed(writer, 8)
    write = type(store.files).write

    def full(self: Files, path: str, data: bytes) -> None:
        if "/c/" in path:
            raise OSError(28, "No space left on device")
        write(self, path, data)

    with monkeypatch.context() as patch:
        patch.setattr(type(store.files), "write", full)
        with pytest.raises(StoreError, match=r"8 rows are kept.*disk is full"):
            _feed(writer, N)
        with pytest.raises(StoreError, match="open it again"):
            writer.append(_batch(8, 9))
        writer.close()
    with _writer(store) as writer:
        assert writer.rows_done == 8
        _feed(writer, N)
        writer.commit()
    _assert_stored(store)


def test_a_layer_that_is_silent_after_an_interruption_is_stored(store: Store) -> None:
    values = np.zeros((N, 2), "f4")
    arguments: dict[str, Any] = {"stimuli": IDS, "layers": [LayerSpec("relu", 2)], "chunk_rows": 4}
    for stop in (8, N):
        with store.embedding_writer("m", "1", "set", **arguments) as writer:
            writer.append({"relu": values[writer.rows_done : stop]})
            if stop == N:
                writer.commit()
    np.testing.assert_array_equal(store.embeddings("m", stimuli="set")["relu"].values, values)
    assert store.check(full=True).ok
