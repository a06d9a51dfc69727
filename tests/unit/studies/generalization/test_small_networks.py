"""What is trained here: splits that do not mix, seeds that fix everything, networks that learn."""

import numpy as np
import pytest
import torch
from torch import nn

from brainalign.studies.generalization.small_networks import (
    autoencoder,
    digits,
    perceptron,
    train_autoencoder,
    train_classifier,
)


def rows(X):
    return {row.numpy().tobytes() for row in X}


def test_training_and_test_samples_are_apart_and_tests_are_the_same_for_all_seeds():
    one, other = digits(100, seed=0), digits(400, seed=1)
    assert torch.equal(one.test, other.test)
    assert len(one.test) + 898 in (1796, 1797, 1798)
    assert len(rows(other.train) & rows(other.test)) <= 1  # two of the digits may be the same drawing
    assert len(one.train) == 100 and len(other.train) == 400
    assert one.train.min() >= 0 and one.train.max() <= 1


def test_noise_changes_that_share_of_training_labels_alone():
    clean, noisy = digits(800, seed=3), digits(800, noise=0.5, seed=3)
    assert torch.equal(clean.train, noisy.train) and torch.equal(clean.test_labels, noisy.test_labels)
    changed = float((clean.train_labels != noisy.train_labels).double().mean())
    assert changed == pytest.approx(0.5 * 0.9, abs=0.06)  # one in ten draws the right label again


def test_seeds_fix_networks_and_leave_the_global_state():
    state = torch.random.get_rng_state()
    first, second, third = perceptron([4, 3, 2], seed=1), perceptron([4, 3, 2], seed=1), perceptron([4, 3, 2], seed=2)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first[0].weight, second[0].weight) and not torch.equal(first[0].weight, third[0].weight)
    assert [name for name, _ in first.named_children()] == ["linear1", "relu1", "linear2"]


def test_a_perceptron_learns_and_generalizes():
    samples = digits(400)
    network = perceptron([64, 32, 10])
    before = sum(p.numel() for p in network.parameters())
    train_classifier(network, samples.train, samples.train_labels, steps=150)
    right = (network(samples.test).argmax(1) == samples.test_labels).double().mean()
    assert before == 64 * 32 + 32 + 32 * 10 + 10 and not network.training
    assert right > 0.88


def test_a_wider_bottleneck_reconstructs_better():
    samples = digits(400)
    errors = []
    for width in (1, 8):
        network = autoencoder(64, width, hidden=64)
        assert isinstance(network[3], nn.Identity) and network[2].out_features == width
        errors.append(train_autoencoder(network, samples.train, steps=150))
    assert errors[1] < 0.6 * errors[0]
    assert np.isfinite(errors).all()
