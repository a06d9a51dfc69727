"""Brain-Score assemblies in and out, by an independent reader where one is installed."""

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.datasets import export_brainscore, import_brainscore, import_rdms, import_responses
from brainalign.datasets.netcdf_files import read_netcdf
from brainalign.errors import ChoiceError, DatasetError, ResponseKindError
from brainalign.store import open_store
from brainalign.testing.foreign_files import make_assembly


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def test_an_assembly_becomes_one_entry_a_subject(store, tmp_path):
    truth = make_assembly(tmp_path)
    reports = import_brainscore(store, truth.path, dataset="mini", stimulus_set="mini", stimuli=truth.stimuli)
    assert [(r.subject, r.n_presentations, r.n_neuroids, r.rois) for r in reports] == [
        ("s1", 18, 5, ("V1", "IT")),
        ("s2", 18, 5, ("V1", "IT")),
    ]
    for start, name in enumerate(("s1", "s2")):
        back = store.responses("mini", name)
        assert np.array_equal(back["response"].values, truth.values[:, start::2])
        assert back["stimulus"].values.tolist() == truth.stimulus_id
        assert back["repetition"].values.tolist() == truth.repetition
        assert back["V1"].values.tolist() == [r == "V1" for r in truth.region[start::2]]
        assert back["x"].values.tolist() == list(range(start, 10, 2))
        assert back["nc_testset"].values.min() >= 0
        assert back["neuroid_name"].values[0] == f"{name}_V1_v000{start}"
    assert store.stimuli("mini")["stimulus"].tolist() == list(dict.fromkeys(truth.stimulus_id))


def test_ids_of_nsd_join_with_other_readers(store, tmp_path):
    truth = make_assembly(tmp_path, nsd=True)
    report = import_brainscore(store, truth.path, dataset="mini")[0]
    assert store.responses("mini", "s1")["stimulus"].values[3] == "nsd-00101"
    assert any("0-based" in note for note in report.notes)


def test_old_names_other_axes_and_missing_presentations(store, tmp_path):
    truth = make_assembly(tmp_path)
    with h5py.File(truth.path, "r+") as root:
        root.move("stimulus_id", "image_id")
        root.move("subject", "animal")
        values = truth.values.copy()
        values[:3, ::2] = np.nan
        del root["data"]
        data = root.create_dataset("data", data=values.T)
        data.dims[0].attach_scale(root["neuroid"])
        data.dims[1].attach_scale(root["presentation"])
    reports = import_brainscore(store, truth.path, dataset="mini")
    assert [r.n_presentations for r in reports] == [15, 18]
    assert reports[0].notes == ("3 presentations without a value were left out",)
    assert np.array_equal(store.responses("mini", "s1")["response"].values, truth.values[3:, ::2])


def test_averaged_assemblies_have_no_ceiling(store, tmp_path):
    truth = make_assembly(tmp_path)
    with h5py.File(truth.path, "r+") as root:
        del root["repetition"]
        del root["stimulus_id"]
        names = [f"i{i}" for i in range(18)]
        root.create_dataset("stimulus_id", data=names, dtype=h5py.string_dtype()).dims[0].attach_scale(
            root["presentation"]
        )
    assert "averaged" in import_brainscore(store, truth.path, dataset="mini")[0].averaged


def test_netcdf3_is_read(store, tmp_path):
    truth = make_assembly(tmp_path)
    dataset = xr.Dataset(
        {"data": (("presentation", "neuroid"), truth.values)},
        {
            "stimulus_id": ("presentation", truth.stimulus_id),
            "repetition": ("presentation", np.array(truth.repetition, dtype=np.int32)),
            "region": ("neuroid", truth.region),
        },
    )
    dataset.to_netcdf(tmp_path / "classic.nc", engine="scipy")
    import_brainscore(store, tmp_path / "classic.nc", dataset="mini")
    back = store.responses("mini", "all")
    assert np.array_equal(back["response"].values, truth.values)
    assert back["stimulus"].values.tolist() == truth.stimulus_id


def test_round_trip(store, tmp_path):
    truth = make_assembly(tmp_path)
    import_brainscore(store, truth.path, dataset="mini", stimulus_set="mini", stimuli=truth.stimuli)
    paths = export_brainscore(store, "mini", tmp_path / "out", identifier="lab.Mini2026")
    assert [p.name for p in paths] == ["assy_lab_Mini2026.nc", "stimulus_lab_Mini2026.csv"]
    again = open_store(tmp_path / "again")
    import_brainscore(again, paths[0], dataset="mini", stimulus_set="mini", stimuli=paths[1])
    for name in ("s1", "s2"):
        before, after = store.responses("mini", name), again.responses("mini", name)
        for key in ("response", "stimulus", "repetition", "V1", "IT", "x", "nc_testset"):
            assert np.array_equal(before[key].values, after[key].values), key
    content = read_netcdf(paths[0])
    assert content.variables["data"].dims == ("presentation", "neuroid", "time_bin")
    assert content.variables["neuroid_id"].values[:2].tolist() == ["s1_V1_v0000", "s1_V1_v0001"]
    assert (content.variables["time_bin_start"].values[0], content.variables["time_bin_end"].values[0]) == (70, 170)
    assert content.attrs["stimulus_set_identifier"] == "lab.Mini2026"


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray_reads_what_is_written(store, tmp_path, engine):
    pytest.importorskip({"netcdf4": "netCDF4"}.get(engine, engine))
    truth = make_assembly(tmp_path)
    import_brainscore(store, truth.path, dataset="mini")
    path = export_brainscore(store, "mini", tmp_path / "out")[0]
    with xr.open_dataset(path, engine=engine) as opened:
        data = opened["data"].load()
    assert data.dims == ("presentation", "neuroid", "time_bin")
    assert set(data.coords) >= {
        "stimulus_id",
        "repetition",
        "neuroid_id",
        "region",
        "subject",
        "voxel_x",
        "time_bin_start",
    }
    data = data.set_index(neuroid=["neuroid_id", "region", "subject"])
    v1 = data.sel(region="V1", subject="s2")
    assert np.array_equal(v1.values[:, :, 0], truth.values[:, 1:4:2])
    data.reset_index("neuroid").to_dataset(name="data").to_netcdf(tmp_path / "theirs.nc", engine=engine)
    other = open_store(tmp_path / "other")
    import_brainscore(other, tmp_path / "theirs.nc", dataset="mini")
    assert np.array_equal(other.responses("mini", "s1")["response"].values, truth.values[:, ::2])


def test_overlapping_regions_and_rdms_are_refused(store, tmp_path):
    rois = pd.DataFrame({"V1": [True, True, False], "EVC": [True, False, True]})
    import_responses(store, dataset="lab", subject="a", matrix=np.eye(3), stimuli=list("abc"), rois=rois, averaged=2)
    with pytest.raises(DatasetError, match="1 neuroids of a lie in several regions, first in 'V1' and 'EVC'"):
        export_brainscore(store, "lab", tmp_path / "out")
    path = export_brainscore(store, "lab", tmp_path / "out", rois=["EVC"], time_bin=None)[0]
    assert read_netcdf(path).variables["data"].values.shape == (3, 2)
    with pytest.raises(ChoiceError, match="no region 'EVD'"):
        export_brainscore(store, "lab", tmp_path / "out", rois=["EVD"])
    import_responses(store, dataset="two", subject="a", matrix=np.eye(3), stimuli=list("abc"), averaged=2)
    import_responses(store, dataset="two", subject="b", matrix=np.eye(3), stimuli=list("cab"), averaged=2)
    with pytest.raises(DatasetError, match="a and b saw other presentations"):
        export_brainscore(store, "two", tmp_path / "out")


def test_rdms_have_no_neuroids(store, tmp_path):
    import_rdms(store, dataset="lab", rdms={"V1": np.ones((1, 3))}, stimuli=list("abc"))
    with pytest.raises(ResponseKindError, match="only as RDMs"):
        export_brainscore(store, "lab", tmp_path / "out")


def test_files_that_are_no_assembly(store, tmp_path):
    truth = make_assembly(tmp_path)
    with pytest.raises(DatasetError, match="no file"):
        import_brainscore(store, tmp_path / "absent.nc", dataset="mini")
    (tmp_path / "text.nc").write_text("no netCDF")
    with pytest.raises(DatasetError, match="does not read as netCDF-4"):
        import_brainscore(store, tmp_path / "text.nc", dataset="mini")
    (tmp_path / "cut.nc").write_bytes(truth.path.read_bytes()[:900])
    with pytest.raises(DatasetError, match="does not read as netCDF-4"):
        import_brainscore(store, tmp_path / "cut.nc", dataset="mini")
    with pytest.raises(ChoiceError, match="no subject 's3'"):
        import_brainscore(store, truth.path, dataset="mini", subjects=["s3"])
    with pytest.raises(DatasetError, match="time_bin=1 is none of 0 to 0"):
        import_brainscore(store, truth.path, dataset="mini", time_bin=1)
    with h5py.File(truth.path, "r+") as root:
        del root["stimulus_id"]
    with pytest.raises(DatasetError, match="no coordinate 'stimulus_id'"):
        import_brainscore(store, truth.path, dataset="mini")
    with h5py.File(tmp_path / "other.nc", "w") as root:
        root["table"] = np.zeros((3, 4))
    with pytest.raises(DatasetError, match="is no NeuroidAssembly"):
        import_brainscore(store, tmp_path / "other.nc", dataset="mini")
