"""The adapter on networks of torch: identity, merging, gradients, files, exact counts, a planted task."""

import copy

import pytest
import torch
from torch import nn

from brainalign.errors import (
    ChoiceError,
    InputError,
    ModelError,
    NonFiniteError,
    ShapeError,
    UndefinedError,
    UnknownLayerError,
)
from brainalign.spectral import SpectralAdapter, leading_directions, spectral_parameters

FORMS = [("core", 3), ("diagonal", 3), ("banded", 4), ("diagonal", None), ("core", None)]
BASES = ("leading", "trailing", "random", "gradient")


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(8, 12), nn.Linear(12, 8, bias=False)

    def forward(self, x):
        return x + self.fc2(torch.relu(self.fc1(x)))


class Net(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.blocks = nn.ModuleList([Block(), Block()])
            self.conv = nn.Conv2d(4, 6, 3, groups=2)
            self.head = nn.Linear(8, 3)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def batch(n=40, d=8, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def shake(adapter, size=0.3, seed=1):
    """Give the coefficients values, as training would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in adapter.parameters():
            p.copy_(size * torch.randn(p.shape, generator=generator).to(p))


def gap(one, two):
    return float((one.detach() - two.detach()).abs().max())


def adapted(coefficients="core", rank=3, basis="leading", seed=0, **options):
    net = Net(seed)
    loss = (lambda: net(batch(seed=5)).square().sum()) if basis == "gradient" else None
    return net, SpectralAdapter(
        net, coefficients=coefficients, rank=rank, basis=basis, head="head.*", gradients=loss, **options
    )


@pytest.mark.parametrize(("coefficients", "rank"), FORMS)
@pytest.mark.parametrize("basis", BASES)
def test_identity_at_first_and_merged_equals_adapted(coefficients, rank, basis):
    if basis == "gradient":
        rank = 3  # of the gradient, for three outputs
    x, plain = batch(), Net()
    net, adapter = adapted(coefficients, rank, basis)
    assert gap(net(x), plain(x)) <= 1e-6
    shake(adapter)
    moved = net(x)
    assert gap(moved, plain(x)) > 1e-2
    frozen = {name: module.weight.clone() for name, module in adapter.targets.items()}
    adapter.merge()
    adapter.merge()
    assert gap(net(x), moved) < 1e-5
    state = {n: v for n, v in net.state_dict().items() if ".spectral." not in n}
    plain.load_state_dict(state)
    assert gap(plain(x), moved) < 1e-5
    adapter.unmerge()
    assert all(torch.equal(adapter.targets[n].weight, w) for n, w in frozen.items())
    torch.testing.assert_close(net(x), moved)


@pytest.mark.parametrize(("coefficients", "rank"), FORMS)
@pytest.mark.parametrize("rows", [2, 400])
def test_outputs_and_gradients_equal_those_of_the_formula(coefficients, rank, rows):
    """Both routes of the fast backward pass against autograd on W + U C V' in float64."""
    layer = nn.Sequential(nn.Linear(9, 7)).double()
    adapter = SpectralAdapter(layer, coefficients=coefficients, rank=rank, targets="0")
    shake(adapter)
    (coefficient,) = adapter.parameters()
    x = torch.randn(rows, 2, 9, dtype=torch.float64, requires_grad=True)
    target = torch.randn(rows, 2, 7, dtype=torch.float64)
    layer[0].bias.requires_grad_(True)
    wanted = [coefficient, x, layer[0].bias]
    out = layer(x)
    found = torch.autograd.grad((out * target).sum(), wanted)
    slow = x @ (layer[0].weight + layer[0].spectral.delta()).T + layer[0].bias
    expected = torch.autograd.grad((slow * target).sum(), wanted)
    torch.testing.assert_close(out, slow)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two)


def test_only_coefficients_and_head_learn_and_bases_stay_bit_for_bit():
    net, adapter = adapted()
    frozen = {n: v.clone() for n, v in net.state_dict().items() if "coefficients" not in n and not n.startswith("head")}
    asking = {n for n, p in net.named_parameters() if p.requires_grad}
    assert asking == {n for n, _ in net.named_parameters() if "coefficients" in n or n.startswith("head")}
    optimiser = torch.optim.AdamW([*adapter.parameters(), *adapter.head_parameters()], lr=0.05, weight_decay=0.1)
    before = [p.clone() for p in adapter.parameters()]
    for step in range(5):
        optimiser.zero_grad()
        net(batch(seed=step)).square().sum().backward()
        optimiser.step()
    assert all(torch.equal(net.state_dict()[n], v) for n, v in frozen.items())
    assert all(not torch.equal(a, b) for a, b in zip(before, adapter.parameters(), strict=True))


def test_counts():
    _, adapter = adapted(rank=3)
    count = adapter.count_parameters()
    everything = sum(p.numel() for p in Net().parameters())
    assert count.adapter == 4 * 9 and count.head == 8 * 3 + 3
    assert count.total == everything + count.adapter and count.base == everything - count.head
    assert count.percent == pytest.approx(100 * 36 / count.base)


def test_exact_counts_from_shapes_alone():
    def blocks(n, d):
        return ([(d, d)] * 4 + [(4 * d, d), (d, 4 * d)]) * n

    minilm, base, large = blocks(6, 384), blocks(12, 768), blocks(24, 1024)
    assert spectral_parameters(minilm, rank=35) == 44_100
    assert spectral_parameters(minilm, rank=36) == 46_656
    assert spectral_parameters(minilm, coefficients="diagonal") == 13_824
    assert spectral_parameters(base, coefficients="diagonal") == 55_296
    assert spectral_parameters(base, rank=56) == 225_792
    assert spectral_parameters(large, coefficients="diagonal") == 147_456
    assert spectral_parameters([(384, 384)], coefficients="banded", bandwidth=2) == 384 * 5 - 6
    with pytest.raises(ShapeError, match="rank 400"):
        spectral_parameters(minilm, rank=400)


def regression(inside, rank=4, steps=400):
    """Fit y = x W*' for W* = W0 + U_k C* V_k' (or its mirror in the trailing directions); return error and loss."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(16, 16, generator=generator))[0] for _ in range(2))
    W0 = (left * 0.8 ** torch.arange(16)) @ right.T
    layer = nn.Sequential(nn.Linear(16, 16, bias=False))
    with torch.no_grad():
        layer[0].weight.copy_(W0)
    found = leading_directions(W0, 16)
    C = 0.3 * torch.randn(rank, rank, generator=generator)
    part = slice(0, rank) if inside else slice(16 - rank, 16)
    goal = W0 + found.left[:, part] @ C @ found.right[:, part].T
    adapter = SpectralAdapter(layer, rank=rank, targets="0")
    (coefficients,) = adapter.parameters()
    x = torch.randn(512, 16, generator=generator)
    optimiser = torch.optim.Adam([coefficients], lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    first = None
    for _ in range(steps):
        optimiser.zero_grad()
        loss = (layer(x) - x @ goal.T).square().mean()
        loss.backward()
        optimiser.step()
        schedule.step()
        first = first or loss.item()
    return gap(coefficients, C), loss.item() / first


def test_a_planted_task_is_recovered_and_one_outside_the_basis_is_not():
    error, left = regression(inside=True)
    assert error < 1e-3 and left < 1e-6
    _, left = regression(inside=False)
    assert left > 0.95  # the control: nothing in the basis helps


@pytest.mark.parametrize("basis", ["leading", "random"])
def test_saved_and_loaded(tmp_path, basis):
    net, adapter = adapted("banded", 4, basis)
    shake(adapter)
    with torch.no_grad():
        net.head.weight.add_(1)
    path = adapter.save(tmp_path / "deep" / "a.safetensors")
    other = Net()
    again = SpectralAdapter.load(path, other)
    torch.testing.assert_close(other(batch()), net(batch()), rtol=0, atol=0)
    assert again.count_parameters() == adapter.count_parameters() and again.settings == adapter.settings
    adapter.merge()  # saving a merged network writes hashes of the frozen weights
    torch.testing.assert_close(
        SpectralAdapter.load(adapter.save(tmp_path / "b.safetensors"), Net()).network(batch()), net(batch())
    )
    with pytest.raises(ModelError, match=r"made for other weights: 4 of 4 layers differ, first blocks\.0\.fc1"):
        SpectralAdapter.load(path, Net(seed=1))
    narrow = Net()
    narrow.head = nn.Linear(8, 2)
    with pytest.raises(ModelError, match=r"head\.bias of the adapter has shape \(3,\); here: \(2,\)"):
        SpectralAdapter.load(path, narrow)


def test_files_that_are_no_adapters(tmp_path):
    from safetensors.torch import save_file

    _, adapter = adapted()
    with pytest.raises(InputError, match=r"ends in \.safetensors"):
        adapter.save(tmp_path / "a.pt")
    with pytest.raises(ModelError, match="there is no adapter"):
        SpectralAdapter.load(tmp_path / "a.safetensors", Net())
    save_file({"x": torch.ones(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match="has the format None"):
        SpectralAdapter.load(tmp_path / "x.safetensors", Net())
    (tmp_path / "y.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="no file of safetensors"):
        SpectralAdapter.load(tmp_path / "y.safetensors", Net())


def test_removing_leaves_the_network_as_it_was():
    net, adapter = adapted()
    shake(adapter)
    adapter.remove()
    plain = Net()
    assert {n: type(m) for n, m in net.named_modules()} == {n: type(m) for n, m in plain.named_modules()}
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), plain.parameters(), strict=True))
    assert all(p.requires_grad for p in net.parameters())


def test_copies_and_state_dicts_carry_the_adapter():
    net, adapter = adapted()
    shake(adapter)
    torch.testing.assert_close(copy.deepcopy(net)(batch()), net(batch()))
    other, _ = adapted()
    other.load_state_dict(net.state_dict())
    torch.testing.assert_close(other(batch()), net(batch()))


def test_convolutions():
    layer = nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.ReLU(), nn.Conv1d(6, 5, 2))
    image = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(0))
    before = layer[0](image)
    adapter = SpectralAdapter(layer, rank=3, targets=("0", "2"))
    torch.testing.assert_close(layer[0](image), before)
    shake(adapter)
    moved = layer[0](image)
    kernel = layer[0].weight + adapter.delta_weight("0")
    torch.testing.assert_close(moved, nn.functional.conv2d(image, kernel, layer[0].bias, groups=2))
    adapter.merge()
    torch.testing.assert_close(layer[0](image), moved, atol=1e-5, rtol=0)
    assert set(adapter.delta_weight()) == {"0", "2"}


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing_gives_the_same_gradients(reentrant):
    from torch.utils.checkpoint import checkpoint

    gradients = []
    for through in (False, True):
        net, adapter = adapted()
        shake(adapter)
        x = batch().requires_grad_(True)
        for block in net.blocks:
            x = checkpoint(block, x, use_reentrant=reentrant) if through else block(x)
        net.head(x).square().sum().backward()
        gradients.append([p.grad for p in adapter.parameters()])
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_and_half_precision(dtype):
    net, adapter = adapted()
    shake(adapter)
    exact = net(batch())
    exact.sum().backward()
    full = [p.grad.clone() for p in adapter.parameters()]
    net.zero_grad()
    with torch.autocast("cpu", dtype=dtype):
        rough = net(batch())
    assert rough.dtype == dtype
    rough.float().sum().backward()
    torch.testing.assert_close(rough.float(), exact, atol=0.15, rtol=0.05)
    for p, g in zip(adapter.parameters(), full, strict=True):
        assert p.grad.dtype == torch.float32
        assert float(torch.cosine_similarity(p.grad.flatten(), g.flatten(), dim=0)) > 0.99
    half = Net().to(dtype)
    narrow = SpectralAdapter(half, rank=3)
    shake(narrow)
    torch.testing.assert_close(half(batch().to(dtype)).float(), exact, atol=0.3, rtol=0.1)
    assert {p.dtype for p in narrow.parameters()} == {torch.float32}


def test_targets_by_pattern_and_by_default():
    net = Net()
    assert set(SpectralAdapter(net, rank=2).targets) == {f"blocks.{i}.fc{j}" for i in (0, 1) for j in (1, 2)}
    assert set(SpectralAdapter(Net(), rank=2, targets="*.fc1").targets) == {"blocks.0.fc1", "blocks.1.fc1"}
    flat = nn.Sequential()
    flat.add_module("one", nn.Linear(4, 4))
    assert set(SpectralAdapter(flat, rank=2).targets) == {"one"}


def bad(network, match, error, **options):
    state = copy.deepcopy(network.state_dict())
    kinds = [type(m) for m in network.modules()]
    with pytest.raises(error, match=match):
        SpectralAdapter(network, **{"rank": 2, **options})
    assert [type(m) for m in network.modules()] == kinds  # refused as a whole
    assert list(network.state_dict()) == list(state)


def test_what_is_refused_leaves_the_network_alone():
    bad(Net(), "coefficients 'cor' are unknown. Did you mean 'core'", ChoiceError, coefficients="cor")
    bad(Net(), "basis 'top' is unknown", ChoiceError, basis="top")
    bad(Net(), "bandwidth=-1", InputError, coefficients="banded", bandwidth=-1)
    bad(Net(), r"rank 9 for blocks\.0\.fc1 of 12 x 8", ShapeError, rank=9)
    bad(Net(), "rank 0", ShapeError, rank=0)
    bad(Net(), r"'\*\.query' matches no linear layer", UnknownLayerError, targets="*.query")
    bad(Net(), "blocks is a ModuleList", UnknownLayerError, targets="blocks")
    bad(Net(), "head='classifier' matches no parameter", InputError, head="classifier")
    bad(Net(), "is both adapted and part of the head", InputError, targets="head", head="head.*")
    bad(Net(), "needs gradients=", InputError, basis="gradient")
    bad(Net(), "gradients lacks 4 layers", InputError, basis="gradient", gradients={})
    bad(nn.Sequential(nn.ReLU()), "no linear layer or convolution", UnknownLayerError)


def test_zero_deficient_and_broken_matrices():
    net = Net()
    with torch.no_grad():
        net.blocks[1].fc1.weight.zero_()
    bad(net, r"blocks\.1\.fc1 has rank 0, so that 2 leading directions", UndefinedError)
    with torch.no_grad():
        net.blocks[1].fc1.weight.copy_(torch.outer(torch.ones(12), torch.arange(8.0)))
    bad(net, r"has rank 1", UndefinedError)
    SpectralAdapter(net, rank=1)
    net = Net()
    with torch.no_grad():
        net.blocks[1].fc1.weight[0, 0] = float("nan")
    bad(net, r"blocks\.1\.fc1 has 1 values that are not finite", NonFiniteError)


def test_weights_that_are_tied_quantised_or_read_elsewhere():
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    bad(tied, "weight of 0 is tied to another layer", InputError)
    narrow = nn.Sequential(nn.Linear(4, 4))
    narrow[0].weight = nn.Parameter(torch.ones(4, 4, dtype=torch.int8), requires_grad=False)
    bad(narrow, r"0 keeps its weight quantised \(torch\.int8\)", InputError)
    fast = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)
    bad(fast, "TransformerEncoderLayer, which reads the weights", InputError)
    bad(nn.ModuleDict({"a": nn.MultiheadAttention(8, 2)}), "no layer that can be adapted", UnknownLayerError,
        targets="a.out_proj")  # fmt: skip


def test_adapting_twice_says_so():
    net, _ = adapted()
    with pytest.raises(UnknownLayerError, match=r"blocks\.0\.fc1 is adapted already"):
        SpectralAdapter(net, rank=2, targets="*.fc1")
    with pytest.raises(InputError, match="no adapted layer"):
        adapted()[1].delta_weight("blocks.0.fc9")
