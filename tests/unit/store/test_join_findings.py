"""What a join says of the data it joins, without reading them."""

import numpy as np
import pytest
import xarray as xr

from brainalign.errors import JoinError
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


def numbered(shift, *, n=300, noise=0.5, categories=0, seed=0):
    """Responses that follow the embeddings ``shift`` images away; neighbours are alike where there are categories."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 20))
    if categories:
        X = 0.3 * X + rng.standard_normal((categories, 20))[np.arange(n) * categories // n]
    shown = rng.permutation(np.arange(5, n - 5))[: n // 2]
    Y = X[shown + shift] @ rng.standard_normal((20, 12)) + noise * rng.standard_normal((len(shown), 12))
    ids = [f"nsd-{i:05d}" for i in range(n)]
    responses = xr.Dataset(
        {"response": (("stimulus", "neuroid"), Y)}, {"stimulus": [ids[i] for i in shown]}, {"subject": "s1"}
    )
    return responses, xr.Dataset(
        {"early": (("stimulus", "g"), X[:, ::-1] ** 2), "late": (("stimulus", "f"), X)}, {"stimulus": ids}
    )


@pytest.mark.parametrize("categories", [0, 12])
@pytest.mark.parametrize("shift", [-1, 1, -3])
def test_a_wrong_id_base_is_a_warning_that_names_the_shift(shift, categories):
    joined = join(*numbered(shift, n=900, categories=categories))
    base = joined.report.id_base
    assert base.wrong and not base.confirmed and base.peak == shift
    (message,) = said(joined, "id base")
    assert f"images {shift:+d} places away" in message
    assert "warning: id base, s1" in str(joined.report)


@pytest.mark.parametrize("categories", [0, 12])
@pytest.mark.parametrize("noise", [0.5, 8.0])
def test_right_ids_are_confirmed_and_not_warned_of(noise, categories):
    joined = join(*numbered(0, noise=noise, categories=categories))
    assert joined.report.id_base.confirmed and not said(joined, "id base")


@pytest.mark.study
def test_how_often_right_or_unrelated_ids_are_called_wrong():
    wrong = {"weak": 0, "categories": 0, "unrelated": 0}
    for seed in range(300):
        wrong["weak"] += join(*numbered(0, noise=20, seed=seed, n=100)).report.id_base.wrong
        wrong["categories"] += join(*numbered(0, noise=4, seed=seed, n=100, categories=5)).report.id_base.wrong
        wrong["unrelated"] += join(*numbered(0, noise=1e6, seed=seed, n=100)).report.id_base.wrong
    print(wrong)
    assert max(wrong.values()) <= 6  # 2 %


def test_ids_are_looked_at_where_that_reads_nothing_or_is_asked_for(store):
    responses, embeddings = numbered(1)
    presented = responses.swap_dims(stimulus="presentation").reset_coords("stimulus").set_coords("stimulus")
    store.put_responses("lab", "v", "s1", presented.assign_attrs(stimulus_set=""), options={})
    lazy = average_repeats(store.responses("lab", "s1"))
    assert join(lazy, embeddings).report.id_base is None
    assert join(responses, embeddings, id_base=False).report.id_base is None
    assert join(lazy, embeddings, id_base=True).report.id_base.scores == pytest.approx(
        join(responses.astype("float32"), embeddings).report.id_base.scores, abs=1e-6
    )
    assert join(lazy, embeddings, id_base="early").report.id_base.n == 150
    with pytest.raises(JoinError, match="no layer 'middle'"):
        join(lazy, embeddings, id_base="middle")


@pytest.mark.parametrize("case", ["few", "no numbers", "neighbours not embedded", "constant"])
def test_what_cannot_be_told_is_not_said(case):
    responses, embeddings = numbered(1)
    if case == "few":
        responses = responses.isel(stimulus=slice(19))
    elif case == "no numbers":
        renamed = {name: f"{name}x" for name in embeddings["stimulus"].values}
        embeddings = embeddings.assign_coords(stimulus=[renamed[i] for i in embeddings["stimulus"].values])
        responses = responses.assign_coords(stimulus=[renamed[i] for i in responses["stimulus"].values])
    elif case == "constant":
        responses = responses * 0
    else:
        embeddings = embeddings.isel(stimulus=slice(None, None, 2))
    report = join(responses, embeddings, id_base=True).report
    assert report.id_base is None and not [f for f in report.findings if f.check == "id base"]


def test_of_many_stimuli_five_hundred_are_looked_at():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((6000, 1500)).astype(np.float32)
    Y = X[3:5001] @ rng.standard_normal((1500, 1300)).astype(np.float32)
    ids = [f"nsd-{i:05d}" for i in range(6000)]
    responses = xr.Dataset({"response": (("stimulus", "neuroid"), Y)}, {"stimulus": ids[4:5002]})
    base = join(responses, xr.Dataset({"fc": (("stimulus", "f"), X)}, {"stimulus": ids})).report.id_base
    assert base.n == 500 and base.wrong and base.peak == -1
