"""What the checks say of trees that are whole and wrong: everything at once, before anything is ingested."""

import json

import h5py
import nibabel
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.datasets import check_tree
from brainalign.datasets import room as room_module
from brainalign.store import open_store
from brainalign.testing.mini_volumes import write_volume
from brainalign.testing.miniatures import MINIATURES


def rewrite(path, change, separator=None):
    separator = separator or ("\t" if path.suffix == ".tsv" else ",")
    table = pd.read_csv(path, sep=separator)
    changed = change(table)
    (table if changed is None else changed).to_csv(path, sep=separator, index=False)


def one(root, pattern):
    return next(iter(sorted(root.rglob(pattern))))


def spoil_algonauts(root):
    folder = root / "subj01"
    next(iter(sorted((folder / "training_split/training_images").glob("train-0002_*")))).unlink()
    ceiling = folder / "test_split/noise_ceiling/lh_noise_ceiling.npy"
    np.save(ceiling, np.load(ceiling) * 100)
    mask = folder / "roi_masks/lh.streams_challenge_space.npy"
    np.save(mask, np.load(mask)[:-1])
    faces = folder / "roi_masks/rh.floc-faces_challenge_space.npy"
    np.save(faces, np.full_like(np.load(faces), 9))
    last = one(root / "subj06/test_split/test_images", "test-0005_*")
    last.rename(last.with_name("test-0005_nsd-73000.png"))


def spoil_things(root):
    rewrite(one(root, "sub-01_StimulusMetadata.csv"), lambda table: table.drop(columns="stimulus"))
    rewrite(one(root, "sub-01_VoxelMetadata.csv"), lambda table: table.update(table[["V1"]] + 1))
    write_volume(one(root, "sub-01_lFFA.nii.gz"), np.ones((3, 4, 5)))
    rewrite(one(root, "*_conditions.tsv"), lambda table: table.drop(index=0))


def spoil_bold5000(root):
    path = one(root, "CSI1_imgnames.txt")
    path.write_text(path.read_text() + "one_more.jpg\n")
    write_volume(one(root, "sub-CSI1_mask-LHPPA.nii.gz"), np.ones((3, 4, 5)))


def spoil_god(root):
    with h5py.File(one(root, "Subject1.h5"), "r+") as file:
        keys = [key.decode() for key in file["metadata/key"][:]]
        column = int(np.flatnonzero(file["metadata/value"][keys.index("DataType")] == 1)[0])
        file["dataset"][0, column] = 7


def spoil_laion(root):
    rewrite(one(root, "*ses-01*_trials.tsv"), lambda table: table.update(table[["beta_index"]] + 1))
    write_volume(one(root, "*Noiseceiling12rep*"), np.ones((3, 4, 5)))


def spoil_mindeye2(root):
    path = one(root, "betas_all_subj*.hdf5")
    with h5py.File(path, "r") as file:
        betas = file["betas"][:5]
    with h5py.File(path, "w") as file:
        file["betas"] = betas


def spoil_haxby(root):
    path = one(root, "labels.txt")
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    write_volume(one(root, "mask4_vt.nii.gz"), np.ones((3, 4, 5)))


def spoil_miyawaki(root):
    path = one(root, "data_random_run03_label.csv")
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    write_volume(one(root, "LHV1d.nii.gz"), np.ones((3, 4, 5)))


SPOILT = {
    "algonauts2023": (
        spoil_algonauts,
        ("none with number 0002", "share between 0 and 1", "lh.streams_challenge", "labels \\[9\\]", "count from 1"),
    ),
    "things-fmri": (spoil_things, ("'stimulus' is needed", "a region is 0 or 1", "lFFA.*grid of", "names .* trials")),
    "bold5000": (spoil_bold5000, ("imgnames.txt names", "LHPPA.*grid of")),
    "god": (spoil_god, (r"DataType \[7\] is not",)),
    "laion-fmri": (spoil_laion, ("beta_index 1 to", "Noiseceiling12rep.*grid of")),
    "nsd-mindeye2": (spoil_mindeye2, ("has 5 trials; the behaviour tars name",)),
    "haxby": (spoil_haxby, (r"labels.txt has 959 rows", "mask4_vt")),
    "miyawaki2008": (spoil_miyawaki, ("data_random_run03_label.csv has", "LHV1d")),
}


@pytest.mark.parametrize("dataset", SPOILT)
def test_every_problem_is_said_at_once(dataset, tmp_path):
    MINIATURES[dataset].make(tmp_path)
    spoil, said = SPOILT[dataset]
    assert check_tree(tmp_path, dataset=dataset)[0].ok
    spoil(tmp_path)
    (report,) = check_tree(tmp_path, dataset=dataset)
    for message in said:
        with pytest.raises(AssertionError, match=message):
            raise AssertionError("\n".join(report.problems))


def test_undefined_ceilings_and_pickles_are_noted(tmp_path):
    MINIATURES["things-fmri"].make(tmp_path / "things")
    rewrite(
        one(tmp_path, "*_VoxelMetadata.csv"), lambda t: t.__setitem__("nc_testset", [np.nan, 0] + [5.0] * (len(t) - 2))
    )
    notes = check_tree(tmp_path)[0].notes
    assert any("nc_testset is NaN in 1 and 0 in 1 of" in note for note in notes)
    MINIATURES["bold-moments"].make(tmp_path / "moments")
    notes = check_tree(tmp_path / "moments")[0].notes
    assert any("trust_pickle=True" in note for note in notes)


def test_a_full_disk_is_a_problem_of_the_check(tmp_path, monkeypatch):
    MINIATURES["laion-fmri"].make(tmp_path / "tree")
    (report,) = check_tree(tmp_path / "tree", store=open_store(tmp_path / "store"))
    trials, voxels = map(int, [word for word in report.found[0].split() if word.isdigit()][-2:])
    assert report.ok and report.n_bytes == 4 * trials * voxels
    usage = room_module.shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr(room_module.shutil, "disk_usage", lambda path: usage)
    words = ["data", "check", str(tmp_path / "tree"), "--store", str(tmp_path / "store"), "--json"]
    result = CliRunner().invoke(build_app(), words)
    assert result.exit_code == 1
    assert "are needed in" in json.loads(result.stdout)[0]["problems"][0]
    assert not (tmp_path / "store").exists()


def test_a_pickled_array_is_refused_by_the_check(tmp_path):
    MINIATURES["algonauts2023"].make(tmp_path)
    path = one(tmp_path, "lh_training_fmri.npy")
    np.save(path, np.load(path).astype(object), allow_pickle=True)
    (report,) = check_tree(tmp_path)
    assert len(report.problems) == 1 and "holds Python objects" in report.problems[0]


def test_what_can_be_checked_is_also_said_by_the_headers(tmp_path):
    """A volume whose content was replaced by a shorter one of the same name is found by its length alone."""
    MINIATURES["haxby"].make(tmp_path)
    path = one(tmp_path, "bold.nii.gz")
    image = nibabel.load(path)
    path.write_bytes(path.read_bytes()[:-4] + (1234).to_bytes(4, "little"))
    assert image.shape[3] == 960
    assert "cut off" in check_tree(tmp_path)[0].problems[0]
