"""The projection is scikit-learn's, drawn once, and not kept for ever."""

import numpy as np
from sklearn.random_projection import SparseRandomProjection

from brainalign.kept import Kept, bytes_of
from brainalign.models import sparse_projection as module
from brainalign.models.sparse_projection import sparse_projection


def test_it_is_the_projection_of_scikit_learn():
    expected = SparseRandomProjection(20, random_state=5).fit(np.zeros((1, 300))).components_
    found = sparse_projection(20, 300, 5)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.toarray(), expected.toarray().astype(np.float32))


def test_it_is_drawn_once_and_the_oldest_go(monkeypatch):
    monkeypatch.setattr(module, "_KEPT", Kept(64 * 2**20))
    first = sparse_projection(20, 300, 5)
    assert sparse_projection(20, 300, 5) is first
    assert sparse_projection(20, 300, 6) is not first
    module._KEPT.most = bytes_of(first) * 3 // 2
    second = sparse_projection(20, 300, 7)
    assert module._KEPT.keys() == [(20, 300, 7)]
    assert sparse_projection(20, 300, 7) is second
