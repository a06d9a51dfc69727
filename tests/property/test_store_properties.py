"""What holds for any table of responses and any embeddings: what is put is read, a join pairs by id."""

from __future__ import annotations

import itertools
from typing import Any

import fsspec
import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brainalign.errors import JoinError
from brainalign.store import LayerSpec, Store, average_repeats, join, open_store

_NUMBER = itertools.count()
IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
FINITE = st.floats(-1024, 1024, width=32)


def _empty() -> Store:
    fs = fsspec.filesystem("memory")
    if fs.exists("/property"):
        fs.rm("/property", recursive=True)
    return open_store(f"memory://property/{next(_NUMBER)}")


@st.composite
def _responses(draw: st.DrawFn) -> xr.Dataset:
    ids = draw(st.lists(IDS, min_size=1, max_size=12))
    shape = (len(ids), draw(st.integers(1, 5)))
    values = draw(hnp.arrays(draw(st.sampled_from(["f4", "f8", "i2", ">f4"])), shape, elements=None, fill=st.nothing()))
    values = np.where(np.isfinite(values), values, 0).astype(values.dtype)
    coords: dict[str, Any] = {"stimulus": ("presentation", ids)}
    if draw(st.booleans()):
        coords[draw(st.sampled_from(["session", "odd/name", "X"]))] = ("presentation", np.arange(len(ids)))
    return xr.Dataset({"response": (("presentation", "neuroid"), values)}, coords=coords)


@settings(max_examples=30, deadline=None)
@given(_responses(), st.data())
def test_responses_are_read_as_they_were_put(given_: xr.Dataset, data: st.DataObject) -> None:
    store = _empty()
    store.put_responses("d", "v", "s", given_, options={})
    found = store.responses("d", "s")
    np.testing.assert_array_equal(found["response"].values, given_["response"].values)
    for name, coord in given_.coords.items():
        assert found[name].values.tolist() == coord.values.tolist()
    rows = data.draw(st.lists(st.integers(0, given_.sizes["presentation"] - 1), max_size=6))
    columns = data.draw(st.lists(st.integers(0, given_.sizes["neuroid"] - 1), max_size=6))
    chosen = found["response"].isel(presentation=rows, neuroid=columns)
    np.testing.assert_array_equal(chosen.values, given_["response"].values[np.ix_(rows, columns)])
    assert store.check(full=True).ok
    assert not store.put_responses("d", "v", "s", found, options={})


@settings(max_examples=30, deadline=None)
@given(_responses())
def test_a_lazy_average_is_the_average(given_: xr.Dataset) -> None:
    store = _empty()
    store.put_responses("d", "v", "s", given_, options={})
    lazy, direct = average_repeats(store.responses("d", "s")), average_repeats(given_)
    assert lazy["n_repeats"].values.sum() == given_.sizes["presentation"]
    assert lazy["stimulus"].values.tolist() == list(dict.fromkeys(given_["stimulus"].values.tolist()))
    np.testing.assert_allclose(lazy["response"].values, direct["response"].values, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(IDS, min_size=1, max_size=15, unique=True), st.lists(IDS, min_size=1, max_size=15, unique=True), st.data()
)
def test_a_join_pairs_rows_of_one_id(mine: list[str], theirs: list[str], data: st.DataObject) -> None:
    shared = data.draw(st.lists(st.sampled_from(mine), unique=True))
    theirs = data.draw(st.permutations(list(dict.fromkeys([*theirs, *shared]))))
    number = {s: i for i, s in enumerate(dict.fromkeys([*mine, *theirs]))}

    def table(name: str, other: str, ids: list[str]) -> xr.Dataset:
        values = np.array([[number[s], 1.0] for s in ids])
        return xr.Dataset({name: (("stimulus", other), values)}, coords={"stimulus": ("stimulus", ids)})

    both = [s for s in mine if s in theirs]
    if not both:
        try:
            join(table("response", "neuroid", mine), table("fc", "feature", theirs))
        except JoinError:
            return
        raise AssertionError("nothing matches, and nothing was raised")
    joined = join(table("response", "neuroid", mine), table("fc", "feature", theirs))
    assert joined.stimuli.tolist() == both
    expected = [number[s] for s in both]
    assert joined.X["fc"].values[:, 0].tolist() == joined.Y["response"].values[:, 0].tolist() == expected
    report = joined.report
    assert report.matched + len(report.only_in_responses) == len(mine)
    assert report.matched + len(report.only_in_embeddings) == len(theirs)
    assert (report.reordered == 0) == ([s for s in theirs if s in both] == both)


@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays("f4", hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=FINITE),
    st.integers(1, 13),
    st.lists(st.integers(1, 7), min_size=1, max_size=4),
    st.integers(0, 12),
)
def test_embeddings_do_not_depend_on_batches_chunks_or_an_interruption(
    values: np.ndarray, chunk_rows: int, batches: list[int], stop: int
) -> None:
    ids = [f"{i}" for i in range(len(values))]
    store = _empty()
    sizes = itertools.cycle(batches)

    def feed(until: int) -> int:
        arguments = {"stimuli": ids, "layers": [LayerSpec("a", values.shape[1])], "chunk_rows": chunk_rows}
        with store.embedding_writer("m", "1", "s", **arguments) as writer:
            started = row = writer.rows_done
            while row < until:
                step = min(next(sizes), until - row)
                writer.append({"a": values[row : row + step]})
                row += step
            if until == len(ids):
                writer.commit()
        return started

    stop = min(stop, len(ids) - 1)
    assert feed(stop) == 0
    assert feed(len(ids)) == stop // chunk_rows * chunk_rows
    np.testing.assert_array_equal(store.embeddings("m", stimuli="s")["a"].values, values)
    whole = open_store(f"memory://property/{next(_NUMBER)}")
    whole.put_embeddings("m", "1", "s", {"a": values}, stimuli=ids)
    first, second = (s.entries()["entry_sha256"][0] for s in (store, whole))
    assert first == second
    assert store.check(full=True).ok and store.check().litter == []
