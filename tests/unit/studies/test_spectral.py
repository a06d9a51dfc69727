"""Tables of a comparison, and fine-tuning followed into the store: dimension, scale, alignment."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from brainalign.errors import InputError
from brainalign.models import Preprocessing
from brainalign.spectral import SpectralAdapter, compare_checkpoints
from brainalign.store import open_store
from brainalign.studies import relate
from brainalign.studies.spectral import (
    alignment_change,
    embedding_change,
    spectral_table,
    stability_of_pairs,
    summarise,
)

RNG = np.random.default_rng(0)


def state(seed):
    rng = np.random.default_rng(seed)
    shapes = {f"layer.{i}.{n}.weight": (20, 20) for i in range(4) for n in ("fc1", "query")}
    return {name: torch.from_numpy(rng.normal(size=shape)) for name, shape in shapes.items()}


def test_means_by_kind_and_depth():
    before, after = state(0), {n: w + 0.01 * state(1)[n] for n, w in state(0).items()}
    table = spectral_table(compare_checkpoints(before, after, ranks=(2, 4)))
    by_kind = summarise(table)
    assert set(by_kind["kind"]) == {"mlp", "attention-query"} and set(by_kind["n"]) == {4}
    one = by_kind[(by_kind["kind"] == "mlp") & (by_kind["quantity"] == "energy") & (by_kind["rank"] == 2)]
    own = table[(table["kind"] == "mlp") & (table["quantity"] == "energy") & (table["rank"] == 2)]
    assert float(one["value"].iloc[0]) == pytest.approx(own["value"].mean())
    assert len(summarise(table, by=("depth",)).query("quantity == 'energy' and rank == 4")) == 4
    with pytest.raises(InputError, match="no column 'colour'"):
        summarise(table, by=("colour",))


def test_pairs_with_what_is_known_of_them_go_to_relate():
    rows = []
    for index in range(6):
        before = state(index)
        after = {n: w + (0.01 + 0.01 * index) * state(index + 50)[n] for n, w in before.items()}
        rows.append({"before": before, "after": after, "images": 100 * 2**index, "family": f"f{index % 3}"})
    table = stability_of_pairs(pd.DataFrame(rows), ranks=(2, 4), judged_rank=2)
    assert len(table) == 12 and set(table["rank"]) == {2, 4}
    found = relate(table[table["rank"] == 2], x="log(images)", y="overlap", n_permutations=200)
    assert found.n == 6 and found.r < -0.5  # larger updates move more
    with pytest.raises(InputError, match="lacks the column 'after'"):
        stability_of_pairs(pd.DataFrame({"before": ["x"]}))


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(40):
        Image.fromarray(RNG.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(folder / f"s{i:02d}.png")
    store = open_store(tmp_path / "store")
    table = pd.DataFrame({"stimulus": [f"s{i:02d}" for i in range(40)], "file": [f"s{i:02d}.png" for i in range(40)]})
    store.put_stimuli("pictures", table, source=str(folder), kind="folder")
    return store


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 8, 3))


def test_networks_before_and_after_meet_in_the_store(store):
    changed = network()
    adapter = SpectralAdapter(changed, rank=4, targets="2")
    with torch.no_grad():
        for p in adapter.parameters():
            p.copy_(torch.eye(4))
    given = Preprocessing(size=12, mean=(0.5,) * 3, std=(0.5,) * 3)
    options = {"preprocessing": given, "layer": "2", "store": store, "properties": ["dimension.participation-ratio"]}
    table = alignment_change({"before": network(), "core": changed, "same": network()}, "pictures", **options)
    found = table.set_index("network")["change"]
    assert found["before"] == 0 and found["same"] == 0 and abs(found["core"]) > 1e-3
    assert table["embedding"].str.contains("@").all()
    with pytest.raises(InputError, match="no network"):
        alignment_change({}, "pictures", **options)


def test_embeddings_that_a_study_kept(tmp_path):
    before = RNG.normal(size=(120, 8)).astype(np.float16)
    np.savez(tmp_path / "embeddings.sst2.npz", before=before, full=before * [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1])
    table = embedding_change(tmp_path, properties=["dimension.participation-ratio"])
    values = table.set_index("network")
    assert values.loc["before", "change"] == 0 and values.loc["full", "change"] < -2
    with pytest.raises(InputError, match="run the study with analysis"):
        embedding_change(tmp_path / "none")
