"""Several blocks seen as one matrix."""

import numpy as np
import pytest

from brainalign.datasets.stacked import Part, row_parts, stacked
from brainalign.errors import DatasetError


def test_any_index_is_that_of_the_whole_and_rows_in_order_load_each_part_once():
    whole = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    loads = []

    def part(a, b):
        return Part(b - a, lambda: loads.append(a) or whole[a:b])

    lazy = stacked([part(0, 3), part(3, 4), part(4, 10)], 4, "float32")
    assert loads == []
    keys = [slice(2, 6), slice(None), 7, np.array([9, 0, 3]), slice(None, None, -2)]
    for key in keys:
        for columns in [slice(None), 2, np.array([3, 0]), np.array([3, 2, 1, 0])]:
            expected = whole[key][..., columns]
            assert np.array_equal(lazy[key, columns].values, expected), (key, columns)
    loads.clear()
    found = np.concatenate([lazy[i : i + 2].values for i in range(0, 10, 2)])
    assert np.array_equal(found, whole)
    assert loads == [0, 3, 4]


def test_parts_of_one_reader_cover_its_rows():
    whole = np.arange(20.0).reshape(10, 2)
    parts = row_parts(10, 100 << 20, lambda rows: whole[rows])
    assert [part.n_rows for part in parts] == [2] * 5
    assert np.array_equal(stacked(parts, 2, float).values, whole)


def test_a_part_of_another_size_is_named():
    with pytest.raises(DatasetError, match=r"shape \(2, 3\), expected \(2, 4\)"):
        stacked([Part(2, lambda: np.zeros((2, 3)))], 4, float).load()
