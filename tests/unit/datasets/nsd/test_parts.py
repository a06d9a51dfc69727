"""Label tables, splits, neuroid choices, chunks: each against what the released files are known to hold."""

import tracemalloc

import h5py
import nibabel
import numpy as np
import pytest

from brainalign.datasets import ingest
from brainalign.datasets.colour_print import colour_print
from brainalign.datasets.images import iter_images
from brainalign.datasets.nsd import official_ncsnr
from brainalign.datasets.nsd.betas import open_betas
from brainalign.datasets.nsd.design import Design, read_design
from brainalign.datasets.nsd.labels import read_ctab
from brainalign.datasets.nsd.ncsnr import ncsnr_of_repeats
from brainalign.datasets.nsd.splits import sessions_run, split_columns
from brainalign.datasets.nsd.tree import NsdTree
from brainalign.errors import DatasetError, UndefinedError
from brainalign.manifests import load_manifest
from brainalign.testing.mini_nsd import write_full_shape

QUICK = {"hash_stimuli": False, "check_ncsnr": False}  # for tests that look at something else


def test_published_numbers():
    manifest = load_manifest("nsd")
    counts = manifest.published_counts
    assert sum(c["trials"] for c in counts.values()) == 213_000
    assert all(c["trials"] == 750 * c["sessions"] for c in counts.values())
    assert min(c["shared_images_seen_3_times"] for c in counts.values()) == 515
    assert manifest.spaces["func1pt8mm"].sizes["subj01"] == [81, 104, 83]
    assert manifest.spaces["nativesurface"].sizes["subj08"] == [224364, 224398]
    assert counts["subj05"]["nsdgeneral_voxels_func1pt8mm"] == 13039


@pytest.mark.parametrize(
    ("family", "number", "label"),
    [
        ("prf-visualrois", 7, "hV4"),
        ("prf-eccrois", 5, "ecc4+"),
        ("floc-faces", 3, "FFA-2"),
        ("floc-words", 4, "mfs-words"),
        ("streams", 5, "ventral"),
        ("Kastner2015", 12, "TO2"),
        ("HCP_MMP1", 8, "4"),
        ("HCP_MMP1", 18, "FFC"),
        ("HCP_MMP1", 180, "p24"),
        ("MTL", 4, "PhC"),
        ("thalamus", 1, "LGN"),
    ],
)
def test_built_in_label_tables(family, number, label):
    assert load_manifest("nsd").label_tables[family].labels[number] == label


def test_ctab_with_trailing_blanks(tmp_path):
    path = tmp_path / "Kastner2015.mgz.ctab"
    path.write_text("0 Unknown\n1 V1v\t    \n2  V1d \n\n10 area with blanks\t\n")
    assert read_ctab(path) == {1: "V1v", 2: "V1d", 10: "area with blanks"}
    path.write_text("0 Unknown\n1 V1v\n1 V1d\n")
    with pytest.raises(DatasetError, match="line 3: 1 'V1d' stands twice"):
        read_ctab(path)


def test_a_ctab_wins_over_the_built_in_table(tree, store):
    folder = tree / "nsddata/freesurfer/subj04/label"
    folder.mkdir(parents=True)
    (folder / "streams.mgz.ctab").write_text("0 Unknown\n1 a\n2 b\n3 c\n4 d\n5 e\n6 f\t  \n")
    report = ingest("nsd", tree, store, rois=["streams"], **QUICK)
    assert report.entries[0].rois == tuple(f"streams/{name}" for name in "abcdef7")
    assert "streams: no label table names [7]; the numbers stand for names" in report.entries[0].notes


def test_subcortical_regions_have_no_minus_one(tree, store):
    """thalamus and MTL are 0 outside, and the whole brain is the sum of the hemispheres."""
    folder = tree / "nsddata/ppdata/subj04/func1pt8mm/roi"
    left, right = np.zeros((8, 7, 6), np.int16), np.zeros((8, 7, 6), np.int16)
    left[2, 2:4, 2], right[5, 2:4, 2] = 1, 2
    for side, values in (("lh", left), ("rh", right)):
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), folder / f"{side}.thalamus.nii.gz")
    ingest("nsd", tree, store, neuroids="thalamus", rois=["thalamus"], **QUICK)
    r = store.responses("nsd", "subj04")
    assert r["x"].values.tolist() == [2, 2, 5, 5]
    assert r["thalamus/LGN"].values.tolist() == [True, True, False, False]
    assert r["thalamus/SC"].values.tolist() == [False, False, True, True]


def brute_design(n_subjects, n_shared, n_own, seed):
    rng = np.random.default_rng(seed)
    ids = rng.permutation(n_shared + n_subjects * n_own)
    shared = np.sort(ids[:n_shared])
    images = np.concatenate([np.tile(shared, (n_subjects, 1)), ids[n_shared:].reshape(n_subjects, n_own)], axis=1)
    order = rng.permutation(np.repeat(np.arange(n_shared + n_own), 3))
    return Design(None, order, images, shared, None)


def test_splits_by_counting():
    design = brute_design(8, 20, 180, 0)
    sessions = {1: 40, 2: 40, 3: 32, 4: 30, 5: 40, 6: 32, 7: 40, 8: 30}
    columns = split_columns(design, 1460, sessions=sessions, session_size=15)
    shown = {s: design.images[s - 1, design.ordering[: 15 * n]].tolist() for s, n in sessions.items()}
    early = {s: set(design.images[s - 1, design.ordering[: 15 * 37]].tolist()) for s in (1, 2, 5, 7)}
    thrice = [i for i in design.shared if all(seen.count(i) == 3 for seen in shown.values())]
    assert 0 < len(thrice) < 20

    def part(name, which):
        return np.flatnonzero(columns[name] == which).tolist()

    assert part("shared1000", "test") == design.shared.tolist()
    assert part("shared515", "test") == thrice
    assert sorted(part("shared515", "val") + thrice) == design.shared.tolist()
    assert part("982", "test") == sorted(set(design.shared.tolist()) & early[1])
    assert part("982", "train") == sorted(set().union(*early.values()) - set(design.shared.tolist()))
    assert part("conwell", "train") == design.shared[::2].tolist()
    assert part("conwell", "test") == design.shared[1::2].tolist()
    assert sorted(part("brain-score-515", "train") + part("brain-score-515", "test")) == thrice
    assert len(part("brain-score-1000", "train")) == 16


def test_brain_scores_split_is_the_published_one():
    """Of the 515 images in ascending order the first, third, fourth and fifth are train and the second is test."""
    design = Design(None, np.tile(np.arange(515), 3), np.tile(np.arange(515), (8, 1)), np.arange(515), None)
    column = split_columns(design, 515, sessions=dict.fromkeys(range(1, 9), 1), session_size=1545)["brain-score-515"]
    assert column[:5].tolist() == ["train", "test", "train", "train", "train"]
    assert [(column == which).sum() for which in ("train", "test")] == [412, 103]


def test_sessions_of_the_released_design_are_the_published_ones(tmp_path, mini):
    images = np.zeros((8, 10_000), dtype=int)
    released = Design(None, np.zeros(30_000, dtype=int), images, np.zeros(0, dtype=int), None)
    assert sessions_run(NsdTree(tmp_path), released) == {1: 40, 2: 40, 3: 32, 4: 30, 5: 40, 6: 32, 7: 40, 8: 30}
    tree = NsdTree(mini[0])
    assert sessions_run(tree, read_design(tree.design)) == {1: 2, 2: 2, 4: 1}


def test_a_split_as_a_variant(mini, store):
    ingest("nsd", mini[0], store, subjects=["subj01"], variant="all", **QUICK)
    ingest("nsd", mini[0], store, subjects=["subj01"], stimuli="shared1000", **QUICK)
    r = store.responses("nsd", "subj01", variant="func1pt8mm.b3.nsdgeneral.z.shared1000")
    table = store.stimuli("nsd").set_index("stimulus")
    shared = set(table.index[table["shared1000"]])
    assert set(r["stimulus"].values) == shared and r.sizes["presentation"] == 150
    whole = store.responses("nsd", "subj01", variant="all")
    rows = np.isin(whole["stimulus"].values, list(shared))
    assert np.array_equal(r["response"].values, whole["response"].values[rows])  # z-scored over all trials


@pytest.mark.parametrize(
    ("neuroids", "expected"),
    [
        ("all", lambda m: m["brain"]),
        ("prf-visualrois", lambda m: m["prf-visualrois"] > 0),
        ("prf-visualrois/hV4", lambda m: m["prf-visualrois"] == 7),
        ("OFA", lambda m: m["floc-faces"] == 1),
        ("ncsnr>0.5", lambda m: m["ncsnr"] > 0.5),
        (0.5, lambda m: m["ncsnr"] > 0.5),
        ("nsdgeneral & ncsnr >= 0.5", lambda m: (m["nsdgeneral"] > 0) & (m["ncsnr"] >= 0.5)),
        ("nc>30", lambda m: 100 * m["ncsnr"] ** 2 / (m["ncsnr"] ** 2 + 1 / 3) > 30),
        ("conwell/EVC", lambda m: m["prf-visualrois"] > 0),
    ],
)
def test_choices_of_neuroids(one_session, store, neuroids, expected):
    folder = one_session / "nsddata/ppdata/subj04/func1pt8mm"
    betas = one_session / "nsddata_betas/ppdata/subj04/func1pt8mm/betas_fithrf_GLMdenoise_RR"
    maps = {
        f: nibabel.load(folder / f"roi/{f}.nii.gz").get_fdata() for f in ("prf-visualrois", "floc-faces", "nsdgeneral")
    }
    maps["brain"] = nibabel.load(folder / "brainmask.nii.gz").get_fdata() > 0
    maps["ncsnr"] = nibabel.load(betas / "ncsnr.nii.gz").get_fdata()
    ingest("nsd", one_session, store, neuroids=neuroids, rois=["streams"], hash_stimuli=False, check_ncsnr=False)
    r = store.responses("nsd", "subj04")
    assert np.array_equal(np.stack([r[a].values for a in "xyz"], axis=1), np.argwhere(expected(maps)))


def test_only_the_chunks_that_are_asked_for_are_read(tmp_path):
    """A file of real shape is 1 GB of numbers; forty voxels of it take a few hundred kilobytes."""
    rng = np.random.default_rng(0)
    grid = (81, 104, 83)
    flat = np.sort(rng.choice(np.prod(grid), 40, replace=False))
    values = rng.integers(-30000, 30000, (750, 40)).astype(np.int16)
    write_full_shape(tmp_path / "betas_session01.hdf5", np.stack(np.unravel_index(flat, grid), axis=1), values)
    file = open_betas(tmp_path, "betas_session01", surface=False)
    assert file.grid == grid
    tracemalloc.start()
    try:
        read = file.read(flat)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.array_equal(read, values)
    assert peak < 4e6


def test_images_stay_in_the_brick(one_session, store):
    ingest("nsd", one_session, store, check_ncsnr=False)
    table = store.stimuli("nsd")
    assert table.attrs["kind"] == "hdf5"
    assert table["file"].iloc[2951] == "imgBrick/2951"
    for row, (stimulus, image) in zip(range(300), iter_images(store, "nsd"), strict=False):
        assert stimulus == f"nsd-{row:05d}"
        assert np.asarray(image)[0, 0, 0] == row % 251
        assert colour_print(image) == table["print"].iloc[row]


def test_hashes_are_taken_once_and_can_come_later(tree, store, monkeypatch):
    from brainalign.datasets.nsd import stimuli as module

    ingest("nsd", tree, store, hash_stimuli=False, check_ncsnr=False)
    assert set(store.stimuli("nsd")["sha256"]) == {""}
    ingest("nsd", tree, store, variant="again", check_ncsnr=False)
    assert (store.stimuli("nsd")["sha256"].str.len() == 64).all()
    monkeypatch.setattr(module, "describe_brick", lambda *a, **k: pytest.fail("the brick was read again"))
    ingest("nsd", tree, store, variant="third", check_ncsnr=False)
    ingest("nsd", tree, store, variant="fourth", hash_stimuli=False, check_ncsnr=False)
    assert (store.stimuli("nsd")["sha256"].str.len() == 64).all()


def test_official_ncsnr_needs_three_presentations(one_session, store):
    ingest("nsd", one_session, store, **QUICK)
    r = store.responses("nsd", "subj04")
    with pytest.raises(UndefinedError, match="three times"):
        official_ncsnr(r.isel(presentation=slice(0, 5)))


def test_pooled_ncsnr_of_unequal_repeats():
    """Variances are pooled by their degrees of freedom, so many images shown twice weigh as few shown often."""
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(300), rng.integers(1, 6, 300))
    sd = np.array([0.4, 1.0, 2.0])
    values = rng.standard_normal((300, 3))[ids] + sd * rng.standard_normal((len(ids), 3))
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    groups = [values[ids == i] for i in np.unique(ids)]
    pooled = sum(((g - g.mean(axis=0)) ** 2).sum(axis=0) for g in groups) / sum(len(g) - 1 for g in groups)
    expected = np.sqrt(np.maximum(1 - pooled, 0) / pooled)
    found = ncsnr_of_repeats(values, ids)
    assert np.allclose(found, expected)
    assert np.allclose(found, 1 / sd, rtol=0.15)
    with pytest.raises(UndefinedError, match="shown once"):
        ncsnr_of_repeats(values[:2], np.array(["a", "b"]))


@pytest.mark.parametrize("surface", [False, True])
@pytest.mark.parametrize("layout", ["one chunk a place", "compressed", "contiguous", "large chunks", "big-endian"])
def test_every_layout_of_hdf5_reads_alike(tmp_path, layout, surface):
    rng = np.random.default_rng(0)
    shape = (20, 150) if surface else (20, 5, 6, 7)
    values = rng.integers(-30000, 30000, shape).astype(">i2" if layout == "big-endian" else "<i2")
    one = (20, *[1] * (len(shape) - 1))
    options = {
        "one chunk a place": {"chunks": one},
        "compressed": {"chunks": one, "compression": "gzip", "shuffle": True},
        "contiguous": {},
        "large chunks": {"chunks": (10, *shape[1:])},
        "big-endian": {"chunks": one},
    }[layout]
    for side in ("lh.", "rh.") if surface else ("",):
        with h5py.File(tmp_path / f"{side}betas_session01.hdf5", "w") as file:
            file.create_dataset("betas", data=values, **options)
    file = open_betas(tmp_path, "betas_session01", surface=surface)
    flat = np.concatenate([values, values], axis=1) if surface else values.transpose(0, 3, 2, 1).reshape(20, -1)
    places = np.sort(rng.choice(flat.shape[1], 60, replace=False))
    assert np.array_equal(file.read(places), flat[:, places])
    assert np.array_equal(file.frame(3), flat[3])


def test_voxels_that_were_never_written_are_0(tmp_path):
    write_full_shape(tmp_path / "betas_session01.hdf5", np.array([[1, 2, 3]]), np.ones((750, 1), np.int16))
    file = open_betas(tmp_path, "betas_session01", surface=False)
    written = np.ravel_multi_index((1, 2, 3), file.grid)
    assert np.array_equal(file.read(np.array([written - 1, written])), np.tile([0, 1], (750, 1)))
