"""Averaging repeats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from brainalign.errors import InputError, ResponseKindError
from brainalign.store import Store, average_repeats
from brainalign.store import repeats as repeats_module

Make = Callable[..., xr.Dataset]
IDS = ["b", "a", "b", "c", "a", "b"]


def _by_hand(given: xr.Dataset) -> np.ndarray:
    ids = given["stimulus"].values
    values = given["response"].values.astype(np.float64)
    return np.stack([values[ids == s].mean(axis=0) for s in ("b", "a", "c")])


def test_means_counts_and_everything_along_neuroid(make_responses: Make) -> None:
    given = make_responses(IDS)
    found = average_repeats(given)
    assert found["response"].dims == ("stimulus", "neuroid")
    assert found["response"].dtype == np.float32
    np.testing.assert_allclose(found["response"].values, _by_hand(given), rtol=1e-6)
    assert found["stimulus"].values.tolist() == ["b", "a", "c"]
    assert found["n_repeats"].values.tolist() == [3, 2, 1]
    for name in ("x", "ncsnr", "hemisphere", "roi"):
        assert found[name].identical(given[name])
    assert found.attrs == given.attrs
    assert "session" not in found.variables


def test_the_mean_is_of_float64_sums(make_responses: Make) -> None:
    given = make_responses(["a"] * 3, 1, dtype="float64")
    given["response"][:, 0] = [1e16, 1.0, -1e16]
    single = make_responses(["a"] * 3, 1)
    single["response"][:, 0] = [2.0**24, 1.0, 1.0]
    assert average_repeats(single)["response"].values.item() == np.float32((2.0**24 + 2) / 3)


def test_what_is_the_same_for_all_repeats_is_kept(make_responses: Make) -> None:
    given = make_responses(IDS).assign_coords(sha256=("presentation", [f"sha-{s}" for s in IDS]))
    found = average_repeats(given)
    assert found["sha256"].values.tolist() == ["sha-b", "sha-a", "sha-c"]


def test_a_lazy_mean_reads_what_is_asked_for(
    disk: Store, make_responses: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = make_responses(IDS)
    disk.put_responses("d", "v", "s", given, options={})
    found = average_repeats(disk.responses("d", "s"))
    assert not found["response"].variable._in_memory
    whole = average_repeats(given)["response"].values
    np.testing.assert_array_equal(found["response"].values, whole)
    assert found["prf-visualrois/V1v"].values.tolist() == given["roi"].values[:, 0].tolist()
    for index in (
        {"stimulus": [2, 0]},
        {"neuroid": [5, 1], "stimulus": slice(1, None)},
        {"stimulus": 1},
        {"neuroid": 0},
    ):
        np.testing.assert_array_equal(
            found["response"].isel(index).values, xr.Variable(("stimulus", "neuroid"), whole).isel(index).values
        )
    monkeypatch.setattr(repeats_module, "_BLOCK_BYTES", 1)
    np.testing.assert_array_equal(found["response"].values, whole)


def test_responses_that_are_averaged_stay_as_they_are(make_responses: Make) -> None:
    once = average_repeats(make_responses(IDS))
    assert average_repeats(once) is once


def test_what_has_no_presentations_is_refused(rdms: xr.Dataset, make_responses: Make) -> None:
    with pytest.raises(ResponseKindError, match="no presentations"):
        average_repeats(rdms)
    with pytest.raises(InputError, match="'response'"):
        average_repeats(make_responses(IDS).drop_vars("response"))
    with pytest.raises(InputError, match="coordinate 'stimulus'"):
        average_repeats(make_responses(IDS).drop_vars("stimulus"))
