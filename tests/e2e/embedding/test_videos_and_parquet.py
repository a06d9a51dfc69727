"""Videos as folders of frames, and images in parquet files."""

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.datasets.images import import_images, iter_images
from brainalign.datasets.stimulus_sets import with_images
from brainalign.datasets.videos import import_videos
from brainalign.errors import DatasetError
from brainalign.models import plan_embedding, streaming
from brainalign.store import open_store
from brainalign.testing.small_network import SMALL, embed_small, image_store, images_of, small_network, values_of


@pytest.fixture
def frames(tmp_path):
    """Videos of 1 to 5 frames, and each frame by itself."""
    store = image_store(tmp_path, n=15)
    files = sorted(images_of(store).iterdir())
    at, clips = 0, {}
    for n in range(1, 6):
        folder = tmp_path / "clips" / f"clip{n}"
        folder.mkdir(parents=True)
        clips[folder.name] = range(at, at + n)
        for i, file in enumerate(files[at : at + n]):
            (folder / f"{i:03d}.png").write_bytes(file.read_bytes())
        at += n
    return store, clips, tmp_path / "clips"


def zipped(folder):
    file = folder.with_suffix(".zip")
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, path.relative_to(folder).as_posix())
    return file


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_video_is_the_mean_over_its_frames(frames, form):
    store, clips, folder = frames
    table = import_videos(store, "clips", folder if form == "folder" else zipped(folder))
    assert table["n_frames"].tolist() == [1, 2, 3, 4, 5]
    apart = values_of(store, embed_small(store, pooling="max"))
    for size in (2, 8):
        key = embed_small(store, stimuli="clips", pooling="max", batch_size=size, name=f"by{size}")
        there = store.embeddings(key, stimuli="clips")
        assert list(there["stimulus"].values) == list(clips)
        for name, rows in apart.items():
            for i, of in enumerate(clips.values()):
                np.testing.assert_allclose(there[name].values[i], rows[list(of)].mean(0), rtol=1e-5, atol=1e-6)
    planned = plan_embedding(small_network(), "clips", store, name="planned", preprocessing=SMALL, layers=["conv"])
    assert (planned.n_stimuli, planned.n_inputs) == (5, 15)


def test_an_interrupted_video_embedding_resumes_to_the_bit(frames, monkeypatch, tmp_path):
    store, _, folder = frames
    import_videos(store, "clips", folder)
    other = open_store(tmp_path / "other")
    import_videos(other, "clips", folder)
    whole = other.embeddings(embed_small(other, stimuli="clips", batch_size=2), stimuli="clips")
    monkeypatch.setattr(streaming, "_CHUNK_ROWS", 2)
    rows, calls = streaming.Forward.rows, []

    def stops(self, images, batching, ids):
        calls.append(ids)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return rows(self, images, batching, ids)

    monkeypatch.setattr(streaming.Forward, "rows", stops)
    with pytest.raises(KeyboardInterrupt):
        embed_small(store, stimuli="clips", batch_size=2)
    monkeypatch.setattr(streaming.Forward, "rows", rows)
    again = store.embeddings(embed_small(store, stimuli="clips", batch_size=2), stimuli="clips")
    assert again.attrs["entry_sha256"] == whole.attrs["entry_sha256"]


def test_videos_that_changed_or_have_no_frames(frames, tmp_path):
    store, _, folder = frames
    import_videos(store, "clips", folder)
    Image.new("RGB", (15, 15)).save(folder / "clip3" / "001.png")
    with pytest.raises(DatasetError, match=r"'clip3' \(clip3/ in 'clips'\) has other bytes"):
        embed_small(store, stimuli="clips")
    for file in (folder / "clip2").iterdir():
        file.unlink()
    with pytest.raises(DatasetError, match=r"'clip2'.*no frames"):
        embed_small(store, stimuli="clips")
    with pytest.raises(DatasetError, match="no film and no folder of frames"):
        import_videos(store, "flat", images_of(store))
    (folder / "more" / "clip4").mkdir(parents=True)
    Image.new("RGB", (5, 5)).save(folder / "more" / "clip4" / "0.png")
    with pytest.raises(DatasetError, match="two videos are called 'clip4'"):
        import_videos(store, "twice", folder)


def test_stimuli_of_a_dataset_take_folders_of_their_names_as_videos(frames):
    _, _, folder = frames
    ids = pd.DataFrame({"stimulus": [f"clip{i}" for i in (2, 4)], "shown": [1, 2]})
    table, source, kind = with_images(ids, folder)
    assert (source, kind) == (str(folder), "folder")
    assert table["file"].tolist() == ["clip2/", "clip4/"] and table["n_frames"].tolist() == [2, 4]
    with pytest.raises(DatasetError, match="no film or folder of frames of 1 of 3 stimuli, first 'clip9'"):
        with_images(pd.DataFrame({"stimulus": ["clip2", "clip4", "clip9"]}), folder)
    with pytest.raises(DatasetError, match="no image of 1 of 1"):
        with_images(pd.DataFrame({"stimulus": ["else"]}), folder)


def test_the_command_imports_videos(frames, tmp_path):
    _, _, folder = frames
    (tmp_path / "labels.csv").write_text("stimulus,label\n" + "".join(f"clip{i},{i % 2}\n" for i in range(1, 6)))
    arguments = ["data", "import", "images", str(folder), "--set", "films", "--videos", "--store", str(tmp_path / "s2")]
    done = CliRunner().invoke(build_app(), [*arguments, "--labels", str(tmp_path / "labels.csv"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["n_stimuli"] == 5
    assert open_store(tmp_path / "s2").stimuli("films")["label"].tolist() == ["1", "0", "1", "0", "1"]


@pytest.mark.parametrize("form", ["bytes", "struct"])
def test_images_of_a_parquet_file(tmp_path, form):
    store = image_store(tmp_path)
    data = [file.read_bytes() for file in sorted(images_of(store).iterdir())]
    column = data if form == "bytes" else [{"bytes": one, "path": f"{i}.png"} for i, one in enumerate(data)]
    table = pa.table({"number": list(range(len(data))), "image": column, "label": ["a"] * len(data)})
    pq.write_table(table, tmp_path / "images.parquet", row_group_size=4)
    found = import_images(store, "parquet", tmp_path / "images.parquet")
    assert found["stimulus"].tolist() == [f"{i:02d}" for i in range(21)] and found["file"][3] == "image/03"
    assert store.stimuli("parquet").attrs["kind"] == "parquet"
    expected = values_of(store, embed_small(store))
    for name, values in values_of(store, embed_small(store, stimuli="parquet"), "parquet").items():
        np.testing.assert_array_equal(values, expected[name])
    names = [name for name, _ in iter_images(store, "parquet")]
    assert names == found["stimulus"].tolist()


def test_parquet_files_that_cannot_be_used(tmp_path):
    store = open_store(tmp_path / "store")
    (tmp_path / "no.parquet").write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="not a parquet file"):
        import_images(store, "x", tmp_path / "no.parquet")
    pq.write_table(pa.table({"image": ["a", "b"]}), tmp_path / "text.parquet")
    with pytest.raises(DatasetError, match="no column of image files"):
        import_images(store, "x", tmp_path / "text.parquet")
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    pq.write_table(pa.table({"image": [file.getvalue(), None]}), tmp_path / "hole.parquet")
    with pytest.raises(DatasetError, match="image/1"):
        import_images(store, "x", tmp_path / "hole.parquet")
