import numpy as np
import pytest

from brainalign.errors import ChoiceError, NonFiniteError, ShapeError, UndefinedError
from brainalign.similarity import rdm


def test_unknown_distance_offers_near_names():
    with pytest.raises(ChoiceError, match="correlation"):
        rdm(np.eye(3), distance="corelation")


def test_errors_name_the_matrix_and_the_row():
    with pytest.raises(UndefinedError, match="X: row 2 is constant"):
        rdm([[1.0, 2.0, 4.0], [2.0, 1.0, 0.0], [0.1, 0.1, 0.1]])
    with pytest.raises(UndefinedError, match="at least two units"):
        rdm([[1.0], [2.0], [3.0]])


def test_one_stimulus_has_no_pairs():
    with pytest.raises(ShapeError, match="1 stimuli"):
        rdm([[1.0, 2.0]])


def test_distances_that_overflow_are_refused():
    with pytest.raises(NonFiniteError, match="overflow"):
        rdm([[1e200, 0.0], [0.0, 1e200]], distance="sqeuclidean")


def test_the_input_stays():
    X = np.random.default_rng(0).normal(size=(6, 4))
    for distance in ("correlation", "cosine", "euclidean"):
        before = X.copy()
        rdm(X, distance=distance)
        np.testing.assert_array_equal(X, before)
