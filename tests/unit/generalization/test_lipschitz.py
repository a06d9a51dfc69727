"""Constants of layers against explicit matrices and known slopes; bounds of networks against each other."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from brainalign.errors import InputError, ModelError, NonFiniteError, ShapeError, UnknownLayerError
from brainalign.generalization import lipschitz_bounds
from brainalign.generalization.constants import ACTIVATIONS, activation_constant, module_constant
from brainalign.generalization.operators import operator_norm

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def same_draws_in_any_order():
    global RNG
    RNG = np.random.default_rng(0)


def images(n: int = 12, channels: int = 2, side: int = 8) -> np.ndarray:
    return RNG.normal(size=(n, channels, side, side))


def seeded(make, seed: int = 0):
    torch.manual_seed(seed)
    return make()


def by_loops(layer: nn.Conv2d, side: int) -> np.ndarray:
    """The matrix of a convolution, written down entry by entry from its definition."""
    c_out, c_in, kh, kw = layer.weight.shape
    c_in *= layer.groups
    (ph, pw), (sh, sw), (dh, dw) = layer.padding, layer.stride, layer.dilation
    oh = (side + 2 * ph - dh * (kh - 1) - 1) // sh + 1
    ow = (side + 2 * pw - dw * (kw - 1) - 1) // sw + 1
    weight = layer.weight.detach().double().numpy()
    matrix = np.zeros((c_out, oh, ow, c_in, side, side))
    per_in, per_out = c_in // layer.groups, c_out // layer.groups
    for o, y, x in np.ndindex(c_out, oh, ow):
        for i, a, b in np.ndindex(per_in, kh, kw):
            row, column = y * sh - ph + a * dh, x * sw - pw + b * dw
            if 0 <= row < side and 0 <= column < side:
                matrix[o, y, x, o // per_out * per_in + i, row, column] += weight[o, i, a, b]
    return matrix.reshape(c_out * oh * ow, -1)


@pytest.mark.parametrize(
    ("options", "side"),
    [
        ({"kernel_size": 3, "padding": 1}, 12),
        ({"kernel_size": 3, "padding": 1, "stride": 2}, 13),
        ({"kernel_size": 5}, 12),
        ({"kernel_size": 3, "dilation": 2, "padding": 2}, 12),
        ({"kernel_size": 3, "padding": 1, "groups": 3}, 12),
        ({"kernel_size": 1}, 6),
        ({"kernel_size": (3, 1), "padding": (1, 0)}, 5),
    ],
)
def test_a_convolution_has_the_norm_of_its_matrix(options, side):
    layer = seeded(lambda: nn.Conv2d(3, 6, **options)).double()
    exact = np.linalg.norm(by_loops(layer, side), ord=2)
    found = operator_norm(layer, (3, side, side))
    assert found == pytest.approx(exact, rel=1e-5)
    assert found >= exact * (1 - 1e-9)  # from above
    kernel = torch.linalg.matrix_norm(layer.weight.detach().reshape(6, -1), ord=2)
    if options["kernel_size"] == 3 and len(options) == 2 and "padding" in options:
        assert abs(float(kernel) - exact) > 0.01 * exact  # the reshaped kernel is another number


def test_the_norm_of_a_convolution_depends_on_the_grid_and_approaches_that_of_its_spectrum():
    layer = seeded(lambda: nn.Conv2d(2, 3, 3, padding=1)).double()
    norms = [operator_norm(layer, (2, side, side)) for side in (4, 8, 16, 32)]
    assert norms == sorted(norms)
    transfer = np.fft.fft2(layer.weight.detach().numpy(), (64, 64), axes=(2, 3))
    circular = np.linalg.norm(transfer.transpose(2, 3, 0, 1), ord=2, axis=(-2, -1)).max()
    assert norms[-1] <= circular * (1 + 1e-6)  # zero padding cuts a piece out of the circular operator
    assert norms[-1] > 0.97 * circular


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (lambda: nn.Linear(40, 300), (40,)),
        (lambda: nn.Linear(700, 300), (700,)),
        (lambda: nn.AvgPool2d(3, 2), (2, 9, 9)),
        (lambda: nn.ConvTranspose2d(2, 3, 3, stride=2), (2, 7, 7)),
        (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (2, 6, 6)),
        (lambda: nn.AdaptiveAvgPool2d(3), (2, 7, 7)),
        (lambda: nn.Conv1d(2, 4, 3, padding=1), (2, 20)),
    ],
)
def test_affine_layers_have_the_norm_of_their_matrix(module, shape):
    layer = seeded(module).double()
    inputs = torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, *shape)
    with torch.no_grad():
        matrix = (layer(inputs) - layer(torch.zeros_like(inputs))).reshape(len(inputs), -1)
    exact = float(torch.linalg.matrix_norm(matrix, ord=2))
    assert operator_norm(layer, shape) == pytest.approx(exact, rel=1e-6)


def test_a_layer_of_zeros_has_norm_zero():
    layer = nn.Conv2d(3, 6, 3).double()
    nn.init.zeros_(layer.weight)
    assert operator_norm(layer, (3, 12, 12)) == 0


@pytest.mark.parametrize("name", sorted(n for n in ACTIVATIONS if "dropout" not in n and n != "identity"))
def test_slopes_of_activations_are_reached_and_not_exceeded(name):
    functions = {"abs": torch.abs, "mish": F.mish, "tanh": torch.tanh, "sigmoid": torch.sigmoid}
    function = functions.get(name) or getattr(F, name)
    x = torch.linspace(-12, 12, 400_001, dtype=torch.float64)[1::2].clone().requires_grad_()
    (slope,) = torch.autograd.grad(function(x.clone()).sum(), x)
    largest = float(slope.abs().max())
    assert largest <= ACTIVATIONS[name] + 1e-9
    assert largest > 0.999 * ACTIVATIONS[name]


def jacobian_norm(function, x: torch.Tensor) -> float:
    J = torch.autograd.functional.jacobian(function, x)
    return float(torch.linalg.matrix_norm(J.reshape(x.numel(), -1) if J.ndim == 2 else J.reshape(-1, x.numel()), ord=2))


@pytest.mark.parametrize(("name", "function"), [("softmax", F.softmax), ("log_softmax", F.log_softmax)])
def test_softmax_is_bounded_by_its_constant(name, function):
    constant = activation_constant(name, (2, 5), 1)
    found = [
        jacobian_norm(lambda z: function(z, dim=-1), torch.from_numpy(scale * RNG.normal(size=5)))
        for scale in (0.1, 1, 5, 20)
        for _ in range(30)
    ]
    assert max(found) <= constant + 1e-12
    edge = torch.tensor([0.0, 0, -40, -40, -40] if name == "softmax" else [60.0, 0, 0, 0, 0], dtype=torch.float64)
    assert jacobian_norm(lambda z: function(z, dim=-1), edge) == pytest.approx(constant, rel=0.12)


@pytest.mark.parametrize(
    "module",
    [
        lambda: nn.LayerNorm(6),
        lambda: nn.GroupNorm(2, 6),
        lambda: nn.InstanceNorm1d(6, affine=True),
        lambda: nn.RMSNorm(6, eps=1e-3),
    ],
)
def test_norm_layers_enter_by_their_smallest_spread_and_locally_by_the_data(module):
    layer = seeded(module).double()
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-2, 1, 6))
    shape = (2, 6, 6) if isinstance(layer, nn.InstanceNorm1d) else (2, 6)
    constant = module_constant(layer, shape, shape)
    assert constant == pytest.approx(2 / math.sqrt(layer.eps))
    near = jacobian_norm(lambda z: layer(z[None])[0], torch.from_numpy(1e-4 * RNG.normal(size=shape[1:])))
    far = jacobian_norm(lambda z: layer(z[None])[0], torch.from_numpy(10 * RNG.normal(size=shape[1:])))
    assert far < 0.05 * near < near <= constant  # what data give is far below
    assert near > 0.3 * constant  # and the constant is nearly reached where the input hardly varies


def test_batch_norm_counts_by_its_running_statistics():
    layer = nn.BatchNorm2d(3).double()
    layer.running_var.copy_(torch.tensor([4.0, 0.25, 1.0]))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, -3.0, 2.0]))
    found = lipschitz_bounds(nn.Sequential(layer), images(channels=3))
    assert found.upper == pytest.approx(6, rel=1e-4)
    assert found.local == pytest.approx(6, rel=1e-4)
    mixing = lipschitz_bounds(nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False)), images(channels=3))
    assert mixing.upper == math.inf and "mixes the samples" in mixing.unbounded[0]


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (3, 1), (2, 3)])
def test_max_pooling_counts_its_overlaps(kernel, stride):
    constant = module_constant(nn.MaxPool2d(kernel, stride), (2, 1, 9, 9), (2, 1, 4, 4))
    spike = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    reached = 0.0
    for row, column in np.ndindex(9, 9):
        spike.zero_()
        spike[0, 0, row, column] = 1
        reached = max(reached, float(F.max_pool2d(spike, kernel, stride).norm()))
    assert reached == pytest.approx(constant)


class Residual(nn.Module):
    def __init__(self, minus: bool = False) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(5, 7), nn.ReLU(inplace=True), nn.Linear(7, 5))
        self.out = nn.Linear(5, 3)
        self.minus = minus

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rest = self.inner(x)
        return self.out(x - rest if self.minus else x + rest)


@pytest.mark.parametrize("minus", [False, True])
def test_residual_sums_add_one(minus):
    network = seeded(lambda: Residual(minus))
    norms = {name: float(torch.linalg.matrix_norm(m.weight.detach().double(), ord=2))
             for name, m in network.named_modules() if isinstance(m, nn.Linear)}  # fmt: skip
    found = lipschitz_bounds(network, RNG.normal(size=(10, 5)))
    assert found.upper == pytest.approx(norms["out"] * (1 + norms["inner.0"] * norms["inner.2"]), rel=1e-6)


def test_the_part_after_a_layer_is_bounded_alone():
    network = seeded(Residual)
    after = lipschitz_bounds(network, RNG.normal(size=(10, 5)), from_layer="out")
    assert (after.empirical, after.local, after.upper) == (pytest.approx(1), pytest.approx(1), pytest.approx(1))
    with pytest.raises(ModelError, match="past inner"):
        lipschitz_bounds(network, RNG.normal(size=(10, 5)), from_layer="inner")
    chain = seeded(lambda: nn.Sequential(nn.Linear(5, 7), nn.ReLU(inplace=True), nn.Linear(7, 3)))
    last = float(torch.linalg.matrix_norm(chain[2].weight.detach().double(), ord=2))
    cut = lipschitz_bounds(chain, RNG.normal(size=(10, 5)), from_layer="0")
    assert cut.upper == pytest.approx(last, rel=1e-6)
    assert cut.local <= last * (1 + 1e-9)


def test_the_part_after_a_layer_sees_that_layers_output():
    chain = seeded(lambda: nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))).double()
    inputs = torch.from_numpy(RNG.normal(size=(12, 5)))
    with torch.no_grad():
        hidden = chain[0](inputs)
    expected = lipschitz_bounds(chain[1:], hidden, seed=3)
    found = lipschitz_bounds(chain, inputs, from_layer="0", seed=3)
    np.testing.assert_allclose(found.ratios, expected.ratios, rtol=1e-10)
    np.testing.assert_allclose(found.pointwise, expected.pointwise, rtol=1e-10)


def test_local_norms_are_those_of_explicit_jacobians():
    network = seeded(lambda: nn.Sequential(nn.Linear(6, 9), nn.GELU(), nn.Linear(9, 4))).double()
    X = torch.from_numpy(RNG.normal(size=(7, 6)))
    found = lipschitz_bounds(network, X, n_points=7)
    exact = [np.linalg.norm(torch.autograd.functional.jacobian(network, x).numpy(), ord=2) for x in X]
    np.testing.assert_allclose(found.pointwise, exact, rtol=1e-4)
    assert (found.pointwise <= np.array(exact) * (1 + 1e-9)).all()


def test_pair_ratios_are_those_of_neighbours():
    network = seeded(lambda: nn.Linear(4, 2, bias=False))
    X = RNG.normal(size=(9, 4))
    found = lipschitz_bounds(network, np.vstack([X, X[:2]]), n_neighbours=10)  # equal inputs make no pair
    W = network.weight.detach().double().numpy()
    ratios = [np.linalg.norm(W @ (a - b)) / np.linalg.norm(a - b) for a in X for b in X if (a != b).any()]
    assert found.empirical == pytest.approx(max(ratios), rel=1e-9)


def random_networks():
    for seed in range(6):
        torch.manual_seed(seed)
        width = 4 + seed
        yield (
            f"mlp{seed}",
            nn.Sequential(
                nn.Linear(6, width),
                nn.ReLU(),
                nn.LayerNorm(width),
                nn.Linear(width, width),
                nn.GELU(),
                nn.Linear(width, 3),
            ),
            (6,),
        )
        yield f"conv{seed}", nn.Sequential(
            nn.Conv2d(2, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2),
            nn.Conv2d(width, 4, 3, stride=2), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
        ), (2, 10, 10)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "network", "shape"), list(random_networks()), ids=lambda v: v if isinstance(v, str) else ""
)
def test_lower_bounds_lie_below_upper_bounds_of_random_networks(name, network, shape):
    found = lipschitz_bounds(network, RNG.normal(size=(16, *shape)) * 10.0 ** RNG.integers(-2, 2), n_points=6)
    assert 0 < max(found.empirical, found.local) <= found.upper * (1 + 1e-6) < math.inf


class Attention(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.scaled_dot_product_attention(x, x, x)


class ByHand(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x @ x.transpose(-2, -1), dim=-1) @ x


@pytest.mark.parametrize(
    "network",
    [
        Attention(),
        ByHand(),
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        nn.Sequential(nn.Linear(8, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)),
    ],
    ids=["fused", "by hand", "encoder", "in a chain"],
)
def test_attention_is_flagged_and_measured_locally(network):
    found = lipschitz_bounds(network, RNG.normal(size=(6, 5, 8)), n_points=3)
    assert found.upper == math.inf and found.unbounded
    assert 0 < found.local < math.inf
    if not isinstance(network, ByHand):
        assert "attention has no global Lipschitz constant" in found.unbounded[0]
    else:
        assert "multiplies activations with each other" in " ".join(found.unbounded)


def test_attention_grows_with_its_input_so_that_no_constant_can_hold():
    """A token at zero attends to all others alike, and its output moves by their spread."""
    tokens = np.array([[[0.0], [1.0], [-1.0]], [[0.0], [1.0], [-1.5]]])
    small, large = (lipschitz_bounds(ByHand(), s * tokens, n_points=2).local for s in (2, 8))
    assert large > 10 * small


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.scale = nn.Parameter(torch.tensor([1.0, -2.0, 0.5, 1.0]).reshape(1, 4, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.conv(x)) * self.scale
        y = torch.cat([y, F.pad(x[:, :, ::1], (0, 0, 0, 0, 1, 1))], dim=1)
        y = F.avg_pool2d(F.max_pool2d(y, 2), 2)
        y = 0.5 * y.mean(dim=(2, 3)) / 2
        return F.leaky_relu(y.view(y.size(0), -1), 1.5)


def test_steps_written_as_functions_are_read_too():
    network = seeded(Functional)
    found = lipschitz_bounds(network, images(side=8), n_points=6)
    conv = operator_norm(network.conv.double(), (2, 8, 8))
    whole = math.sqrt((2 * conv) ** 2 + 1)  # scaled convolution beside the input itself
    assert found.upper == pytest.approx(whole * 0.5 / 2 * 0.5 / 2 * 1.5, rel=1e-6)
    assert found.local <= found.upper


class Lying(nn.ReLU):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 3 * x


Lying.__module__ = "torch.nn.lying"  # taken as a layer of torch, whose class name promises a constant
Lying.__name__ = "ReLU"


def test_a_network_that_breaks_its_upper_bound_is_refused():
    with pytest.raises(ModelError, match="above the upper bound"):
        lipschitz_bounds(nn.Sequential(Lying()), RNG.normal(size=(6, 4)))


def test_a_network_that_cannot_be_read_has_no_upper_bound_and_says_why():
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else 2 * x

    found = lipschitz_bounds(Branching(), RNG.normal(size=(6, 4)))
    assert found.upper == math.inf and "cannot be read as a graph" in found.unbounded[0]


def test_the_network_is_left_as_it_was():
    network = seeded(lambda: nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 2))).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    lipschitz_bounds(network, RNG.normal(size=(6, 4)))
    assert network.training and network[0].weight.dtype == torch.float32
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("network", "inputs", "options", "error", "words"),
    [
        (lambda: "resnet", RNG.normal(size=(6, 4)), {}, ModelError, "torch.nn.Module"),
        (lambda: nn.Linear(4, 2), np.zeros((6, 4), dtype=int), {}, InputError, "real numbers"),
        (lambda: nn.Linear(4, 2), np.zeros(4), {}, InputError, "batch"),
        (lambda: nn.Linear(4, 2), np.zeros((1, 4)), {}, ShapeError, "1 stimuli"),
        (lambda: nn.Linear(4, 2), np.full((6, 4), np.inf), {}, NonFiniteError, "inf"),
        (lambda: nn.Linear(4, 2), np.zeros((6, 4)), {"n_points": 0}, InputError, "n_points"),
        (lambda: nn.Sequential(nn.Linear(4, 2)), np.zeros((6, 4)), {"from_layer": "1"}, UnknownLayerError, "no layer"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_words(network, inputs, options, error, words):
    with pytest.raises(error, match=words):
        lipschitz_bounds(network(), inputs, **options)
