"""Accuracies against plain loops and known answers."""

import numpy as np
import pytest

from brainalign.errors import ChoiceError, InputError, NonFiniteError, PairingError, ShapeError, UndefinedError
from brainalign.metrics.accuracies import ACCURACIES, get_accuracy
from brainalign.metrics.classification import (
    Classified,
    difference,
    knn_correct,
    probe_correct,
    probe_gap,
    top_k_correct,
    zero_shot_scores,
)


def clusters(n_classes=5, n=24, spread=0.6, p=8, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_classes), n)
    return rng.normal(size=(n_classes, p))[labels] + spread * rng.normal(size=(n_classes * n, p)), labels


def test_top_k_is_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    scores, target = rng.normal(size=(200, 12)), rng.integers(0, 12, 200)
    for k in (1, 5):
        expected = [t in np.argsort(-row)[:k] for row, t in zip(scores, target, strict=True)]
        found = top_k_correct(scores, target, k=k)
        np.testing.assert_array_equal(found.correct, expected)
        assert found.chance == k / 12
        assert found.error == pytest.approx(np.std(expected, ddof=1) / np.sqrt(200))


def test_equal_scores_count_with_the_share_of_orders_in_which_they_are_right():
    assert top_k_correct(np.zeros((3, 4)), [0, 1, 3]).correct.tolist() == [0.25] * 3
    assert top_k_correct(np.zeros((1, 4)), [2], k=3).value == 0.75
    assert top_k_correct([[2.0, 1.0, 1.0]], [1], k=2).value == 0.5
    assert top_k_correct([[2.0, 1.0, 1.0]], [0], k=1).value == 1.0


def test_nearest_neighbours_by_a_plain_loop():
    X, labels = clusters(spread=1.5)
    found = knn_correct(X, labels, k=3, seed=4)
    units = X / np.linalg.norm(X, axis=1, keepdims=True)
    # the halves, from what they are: each class split evenly, so each stimulus has a half that does not hold it
    from brainalign.metrics.classification import _Halves

    right = np.full(len(X), np.nan)
    for train, test in _Halves(labels, 4).folds():
        assert not set(train) & set(test) and len(train) + len(test) == len(X)
        assert np.bincount(labels[train]).tolist() == [12] * 5
        for i in test:
            nearest = train[np.argsort(-(units[train] @ units[i]))[:3]]
            votes = {c: (labels[nearest] == c).sum() for c in labels[nearest]}
            most = max(votes.values())
            named = next(labels[j] for j in nearest if votes[labels[j]] == most)
            right[i] = named == labels[i]
    np.testing.assert_array_equal(found.correct, right)
    assert 0.3 < found.value < 1


def test_the_probe_is_that_of_scikit_learn_at_one_weight(monkeypatch):
    from sklearn.linear_model import LogisticRegression

    from brainalign.metrics import classification

    X, labels = clusters(spread=2.0)
    monkeypatch.setattr(classification, "_WEIGHTS", (0.1,))
    found = probe_correct(X, labels)
    expected = np.full(len(X), np.nan)
    for train, test in classification._Halves(labels, 0).folds():
        mean, sd = X[train].mean(0), X[train].std(0)
        model = LogisticRegression(C=0.1, max_iter=300).fit((X[train] - mean) / sd, labels[train])
        expected[test] = model.predict((X[test] - mean) / sd) == labels[test]
    np.testing.assert_array_equal(found.correct, expected)


def test_nothing_is_known_of_labels_that_have_nothing_to_do_with_the_features():
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(4), 50))
    for judged in (knn_correct(rng.normal(size=(200, 10)), labels), probe_correct(rng.normal(size=(200, 10)), labels)):
        assert abs(judged.value - 0.25) < 4 * judged.error
        assert judged.chance == 0.25


def test_classes_of_one_image_stay_out_and_only_such_cannot_be_probed():
    X, labels = clusters()
    labels = labels.astype(str)
    labels[0] = "alone"
    found = knn_correct(X, labels)
    assert np.isnan(found.correct[0]) and found.n_stimuli == len(X) - 1
    for judge in (knn_correct, probe_correct):
        with pytest.raises(UndefinedError, match=r"one image a class \(120 images of 120 classes\)"):
            judge(X, np.arange(len(X)))
    with pytest.raises(UndefinedError, match="fewer than two classes"):
        probe_correct(X[:3], ["a", "a", "b"])


def test_two_images_a_class_can_be_probed():
    X, labels = clusters(n=2, spread=0.01)
    assert probe_correct(X, labels).value == 1.0


def test_paired_differences():
    one, other = Classified(np.array([1.0, 1, 0, np.nan]), 0.5), Classified(np.array([0.0, 1, 0, 1]), 0.5)
    gap, error = difference(one, other)
    assert gap == pytest.approx(1 / 3)
    assert error == pytest.approx(np.std([1, 0, 0], ddof=1) / np.sqrt(3))
    with pytest.raises(PairingError):
        difference(one, Classified(np.ones(3), 0.5))


def test_described_classes():
    rng = np.random.default_rng(0)
    texts = rng.normal(size=(6, 2, 5)) * rng.uniform(1, 100, (6, 2, 1))  # templates of any length count alike
    unit = texts / np.linalg.norm(texts, axis=2, keepdims=True)
    images = 3 * unit.mean(1)
    scores = zero_shot_scores(images, texts)
    np.testing.assert_allclose(np.diag(scores), 1)
    assert top_k_correct(scores, np.arange(6)).value == 1
    with pytest.raises(ShapeError, match="same space"):
        zero_shot_scores(images, texts[:, :, :4])


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (InputError, lambda: top_k_correct(np.zeros((2, 3)), [0, 3])),
        (PairingError, lambda: top_k_correct(np.zeros((2, 3)), [0])),
        (UndefinedError, lambda: top_k_correct(np.zeros((2, 3)), [0, 1], k=5)),
        (NonFiniteError, lambda: top_k_correct([[0.0, np.nan]], [0])),
        (ShapeError, lambda: knn_correct(np.zeros(4), [0, 0, 1, 1])),
        (UndefinedError, lambda: knn_correct(np.eye(4), [0, 0, 1, 1], k=10)),
        (ChoiceError, lambda: get_accuracy("accuracy.top3")),
    ],
)
def test_bad_input(error, call):
    with pytest.raises(error):
        call()


def test_the_table():
    for name, record in ACCURACIES.items():
        assert record.id == name and record.title and record.source
        assert record.needs in ("classifier", "descriptions", "features")


def test_the_gap_of_a_probe_is_what_it_knows_of_its_own_half_alone():
    """Labels at random in many dimensions: all of its own half, chance of the other."""
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(120, 200)), np.repeat(["a", "b"], 60)
    gap, error = probe_gap(X, labels, seed=1)
    held_out = probe_correct(X, labels, seed=1)
    assert 0.9 - held_out.value < gap <= 1 - held_out.value and 0.3 < gap < 0.7
    assert error == pytest.approx(np.sqrt(0.25 / 120), rel=0.2)  # of 120 guesses
    apart = X + 100 * (labels == "a")[:, None]
    assert probe_gap(apart, labels) == (0, 0)
