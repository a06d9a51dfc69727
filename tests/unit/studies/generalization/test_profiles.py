"""Profiles of networks: each number against the function that it names, and what must hold between them."""

import numpy as np
import pytest
import torch
from torch import nn

from brainalign.errors import UnknownLayerError
from brainalign.generalization import lipschitz_bounds, wasserstein_split
from brainalign.geometry import local_dimension
from brainalign.studies.generalization.profiles import class_profile, embeddings_at, layer_profile, network_profile
from brainalign.studies.generalization.small_networks import Samples, digits, perceptron, train_classifier


@pytest.fixture(scope="module")
def trained():
    samples = digits(300)
    network = perceptron([64, 32, 16, 10])
    train_classifier(network, samples.train, samples.train_labels, steps=200)
    return network, samples


@pytest.fixture(scope="module")
def profile(trained):
    return layer_profile(*trained, ["relu1", "relu2", "linear3"], n_points=4, n_draws=2).set_index("layer")


def test_embeddings_are_the_outputs_of_layers(trained):
    network, samples = trained
    with torch.no_grad():
        expected = network[:2](samples.test).double().numpy()
    np.testing.assert_array_equal(embeddings_at(network, samples.test, ["relu1"])["relu1"], expected)
    maps = nn.Sequential(nn.Conv2d(1, 3, 3))
    images = torch.rand(5, 1, 6, 6)
    with torch.no_grad():
        mean = maps(images).mean(dim=(2, 3)).double().numpy()
    np.testing.assert_allclose(embeddings_at(maps, images, ["0"])["0"], mean, rtol=1e-6)
    with pytest.raises(UnknownLayerError, match="relu1"):
        embeddings_at(network, samples.test, ["relu9"])


def test_a_layer_that_writes_in_place_does_not_change_what_came_before():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True))
    X = torch.randn(50, 3)
    assert embeddings_at(network, X, ["0"])["0"].min() < 0


def test_rows_are_the_public_measures(trained, profile):
    network, samples = trained
    Z = embeddings_at(network, samples.train, ["relu2"])["relu2"]
    T = embeddings_at(network, samples.test, ["relu2"])["relu2"]
    at = profile.loc["relu2"]
    assert at["dimension"] == pytest.approx(local_dimension(T, k=20, average="harmonic").value)
    assert at["wasserstein"] == pytest.approx(
        wasserstein_split(Z, T, n_points=400, n_draws=2, n_permutations=10).scaled
    )
    bounds = lipschitz_bounds(network, samples.test[:64], from_layer="relu2", n_points=4)
    assert at["lipschitz_upper"] == pytest.approx(bounds.upper)
    assert profile.loc["linear3", "lipschitz_upper"] == 1  # nothing follows


def test_sensitivity_falls_with_depth_and_probes_generalize_less_than_they_fit(profile):
    assert profile.loc["relu1", "lipschitz_upper"] > profile.loc["relu2", "lipschitz_upper"]
    assert (profile["lipschitz_local"] <= profile["lipschitz_upper"] * (1 + 1e-6)).all()
    assert (profile["probe_gap"] >= 0).all() and (profile["probe_test"] > 0.8).all()


def test_a_network_is_measured_as_a_whole(trained):
    network, samples = trained
    found = network_profile(network, samples)
    with torch.no_grad():
        probability = torch.softmax(network(samples.test).double(), 1)
    indicator = torch.nn.functional.one_hot(samples.test_labels, 10)
    assert found["test_loss"] == pytest.approx(float((probability - indicator).abs().sum(1).mean()), rel=1e-5)
    assert found["gap"] == found["test_loss"] - found["train_loss"] > 0
    assert found["n_inverse_root"] == 300**-0.5
    assert found["spectral"] == pytest.approx(np.log(lipschitz_bounds(network, samples.test[:32], n_points=1).upper))
    doubled = network_profile(nn.Sequential(network, _Scale(2.0)), samples, lipschitz=True)
    assert doubled["margin"] == pytest.approx(found["margin"])  # scale of the logits cancels


class _Scale(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x):
        return self.by * x


def test_classes_are_measured_apart(trained):
    network, samples = trained
    found = class_profile(network, samples, "relu2", n_draws=2).set_index("class")
    assert found.index.tolist() == list(range(10))
    assert found["n_test"].sum() == len(samples.test)
    whole = network_profile(network, samples, lipschitz=False)
    weighed = (found["test_loss"] * found["n_test"]).sum() / found["n_test"].sum()
    assert weighed == pytest.approx(whole["test_loss"])
    T = embeddings_at(network, samples.test, ["relu2"])["relu2"][samples.test_labels.numpy() == 3]
    assert found.loc[3, "dimension"] == pytest.approx(local_dimension(T, k=10, average="harmonic").value)


def test_a_dead_layer_has_no_dimension_and_says_nan():
    network = perceptron([64, 8, 10])
    with torch.no_grad():
        network[0].bias.fill_(-100.0)
    samples = digits(60)
    found = layer_profile(network, samples, ["relu1"], lipschitz=False, n_draws=2)
    assert found[["dimension", "wasserstein", "rate_slope"]].isna().all(axis=None)


def test_a_class_absent_from_training_is_left_out(trained):
    network, samples = trained
    kept = samples.train_labels != 4
    fewer = Samples(samples.train[kept], samples.train_labels[kept], samples.test, samples.test_labels)
    assert 4 not in class_profile(network, fewer, "relu2", n_draws=1)["class"].tolist()
