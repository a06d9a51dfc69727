"""Whatever is wrong with a tree is refused with the file, what was expected, and the way out; the check says all."""

import gzip
import json

import h5py
import nibabel
import numpy as np
import pandas as pd
import pytest
import scipy.io
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.datasets import check_tree, ingest
from brainalign.datasets import room as room_module
from brainalign.errors import ChoiceError, DatasetError, StoreError

BETAS = "nsddata_betas/ppdata/subj04/func1pt8mm/betas_fithrf_GLMdenoise_RR"
ROI = "nsddata/ppdata/subj04/func1pt8mm/roi"
DESIGN = "nsddata/experiments/nsd/nsd_expdesign.mat"
TABLE = "nsddata/experiments/nsd/nsd_stim_info_merged.csv"
BEHAVIOUR = "nsddata/ppdata/subj04/behav/responses.tsv"


def cut(path, share=0.5):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def rename(tree):
    (tree / BETAS / "betas_session01.hdf5").rename(tree / BETAS / "betas_session03.hdf5")
    (tree / BETAS / "betas_session01.nii.gz").unlink()


def cut_hdf5(tree):
    cut(tree / BETAS / "betas_session01.hdf5")


def cut_nifti(tree):
    (tree / BETAS / "betas_session01.hdf5").unlink()
    cut(tree / BETAS / "betas_session01.nii.gz")


def other_grid(tree):
    image = nibabel.Nifti1Image(np.zeros((8, 6, 7)), np.eye(4))
    nibabel.save(image, tree / ROI / "nsdgeneral.nii.gz")


def resampled(tree):
    path = tree / ROI / "streams.nii.gz"
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(image.get_fdata() * 0.9, image.affine), path)


def other_axes(tree):
    path = tree / BETAS / "betas_session01.hdf5"
    with h5py.File(path, "r") as file:
        values = file["betas"][()]
    with h5py.File(path, "w") as file:
        file["betas"] = values.transpose(0, 2, 3, 1)


def percent_in_hdf5(tree):
    path = tree / BETAS / "betas_session01.hdf5"
    with h5py.File(path, "r") as file:
        values = file["betas"][()]
    with h5py.File(path, "w") as file:
        file["betas"] = values / 300.0


def change_design(tree, **changes):
    path = tree / DESIGN
    fields = {k: v for k, v in scipy.io.loadmat(path).items() if not k.startswith("__")}
    for name, change in changes.items():
        fields[name] = change(fields[name])
    scipy.io.savemat(path, fields)


def ids_from_0(tree):
    change_design(tree, subjectim=lambda ids: ids - 1, sharedix=lambda ids: ids - 1)


def shared_from_0(tree):
    change_design(tree, sharedix=lambda ids: ids - 1)


def ordering_from_0(tree):
    change_design(tree, masterordering=lambda order: order - 1)


def behaviour_from_0(tree):
    table = pd.read_csv(tree / BEHAVIOUR, sep="\t")
    table["73KID"] -= 1
    table.to_csv(tree / BEHAVIOUR, sep="\t", index=False)


def behaviour_cut_off(tree):
    table = pd.read_csv(tree / BEHAVIOUR, sep="\t")
    table.iloc[:700].to_csv(tree / BEHAVIOUR, sep="\t", index=False)


def change_table(tree, change):
    table = pd.read_csv(tree / TABLE, index_col=0)
    change(table)
    table.to_csv(tree / TABLE)


def table_from_1(tree):
    change_table(tree, lambda table: table.update(table[["nsdId"]] + 1))


def table_of_other_trials(tree):
    def change(table):
        table["subject4_rep0"] = np.where(table["subject4_rep0"] > 0, table["subject4_rep0"] - 1, 0)

    change_table(tree, change)


def fewer_images(tree):
    path = tree / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("imgBrick", (3000, 8, 8, 3), "u1")


def bad_ctab(tree):
    folder = tree / "nsddata/freesurfer/subj04/label"
    folder.mkdir(parents=True)
    (folder / "streams.mgz.ctab").write_text("0 Unknown\n1 early\ntwo midventral\n")


BAD = {
    rename: r"lacks betas_session01, betas_session02: fetch what is missing",
    cut_hdf5: r"betas_session01\.hdf5 cannot be read .*truncated.*fetch it again",
    cut_nifti: r"betas_session01\.nii\.gz .*cut off.*fetch it again",
    other_grid: r"nsdgeneral\.nii\.gz has the grid \(8, 6, 7\); .*betas_session01\.hdf5 has \(8, 7, 6\)",
    other_axes: r"\.nii\.gz has the grid \(8, 7, 6\); .*betas_session01\.hdf5 has \(6, 8, 7\)",
    resampled: r"streams\.nii\.gz holds numbers that are no labels",
    percent_in_hdf5: r"holds float64; expected int16, percent signal change times 300",
    ids_from_0: r"expdesign\.mat: subjectim holds 0; its numbers count from 1",
    shared_from_0: r"not those of sharedix, all of them by 1",
    ordering_from_0: r"masterordering holds 0; its numbers count from 1",
    behaviour_from_0: r"responses\.tsv: 73KID is .*750 of 750 trials differ; all are off by -1",
    behaviour_cut_off: r"responses\.tsv has 700 trials in sessions 1 to 1; the betas have 750",
    table_from_1: r"merged\.csv: nsdId counts from 1 and must count from 0",
    table_of_other_trials: r"merged\.csv: column subject4_rep0 says that trial",
    fewer_images: r"nsd_stimuli\.hdf5 has 3000 images; .*shows nsdId",
    bad_ctab: r"streams\.mgz\.ctab, line 3: 'two midventral' is not of the form",
}


@pytest.mark.parametrize("damage", list(BAD), ids=lambda damage: damage.__name__)
def test_a_bad_file_is_refused_and_named_by_the_check_too(tree, store, damage):
    damage(tree)
    with pytest.raises(DatasetError, match=BAD[damage]):
        ingest("nsd", tree, store, hash_stimuli=False)
    assert store.entries().query("kind == 'responses'").empty
    with pytest.raises(AssertionError, match=BAD[damage]):
        problems = "\n".join(check_tree(tree)[0].problems)
        raise AssertionError(problems)


def test_the_check_says_everything_at_once(tree):
    assert check_tree(tree)[0].ok
    behaviour_from_0(tree)
    other_grid(tree)
    bad_ctab(tree)
    (tree / BETAS / "ncsnr.nii.gz").write_bytes(gzip.compress(b"nothing"))
    cut(tree / BETAS / "betas_session01.nii.gz")
    result = CliRunner().invoke(build_app(), ["data", "check", str(tree), "--json"])
    assert result.exit_code == 1
    report = json.loads(result.stdout)[0]
    text = "\n".join(report["problems"])
    for name in ("responses.tsv", "nsdgeneral.nii.gz", "streams.mgz.ctab", "ncsnr.nii.gz", "session01.nii.gz"):
        assert name in text
    assert "subj04/func1pt8mm/betas_fithrf_GLMdenoise_RR: 1 sessions of 750 trials" in report["found"]
    assert any("30 were published" in note for note in report["notes"])


def test_a_sound_tree_passes_the_check(mini):
    report = check_tree(mini[0], dataset="nsd")[0]
    assert report.ok, str(report)
    assert len([line for line in report.found if "sessions of" in line]) == 12


def test_a_folder_of_something_else(tmp_path, store):
    (tmp_path / "photos").mkdir()
    with pytest.raises(DatasetError, match="expected the folders nsddata, nsddata_betas"):
        ingest("nsd", tmp_path, store)
    with pytest.raises(DatasetError, match="holds no files of a dataset that has a check"):
        check_tree(tmp_path)
    with pytest.raises(ChoiceError, match="Did you mean 'nsd'"):
        check_tree(tmp_path, dataset="nds")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": ["subj09"]}, "there is no subject 'subj09'.*Did you mean 'subj04'"),
        ({"space": "func2mm"}, "space='func2mm' is not read.*func1mm"),
        ({"betas": "b4"}, "betas='b4' is not known"),
        ({"betas": "b2"}, "has func1pt8mm/betas_fithrf: fetch it"),
        ({"neuroids": "nsdgenral"}, "Did you mean 'nsdgeneral'"),
        ({"neuroids": "V1v"}, "several families; name one of prf-visualrois/V1v, Kastner2015/V1v"),
        ({"neuroids": "streams/ventrl"}, "streams has no region 'ventrl'.*Did you mean 'ventral'"),
        ({"neuroids": "ncsnr>50"}, "leaves no voxel"),
        ({"rois": ["prf"]}, "there are no regions 'prf'"),
        ({"sessions": "one"}, "must be numbers"),
        ({"stimuli": "shared500"}, "Did you mean 'shared1000' or 'shared515'"),
    ],
)
def test_choices_that_are_not_there(one_session, store, options, message):
    with pytest.raises(ChoiceError, match=message):
        ingest("nsd", one_session, store, **options)


def test_a_session_that_is_not_there(one_session, store):
    with pytest.raises(DatasetError, match=r"lacks the sessions \[2\] that were asked for; it holds 1 to 1"):
        ingest("nsd", one_session, store, sessions=[1, 2])


def test_a_disk_without_room_is_seen_before_anything_is_written(one_session, store, monkeypatch):
    usage = room_module.shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(room_module.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(StoreError, match=r"0\.\d MB are needed .* 0\.0 MB are free"):
        ingest("nsd", one_session, store)
    assert store.entries().empty


def test_a_threshold_without_ncsnr(tree, store):
    (tree / BETAS / "ncsnr.nii.gz").unlink()
    with pytest.raises(DatasetError, match="holds no ncsnr, which the threshold needs"):
        ingest("nsd", tree, store, neuroids="ncsnr>0.2")
