import hashlib
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from brainalign.datasets.colour_print import colour_print
from brainalign.datasets.images import import_images, iter_images
from brainalign.errors import ChoiceError, DatasetError, ImageError
from brainalign.store import open_store


def png(seed, side=12):
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "images"
    for name, seed in {"b/cat.png": 1, "a/dog.PNG": 2, "cow.png": 3}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(seed))
    (root / "notes.txt").write_text("not an image")
    (root / ".hidden.png").write_bytes(b"")
    return root


def test_folder_becomes_a_stimulus_set(store, folder):
    import_images(store, "pets", folder)
    table = store.stimuli("pets")
    assert list(table["stimulus"]) == ["dog", "cat", "cow"]
    assert list(table["file"]) == ["a/dog.PNG", "b/cat.png", "cow.png"]
    row = table.set_index("stimulus").loc["cat"]
    assert row["sha256"] == hashlib.sha256(png(1)).hexdigest()
    assert (row["bytes"], row["width"], row["height"]) == (len(png(1)), 12, 12)
    assert len(row["print"]) == 384
    assert (table.attrs["source"], table.attrs["kind"]) == (str(folder.resolve()), "folder")


def test_members_of_a_zip_may_lie_in_a_folder(store, tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("shown/image0002.png", png(2))
        archive.writestr("shown/image0001.png", png(1))
        archive.writestr("__MACOSX/shown/._image0001.png", b"")
    table = import_images(store, "z", tmp_path / "p.zip", groups=["x", "y"])
    assert list(table["file"]) == ["shown/image0001.png", "shown/image0002.png"]
    assert list(table["group"]) == ["x", "y"]
    read = dict(iter_images(store, "z"))
    assert list(read) == ["image0001", "image0002"]
    assert np.array_equal(np.asarray(read["image0001"]), np.asarray(Image.open(io.BytesIO(png(1)))))


def test_ids_from_the_path_from_a_mapping_and_by_pattern(store, folder):
    assert list(import_images(store, "p", folder, id_from="path")["stimulus"]) == ["a/dog.PNG", "b/cat.png", "cow.png"]
    assert list(import_images(store, "n", folder, id_from="name", pattern="b/*")["stimulus"]) == ["cat.png"]
    assert list(import_images(store, "m", folder, ids={"cow.png": "7"})["stimulus"]) == ["7"]
    assert list(import_images(store, "s", folder, ids=["3", "1", "2"])["stimulus"]) == ["3", "1", "2"]


def test_groups_by_id(store, folder):
    table = import_images(store, "g", folder, groups={"cat": "home", "dog": "home", "cow": "farm"})
    assert list(table["group"]) == ["home", "home", "farm"]
    with pytest.raises(DatasetError, match="'cow'"):
        import_images(store, "g2", folder, groups={"cat": "home", "dog": "home"})


def test_duplicate_stems_name_both_files(store, folder):
    (folder / "a" / "cow.png").write_bytes(png(9))
    with pytest.raises(DatasetError, match=r"'a/cow\.png' and 'cow\.png'.*id_from='path'"):
        import_images(store, "d", folder)


def test_an_image_that_does_not_decode_is_named(store, folder):
    (folder / "b" / "cut.png").write_bytes(png(4)[:60])
    with pytest.raises(ImageError, match=r"b/cut\.png.*does not decode"):
        import_images(store, "c", folder)
    assert store.stimulus_sets() == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"pattern": "*.webp"}, DatasetError, "no images that match"),
        ({"id_from": "steam"}, ChoiceError, "Did you mean 'stem'"),
        ({"ids": ["1"]}, DatasetError, "1 ids were given for 3 images"),
        ({"ids": {"gone.png": "1"}}, DatasetError, r"gone\.png"),
        ({"groups": ["1"]}, DatasetError, "1 groups were given for 3 stimuli"),
    ],
)
def test_arguments_that_do_not_fit(store, folder, options, error, message):
    with pytest.raises(error, match=message):
        import_images(store, "x", folder, **options)


def test_source_that_is_neither_folder_nor_zip(store, tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        import_images(store, "x", tmp_path / "absent")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(DatasetError, match="not a readable zip"):
        import_images(store, "x", tmp_path / "cut.zip")


def test_changed_image_is_refused_when_read(store, folder):
    import_images(store, "pets", folder)
    (folder / "cow.png").write_bytes(png(99))
    with pytest.raises(DatasetError, match=r"cow\.png.*sha256 differs"):
        list(iter_images(store, "pets"))


def test_print_survives_jpeg_but_not_another_picture():
    y, x = np.mgrid[0:64, 0:64]
    image = Image.fromarray(np.stack([x * 4, y * 4, (x + y) * 2], axis=2).astype(np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=80)
    levels = [
        np.frombuffer(bytes.fromhex(colour_print(i)), dtype=np.uint8).astype(int)
        for i in (image, Image.open(buffer), image.rotate(90))
    ]
    assert np.abs(levels[0] - levels[1]).max() <= 8
    assert np.abs(levels[0] - levels[2]).max() > 50
