import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from brainalign.arrays import as_matrix, as_pair, as_vector, parse_memory, to_numpy
from brainalign.errors import InputError, NonFiniteError, PairingError, ShapeError

VALUES = np.arange(12.0).reshape(4, 3)


def _read_only(array):
    out = array.copy()
    out.flags.writeable = False
    return out


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (VALUES, torch.float64),
        (VALUES.tolist(), torch.float64),
        (VALUES.astype(">f8"), torch.float64),
        (VALUES.astype(">f4"), torch.float32),
        (VALUES.astype("f2"), torch.float32),
        (VALUES.astype(np.longdouble), torch.float64),
        (VALUES.astype(">i2"), torch.float64),
        (VALUES.astype(np.uint8), torch.float64),
        (np.asfortranarray(VALUES), torch.float64),
        (np.repeat(VALUES, 2, axis=1)[:, ::2], torch.float64),
        (VALUES[::-1][::-1], torch.float64),
        (_read_only(VALUES), torch.float64),
        (np.ma.masked_array(VALUES), torch.float64),
        (torch.tensor(VALUES), torch.float64),
        (torch.tensor(VALUES.T.copy()).T, torch.float64),
        (torch.tensor(VALUES, requires_grad=True), torch.float64),
        (torch.tensor(VALUES).to(torch.bfloat16), torch.float32),
        (torch.tensor(VALUES).to(torch.int16), torch.float64),
        (pd.DataFrame(VALUES, index=list("abcd")), torch.float64),
        (pd.DataFrame(VALUES).astype({0: int}), torch.float64),
        (xr.DataArray(VALUES, dims=["stimulus", "neuroid"]), torch.float64),
    ],
)
def test_any_layout_and_precision_gives_the_same_numbers(given, dtype):
    matrix = as_matrix(given)
    assert matrix.dtype == dtype
    assert matrix.is_contiguous()
    assert not matrix.requires_grad
    np.testing.assert_array_equal(matrix.numpy(), VALUES)


def test_booleans_become_float64():
    assert as_matrix(VALUES > 4).sum().item() == 7.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (VALUES.astype(object), "object"),
        (VALUES.astype(str), "<U32"),
        (VALUES * 1j, "complex128"),
        (torch.tensor(VALUES * 1j), "complex128"),
        (torch.tensor(VALUES).to_sparse(), "to_dense"),
        (np.ma.masked_equal(VALUES, 5.0), "1 masked"),
        ([[1.0], [1.0, 2.0]], "cannot be read"),
        (pd.DataFrame({"a": [1.0], "b": ["x"]}), "object"),
    ],
)
def test_what_is_not_a_matrix_of_real_numbers_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        as_matrix(given)


@pytest.mark.parametrize("given", [VALUES[0], VALUES[None], VALUES[:1], VALUES[:, :1], 3.0])
def test_wrong_shapes_are_refused(given):
    with pytest.raises(ShapeError, match="brain"):
        as_matrix(given, name="brain", min_rows=2, min_columns=2)


def test_not_finite_values_are_named_by_count_row_label_and_column():
    bad = VALUES.copy()
    bad[2, 1], bad[3, 0] = np.nan, -np.inf
    with pytest.raises(NonFiniteError, match=r"2 values .*1 NaN, 1 inf.* 2 rows.*row 2 \('c'\), column 1"):
        as_matrix(pd.DataFrame(bad, index=list("abcd")))


def test_finite_values_whose_sum_overflows_pass():
    assert as_matrix(np.full((4, 3), 1e308)).shape == (4, 3)
    assert as_matrix(np.full((4, 3), 3e38, dtype=np.float32)).shape == (4, 3)


def test_half_precision_that_overflowed_is_refused():
    with np.errstate(over="ignore"):
        overflowed = (VALUES * 1e4).astype(np.float16)
    with pytest.raises(NonFiniteError, match="inf"):
        as_matrix(overflowed)


def test_pairs_need_the_same_number_of_rows():
    with pytest.raises(PairingError, match="model has 4 rows and brain has 3"):
        as_pair(VALUES, VALUES[:3], names=("model", "brain"))


def test_labels_must_agree_where_both_have_them():
    labelled = pd.DataFrame(VALUES, index=list("abcd"))
    same = xr.DataArray(VALUES, coords={"stimulus": list("abcd")}, dims=["stimulus", "neuroid"])
    x, y = as_pair(labelled, same)
    torch.testing.assert_close(x, y)
    with pytest.raises(PairingError, match=r"row 2 .*'c' in X and 'd' in Y.*another order"):
        as_pair(labelled, labelled.loc[list("abdc")])
    with pytest.raises(PairingError, match=r"row 3 .*labels differ"):
        as_pair(labelled, same.assign_coords(stimulus=list("abce")))


def test_labels_that_only_count_do_not_bind():
    labelled = pd.DataFrame(VALUES, index=list("abcd"))
    for plain in (pd.DataFrame(VALUES), VALUES, torch.tensor(VALUES), xr.DataArray(VALUES)):
        x, y = as_pair(labelled, plain)
        torch.testing.assert_close(x, y)


def test_vectors():
    assert as_vector([1, 2], name="v").dtype == torch.float64
    with pytest.raises(ShapeError, match="vector"):
        as_vector(VALUES, name="v")
    with pytest.raises(NonFiniteError, match="row 1"):
        as_vector([0.0, np.nan], name="v")


def test_to_numpy_detaches():
    np.testing.assert_array_equal(to_numpy(torch.tensor(VALUES, requires_grad=True)), VALUES)


@pytest.mark.parametrize(
    ("size", "expected"),
    [("4GB", 4 * 10**9), ("512 MiB", 2**29), ("2g", 2 * 10**9), ("1e3", 1000), (2**33, 2**33), ("100", 100), ("7b", 7)],
)
def test_memory_sizes(size, expected):
    assert parse_memory(size) == expected


@pytest.mark.parametrize("size", ["", "GB", "4XB", "-1GB", "4iB", 0, -5, True, None, "nan", "inf"])
def test_memory_sizes_that_mean_nothing_are_refused(size):
    with pytest.raises(InputError, match="memory size"):
        parse_memory(size)
