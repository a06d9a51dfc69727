"""What a join says of the data it joins, without reading them."""

import numpy as np
import pytest
import xarray as xr

from brainalign.store import average_repeats, join, open_store
from brainalign.store.findings import ResponseWatch
from brainalign.store.session_effect import session_effect

IDS = [f"img-{i:03d}" for i in range(30)]


def put(store, values, *, sessions=None, rois=None, ids=IDS):
    """Put responses, one presentation a stimulus unless ids repeat."""
    coords = {"stimulus": ("presentation", np.array(ids, dtype=object))}
    if sessions is not None:
        coords["session"] = ("presentation", np.asarray(sessions))
    data = {"response": (("presentation", "neuroid"), values)}
    if rois is not None:
        data["roi"] = (("neuroid", "label"), np.stack(list(rois.values()), axis=1))
        coords["label"] = ("label", np.array(list(rois), dtype=object))
    store.put_responses("lab", "v", "s1", xr.Dataset(data, coords, {"stimulus_set": ""}), options={})
    return average_repeats(store.responses("lab", "s1"))


def embeddings(ids=IDS, **coords):
    values = np.random.default_rng(9).standard_normal((len(ids), 3))
    named = {name: ("stimulus", np.array(value, dtype=object)) for name, value in coords.items()}
    return xr.Dataset({"fc": (("stimulus", "f"), values)}, {"stimulus": list(ids), **named})


def said(joined, check):
    return [f.message for f in joined.report.findings if f.check == check]


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def test_clean_data_have_no_findings(store):
    values = np.random.default_rng(0).standard_normal((60, 5))
    mean = put(store, values, sessions=np.repeat([1, 2], 30), ids=IDS + IDS)
    assert join(mean, embeddings()).report.findings == ()


def test_what_was_seen_while_writing_is_said_by_every_join(store):
    values = np.random.default_rng(0).standard_normal((60, 5)) + np.repeat([0, 4], 30)[:, None]
    values[:, 3] = 2.5
    rois = {"V1": [1, 1, 0, 0, 0], "EVC": [1, 1, 0, 0, 0], "none": [0] * 5}
    rois = {name: np.array(member, dtype=bool) for name, member in rois.items()}
    mean = put(store, values, sessions=np.repeat([1, 2], 30), rois=rois, ids=IDS + IDS)
    joined = join(mean, embeddings())
    assert said(joined, "neuroids") == ["1 of 5 neuroids never vary; they have no score."]
    assert "of the variance lies between sessions" in said(joined, "sessions")[0]
    assert said(joined, "regions") == ["'none' holds no neuroid.", "'V1' and 'EVC' hold the same neuroids."]
    assert "warning: neuroids, s1: 1 of 5 neuroids" in str(joined.report)
    share, p = session_effect(np.delete(values, 3, axis=1), np.repeat([1, 2], 30))
    seen = store.responses("lab", "s1").attrs["provenance"]["seen"]
    assert seen["session_share"] == pytest.approx(share) and seen["session_p"] == pytest.approx(p)


def test_a_watch_sees_the_same_in_blocks_of_any_size():
    rng = np.random.default_rng(1)
    values = (rng.standard_normal((100, 700)) + 1e4).astype(np.float32)
    values[:, 5] = 7
    values[:, 6] = np.r_[np.ones(99), 2]
    sessions = np.repeat(np.arange(4), 25)
    whole, parts = ResponseWatch(700, sessions), ResponseWatch(700, sessions)
    whole.update(values)
    for start in range(0, 100, 7):
        parts.update(values[start : start + 7])
    assert parts.seen()["constant"] == whole.seen()["constant"] == 1
    assert parts.seen()["session_share"] == pytest.approx(whole.seen()["session_share"], rel=1e-9)


def test_same_bytes_and_leaks_of_a_split(store):
    mean = put(store, np.random.default_rng(0).standard_normal((30, 4)))
    rng = np.random.default_rng(3)
    prints = rng.integers(0, 256, (30, 192), dtype=np.uint8)
    prints[29] = np.clip(prints[0].astype(int) + 2, 0, 255)
    shas = [f"{i:064x}" for i in range(30)]
    shas[7] = shas[4]
    seen = embeddings(print=[p.tobytes().hex() for p in prints], sha256=shas)
    joined = join(mean, seen, folds=[(IDS[:15], IDS[14:])])
    assert said(joined, "splits") == [f"fold 0: 1 stimuli are in train and in test, first {IDS[14]!r}."]
    same, near = said(joined, "near-duplicates")
    assert same == f"2 stimuli share a file's bytes, as {[IDS[4], IDS[7]]}."
    assert f"{IDS[29]!r} (test) and {IDS[0]!r} (train)" in near
    assert len(said(join(mean, seen), "near-duplicates")) == 1


@pytest.mark.parametrize("shift", [-3, -1, 1, 2])
def test_numbers_that_begin_and_end_apart_are_said(store, shift):
    mean = put(store, np.random.default_rng(0).standard_normal((30, 4)))
    other = [f"img-{i + 3 + shift:03d}" for i in range(30)]
    mean = mean.assign_coords(stimulus=[f"img-{i + 3:03d}" for i in range(30)])
    (message,) = said(join(mean, embeddings(other)), "id base")
    assert f"begin and end {-shift:+d} from those" in message
    assert not said(join(mean, embeddings([*other, "img-999"])), "id base")
