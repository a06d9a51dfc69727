"""Joining by stimulus id, with its report and its refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from brainalign.errors import JoinError
from brainalign.store import Store, average_repeats, join
from brainalign.store.layout import PRINT_TOLERANCE

Make = Callable[..., xr.Dataset]


def _embeddings(ids: list[str], **coords: Any) -> xr.Dataset:
    """Embeddings whose first feature is the number of the letter."""
    numbers = np.array([[ord(i[0]), 0.5] for i in ids])
    return xr.Dataset(
        {"conv|mean": (("stimulus", "f0"), numbers), "fc": (("stimulus", "f1"), -numbers)},
        coords={"stimulus": ids, **{k: ("stimulus", v) for k, v in coords.items()}},
    )


def _responses(ids: list[str], **coords: Any) -> xr.Dataset:
    """Averaged responses whose first neuroid is the number of the letter."""
    values = np.array([[ord(i[0]), 1.0, 2.0] for i in ids])
    return xr.Dataset(
        {"response": (("stimulus", "neuroid"), values)},
        coords={"stimulus": ids, **{k: ("stimulus", v) for k, v in coords.items()}},
    )


def test_both_sides_come_in_the_order_of_the_responses() -> None:
    joined = join(_responses(list("dbax")), _embeddings(list("abcd")))
    assert joined.stimuli.tolist() == ["d", "b", "a"]
    assert joined.Y["stimulus"].values.tolist() == ["d", "b", "a"]
    assert list(joined.X) == ["conv|mean", "fc"] and len(joined.X) == 2
    np.testing.assert_array_equal(joined.X["conv|mean"].values[:, 0], joined.Y["response"].values[:, 0])
    np.testing.assert_array_equal(joined.X["fc"].values[:, 0], -joined.Y["response"].values[:, 0])
    assert joined.X["fc"]["stimulus"].values.tolist() == ["d", "b", "a"]
    report = joined.report
    assert (report.matched, report.only_in_responses, report.only_in_embeddings) == (3, ("x",), ("c",))
    assert report.reordered == 2
    with pytest.raises(KeyError):
        joined.X["nothing"]


def test_the_report_reads_as_sentences() -> None:
    text = str(join(_responses(list("dbax")), _embeddings(list("abcd"))).report)
    assert text.splitlines() == [
        "3 stimuli joined by id",
        "1 only in the responses: 'x'",
        "1 only in the embeddings: 'c'",
        "2 stood in another order and were reordered",
    ]
    assert str(join(_responses(["a"]), _embeddings(["a"])).report) == "1 stimuli joined by id"


def test_repeats_must_be_averaged_first(make_responses: Make) -> None:
    repeated = make_responses(["a", "b", "a"])
    with pytest.raises(JoinError, match=r"1 stimuli stand more than once in the responses: 'a'.*average_repeats"):
        join(repeated, _embeddings(["a", "b"]))
    joined = join(average_repeats(repeated), _embeddings(["a", "b"]))
    assert joined.Y["n_repeats"].values.tolist() == [2, 1]


def test_presentations_shown_once_join_as_they_are(make_responses: Make) -> None:
    given = make_responses(["c", "a", "b"])
    joined = join(given, _embeddings(["a", "b", "c"]))
    assert joined.Y["response"].dims == ("stimulus", "neuroid")
    assert joined.Y["session"].dims == ("stimulus",)
    np.testing.assert_array_equal(joined.Y["response"].values, given["response"].values)


def test_ambiguity_and_no_match_are_refused() -> None:
    with pytest.raises(JoinError, match=r"more than once in the embeddings: 'a'.*cannot be known"):
        join(_responses(["a"]), _embeddings(["a", "a"]))
    with pytest.raises(JoinError, match=r"no stimulus id is in both.*'a'.*'b.png'"):
        join(_responses(["a"]), _embeddings(["b.png"]))
    with pytest.raises(JoinError, match="no coordinate 'stimulus'"):
        join(_responses(["a"]).drop_vars("stimulus"), _embeddings(["a"]))
    with pytest.raises(JoinError, match="no variable"):
        join(_responses(["a"]), _embeddings(["a"]).drop_vars(["fc", "conv|mean"]))


def _print(level: int) -> str:
    return bytes([level] * 192).hex()


def test_other_pictures_under_the_same_id_are_left_out() -> None:
    y = _responses(list("abcdef"), sha256=["1", "2", "3", "4", "", "6"], print=[_print(100)] * 5 + [""])
    prints = [_print(100), _print(100 + PRINT_TOLERANCE), _print(101 + PRINT_TOLERANCE), "zz", _print(200), _print(0)]
    x = _embeddings(list("abcdef"), sha256=["1", "other", "other", "other", "", "other"], print=prints)
    joined = join(y, x)
    assert joined.report.mismatched == ("c", "d", "e", "f")
    assert joined.stimuli.tolist() == ["a", "b"]
    assert joined.report.matched == 2
    assert "4 left out: same id, other content" in str(joined.report)


def test_the_same_file_is_the_same_whatever_the_prints_say() -> None:
    y = _responses(["a"], sha256=["1"], print=[_print(0)])
    assert join(y, _embeddings(["a"], sha256=["1"], print=[_print(255)])).report.mismatched == ()


def test_hashes_alone_decide_where_no_print_is_known() -> None:
    y = _responses(["a", "b"], sha256=["1", "2"])
    assert join(y, _embeddings(["a", "b"], sha256=["1", "3"])).report.mismatched == ("b",)
    with pytest.raises(JoinError, match="the content differs"):
        join(y, _embeddings(["a", "b"], sha256=["8", "9"]))
    assert join(y, _embeddings(["a", "b"])).report.mismatched == ()


def test_rdms_keep_the_pairs_of_the_matched_stimuli(rdms: xr.Dataset) -> None:
    joined = join(rdms, _embeddings(list("eczb")))
    assert joined.stimuli.tolist() == ["b", "c", "e"]
    # a pair (i, j) holds 10 i + j, and 100 more in the second ROI
    assert joined.Y["dissimilarity"].values.tolist() == [[12, 14, 24], [112, 114, 124]]
    assert joined.Y["stimulus"].values.tolist() == ["b", "c", "e"]
    whole = join(rdms, _embeddings(list("edcba")))
    assert whole.Y["dissimilarity"].equals(rdms["dissimilarity"])
    assert whole.X["fc"]["stimulus"].values.tolist() == list("abcde")


def test_a_join_from_the_store_reads_nothing_before_it_is_asked(store: Store, make_responses: Make) -> None:
    given = make_responses(list("cabca"))
    store.put_responses("d", "v", "s", given, options={})
    x = np.arange(8.0).reshape(4, 2)
    store.put_embeddings("m", "1", "set", {"fc": x}, stimuli=list("dcba"), dtype="float64")
    joined = join(average_repeats(store.responses("d", "s")), store.embeddings("m", stimuli="set"))
    assert not joined.Y["response"].variable._in_memory
    np.testing.assert_array_equal(joined.X["fc"].values, x[[1, 3, 2]])
    np.testing.assert_array_equal(joined.Y["response"].values, average_repeats(given)["response"].values)
    assert joined.Y["prf-visualrois/V1v"].values.tolist() == given["roi"].values[:, 0].tolist()
