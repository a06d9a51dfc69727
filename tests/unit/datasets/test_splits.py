"""Splits: made once, kept with a hash, usable as folds."""

import json

import numpy as np
import pandas as pd
import pytest

from brainalign.benchmarks import Benchmark
from brainalign.datasets import audit_dataset, import_responses, list_splits, load_split, make_split
from brainalign.datasets.splits import mmd
from brainalign.errors import ChoiceError, CorruptEntryError, DatasetError, InputError, VariantError
from brainalign.evaluate import score
from brainalign.results import read_result
from brainalign.store import open_store

IDS = [f"im{i:03d}" for i in range(90)]


@pytest.fixture
def store(tmp_path):
    """Ninety images of three kinds, the third far from the others, ten sources, an embedding and responses."""
    opened = open_store(tmp_path / "store")
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [3, 0], [40, 40]], dtype=float)
    X = np.concatenate([centres.repeat(30, axis=0), np.zeros((90, 6))], axis=1) + rng.normal(0, 0.5, (90, 8))
    opened.put_stimuli("set", pd.DataFrame({"stimulus": IDS, "group": [f"g{i % 10}" for i in range(90)]}))
    opened.put_embeddings("net", "r1", "set", {"fc": X}, stimuli=IDS)
    Y = X[:, 2:] @ rng.normal(size=(6, 5)) + 0.2 * rng.normal(size=(90, 5))
    import_responses(opened, dataset="lab", subject="s", matrix=Y, stimuli=IDS, stimulus_set="set", averaged=1)
    return opened


def test_random_and_source_are_partitions(store):
    for splitter in ("random", "source"):
        split = make_split(store, "set", splitter)
        assert sorted(i for v in split.variants for i in v.test_ids) == IDS
        assert all(set(v.train_ids) | set(v.test_ids) == set(IDS) for v in split.variants)
        assert all(not set(v.train_ids) & set(v.test_ids) for v in split.variants)
    groups = dict(zip(IDS, store.stimuli("set")["group"], strict=True))
    for v in split.variants:
        assert not {groups[i] for i in v.train_ids} & {groups[i] for i in v.test_ids}


def test_clusters_and_the_one_that_is_far(store):
    split = make_split(store, "set", "cluster", folds=3, embedding="net")
    kinds = {frozenset(v.test_ids) for v in split.variants}
    assert kinds == {frozenset(IDS[:30]), frozenset(IDS[30:60]), frozenset(IDS[60:])}
    far = make_split(store, "set", "ood", folds=3, embedding="net").variants
    assert len(far) == 1
    assert far[0].test_ids == IDS[60:]
    assert far[0].mmd == max(v.mmd for v in split.variants) > 0.2
    random = make_split(store, "set", "random", embedding="net", name="random-net")
    assert max(abs(v.mmd) for v in random.variants) < 0.1


def test_tau_keeps_what_is_alike_out_of_train(store):
    X = np.asarray(store.embeddings("net", stimuli="set")["fc"].values, dtype=float)
    unit = X - X.mean(axis=0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    place = {name: i for i, name in enumerate(IDS)}
    sizes = []
    for number, tau in enumerate((0.9999, 0.9995)):
        variant = make_split(store, "set", "tau", embedding="net", tau=tau, name=f"tau-{number}").variants[0]
        train, test = ([place[i] for i in side] for side in (variant.train_ids, variant.test_ids))
        assert (unit[train] @ unit[test].T).max() < tau
        left = set(range(90)) - set(train) - set(test)
        assert all((unit[i] @ unit[test].T).max() >= tau for i in left)
        sizes.append(len(train))
    assert sizes[0] > sizes[1]
    with pytest.raises(DatasetError, match="0 images lie below"):
        make_split(store, "set", "tau", embedding="net", tau=-1.0, name="none")


def test_a_split_never_changes(store):
    first = make_split(store, "set", "random", seed=1)
    assert make_split(store, "set", "random", seed=1) == first == load_split(store, "set", "random.v1")
    with pytest.raises(VariantError, match="another version"):
        make_split(store, "set", "random", seed=2)
    make_split(store, "set", "random", seed=2, version=2)
    assert list_splits(store, "set") == ["random.v1", "random.v2"]
    assert store.check().ok
    assert not store.check().litter


def test_damage_and_absence(store, tmp_path):
    make_split(store, "set", "random")
    path = tmp_path / "store" / "splits" / "set" / "random.v1.json"
    content = json.loads(path.read_text())
    content["variants"][0]["test_ids"][0] = "im089"
    path.write_text(json.dumps(content))
    with pytest.raises(CorruptEntryError, match="does not match its hash"):
        load_split(store, "set", "random.v1")
    report = store.check()
    assert [text.split(";")[0] for text in report.problems] == ["splits/set/random.v1.json does not match its hash"]
    path.with_name("random.v3.json.tmp").write_text("{")
    assert store.check(repair=True).removed == ["splits/set/random.v3.json.tmp"]
    path.write_text("{")
    with pytest.raises(CorruptEntryError, match="damaged"):
        load_split(store, "set", "random.v1")
    with pytest.raises(ChoiceError, match=r"no split 'random\.v2'.*Did you mean 'random\.v1'"):
        load_split(store, "set", "random.v2")


def test_what_cannot_be_made(store):
    with pytest.raises(ChoiceError, match="splitter='clusters'"):
        make_split(store, "set", "clusters")
    with pytest.raises(ChoiceError, match="no column 'photo'"):
        make_split(store, "set", "source", group="photo")
    with pytest.raises(DatasetError, match="no pictures to compare"):
        make_split(store, "set", "cluster")
    with pytest.raises(InputError, match="split name 'A b'"):
        make_split(store, "set", "random", name="A b")
    with pytest.raises(InputError, match="test_share=1"):
        make_split(store, "set", "tau", test_share=1)
    with pytest.raises(DatasetError, match="ask for fewer"):
        make_split(store, "set", "cluster", embedding="net", folds=60)


def test_folds_of_fewer_stimuli(store):
    split = make_split(store, "set", "cluster", folds=3, embedding="net")
    folds = split.folds(IDS[10:80])
    assert [len(train) + len(test) for train, test in folds] == [70, 70, 70]
    with pytest.raises(DatasetError, match="at least two"):
        split.folds(IDS[:20])


@pytest.mark.parametrize("splitter", ["random", "tau"])
def test_a_benchmark_scores_on_a_split(store, splitter, tmp_path):
    made = make_split(store, "set", splitter, embedding="net", tau=0.9999)
    common = {"id": "b", "dataset": "lab", "metrics": ("encoding.ridge.r",), "encoding_permutations": 20, "blocks": 10}
    bench = Benchmark(**common, split=f"{splitter}.v1")
    scored = score("net", bench, store, results=tmp_path / "results")
    assert scored.table["value"].astype(float).min() > 0.7
    result = read_result(scored.files[0])
    assert result.benchmark.splits == {f"set/{splitter}.v1": made.sha256}
    assert result.provenance["findings"] == [] == scored.findings
    assert bench.sha256() != Benchmark(**common).sha256()
    assert "split" not in Benchmark(**common).fields()
    with pytest.raises(ChoiceError, match="no split"):
        score("net", Benchmark(**common, split="ood.v1"), store)


def test_the_audit_reads_a_split(store):
    make_split(store, "set", "random", embedding="net")
    assert audit_dataset(store, "lab", split="random.v1").ok


def test_mmd_is_unbiased_and_sees_a_shift():
    rng = np.random.default_rng(0)
    same = [mmd(rng.normal(size=(40, 3)), rng.normal(size=(30, 3))) for _ in range(200)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(200)
    assert mmd(rng.normal(size=(40, 3)), rng.normal(2, 1, (30, 3))) > 0.3
    assert np.isnan(mmd(np.ones((1, 2)), np.ones((5, 2))))


def test_a_score_says_what_leaks(store):
    """Two stimuli with the same colours, and the responses of one session apart, are said with the score."""
    prints = [bytes(np.random.default_rng(i).integers(0, 256, 192, dtype=np.uint8)).hex() for i in range(90)]
    prints[1] = prints[0]
    table = pd.DataFrame({"stimulus": IDS, "print": prints, "group": [f"g{i % 10}" for i in range(90)]})
    store.put_stimuli("set", table, replace=True)
    common = {"id": "b", "dataset": "lab", "metrics": ("encoding.ridge.r",), "encoding_permutations": 20, "blocks": 10}
    found = score("net", Benchmark(**common, folds=90), store).findings
    assert {f.check for f in found} == {"near-duplicates"}
    assert "'im000' (test) and 'im001' (train)" in " ".join(f.message for f in found)
