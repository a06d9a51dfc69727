"""Checkpoints in every form, and what is refused or counted once."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from brainalign.errors import InputError, ModelError, ShapeError
from brainalign.spectral import read_checkpoint
from brainalign.spectral.checkpoint import shared_names
from brainalign.spectral.matrices import block_of, kind_of, weight_matrices


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 5), nn.Conv2d(2, 3, 3))


def test_every_form_gives_the_same_weights(tmp_path):
    module = network()
    state = module.state_dict()
    save_file(state, tmp_path / "w.safetensors")
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "w.pt")
    folder, shards = tmp_path / "folder", tmp_path / "shards"
    folder.mkdir()
    shards.mkdir()
    save_file(state, folder / "model.safetensors")
    names = list(state)
    for part, kept in (("a", names[:2]), ("b", names[2:])):
        save_file({n: state[n] for n in kept}, shards / f"{part}.safetensors")
    index = {"weight_map": {n: "a.safetensors" if n in names[:2] else "b.safetensors" for n in names}}
    (shards / "model.safetensors.index.json").write_text(json.dumps(index))
    for source in (module, state, tmp_path / "w.safetensors", str(tmp_path / "w.pt"), folder, shards):
        found = read_checkpoint(source).weights
        assert set(found) == set(state)
        assert all(torch.equal(found[n], state[n]) for n in state)


def test_what_is_no_checkpoint(tmp_path):
    with pytest.raises(ModelError, match=r"before: there is no file or folder .*absent"):
        read_checkpoint(tmp_path / "absent", label="before")
    with pytest.raises(ModelError, match=r"has none of model\.safetensors"):
        read_checkpoint(tmp_path)
    (tmp_path / "w.pt").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="cannot be read as plain weights"):
        read_checkpoint(tmp_path / "w.pt")
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../elsewhere.safetensors"}}')
    with pytest.raises(ModelError, match=r"shards that are not there: \.\./elsewhere"):
        read_checkpoint(tmp_path)
    with pytest.raises(InputError, match="x is a list"):
        read_checkpoint({"x": [1.0]})
    with pytest.raises(InputError, match="got int"):
        read_checkpoint(3)
    with pytest.raises(InputError, match="no floating-point weights"):
        read_checkpoint({"count": torch.tensor(3)})


@pytest.mark.parametrize(
    "state",
    [
        {"q.weight": torch.ones(4, 4, dtype=torch.int8)},
        {"q.weight": torch.ones(4, 4), "q.weight_scale": torch.ones(1)},
        {"q.weight": torch.ones(4, 4).to(torch.float8_e4m3fn)},
        {"q.qweight": torch.ones(4, 4, dtype=torch.int32), "q.scales": torch.ones(4)},
    ],
)
def test_quantised_weights_are_refused(state):
    with pytest.raises(InputError, match="stored quantised"):
        read_checkpoint(state)


def test_tied_weights_count_once():
    module = nn.ModuleDict({"embed": nn.Embedding(7, 4), "lm_head": nn.Linear(4, 7, bias=False)})
    module["lm_head"].weight = module["embed"].weight
    found = read_checkpoint(module)
    assert list(found.weights) == ["embed.weight"]
    assert found.tied == {"lm_head.weight": "embed.weight"}


def test_a_prefix_of_one_side_is_seen_through():
    body = {"layer.0.weight": 1, "layer.1.weight": 1}
    whole = {f"bert.{n}": 1 for n in body} | {"classifier.weight": 1}
    assert shared_names(body, whole) == {n: f"bert.{n}" for n in body}
    assert shared_names(whole, body) == {f"bert.{n}": n for n in body}
    assert shared_names(whole, whole) == {n: n for n in whole}


@pytest.mark.parametrize(
    ("name", "ndim", "kind"),
    [
        ("encoder.layer.3.attention.self.query.weight", 2, "attention-query"),
        ("encoder.layer.3.attention.output.dense.weight", 2, "attention-output"),
        ("encoder.layer.3.intermediate.dense.weight", 2, "mlp"),
        ("encoder.layer.3.output.dense.weight", 2, "mlp"),
        ("embeddings.word_embeddings.weight", 2, "embedding"),
        ("h.0.attn.c_attn.weight", 2, "attention-qkv"),
        ("h.0.attn.c_proj.weight", 2, "attention-output"),
        ("h.0.mlp.c_proj.weight", 2, "mlp"),
        ("transformer.wte.weight", 2, "embedding"),
        ("model.layers.0.self_attn.k_proj.weight", 2, "attention-key"),
        ("model.layers.0.mlp.gate_proj.weight", 2, "mlp"),
        ("blocks.0.attn.qkv.weight", 2, "attention-qkv"),
        ("blocks.0.attn.proj.weight", 2, "attention-output"),
        ("layers.0.self_attn.in_proj_weight", 2, "attention-qkv"),
        ("layers.0.self_attn.out_proj.weight", 2, "attention-output"),
        ("classifier.out_proj.weight", 2, "head"),
        ("fc.weight", 2, "head"),
        ("layer1.0.conv1.weight", 4, "convolution"),
        ("something.weight", 2, "linear"),
    ],
)
def test_kinds_of_the_usual_names(name, ndim, kind):
    assert kind_of(name, ndim) == kind


def test_blocks_of_the_usual_names():
    assert block_of("layer1.0.conv1.weight") == "layer1.0"
    assert block_of("stages.2.blocks.5.conv_dw.weight") == "stages.2.blocks.5"
    assert block_of("encoder.layer.3.mlp.0.weight") == "encoder.layer.3"
    assert block_of("embeddings.word_embeddings.weight") is None


def listed(state, **options):
    return weight_matrices(state, state, {n: n for n in state}, **options)


def test_depth_counts_in_the_order_of_numbers():
    state = {f"layer.{i}.fc1.weight": torch.ones(2, 2) for i in (0, 1, 10, 2)}
    assert [(m.name, m.depth) for m in listed(state)] == [
        (f"layer.{i}.fc1.weight", d) for d, i in enumerate((0, 1, 2, 10))
    ]


def test_convolutions_are_matrices_and_tokens_are_none():
    state = {"c.weight": torch.ones(4, 3, 5, 5), "cls_token": torch.ones(1, 1, 8), "b": torch.ones(4)}
    (only,) = listed(state)
    assert only.kind == "convolution" and only.before.shape == (4, 75)


def test_attention_by_head():
    d = 6
    state = {
        "h.0.q_proj.weight": torch.arange(36.0).reshape(d, d),
        "h.0.out_proj.weight": torch.arange(36.0).reshape(d, d),
        "h.0.in_proj_weight": torch.arange(108.0).reshape(3 * d, d),
        "h.0.mlp.weight": torch.ones(d, d),
    }
    found = listed(state, heads=2)
    assert [(m.kind, m.head) for m in found].count(("attention-query", 1)) == 2
    query = next(m for m in found if m.name == "h.0.q_proj.weight" and m.head == 1)
    assert torch.equal(query.before, state["h.0.q_proj.weight"][3:])
    output = next(m for m in found if m.kind == "attention-output" and m.head == 1)
    assert torch.equal(output.before, state["h.0.out_proj.weight"][:, 3:])
    value = next(m for m in found if m.name == "h.0.in_proj_weight[value]" and m.head == 0)
    assert torch.equal(value.before, state["h.0.in_proj_weight"][12:15])
    with pytest.raises(ShapeError, match="6 rows: they do not divide by 4 heads"):
        listed(state, heads=4)


def test_keys_may_have_fewer_heads_than_queries():
    state = {"h.0.q_proj.weight": torch.ones(8, 5), "h.0.k_proj.weight": torch.ones(4, 5)}
    found = listed(state, heads=4)
    assert [tuple(m.before.shape) for m in found] == [(2, 5)] * 6
    assert [m.head for m in found if m.kind == "attention-key"] == [0, 1]


def test_shapes_that_differ_are_all_named():
    before = {"a.weight": torch.ones(2, 3), "b.weight": torch.ones(3, 3)}
    after = {"a.weight": torch.ones(2, 4), "b.weight": torch.ones(2, 3)}
    with pytest.raises(ShapeError, match=r"2 matrices .*a\.weight: \(2, 3\) and \(2, 4\); b\.weight"):
        weight_matrices(before, after, {n: n for n in before})
    with pytest.raises(InputError, match=r"no weight matrices that match c\.\*"):
        weight_matrices(before, before, {n: n for n in before}, include=["c.*"])
