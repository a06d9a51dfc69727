"""The miniature goes in and comes back: values, ids, coordinates and regions equal to what slow readers find."""

import gzip
import shutil

import h5py
import nibabel
import numpy as np
import pandas as pd
import pytest
import scipy.io

from brainalign.datasets import check_tree, ingest
from brainalign.datasets.nsd import ncsnr_ceiling
from brainalign.errors import VariantError
from brainalign.stats import noise_ceiling
from brainalign.store import average_repeats, open_store
from brainalign.testing.mini_nsd import MINI_GRIDS
from brainalign.testing.mini_nsd_brain import FAMILIES

B3 = "betas_fithrf_GLMdenoise_RR"
BETAS = "nsddata_betas/ppdata"
QUICK = {"hash_stimuli": False, "check_ncsnr": False}  # for tests that look at something else


def percent_by_nibabel(root, subject, session, space="func1pt8mm"):
    """Percent signal change of one session, (x, y, z, trial), from NIfTI, loaded whole."""
    image = nibabel.load(root / BETAS / subject / space / B3 / f"betas_session{session:02d}.nii.gz")
    return image.get_fdata() / 300


def overlay(path):
    """Values of an MGH or MGZ of float32, which begin at byte 284."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".mgz" else path.read_bytes()
    header = np.frombuffer(data, ">i4", 5)
    return np.frombuffer(data, ">f4", int(np.prod(header[1:5])), offset=284)


def zscored(values):
    varies = np.ptp(values, axis=0) > 0
    return np.divide(values - values.mean(axis=0), values.std(axis=0), out=np.zeros_like(values), where=varies)


def region(root, subject, family, space="func1pt8mm"):
    return nibabel.load(root / "nsddata" / "ppdata" / subject / space / "roi" / f"{family}.nii.gz").get_fdata()


@pytest.fixture(scope="module")
def ingested(mini, tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("store"))
    report = ingest("nsd", mini[0], store)
    return store, report


def test_every_subject_and_what_is_less_than_published(ingested):
    report = ingested[1]
    assert [(e.subject, e.n_presentations) for e in report.entries] == [
        ("subj01", 1500),
        ("subj02", 1500),
        ("subj04", 750),
    ]
    assert all(e.variant == "func1pt8mm.b3.nsdgeneral.z" for e in report.entries)
    assert report.stimulus_sets == {"nsd": 3650}
    assert "1 sessions are on disk, 30 were published" in report.entries[2].notes
    assert any("up to 1 of" in note and "do not vary" in note for note in report.entries[0].notes)
    assert "30 were published" in str(report)


@pytest.mark.parametrize("subject", list(MINI_GRIDS))
def test_values_are_those_of_the_nifti_z_scored_session_by_session(ingested, mini, subject):
    responses = ingested[0].responses("nsd", subject)
    x, y, z = (responses[axis].values for axis in "xyz")
    sessions = np.unique(responses["session"].values)
    expected = [zscored(percent_by_nibabel(mini[0], subject, s)[x, y, z].T) for s in sessions]
    assert np.abs(responses["response"].values - np.concatenate(expected)).max() < 1e-5
    assert responses.attrs["shape"] == list(MINI_GRIDS[subject])


def test_neuroids_are_the_mask_in_c_order(ingested, mini):
    responses = ingested[0].responses("nsd", "subj02")
    mask = region(mini[0], "subj02", "nsdgeneral") > 0
    assert np.array_equal(np.stack([responses[a].values for a in "xyz"], axis=1), np.argwhere(mask))
    ncsnr = nibabel.load(mini[0] / BETAS / "subj02" / "func1pt8mm" / B3 / "ncsnr.nii.gz").get_fdata()[mask]
    assert np.array_equal(responses["ncsnr"].values, ncsnr, equal_nan=True)
    assert np.isnan(ncsnr).sum() == 1 and (ncsnr == 0).sum() >= 1
    affine = np.array(responses.attrs["affine"])
    assert np.allclose(affine[:3, 3], -(np.array(MINI_GRIDS["subj02"]) - 1) / 2 * 1.8)


def test_ids_count_from_0_and_repeats_over_all_sessions(ingested, mini):
    design = scipy.io.loadmat(mini[0] / "nsddata/experiments/nsd/nsd_expdesign.mat")
    table = pd.read_csv(mini[0] / "nsddata/experiments/nsd/nsd_stim_info_merged.csv", index_col=0)
    for subject, number in (("subj01", 1), ("subj04", 4)):
        responses = ingested[0].responses("nsd", subject)
        n = responses.sizes["presentation"]
        ids = design["subjectim"][number - 1, design["masterordering"][0, :n].astype(int) - 1].astype(int) - 1
        assert responses["stimulus"].values.tolist() == [f"nsd-{i:05d}" for i in ids]
        for i, r in zip(ids.tolist(), responses["repetition"].values.tolist(), strict=True):
            assert table.loc[i, f"subject{number}_rep{r}"] - 1 in np.flatnonzero(ids == i)
        behaviour = pd.read_csv(mini[0] / f"nsddata/ppdata/{subject}/behav/responses.tsv", sep="\t")
        for name in ("session", "run", "trial"):
            assert responses[name].values.tolist() == behaviour[name.upper()].tolist()


@pytest.mark.parametrize("family", list(FAMILIES))
def test_each_label_is_one_boolean(ingested, mini, family):
    responses = ingested[0].responses("nsd", "subj01")
    at = tuple(responses[axis].values for axis in "xyz")
    values = region(mini[0], "subj01", family)[at]
    for number, label in enumerate(FAMILIES[family], start=1):
        assert np.array_equal(responses[f"{family}/{label}"].values, values == number)


def test_regions_of_papers(ingested, mini):
    r = ingested[0].responses("nsd", "subj01")
    assert np.array_equal(r["brain-score/V1"], r["prf-visualrois/V1v"] | r["prf-visualrois/V1d"])
    assert np.array_equal(r["brain-score/IT"], r["streams/ventral"])
    at = tuple(r[axis].values for axis in "xyz")
    folder = mini[0] / "nsddata/ppdata/subj01/func1pt8mm"
    otc = np.zeros(r.sizes["neuroid"], dtype=bool)
    for family, name, labels in (
        ("floc-faces", "faces", (1, 2, 3)),
        ("floc-bodies", "bodies", (1, 2, 3)),
        ("floc-places", "places", (1, 2)),
        ("floc-words", "word", (1, 2, 3)),
    ):
        tval = nibabel.load(folder / f"floc_{name}tval.nii.gz").get_fdata()[at]
        otc |= np.isin(region(mini[0], "subj01", family)[at], labels) & (tval >= 1)
    otc |= ~np.isin(region(mini[0], "subj01", "streams")[at], (1, 4, 7))
    otc &= r["ncsnr"].values >= 0.2
    assert 0 < otc.sum() < len(otc)
    assert np.array_equal(r["conwell/OTC"].values, otc)


def test_sessions_and_regions_are_looked_at_while_they_are_written(mini, store):
    """Percent signal change keeps the offset of each session that the miniature has; z-scores do not."""
    report = ingest("nsd", mini[0], store, subjects=["subj02"], zscore=False, **QUICK)
    ingest("nsd", mini[0], store, subjects=["subj02"], **QUICK)
    seen = {
        name: store.responses("nsd", "subj02", variant=f"func1pt8mm.b3.nsdgeneral.{name}").attrs["provenance"]["seen"]
        for name in ("psc", "z")
    }
    assert seen["psc"]["session_share"] > 1e-3 > 1e-9 > seen["z"]["session_share"]
    assert seen["psc"]["session_p"] < 0.1 < seen["z"]["session_p"]
    assert any("neuroids never vary" in note for note in report.entries[0].notes) == bool(seen["psc"]["constant"])


def test_mni_space_is_read_where_every_session_has_data(mini, store, tmp_path):
    root, where = tmp_path / "nsd", tmp_path / "nsd" / BETAS / "subj02" / "MNI" / "betas_fithrf"
    source = mini[0] / BETAS / "subj02" / "func1pt8mm" / B3
    where.mkdir(parents=True)
    shutil.copytree(mini[0] / "nsddata" / "experiments", root / "nsddata" / "experiments")
    for session in (1, 2):
        shutil.copy(source / f"betas_session{session:02d}.nii.gz", where)
        valid = np.ones(nibabel.load(source / "ncsnr.nii.gz").shape, dtype=np.uint8)
        valid[:, :, session] = 0
        affine = np.diag([-1.0, 1, 1, 1])
        nibabel.save(nibabel.Nifti1Image(valid, affine), where / f"valid_session{session:02d}.nii.gz")
    assert all(report.ok for report in check_tree(root, dataset="nsd"))
    ingest("nsd", root, store, space="MNI", betas="b2", neuroids="all", zscore=False, **QUICK)
    r = store.responses("nsd", "subj02")
    assert r.attrs["affine"] == affine.tolist()
    assert not set(r["z"].values.tolist()) & {1, 2}
    at = tuple(r[axis].values for axis in "xyz")
    image = nibabel.load(source / "betas_session02.nii.gz")
    assert np.abs(r["response"].values[750:] - np.asanyarray(image.dataobj)[at].T / 300).max() < 1e-5


def test_spaces_and_their_scales(mini, store):
    """Volumes and native surfaces are stored times 300, fsaverage is not; NaN vertices are left out."""
    root = mini[0]
    for space in ("func1mm", "nativesurface", "fsaverage"):
        ingest("nsd", root, store, subjects=["subj02"], space=space, neuroids="all", zscore=False, **QUICK)
        r = store.responses("nsd", "subj02", variant=f"{space}.b3.all.psc")
        folder = root / BETAS / "subj02" / space / B3
        if space == "func1mm":
            at = tuple(r[axis].values for axis in "xyz")
            expected = percent_by_nibabel(root, "subj02", 2, space)[at].T
        else:
            parts = []
            for side in ("lh", "rh"):
                vertex = r["vertex"].values[r["hemisphere"].values == side]
                if space == "fsaverage":
                    parts.append(overlay(folder / f"{side}.betas_session02.mgh").reshape(750, 40)[:, vertex])
                    assert vertex.tolist() == list(range(38))
                else:
                    with h5py.File(folder / f"{side}.betas_session02.hdf5") as file:
                        parts.append(file["betas"][()][:, vertex] / 300)
            expected = np.concatenate(parts, axis=1)
            assert r.attrs["shape"] == [40, 40]
        assert np.abs(r["response"].values[750:] - expected).max() < 1e-5
        assert 0.5 < np.abs(expected).mean() < 3


def test_regions_of_a_surface(mini, store):
    ingest("nsd", mini[0], store, subjects=["subj01"], space="fsaverage", neuroids="all", rois=["Kastner2015"], **QUICK)
    r = store.responses("nsd", "subj01")
    folder = mini[0] / "nsddata/freesurfer/subj01/label"
    for side in ("lh", "rh"):
        rows = r["hemisphere"].values == side
        values = overlay(folder / f"{side}.Kastner2015.mgz")
        for number, label in enumerate(FAMILIES["Kastner2015"], start=1):
            found = r[f"Kastner2015/{label}"].values[rows]
            assert np.array_equal(found, values[r["vertex"].values[rows]] == number)


@pytest.mark.parametrize("kept", ["hdf5", "nii.gz"])
def test_hdf5_and_nifti_are_equal(tree, one_session, store, kept):
    ingest("nsd", one_session, store, variant="both", **QUICK)
    for path in (tree / BETAS).rglob("betas_session*"):
        if not path.name.endswith(kept):
            path.unlink()
    ingest("nsd", tree, store, variant="one", **QUICK)
    a, b = (store.responses("nsd", "subj04", variant=v) for v in ("both", "one"))
    assert np.array_equal(a["response"].values, b["response"].values)


def test_versions_of_the_betas(tmp_path, store):
    from brainalign.testing.mini_nsd import make_mini_nsd

    versions = ["betas_assumehrf", "betas_fithrf"]
    make_mini_nsd(tmp_path / "nsd", subjects=["subj04"], spaces=["func1pt8mm"], versions=versions, formats=["hdf5"])
    for short in ("b1", "b2"):
        ingest("nsd", tmp_path / "nsd", store, betas=short, **QUICK)
    assert store.variants("nsd") == ["func1pt8mm.b1.nsdgeneral.z", "func1pt8mm.b2.nsdgeneral.z"]
    a, b = (store.responses("nsd", "subj04", variant=v)["response"].values for v in store.variants("nsd"))
    assert np.abs(a - b).max() > 0.5


def test_one_session_is_read_without_the_others(mini, tmp_path, store):
    root = tmp_path / "nsd"
    others = shutil.ignore_patterns("subj02", "subj04", "fsaverage", "nativesurface", "func1mm", "truth")
    shutil.copytree(mini[0], root, ignore=others)
    folder = root / BETAS / "subj01" / "func1pt8mm" / B3
    whole = ingest("nsd", mini[0], store, subjects=["subj01"], variant="whole", **QUICK)
    (folder / "betas_session01.nii.gz").unlink()
    with h5py.File(folder / "betas_session01.hdf5", "w") as file:  # other values would be seen if they were read
        file.create_dataset("betas", (750, *MINI_GRIDS["subj01"][::-1]), "i2", fillvalue=7)
    report = ingest("nsd", root, store, subjects=["subj01"], sessions=[2], **QUICK)
    part = store.responses("nsd", "subj01", variant="func1pt8mm.b3.nsdgeneral.z.s02")
    full = store.responses("nsd", "subj01", variant="whole").isel(presentation=slice(750, None))
    assert np.array_equal(part["response"].values, full["response"].values)
    for name in ("stimulus", "session", "run", "trial", "repetition"):
        assert np.array_equal(part[name].values, full[name].values)
    assert (report.entries[0].n_presentations, whole.entries[0].n_presentations) == (750, 1500)


def test_skipping_the_z_score_leaves_the_session_effect(mini, store):
    ingest("nsd", mini[0], store, subjects=["subj01"], zscore=False, **QUICK)
    r = store.responses("nsd", "subj01", variant="func1pt8mm.b3.nsdgeneral.psc")
    steps = np.diff([r["response"].values[r["session"].values == s].mean() for s in (1, 2)])
    assert steps == pytest.approx(0.2, abs=0.05)
    assert r.attrs["unit"] == "percent signal change"


def test_noise_is_recovered(ingested, mini):
    """ncsnr of the files is about 1 / sd of the noise, recomputed it is the same, and the ceiling follows from it."""
    store, report = ingested
    said = next(n for n in report.entries[0].notes if n.startswith("ncsnr of the files"))
    assert float(said.split("at most ")[1].split(",")[0]) < 1e-5
    r = store.responses("nsd", "subj01")
    truth = np.load(mini[0] / "truth" / f"subj01_func1pt8mm_{B3}.npz")
    at = np.ravel_multi_index(tuple(r[axis].values for axis in "xyz"), MINI_GRIDS["subj01"])
    signal = (truth["weights"][:, at] != 0).any(axis=0)
    assert np.median(r["ncsnr"].values[signal] * truth["noise_sd"][at][signal]) == pytest.approx(1, abs=0.1)
    shipped, ours = ncsnr_ceiling(r), noise_ceiling(r)
    assert shipped.n_repeats == pytest.approx(3) and ours.n_repeats == pytest.approx(3)
    both = np.isfinite(shipped.value) & (ours.value > 0)
    assert np.abs(shipped.value - ours.value)[both].max() < 0.05
    exact = 1 / (1 + truth["noise_sd"][at] ** 2 / 3)
    assert np.abs(shipped.value - exact)[signal].mean() < 0.05


def test_ceiling_of_unequal_repeats(ingested):
    r = ingested[0].responses("nsd", "subj04")
    counts = np.unique(r["stimulus"].values, return_counts=True)[1]
    assert set(counts) == {1, 2, 3}
    a, b, c = ((counts == k).sum() for k in (3, 2, 1))
    squared = r["ncsnr"].values.astype(float) ** 2
    expected = squared / (squared + (a / 3 + b / 2 + c) / (a + b + c))
    assert np.allclose(ncsnr_ceiling(r).value, expected, equal_nan=True)
    assert np.allclose(ncsnr_ceiling(average_repeats(r)).value, expected, equal_nan=True)


def test_repeating_the_call_writes_nothing_and_other_options_are_refused(tree, store):
    assert ingest("nsd", tree, store, **QUICK).entries[0].written
    assert not ingest("nsd", tree, store, **QUICK).entries[0].written
    with pytest.raises(VariantError, match="option zscore: stored True, given False"):
        ingest("nsd", tree, store, zscore=False, variant="func1pt8mm.b3.nsdgeneral.z")


def test_only_the_files_that_are_needed_need_be_there(tree, store):
    """No table of stimuli, no behaviour, no brick, no mask, no label tables, no ncsnr; one hemisphere of a region."""
    whole = ingest("nsd", tree, store, variant="whole", **QUICK)
    folder = tree / "nsddata/ppdata/subj04"
    shutil.rmtree(tree / "nsddata_stimuli")
    shutil.rmtree(folder / "behav")
    for path in (tree / "nsddata/experiments/nsd").glob("*merged*"):
        path.unlink()
    (folder / "func1pt8mm/brainmask.nii.gz").unlink()
    (folder / "func1pt8mm/roi/prf-visualrois.nii.gz").unlink()
    (folder / "func1pt8mm/roi/streams.nii.gz").unlink()
    (folder / "func1pt8mm/roi/lh.streams.nii.gz").unlink()
    (tree / BETAS / "subj04/func1pt8mm" / B3 / "ncsnr.nii.gz").unlink()
    report = ingest("nsd", tree, open_store(store.url + "-2"), variant="whole", **QUICK)
    assert report.entries[0].n_neuroids == whole.entries[0].n_neuroids
    assert any("only rh.streams.nii.gz is there" in note for note in report.entries[0].notes)
    assert any("no region conwell/OTC" in note for note in report.entries[0].notes)
    a = store.responses("nsd", "subj04")
    b = open_store(store.url + "-2").responses("nsd", "subj04")
    for name in ("response", "stimulus", "run", "trial", "prf-visualrois/V1v"):
        assert np.array_equal(a[name].values, b[name].values)
    assert "ncsnr" not in b.variables
