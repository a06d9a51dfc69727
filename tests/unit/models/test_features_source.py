"""Files of features that were computed elsewhere, as others write them."""

import numpy as np
import pytest
import torch

from brainalign.errors import ModelError
from brainalign.models import features_source
from brainalign.models.request import ModelRequest


def written(path, values, ids=b"a\nb\n"):
    np.save(path, values)
    path.with_suffix(".txt").write_bytes(ids)
    return ModelRequest(str(path))


@pytest.mark.parametrize("kind", ["<f8", ">f8", ">f4", "<f2"])
def test_any_byte_order_is_read(tmp_path, kind):
    values = np.array([[1.5, 2.0], [3.0, 4.25]], dtype=kind)
    module = features_source.load(written(tmp_path / "a.npy", values)).module
    (rows,) = module.run(torch.tensor([1, 0]), None).values()
    np.testing.assert_array_equal(rows.numpy(), values[[1, 0]])


def test_what_is_not_read_is_said(tmp_path):
    with pytest.raises(ModelError, match="expected floating-point numbers"):
        features_source.load(written(tmp_path / "a.npy", np.eye(2, dtype=np.longdouble)))
    with pytest.raises(ModelError, match=r"a\.txt cannot be read .*text in UTF-8"):
        features_source.load(written(tmp_path / "a.npy", np.eye(2), b"a\n\x9b\n"))
    request = written(tmp_path / "a.npy", np.eye(2))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:90])
    with pytest.raises(ModelError, match=r"a\.npy cannot be read .*or not a file of features"):
        features_source.load(request)
