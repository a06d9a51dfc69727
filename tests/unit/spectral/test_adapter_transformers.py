"""The adapter on networks of transformers, and beside peft."""

import pytest
import torch

from brainalign.spectral import SpectralAdapter, low_rank_directions, spectral_parameters
from brainalign.spectral.matrices import block_of

transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # peft with a newer transformers
IDS = torch.arange(12).reshape(2, 6)


def gap(one, two):
    return float((one.detach() - two.detach()).abs().max())


def bert(kind="BertModel", seed=0):
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, num_labels=3
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return getattr(transformers, kind)(config).eval()


def shake(adapter, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in adapter.parameters():
            p.copy_(0.3 * torch.randn(p.shape, generator=generator))


def test_default_targets_are_the_six_matrices_of_each_block():
    adapter = SpectralAdapter(bert(), rank=4)
    assert len(adapter.targets) == 12
    assert {block_of(f"{name}.weight") for name in adapter.targets} == {"encoder.layer.0", "encoder.layer.1"}


@pytest.mark.parametrize("name", ["roberta-base", "roberta-large"])
def test_counts_of_the_usual_networks_without_their_weights(name):
    sizes = {"roberta-base": (12, 768, 12, 3072), "roberta-large": (24, 1024, 16, 4096)}
    layers, width, heads, inner = sizes[name]
    config = transformers.RobertaConfig(
        vocab_size=50265, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=inner, max_position_embeddings=514, type_vocab_size=1,
    )  # fmt: skip
    with torch.device("meta"):
        network = transformers.RobertaModel(config, add_pooling_layer=False)
    from brainalign.spectral.targets import choose_targets

    shapes = [tuple(m.weight.shape) for m in choose_targets(network, None).values()]
    assert len(shapes) == 6 * layers
    assert (
        spectral_parameters(shapes, coefficients="diagonal") == {"roberta-base": 55_296, "roberta-large": 147_456}[name]
    )
    rank, percent = {"roberta-base": (59, 0.2), "roberta-large": (70, 0.2)}[name]
    total = sum(p.numel() for p in network.parameters())
    assert 100 * spectral_parameters(shapes, rank=rank) / total == pytest.approx(percent, abs=0.005)


@pytest.mark.parametrize("kind", ["BertModel", "GPT2Model"])
def test_identity_and_merge_in_place(kind):
    if kind == "GPT2Model":
        config = transformers.GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=2, n_head=2)
        torch.manual_seed(0)
        network = transformers.GPT2Model(config).eval()
    else:
        network = bert()
    before = network(IDS).last_hidden_state
    adapter = SpectralAdapter(network, rank=4)
    assert gap(network(IDS).last_hidden_state, before) <= 1e-6
    shake(adapter)
    moved = network(IDS).last_hidden_state
    assert gap(moved, before) > 1e-3
    adapter.merge()
    assert gap(network(IDS).last_hidden_state, moved) < 1e-5


def test_gradient_checkpointing_of_transformers():
    found = []
    for checkpointing in (False, True):
        network = bert("BertForSequenceClassification").train()
        network.config.hidden_dropout_prob = 0.0
        for module in network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        adapter = SpectralAdapter(network, rank=4, head="classifier.*")
        shake(adapter)
        if checkpointing:
            network.gradient_checkpointing_enable()
            network.enable_input_require_grads()
        network(IDS, labels=torch.tensor([0, 2])).loss.backward()
        found.append([p.grad for p in adapter.parameters()])
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two)


def lora(network, **options):
    return peft.get_peft_model(network, peft.LoraConfig(r=2, target_modules=["query", "dense"], **options))


def test_beside_peft_whichever_comes_first():
    network = bert()
    first = lora(network)
    adapter = SpectralAdapter(first, rank=4, targets="*.query", head="*lora_*")
    assert all(name.endswith("query.base_layer") for name in adapter.targets) and len(adapter.targets) == 2
    shake(adapter)
    with torch.no_grad():
        for name, p in first.named_parameters():
            if "lora_B" in name:
                p.fill_(0.05)
    both = first(IDS).last_hidden_state
    asking = {n for n, p in first.named_parameters() if p.requires_grad}
    assert any("lora_A" in n for n in asking) and any("spectral" in n for n in asking)
    with first.disable_adapter():
        alone = first(IDS).last_hidden_state
    assert gap(both, alone) > 1e-3
    adapter.merge()
    merged = first.merge_and_unload()(IDS).last_hidden_state
    assert gap(merged, both) < 1e-5

    network = bert()
    adapter = SpectralAdapter(network, rank=4, targets="*.query")
    shake(adapter)
    expected = network(IDS).last_hidden_state
    wrapped = lora(network)
    torch.testing.assert_close(wrapped(IDS).last_hidden_state, expected)


def test_files_go_to_a_network_that_peft_wraps_and_back(tmp_path):
    network = bert()
    adapter = SpectralAdapter(network, rank=4, targets="*.query")
    shake(adapter)
    path = adapter.save(tmp_path / "a.safetensors")
    wrapped = lora(bert())
    SpectralAdapter.load(path, wrapped)
    torch.testing.assert_close(wrapped(IDS).last_hidden_state, network(IDS).last_hidden_state)


def test_what_lora_learned_is_compared_by_its_product():
    model = lora(bert(), init_lora_weights=False)
    layer = model.base_model.model.encoder.layer[0].attention.self.query
    A, B = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    found = low_rank_directions(B.detach(), A.detach())
    expected = torch.linalg.svdvals(layer.get_delta_weight("default") / layer.scaling["default"])[:2]
    torch.testing.assert_close(found.values.float(), expected, rtol=1e-4, atol=1e-6)
