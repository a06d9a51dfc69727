"""NSD-synthetic and NSD-imagery beside the core dataset."""

import re
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io

from brainalign.datasets import ingest
from brainalign.datasets.images import iter_images
from brainalign.errors import ChoiceError, DatasetError
from brainalign.stats import noise_ceiling
from brainalign.testing.mini_nsd import make_mini_nsd
from brainalign.testing.mini_nsd_companions import add_mini_imagery, add_mini_synthetic

FOLDER = "nsddata_betas/ppdata/subj04/func1pt8mm"


@pytest.fixture(scope="module")
def companions(tmp_path_factory):
    root = tmp_path_factory.mktemp("companions")
    make_mini_nsd(root, subjects=["subj04"], spaces=["func1pt8mm"], formats=["hdf5"])
    add_mini_imagery(root, subjects=("subj04",))
    return root, *add_mini_synthetic(root, subjects=("subj04",))


def test_synthetic_images_repeat_unequally(companions, store):
    root, order, sd = companions
    report = ingest("nsd-synthetic", root, store)
    assert report.stimulus_sets == {"nsd-synthetic": 220 + 8 * 64}
    r = store.responses("nsd-synthetic", "subj04")
    ids = [f"nsdsynthetic{i:03d}" + ("-subj04" if i > 220 else "") for i in order]
    assert r["stimulus"].values.tolist() == ids
    assert r["run"].values.tolist() == np.repeat(np.arange(1, 9), 93).tolist()
    at = tuple(r[axis].values for axis in "xyz")
    with h5py.File(root / FOLDER / "nsdsyntheticbetas_fithrf_GLMdenoise_RR" / "betas_nsdsynthetic.hdf5") as file:
        stored = file["betas"][()].T[at].T.astype(float)
    spread = stored.std(axis=0)
    inside = spread > 0
    expected = (stored - stored.mean(axis=0))[:, inside] / spread[inside]
    assert np.abs(r["response"].values[:, inside] - expected).max() < 1e-5
    assert np.median(r["ncsnr"].values[inside] * sd[at][inside]) == pytest.approx(1, abs=0.1)
    ours = noise_ceiling(r)
    counts = np.unique(order, return_counts=True)[1]
    squared = r["ncsnr"].values[inside].astype(float) ** 2
    assert np.abs(ours.value[inside] - squared / (squared + np.mean(1 / counts))).max() < 0.03


def test_synthetic_pictures_are_where_they_lie(companions, store):
    ingest("nsd-synthetic", companions[0], store)
    table = store.stimuli("nsd-synthetic").set_index("stimulus")
    assert table.loc["nsdsynthetic284-subj04", "file"] == "nsdsynthetic_subj04/nsdsynthetic284.png"
    assert (table["sha256"] != "").sum() == 284
    assert next(iter_images(store, "nsd-synthetic"))[0] == "nsdsynthetic001"


def test_imagery_blocks(companions, store):
    root = companions[0]
    report = ingest("nsd-imagery", root, store, zscore=False, neuroids="all")
    assert any("not known" in note for note in report.entries[0].notes)
    r = store.responses("nsd-imagery", "subj04")
    rows = np.rint(r["response"].values.mean(axis=1) * 10)
    first = {b: rows[r["block"].values == b].min() for b in ("visA", "attA", "imgA_1", "attB", "visC", "imgC_2")}
    assert first == {"visA": 0, "attA": 48, "imgA_1": 144, "attB": 240, "visC": 384, "imgC_2": 672}
    assert len(set(r["stimulus"].values)) == 720
    assert (r["task"].values == "att").sum() == 288
    assert r["trial"].values.max() == 96


def test_imagery_with_conditions(companions, store, tmp_path):
    path = tmp_path / "conditions.csv"
    pd.DataFrame({"stimulus": [f"cue{i % 18:02d}" for i in range(720)]}).to_csv(path, index=False)
    report = ingest("nsd-imagery", companions[0], store, conditions=path)
    assert report.stimulus_sets == {"nsd-imagery": 18}
    r = store.responses("nsd-imagery", "subj04")
    assert r["repetition"].values.max() == 39
    pd.DataFrame({"stimulus": ["a"]}).to_csv(path, index=False)
    with pytest.raises(DatasetError, match=r"has 1 rows.*expected 720"):
        ingest("nsd-imagery", companions[0], store, conditions=path)


def test_imagery_by_its_design(companions, store):
    """Ids follow the onsets of the design; the report tells the order in which the betas stand from the other."""
    root = companions[0]
    conditions = add_mini_imagery(root, subjects=("subj04",))  # the same numbers again, for their conditions
    report = ingest("nsd-imagery", root, store, order="time")
    r = store.responses("nsd-imagery", "subj04")
    assert r["stimulus"].values.tolist() == [f"nsdimagery-c{c + 1:02d}" for c in conditions]
    assert noise_ceiling(r).n_repeats is not None
    note = next(note for note in report.entries[0].notes if "mean ncsnr" in note)
    right, wrong = (float(text) for text in re.findall(r"(\d+\.\d+) with order", note))
    assert note.startswith(f"mean ncsnr {right:.3f} with order='time'") and right > 2 * wrong
    ingest("nsd-imagery", root, store, order="condition")
    sorted_ids = store.responses("nsd-imagery", "subj04", variant="func1pt8mm.b3.nsdgeneral.z.condition")["stimulus"]
    assert sorted_ids.values[:48].tolist() == [f"nsdimagery-c{c:02d}" for c in np.repeat(np.arange(1, 7), 8)]


def test_designs_of_imagery_that_are_refused(companions, store, tmp_path):
    root = tmp_path / "nsd"
    shutil.copytree(companions[0], root)
    with pytest.raises(ChoiceError, match="Did you mean 'time'"):
        ingest("nsd-imagery", root, store, order="tim")
    with pytest.raises(ChoiceError, match="one of the two"):
        ingest("nsd-imagery", root, store, order="time", conditions="x.csv")
    design = root / "nsddata/experiments/nsdimagery/designmatrixGLMsingle.mat"
    cells = scipy.io.loadmat(design)["stimulus"]
    cells[0, 4] = cells[0, 4][:100]
    scipy.io.savemat(design, {"stimulus": cells})
    with pytest.raises(DatasetError, match=r"run attB has 20 onsets, and 96 betas"):
        ingest("nsd-imagery", root, store, order="time")
    design.write_bytes(b"MATLAB 5.0")
    with pytest.raises(DatasetError, match="is damaged, or not a MATLAB file"):
        ingest("nsd-imagery", root, store, order="time")
    design.unlink()
    with pytest.raises(DatasetError, match=r"designmatrixGLMsingle\.mat, which says when"):
        ingest("nsd-imagery", root, store, order="time")


def test_what_the_companions_do_not_have(companions, store, one_session):
    with pytest.raises(ChoiceError, match="was not released with betas_assumehrf"):
        ingest("nsd-synthetic", companions[0], store, betas="b1")
    with pytest.raises(DatasetError, match=r"no subject in .* has func1pt8mm/nsdimagerybetas_fithrf"):
        ingest("nsd-imagery", one_session, store, betas="b2")
    with pytest.raises(ChoiceError, match="Did you mean 'subj04'"):
        ingest("nsd-imagery", companions[0], store, subjects=["subj05"])
