"""An HDF5 file that shows the values of another file is refused by whatever reads it."""

import h5py
import numpy as np
import pandas as pd
import pytest

from brainalign.datasets.bdata import read_bdata
from brainalign.datasets.feature_files import read_features
from brainalign.datasets.image_brick import describe_encoded, iter_recorded
from brainalign.datasets.nsd.betas import open_betas
from brainalign.datasets.nsd_packaging_files import require_rows
from brainalign.errors import BrainalignError
from brainalign.models import features_source
from brainalign.models.request import ModelRequest
from brainalign.models.stimuli_reader import StimulusReader

IMAGES = np.zeros((2, 4, 4, 3), np.uint8)


def images(path):
    return pd.DataFrame({"stimulus": ["a"], "file": ["imgs/0"], "sha256": [""]})


def reader(path):
    table = images(path)
    table.attrs.update(source=str(path), kind="hdf5")
    with StimulusReader(table, stimulus_set="set") as open_set:
        return open_set.image(0)


READS = {  # the dataset, its values, and who reads it
    "betas of NSD": ("betas", np.zeros((3, 2, 2, 2), np.int16), lambda p: open_betas(p.parent, p.stem, surface=False)),
    "betas of MindEye2": ("betas", np.zeros((3, 2)), lambda p: require_rows(p, np.arange(3))),
    "BData": ("dataset", np.zeros((3, 2)), read_bdata),
    "features of thingsvision": ("x", np.eye(2), lambda p: read_features(p.parent, format="thingsvision")),
    "features of a model": ("x", np.eye(2), lambda p: features_source.load(ModelRequest(str(p)))),
    "images": ("imgs", IMAGES, lambda p: list(iter_recorded(p, images(p)))),
    "images of a stimulus set": ("imgs", IMAGES, reader),
    "encoded images": ("imgs", None, lambda p: describe_encoded(p, {0: "a"})),
}


def place(file, name, values):
    if values is None:
        made = file.create_dataset(name, 1, dtype=h5py.vlen_dtype(np.uint8))
        made[0] = np.zeros(3, np.uint8)
    else:
        file[name] = values


@pytest.mark.parametrize("way", ["external link", "virtual", "stored outside"])
@pytest.mark.parametrize("read", READS)
def test_values_of_another_file_are_not_read(read, way, tmp_path):
    name, values, call = READS[read]
    if values is None and way != "external link":
        pytest.skip("HDF5 keeps no values of variable length elsewhere")
    path = tmp_path / "features.hdf5"
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        place(other, name, values)
    with h5py.File(path, "w") as file:
        if way == "external link":
            link = h5py.ExternalLink(str(tmp_path / "secret.h5"), name)
            if values is None:  # the only array there
                file[name] = link
            else:
                file["hidden"], file[name] = link, h5py.SoftLink("/hidden")
        elif way == "virtual":
            layout = h5py.VirtualLayout(shape=values.shape, dtype=values.dtype)
            layout[...] = h5py.VirtualSource(str(tmp_path / "secret.h5"), name, shape=values.shape)
            file.create_virtual_dataset(name, layout)
        else:
            (tmp_path / "raw").write_bytes(values.tobytes())
            file.create_dataset(
                name, values.shape, values.dtype, external=[(str(tmp_path / "raw"), 0, h5py.h5f.UNLIMITED)]
            )
        if read == "BData":
            file["metadata/key"], file["metadata/value"] = np.array([b"a"]), np.zeros((1, 2))
    with pytest.raises(BrainalignError, match="lies in other files"):
        call(path)
