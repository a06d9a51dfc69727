"""Block designs: haxby and miyawaki2008 as nilearn lays them out."""

import numpy as np
import pytest
from nilearn.datasets import fetch_haxby, fetch_miyawaki2008
from nilearn.image import load_img
from scipy.signal import detrend
from scipy.stats import zscore

from brainalign.datasets import ingest
from brainalign.datasets.sessions import standardize_within
from brainalign.datasets.time_series import block_means, find_blocks
from brainalign.errors import ChoiceError, DatasetError, InputError
from brainalign.stats import noise_ceiling
from brainalign.store import average_repeats, open_store
from brainalign.testing.nilearn_trees import make_haxby_tree, make_miyawaki_tree


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def standardized(series, runs):
    """Slow and obvious: SciPy, run by run."""
    runs = np.asarray(runs)
    return np.concatenate(
        [zscore(detrend(series[runs == run], axis=0), axis=0) for run in dict.fromkeys(runs.tolist())]
    )


def test_haxby_blocks_hold_what_the_volumes_say(store, tmp_path):
    truth = make_haxby_tree(tmp_path)
    report = ingest("haxby", tmp_path, store)
    back = store.responses("haxby", "subj1")
    regions = np.logical_or.reduce([mask for name, mask in truth.masks.items() if name != "mask"])
    inside = np.argwhere(regions)
    assert np.array_equal(np.stack([back[a].values for a in "xyz"], axis=1), inside)
    assert (report.entries[0].n_presentations, report.entries[0].n_stimuli) == (96, 8)
    bunch = fetch_haxby(data_dir=str(tmp_path), subjects=[1], verbose=0)
    volumes = load_img(bunch.func[0]).get_fdata()
    series = standardized(volumes[tuple(inside.T)].T, truth.runs)
    labels, runs = np.array(truth.labels), np.array(truth.runs)
    for row, (label, run, repeat) in enumerate(
        zip(back["stimulus"].values, back["run"].values, back["repetition"].values, strict=True)
    ):
        assert repeat == run  # one block of a category a run
        shown = np.flatnonzero((labels == label) & (runs == run)) + 2
        shown = shown[(shown < 960)]
        shown = shown[runs[np.minimum(shown, 959)] == run]
        expected = series[shown].mean(axis=0)
        varies = np.isfinite(expected)
        assert np.allclose(back["response"].values[row][varies], expected[varies], atol=1e-6)
    for name in ("vt", "face", "house", "face_little", "house_little"):
        assert np.array_equal(back[name].values, truth.masks[name][regions])
    assert back.attrs["shape"] == [6, 5, 4]


def test_haxby_recovers_patterns_and_ceiling(store, tmp_path):
    truth = make_haxby_tree(tmp_path)
    ingest("haxby", tmp_path / "haxby2001", store, neuroids="brain")
    back = store.responses("haxby", "subj1")
    mean = average_repeats(back)
    order = [truth.stimuli.index(s) for s in mean["stimulus"].values]
    patterns, noise = truth.patterns[order].reshape(8, -1)[:, 1:], truth.noise.ravel()[1:]
    values = mean["response"].values[:, 1:]
    assert np.all(mean["response"].values[:, 0] == 0)
    r = [np.corrcoef(p, v)[0, 1] for p, v in zip(patterns.T, values.T, strict=True)]
    assert np.median(r) > 0.95
    ceiling = np.asarray(noise_ceiling(back).value)[1:]
    assert np.corrcoef(ceiling, -noise)[0, 1] > 0.5


def test_haxby_options_and_damage(store, tmp_path):
    truth = make_haxby_tree(tmp_path)
    ingest("haxby", tmp_path, store, shift=0)
    assert store.variants("haxby") == ["blocks.shift0.regions"]
    with pytest.raises(ChoiceError, match="subj7"):
        ingest("haxby", tmp_path, store, subjects=["subj7"])
    with pytest.raises(InputError, match="shift=-1"):
        ingest("haxby", tmp_path, store, shift=-1)
    path = truth.root / "subj1" / "labels.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]))
    with pytest.raises(DatasetError, match=r"959 rows; .*960 volumes"):
        ingest("haxby", tmp_path, store)
    path.write_text("\n".join(["labels", *lines[1:]]))
    with pytest.raises(DatasetError, match="not a table of 'labels chunks'"):
        ingest("haxby", tmp_path, store)
    for chunk in ("C2", "0.5", "inf"):
        path.write_text("\n".join([lines[0], f"rest {chunk}", *lines[2:]]))
        with pytest.raises(DatasetError, match=r"labels chunks|no whole numbers"):
            ingest("haxby", tmp_path, store)
    with pytest.raises(DatasetError, match="neither"):
        ingest("haxby", tmp_path / "elsewhere", store)


def test_haxby_labels_beyond_the_eight_categories_are_stimuli_too(store, tmp_path):
    truth = make_haxby_tree(tmp_path)
    path = truth.root / "subj1" / "labels.txt"
    path.write_text(path.read_text().replace("shoe", "boot"))
    report = ingest("haxby", tmp_path, store)
    assert report.stimulus_sets == {"haxby": 9}
    assert "boot" in set(store.responses("haxby", "subj1")["stimulus"].values)


def test_miyawaki_patterns_shift_by_two(store, tmp_path):
    truth = make_miyawaki_tree(tmp_path)
    report = ingest("miyawaki2008", tmp_path, store)
    back = store.responses("miyawaki2008", "sub01")
    bunch = fetch_miyawaki2008(data_dir=str(tmp_path), verbose=0)
    assert len(bunch.mask_roi) == 38
    series = standardized(
        np.concatenate([load_img(f).get_fdata().reshape(-1, load_img(f).shape[3]).T for f in bunch.func]), truth.runs
    )
    labels = np.concatenate([np.loadtxt(f, dtype=int, delimiter=",") for f in bunch.label])
    seen = labels.reshape(-1, 10, 10, order="F")
    assert (report.entries[0].n_presentations, report.entries[0].n_stimuli) == (96, 63)
    runs = np.array(truth.runs)
    for row in (0, 1, 40, 95):
        name, run = back["stimulus"].values[row], back["run"].values[row]
        bits = "".join(str(b) for b in np.array([int(c) for c in f"{int(name.split('-')[1], 16):0100b}"]))
        shown = [t for t in np.flatnonzero(runs == run) if "".join(map(str, seen[t].ravel())) == bits]
        assert len(shown) == 3
        later = [t + 2 for t in shown if t + 2 < len(runs) and runs[t + 2] == run]
        assert np.allclose(back["response"].values[row], series[later].mean(axis=0), atol=1e-6)
    assert np.array_equal(back["LHV1d"].values, truth.masks["LHV1d"].ravel())
    assert back["repetition"].values.max() == 11


def test_miyawaki_patterns_are_images(store, tmp_path):
    from brainalign.datasets.images import iter_images

    make_miyawaki_tree(tmp_path)
    ingest("miyawaki2008", tmp_path, store, parts="figure")
    ingest("miyawaki2008", tmp_path, store, parts="random")
    assert store.variants("miyawaki2008") == ["blocks.shift2.figure", "blocks.shift2.random"]
    name, image = next(iter(iter_images(store, "miyawaki2008")))
    patches = np.asarray(image)[10::20, 10::20, 0] > 0
    assert name == f"figure-{int(''.join(str(int(b)) for b in patches.ravel()), 2):025x}"


def test_miyawaki_damage(store, tmp_path):
    truth = make_miyawaki_tree(tmp_path)
    path = truth.root / "label" / "data_figure_run03_label.csv"
    rows = path.read_text().splitlines()
    path.write_text("\n".join(rows[:-1]))
    with pytest.raises(DatasetError, match=r"figure_run03_label.csv has 16 rows; .* 17 volumes"):
        ingest("miyawaki2008", tmp_path, store)
    path.write_text("\n".join([rows[0].replace("-1", "1", 1), *rows[1:]]))
    with pytest.raises(DatasetError, match="row 1 is -1 in part only"):
        ingest("miyawaki2008", tmp_path, store)
    path.write_text("\n".join(row + ",1" for row in rows))
    with pytest.raises(DatasetError, match=r"shape \(17, 101\)"):
        ingest("miyawaki2008", tmp_path, store)
    path.unlink()
    with pytest.raises(DatasetError, match="no file"):
        ingest("miyawaki2008", tmp_path, store)


def test_blocks_end_with_their_run():
    runs = [0] * 5 + [1] * 5
    blocks = find_blocks(list("raaaa") + list("abbrr"), runs, rest="r")
    assert [(b.label, b.start, b.end) for b in blocks] == [("a", 1, 5), ("a", 5, 6), ("b", 6, 8)]
    means, kept = block_means(np.arange(10.0)[:, None], blocks, runs, shift=3)
    assert means.ravel().tolist() == [4.0, 8.0, 9.0]
    assert kept == blocks
    assert len(block_means(np.zeros((10, 1)), blocks, runs, shift=4)[1]) == 1


def test_standardizing_needs_rows_that_vary():
    values = np.random.default_rng(0).normal(size=(6, 2)) * 1e-12 + [0, 1]
    out = standardize_within(values, [0] * 3 + [1] * 3)
    assert np.allclose(out[:3, 0].std(), 1)
    with pytest.raises(DatasetError, match="2 are needed"):
        standardize_within(values, [0] * 5 + [1])
