"""Films as stimuli: every frame once, in order, and the mean over them in the store."""

import hashlib
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainalign.datasets.stimulus_sets import with_images
from brainalign.datasets.videos import import_videos
from brainalign.errors import DatasetError, ImageError, MissingDependencyError
from brainalign.store import open_store
from brainalign.store.films import Film, film_frames
from brainalign.testing.small_network import SMALL, embed_small, small_network, values_of

av = pytest.importorskip("av", reason="PyAV is not installed (extra video)")
LENGTHS = {"vid0001": 3, "vid0002": 7, "vid0003": 1}


def write_film(path, n, *, seed):
    """``n`` frames of one colour each, which compression keeps; returns the colours."""
    colours = np.random.default_rng(seed).integers(0, 256, (n, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for colour in colours:
            image = Image.new("RGB", (32, 16), tuple(int(c) for c in colour))
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
    return colours


@pytest.fixture
def films(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    colours = {name: write_film(folder / f"{name}.mp4", n, seed=n) for name, n in LENGTHS.items()}
    return folder, colours


def test_every_frame_in_the_order_in_which_it_is_shown(films):
    folder, colours = films
    data = (folder / "vid0002.mp4").read_bytes()
    seen = [np.asarray(frame).mean((0, 1)) for frame in film_frames(data, name="x")]
    assert len(seen) == 7
    np.testing.assert_allclose(seen, colours["vid0002"], atol=12)  # lossy
    film = Film(data, 7, name="x")
    for number in (1, 0, 2, 6, 5, 2, 2):
        np.testing.assert_array_equal(np.asarray(film.frame(number)).mean((0, 1)), seen[number])
    with pytest.raises(ImageError, match="has 7 frames, and 9 when it was recorded"):
        Film(data, 9, name="x").frame(8)


@pytest.mark.parametrize("size", [2, 8])
def test_a_film_is_the_mean_over_its_frames(films, tmp_path, size):
    folder, _ = films
    store = open_store(tmp_path / "store")
    table = import_videos(store, "films", folder)
    assert dict(zip(table["stimulus"], table["n_frames"], strict=True)) == LENGTHS
    assert table["sha256"][1] == hashlib.sha256((folder / "vid0002.mp4").read_bytes()).hexdigest()
    values = values_of(store, embed_small(store, stimuli="films", pooling="flatten", batch_size=size), "films")
    network = small_network().eval()
    for row, name in enumerate(LENGTHS):
        frames = film_frames((folder / f"{name}.mp4").read_bytes(), name=name)
        own = np.mean([network(SMALL(frame)[None]).detach().numpy()[0] for frame in frames], axis=0)
        np.testing.assert_allclose(values["head|flatten"][row], own, rtol=1e-5, atol=1e-6)


def test_films_of_a_dataset_go_by_their_names(films):
    folder, _ = films
    table, source, kind = with_images(pd.DataFrame({"stimulus": ["vid0003", "vid0001"]}), folder)
    assert (table["file"].tolist(), table["n_frames"].tolist()) == (["vid0003.mp4", "vid0001.mp4"], [1, 3])
    assert (source, kind) == (str(folder), "folder")
    with pytest.raises(DatasetError, match="no film or folder of frames of 1 of 2"):
        with_images(pd.DataFrame({"stimulus": ["vid0003", "vid0009"]}), folder)


def test_films_that_are_damaged_changed_or_cannot_be_read(films, tmp_path, monkeypatch):
    folder, _ = films
    store = open_store(tmp_path / "store")
    import_videos(store, "films", folder)
    write_film(folder / "vid0002.mp4", 4, seed=9)
    with pytest.raises(DatasetError, match=r"'vid0002' .*has other bytes"):
        embed_small(store, stimuli="films")
    (folder / "vid0002.mp4").write_bytes(b"no film")
    with pytest.raises(ImageError, match=r"vid0002\.mp4' does not decode"):
        import_videos(store, "more", folder)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"brainalign\[video\]"):
        import_videos(store, "more", folder)
