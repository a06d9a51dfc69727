"""What an embedding would hold and cost, before it is made."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.errors import InputError, StoreError, UnknownLayerError
from brainalign.models import plan_embedding
from brainalign.testing.small_network import SMALL, embed_small, image_store, small_network


def planned(store, **options):
    usual = {"name": "net", "preprocessing": SMALL, "layers": ["conv", "gain", "head"], "pooling": "flatten"}
    return plan_embedding(small_network(), "set", store, **{**usual, **options})


def test_shapes_sizes_and_operations(store):
    plan = planned(store)
    assert [(row.layer, row.shape, row.n_features) for row in plan.layers] == [
        ("conv", (5, 10, 10), 500), ("gain", (5, 10, 10), 500), ("head", (4,), 4),
    ]  # fmt: skip
    assert plan.layers[0].megabytes == pytest.approx(21 * 500 * 4 / 1e6)
    assert plan.megabytes == pytest.approx(21 * 1004 * 4 / 1e6)
    # a convolution is 2 x outputs x weights of an output
    assert plan.layers[0].gflop == pytest.approx(2 * 500 * 27 / 1e9)
    assert plan.layers[2].gflop == pytest.approx((2 * 500 * 27 + 2 * 5 * 4) / 1e9)
    assert plan.seconds > 0 and plan.n_inputs == plan.n_stimuli == 21
    assert store.models() == []  # nothing is written
    assert planned(store, dtype="float16").megabytes == plan.megabytes / 2


def test_it_says_what_the_embedding_then_holds(store):
    plan = planned(store, layers=["conv"], pooling="mean")
    key = embed_small(store, layers=["conv"])
    assert plan.model == key
    there = store.embeddings(key, stimuli="set")
    assert [(row.key, (21, row.n_features)) for row in plan.layers] == [(k, there[k].shape) for k in there.data_vars]
    more = planned(store, layers=["conv", "gain"], pooling="mean")
    assert [row.stored for row in more.layers] == [True, False]
    assert more.batch_size == 4  # that of before


def test_arguments_are_checked_and_engines_have_no_count(store):
    with pytest.raises(UnknownLayerError, match="'head'"):
        planned(store, layers=["haed"])
    plan = plan_embedding(lambda batch: batch.mean((2, 3)), "set", store, name="means", preprocessing=SMALL)
    assert plan.layers[0].gflop is None and plan.layers[0].n_features == 3


def test_principal_components_need_a_training_set_here_too(store, tmp_path):
    image_store(tmp_path, name="train", n=40, seed=7)
    with pytest.raises(InputError, match="declare the stimulus set"):
        planned(store, layers=["conv"], pooling="pca:6")
    with pytest.raises(InputError, match="are in the training set"):
        planned(store, layers=["conv"], pooling="pca:6", fit_on="set")
    assert planned(store, layers=["conv"], pooling="pca:6", fit_on="train").layers[0].n_features == 6
    embed_small(store, layers=["conv"], pooling="pca:6", fit_on="train")
    assert planned(store, layers=["conv"], pooling="pca:6").layers[0].stored  # the entry knows what it was fitted on


def test_precision_is_checked_as_in_embedding(store):
    with pytest.raises(InputError, match="another framework"):
        plan_embedding(lambda b: b.mean((2, 3)), "set", store, name="m", preprocessing=SMALL, precision="bfloat16")
    embed_small(store, layers=["conv"])
    with pytest.raises((InputError, StoreError), match="precision"):
        planned(store, layers=["conv"], precision="bfloat16")


def test_the_command(store, tmp_path):
    torch.manual_seed(0)
    arguments = ["embed", "pixels", "--stimuli", "set", "--store", str(tmp_path / "store"), "--dry-run"]
    done = CliRunner().invoke(build_app(), [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["layers"][0]["shape"] == [3072] and np.isfinite(document["seconds"])
    shown = CliRunner().invoke(build_app(), arguments)
    assert "Nothing was written." in shown.stdout and store.models() == []
