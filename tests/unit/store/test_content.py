"""The content hash depends on content alone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.store.content import ContentHash, content_sha256, stored_dtype, stored_vector, whole


def test_the_hash_is_the_documented_one() -> None:
    values = np.arange(6, dtype="<f4").reshape(2, 3)
    expected = hashlib.sha256(b"float32 [2, 3]\n" + values.tobytes()).hexdigest()
    assert content_sha256(whole(values, ("a", "b")), rows=100) == expected
    text = hashlib.sha256(b"string [2]\n" + b"\x01\0\0\0a" + b"\x02\0\0\0\xc3\xbc").hexdigest()
    assert content_sha256(whole(np.array(["a", "ü"], dtype=object), ("a",)), rows=1) == text


def test_the_hash_does_not_depend_on_blocks_order_in_memory_or_byte_order() -> None:
    values = np.random.default_rng(0).standard_normal((11, 4))
    hashes = {
        content_sha256(whole(v, ("a", "b")), rows=rows)
        for v in (values, np.asfortranarray(values), values.astype(">f8"))
        for rows in (1, 3, 11, 100)
    }
    assert len(hashes) == 1


def test_text_is_hashed_with_its_lengths() -> None:
    a, b = ContentHash("string", (2,)), ContentHash("string", (2,))
    a.update(np.array(["ab", "c"], dtype=object))
    b.update(np.array(["a", "bc"], dtype=object))
    assert a.hexdigest() != b.hexdigest()


def test_types_that_the_store_keeps() -> None:
    assert stored_dtype(np.dtype(">f4")) == "float32"
    assert stored_dtype(np.dtype("<U3")) == stored_dtype(np.dtype(object)) == "string"
    with pytest.raises(InputError, match="complex128"):
        stored_dtype(np.dtype(complex))


def test_missing_text_becomes_empty_and_other_objects_are_refused() -> None:
    assert stored_vector(["a", None, float("nan"), np.str_("b")]).tolist() == ["a", "", "", "b"]
    with pytest.raises(InputError, match="element 1"):
        stored_vector(["a", 3])


def test_text_that_no_file_can_hold_is_refused() -> None:
    with pytest.raises(InputError, match="no Unicode"):
        ContentHash("string", (1,)).update(np.array(["\ud800"], dtype=object))
