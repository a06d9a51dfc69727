import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainalign.datasets.dead_leaves import dead_leaves
from brainalign.datasets.images import iter_images
from brainalign.datasets.natural_scenes import (
    PHOTOGRAPHS,
    make_natural_scenes,
    place_crops,
    write_natural_scenes,
)
from brainalign.errors import DatasetError, MissingDependencyError
from brainalign.store import open_store

pytest.importorskip("skimage")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("scenes") / "store")
    return store, make_natural_scenes(store, crops_per_photograph=2, n_scenes=3)


def test_sixteen_sources_and_each_scene_its_own(made):
    _, table = made
    assert len(PHOTOGRAPHS) == 16
    crops = table[~table["stimulus"].str.startswith("leaves")]
    assert crops["group"].value_counts().to_dict() == dict.fromkeys(PHOTOGRAPHS, 2)
    scenes = table[table["stimulus"].str.startswith("leaves")]
    assert scenes["group"].tolist() == scenes["stimulus"].tolist() == ["leaves-000", "leaves-001", "leaves-002"]


def test_ids_name_source_and_place(made):
    store, _ = made
    images = dict(iter_images(store, "natural-scenes"))
    sides = {}
    for stimulus, image in images.items():
        if not stimulus.startswith("leaves"):
            found = re.fullmatch(r"([a-z]+)(-left|-right)?-x(\d{3,})-y(\d{3,})-s(\d{3})", stimulus)
            assert found is not None
            assert image.size == (int(found[5]), int(found[5]))
            sides[stimulus] = int(found[5])
    assert all(64 <= side <= 256 for side in sides.values())
    name = next(stimulus for stimulus in sides if stimulus.startswith("coffee"))
    x, y, side = (int(number) for number in re.findall(r"\d+", name))
    root = importlib.util.find_spec("skimage").submodule_search_locations[0]
    whole = np.asarray(Image.open(f"{root}/data/coffee.png").convert("RGB"))
    assert np.array_equal(np.asarray(images[name]), whole[y : y + side, x : x + side])


def test_same_seed_same_bytes_and_nothing_made_twice(made, tmp_path):
    store, table = made
    source = Path(store.stimuli("natural-scenes").attrs["source"])
    write_natural_scenes(tmp_path / "again.zip", crops_per_photograph=2, n_scenes=3)
    assert (tmp_path / "again.zip").read_bytes() == source.read_bytes()
    before = source.stat().st_mtime_ns
    again = make_natural_scenes(store, crops_per_photograph=2, n_scenes=3)
    assert again["sha256"].tolist() == table["sha256"].tolist()
    assert source.stat().st_mtime_ns == before
    write_natural_scenes(tmp_path / "other.zip", crops_per_photograph=2, n_scenes=3, seed=1)
    assert (tmp_path / "other.zip").read_bytes() != source.read_bytes()


@pytest.mark.parametrize("shape", [(303, 384), (512, 512), (1411, 1411)])
def test_crops_overlap_by_less_than_half_of_the_smaller(shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    crops = place_crops({"left": noise, "right": noise}, 25, np.random.default_rng(1))
    assert len(crops) == 25
    assert {view for view, *_ in crops} == {"left", "right"}
    for i, (_, x, y, side) in enumerate(crops):
        assert x + side <= shape[1]
        assert y + side <= shape[0]
        for _, u, v, other in crops[:i]:
            wide = max(0, min(x + side, u + other) - max(x, u))
            high = max(0, min(y + side, v + other) - max(y, v))
            assert wide * high < 0.5 * min(side, other) ** 2


def test_crops_show_something():
    half = np.zeros((512, 512, 3), dtype=np.uint8)
    half[:, :256] = np.random.default_rng(0).integers(0, 256, (512, 256, 3))
    assert all(x < 256 for _, x, _, _ in place_crops({"": half}, 10, np.random.default_rng(1)))
    with pytest.raises(DatasetError, match="do not fit"):
        place_crops({"": half[:100, :100]}, 25, np.random.default_rng(1))


def test_missing_package_says_the_command(monkeypatch, tmp_path):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "skimage" else found(name))
    with pytest.raises(MissingDependencyError, match=r"pip install 'brainalign\[demo\]'"):
        write_natural_scenes(tmp_path / "x.zip")
    assert list(tmp_path.iterdir()) == []


def test_dead_leaves_have_the_spectrum_of_natural_images():
    power = np.zeros(40)
    for seed in range(12):
        scene = dead_leaves(seed, size=128).mean(axis=2)
        contrast = (scene - scene.mean()) * np.hanning(128)[:, None] * np.hanning(128)[None, :]
        spectrum = np.abs(np.fft.fft2(contrast)) ** 2
        radius = np.rint(np.hypot(*np.meshgrid(*[np.fft.fftfreq(128, 1 / 128)] * 2))).astype(int)
        power += np.bincount(radius.ravel(), spectrum.ravel())[:40] / np.bincount(radius.ravel())[:40]
    slope = np.polyfit(np.log(np.arange(3, 40)), np.log(power[3:]), 1)[0]
    # photographs in scikit-image, through this window and fit: -2.8 from 3 to 40 cycles, -3.1 from 3 to 20
    assert -3.5 < slope < -2.3


def test_dead_leaves_are_repeatable_and_varied():
    assert np.array_equal(dead_leaves(5, size=64), dead_leaves(5, size=64))
    assert dead_leaves(5, size=64).dtype == np.uint8
    correlation = np.corrcoef(dead_leaves(5, size=64).ravel(), dead_leaves(6, size=64).ravel())[0, 1]
    assert abs(correlation) < 0.5
