"""Maps with masks and label images, against nilearn's maskers and the arrays that they were made of."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiLabelsMasker, NiftiMasker
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from scipy.stats import zscore

from brainalign.datasets import import_volumes
from brainalign.errors import ChoiceError, DatasetError, InputError
from brainalign.store import open_store

GRID = (5, 4, 3)
AFFINE = np.diag([-2.0, 2.0, 2.0, 1.0])
IDS = ["cat", "dog", "cat", "owl", "dog", "cow"]


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def betas():
    return np.random.default_rng(0).normal(size=(*GRID, 6)).astype(np.float32)


@pytest.fixture
def table():
    return pd.DataFrame({"stimulus": IDS, "session": [1, 1, 1, 2, 2, 2], "run": [1, 1, 2, 1, 1, 2]})


def volume(values, affine=AFFINE):
    return nib.Nifti1Image(values, affine)


def put(store, maps, table, **options):
    return import_volumes(store, dataset="lab", subject="s1", maps=maps, table=table, **options)


def test_a_mask_selects_as_niftimasker_does(store, betas, table, tmp_path):
    mask = volume((np.random.default_rng(1).random(GRID) < 0.5).astype(np.uint8))
    nib.save(volume(betas), tmp_path / "betas.nii.gz")
    report = put(store, tmp_path / "betas.nii.gz", table, mask=mask)
    back = store.responses("lab", "s1")
    masker = NiftiMasker(mask, standardize=None).fit()
    assert np.array_equal(back["response"].values, masker.transform(volume(betas)))
    assert back["response"].dtype == np.float32
    x, y, z = (back[axis].values for axis in "xyz")
    assert np.array_equal(back["response"].values.T, betas[x, y, z])
    assert back.attrs["shape"] == list(GRID)
    assert np.array_equal(back.attrs["affine"], AFFINE)
    assert back["repetition"].values.tolist() == [0, 0, 1, 0, 1, 0]
    assert back["session"].values.tolist() == [1, 1, 1, 2, 2, 2]
    assert report.repeats == (1, 2)
    put(store, volume(betas), table, mask=masker)  # a fitted masker is its mask


def test_label_images_of_nsd_have_minus_one_outside(store, betas, table):
    labels = np.full(GRID, -1.0)
    labels[1:] = np.arange(48).reshape(4, 4, 3) % 3
    image = volume(labels)
    report = put(
        store,
        volume(betas),
        table,
        rois={"prf-visualrois": image},
        label_tables={"prf-visualrois": {0: "Unknown", 1: "V1v", 2: "V1d"}},
    )
    back = store.responses("lab", "s1")
    assert report.rois == ("prf-visualrois/V1v", "prf-visualrois/V1d")
    assert back.sizes["neuroid"] == int((labels > 0).sum())
    zeroed = volume(np.where(labels < 0, 0, labels).astype(np.int16))
    means = NiftiLabelsMasker(zeroed, standardize=None).fit().transform(volume(betas))
    for column, label in enumerate(report.rois):
        inside = back[label].values
        assert np.allclose(back["response"].values[:, inside].mean(axis=1), means[:, column], atol=1e-5)


def test_overlapping_masks_and_a_region_outside(store, betas, table):
    a, b, far = np.zeros((3, *GRID), np.uint8)
    a[0:3], b[2:4], far[4] = 1, 1, 1
    mask = np.zeros(GRID, np.uint8)
    mask[:4] = 1
    rois = {"a": volume(a), "b": volume(b), "far": volume(far)}
    report = put(store, volume(betas), table, mask=volume(mask), rois=rois)
    back = store.responses("lab", "s1")
    assert report.rois == ("a", "b")
    assert any("far" in note for note in report.notes)
    assert int((back["a"].values & back["b"].values).sum()) == 12


@pytest.mark.parametrize("form", ["list of 3-D", "list of 4-D", "big-endian", "scaled"])
def test_forms_of_a_stack(store, betas, table, tmp_path, form):
    if form == "list of 3-D":
        maps = []
        for i in range(6):
            maps.append(tmp_path / f"map{i}.nii")
            nib.save(volume(betas[..., i]), maps[-1])
    elif form == "list of 4-D":
        maps = [volume(betas[..., :2]), volume(betas[..., 2:])]
    elif form == "big-endian":
        maps = nib.Nifti1Image(betas.astype(">f4"), AFFINE, nib.Nifti1Header(endianness=">"))
        nib.save(maps, tmp_path / "big.nii")
        maps = str(tmp_path / "big.nii")
    else:
        betas = np.round(betas * 300).astype(np.int16)
        nib.save(volume(betas), tmp_path / "scaled.nii.gz")
        maps, betas = tmp_path / "scaled.nii.gz", betas.astype(np.float32) / np.float32(300)
    put(store, maps, table, scale=300 if form == "scaled" else 1)
    back = store.responses("lab", "s1")["response"]
    assert back.values.dtype.isnative
    assert np.array_equal(back.values, betas.reshape(-1, 6).T)


def test_surfaces_in_every_form(tmp_path, table):
    rng = np.random.default_rng(2)
    left, right = rng.normal(size=(7, 6)).astype(np.float32), rng.normal(size=(9, 6)).astype(np.float32)
    for name, values in (("lh", left), ("rh", right)):
        nib.save(nib.MGHImage(values[:, None, None, :], np.eye(4)), tmp_path / f"{name}.betas.mgh")
        arrays = [nib.gifti.GiftiDataArray(v, intent="NIFTI_INTENT_TIME_SERIES") for v in values.T]
        nib.save(nib.GiftiImage(darrays=arrays), tmp_path / f"x_hemi-{name[0].upper()}_bold.func.gii")
    parts = {
        side: InMemoryMesh(rng.normal(size=(n, 3)), np.array([[0, 1, 2]])) for side, n in (("left", 7), ("right", 9))
    }
    mesh = PolyMesh(**parts)
    forms = {
        "mgh": [tmp_path / "lh.betas.mgh", tmp_path / "rh.betas.mgh"],
        "gifti": [tmp_path / "x_hemi-R_bold.func.gii", tmp_path / "x_hemi-L_bold.func.gii"],
        "nilearn": SurfaceImage(mesh=mesh, data={"left": left, "right": right}),
        "arrays": {"left": left, "right": right},
    }
    label = {"left": np.array([0, 1, 1, 2, -1, 0, 1]), "right": np.zeros(9, int)}
    for form, maps in forms.items():
        store = open_store(tmp_path / form)
        put(store, maps, table, mask={"left": np.ones(7), "right": np.arange(9) > 3}, rois={"r": label}, surface="tiny")
        back = store.responses("lab", "s1")
        assert np.array_equal(back["response"].values, np.concatenate([left, right[4:]]).T), form
        assert back["hemisphere"].values.tolist() == ["lh"] * 7 + ["rh"] * 5
        assert back["vertex"].values.tolist() == [*range(7), *range(4, 9)]
        assert back["r/1"].values.tolist()[:7] == [False, True, True, False, False, False, True]
        assert (back.attrs["surface"], back.attrs["shape"]) == ("tiny", [7, 9])


def test_one_hemisphere_alone(store, table):
    put(store, {"right": np.ones((4, 6)) * np.arange(6)}, table)
    back = store.responses("lab", "s1")
    assert back.attrs["shape"] == [0, 4]
    assert set(back["hemisphere"].values) == {"rh"}


def test_names_of_labels_come_with_gifti_and_annotations(tmp_path, table):
    values = np.array([0, 3, 3, 5], np.int32)
    gifti = nib.GiftiImage(darrays=[nib.gifti.GiftiDataArray(values, intent="NIFTI_INTENT_LABEL")])
    for number, name in ((0, "???"), (3, "V1"), (5, "V2")):
        entry = nib.gifti.GiftiLabel(number)
        entry.label = name
        gifti.labeltable.labels.append(entry)
    nib.save(gifti, tmp_path / "x_hemi-L_dseg.label.gii")
    colours = np.array([[0, 0, 0, 0], [10, 0, 0, 0], [20, 0, 0, 0]])
    nib.freesurfer.write_annot(
        tmp_path / "lh.areas.annot", np.array([0, 1, 1, 2]), colours, ["unknown", "V1", "V2"], fill_ctab=True
    )
    for file in ("x_hemi-L_dseg.label.gii", "lh.areas.annot"):
        store = open_store(tmp_path / file.split(".")[0])
        report = put(
            store, {"left": np.random.default_rng(0).normal(size=(4, 6))}, table, rois={"areas": [str(tmp_path / file)]}
        )
        assert report.rois == ("areas/V1", "areas/V2")
        assert store.responses("lab", "s1")["areas/V1"].values.tolist() == [True, True, False]


@pytest.mark.parametrize("ending", ["tsv", "ctab"])
def test_label_tables_of_bids_and_of_freesurfer(store, betas, table, tmp_path, ending):
    path = tmp_path / f"names.{ending}"
    path.write_text("index\tname\n0\tn/a\n1\tV1v\n2\thV4\n" if ending == "tsv" else "0 Unknown\n1 V1v\t    \n2  hV4 \n")
    labels = np.arange(60).reshape(GRID) % 3
    report = put(store, volume(betas), table, rois={"k": volume(labels.astype(np.int16))}, label_tables={"k": path})
    assert report.rois == ("k/V1v", "k/hV4")


@pytest.mark.parametrize("within", ["session", "run"])
def test_zscore_within(store, betas, table, within):
    table = pd.concat([table] * 2, ignore_index=True).sort_values(["session", "run"], kind="stable")
    betas = np.concatenate([betas, betas[..., ::-1] + 2], axis=3)
    betas[0, 0, 0] = 7.3  # never varies
    put(store, volume(betas), table, zscore=within)
    flat = betas.reshape(60, 12).T
    groups = table["session"].astype(str) + ("-" + table["run"].astype(str) if within == "run" else "")
    expected = np.concatenate([zscore(flat[groups.to_numpy() == g][:, 1:], axis=0) for g in dict.fromkeys(groups)])
    back = store.responses("lab", "s1")["response"].values
    assert np.allclose(back[:, 1:], expected, atol=1e-5)
    assert not back[:, 0].any()


def test_maps_without_a_stimulus_and_neuroids_without_values_are_counted(store, betas, table):
    betas[0, 0, 1, 3] = np.nan
    betas[1, 1, 1] = 4
    table.loc[5, "stimulus"] = None
    report = put(store, volume(betas), table)
    back = store.responses("lab", "s1")
    assert back.sizes == {"presentation": 5, "neuroid": 59, "label": 1}
    assert (0, 0, 1) not in set(zip(*(back[a].values.tolist() for a in "xyz"), strict=True))
    assert len(report.notes) == 3
    assert "1 of 60 neuroids are NaN" in report.notes[0]
    assert "1 of 59 neuroids never vary" in report.notes[-1]
    assert "1 maps have no stimulus" in str(report)


def test_grids_that_differ_are_refused(store, betas, table):
    moved = AFFINE.copy()
    moved[0, 3] = 2
    with pytest.raises(DatasetError, match=r"4 x 4 x 3 voxels; .* 5 x 4 x 3 voxels.*Resample"):
        put(store, volume(betas), table, mask=volume(np.ones((4, 4, 3), np.uint8)))
    with pytest.raises(DatasetError, match="another affine"):
        put(store, volume(betas), table, mask=volume(np.ones(GRID, np.uint8), moved))
    with pytest.raises(DatasetError, match="surface of 60 left"):
        put(store, volume(betas), table, mask={"left": np.ones(60)})


def test_input_that_cannot_be_used(store, betas, table, tmp_path):
    maps = volume(betas)
    with pytest.raises(DatasetError, match="no file"):
        put(store, tmp_path / "absent.nii.gz", table)
    (tmp_path / "text.nii").write_text("no image")
    with pytest.raises(DatasetError, match=r"text\.nii does not read as an image"):
        put(store, tmp_path / "text.nii", table)
    nib.save(volume(np.repeat(betas, 40, axis=3)), tmp_path / "cut.nii.gz")
    whole = (tmp_path / "cut.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match=r"cut\.nii\.gz is damaged or cut short"):
        put(store, tmp_path / "cut.nii.gz", pd.concat([table] * 40))
    with pytest.raises(DatasetError, match=r"5 rows; .* 6 maps"):
        put(store, maps, table.iloc[:5])
    with pytest.raises(ChoiceError, match=r"no column 'stimulu'.*Did you mean 'stimulus'"):
        put(store, maps, table, stimulus="stimulu")
    with pytest.raises(ChoiceError, match="zscore='sesion'"):
        put(store, maps, table, zscore="sesion")
    with pytest.raises(DatasetError, match="needs a column 'session'"):
        put(store, maps, table[["stimulus"]], zscore="session")
    with pytest.raises(DatasetError, match="takes no place"):
        put(store, maps, table, mask=volume(np.full(GRID, -1, np.int16)))
    with pytest.raises(DatasetError, match="whole numbers"):
        put(store, maps, table, rois={"t": volume(np.full(GRID, 0.5))})
    with pytest.raises(DatasetError, match=r"labels \[2\], which its table \(k\) does not name"):
        put(store, maps, table, rois={"k": volume(np.full(GRID, 2, np.int16))}, label_tables={"k": {1: "a"}})
    with pytest.raises(InputError, match="no label image of that name"):
        put(store, maps, table, label_tables={"k": {1: "a"}})
    with pytest.raises(DatasetError, match="does not say which hemisphere"):
        put(store, tmp_path / "betas.func.gii", table)
    with pytest.raises(DatasetError, match=r"'name'|index and name"):
        pd.DataFrame({"a": [1]}).to_csv(tmp_path / "t.tsv", sep="\t")
        put(store, maps, table, rois={"k": volume(np.ones(GRID, np.int16))}, label_tables={"k": tmp_path / "t.tsv"})
    assert store.subjects("lab") == []
