"""Names, chunks and hashes of the layout on disk."""

from __future__ import annotations

import math

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.store.layout import (
    canonical,
    document_sha256,
    embedding_place,
    matrix_chunks,
    on_disk_names,
    plain,
    quoted,
    response_place,
    stimuli_path,
)


@pytest.mark.parametrize("name", ["a/b:c", "..", ".", "a~b", "ü n", "x" * 400, "a@b", "%2F"])
def test_a_quoted_name_is_one_safe_component(name: str) -> None:
    text = quoted(name)
    assert "/" not in text and text not in (".", "..") and len(text) <= 255


def test_different_names_have_different_paths() -> None:
    names = ["a/b", "a%2Fb", "a", "A", "..", "%2E%2E", "x" * 400, "x" * 399, "x" * 160 + "~" + "0" * 16]
    assert len({quoted(n) for n in names}) == len(names)


def test_empty_names_are_refused() -> None:
    with pytest.raises(InputError, match="not empty"):
        quoted("")


def test_paths_follow_the_design() -> None:
    assert stimuli_path("nsd") == "stimuli/nsd.parquet"
    assert response_place("responses", "nsd", "func1pt8mm.b3", "subj01") == "responses/nsd/func1pt8mm.b3/subj01"
    assert embedding_place("open_clip:a/b", "0a1b", "nsd") == "embeddings/open_clip%3Aa%2Fb@0a1b/nsd"


def test_array_names_never_hold_a_slash_nor_differ_in_case_only() -> None:
    found = on_disk_names(["x", "X", "prf/V1", "a000", "zarr.json", ""])
    assert found["x"] == "x" and "/" not in "".join(found.values())
    assert len({d.casefold() for d in found.values()}) == 6


@pytest.mark.parametrize("shape", [(30000, 15724), (100, 4), (3, 10**6), (1, 1), (10**6, 2)])
def test_chunks_are_bounded_and_near_square_where_both_sides_are_long(shape: tuple[int, int]) -> None:
    rows, columns = matrix_chunks(shape, 4)
    assert rows * columns * 4 <= 4 << 20
    assert rows <= shape[0] and columns <= shape[1]
    small = math.prod(shape) * 4 <= 4 << 20
    assert (rows, columns) == shape if small else rows * columns * 4 >= 2 << 20


def test_provenance_stays_out_of_the_hash() -> None:
    document = {"attrs": {"a": 1}, "arrays": {}}
    assert document_sha256({**document, "provenance": {"torch": "2"}}) == document_sha256(document)
    assert document_sha256({**document, "attrs": {"a": 2}}) != document_sha256(document)


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert (
        canonical({"b": 1, "a": [1.5, "ü"]}) == canonical({"a": [1.5, "ü"], "b": 1}) == '{"a":[1.5,"ü"],"b":1}'.encode()
    )


def test_plain_turns_numpy_into_json_and_names_what_has_no_form() -> None:
    assert plain({"a": np.eye(2), "n": np.int64(3), 1: (True, None)}, where="attrs") == {
        "a": [[1.0, 0.0], [0.0, 1.0]],
        "n": 3,
        "1": [True, None],
    }
    with pytest.raises(InputError, match=r"attrs\['a'\]\[1\]"):
        plain({"a": [1.0, float("nan")]}, where="attrs")
    with pytest.raises(InputError, match="bytes"):
        plain({"a": b"x"}, where="attrs")
