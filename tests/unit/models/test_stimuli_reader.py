"""Images from folder, zip and HDF5, in every mode, and what is wrong with them."""

import hashlib
import io
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainalign.errors import DatasetError, ImageError
from brainalign.models.stimuli_reader import StimulusReader, decode_image, to_rgb


def encoded(image, fmt="PNG", **options):
    file = io.BytesIO()
    image.save(file, fmt, **options)
    return file.getvalue()


@pytest.fixture
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8))


def table(files, source, kind):
    rows = [
        {"stimulus": name, "file": name, "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
    ]
    frame = pd.DataFrame(rows)
    frame.attrs.update(source=str(source), kind=kind)
    return frame


@pytest.fixture(params=["folder", "zip"])
def stored(request, tmp_path, picture):
    files = {"a.png": encoded(picture), "sub/b.png": encoded(picture.rotate(180))}
    if request.param == "folder":
        (tmp_path / "sub").mkdir()
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        return table(files, tmp_path, "folder")
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return table(files, tmp_path / "images.zip", "zip")


def test_reads_folder_and_zip(stored, picture):
    with StimulusReader(stored, stimulus_set="s") as reader:
        assert reader.ids == ["a.png", "sub/b.png"]
        np.testing.assert_array_equal(np.asarray(reader.image(0)), np.asarray(picture))
        np.testing.assert_array_equal(np.asarray(reader.image(1)), np.asarray(picture.rotate(180)))


def test_other_bytes_than_recorded_are_refused(stored):
    stored.loc[1, "sha256"] = "0" * 64
    with (
        StimulusReader(stored, stimulus_set="s") as reader,
        pytest.raises(DatasetError, match=r"'sub/b.png'.*other bytes"),
    ):
        reader.image(1)


def test_a_missing_file_is_named(stored):
    stored.loc[0, "file"] = "gone.png"
    with StimulusReader(stored, stimulus_set="s") as reader, pytest.raises(DatasetError, match=r"gone\.png.*not there"):
        reader.image(0)


def test_a_damaged_member_of_a_zip_is_named(tmp_path, picture):
    data, path = encoded(picture, "BMP"), tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", data)
    packed = bytearray(path.read_bytes())
    packed[40:60] = bytes(20)
    path.write_bytes(packed)
    stimuli = table({"a.png": data}, path, "zip")
    with (
        StimulusReader(stimuli, stimulus_set="s") as reader,
        pytest.raises(ImageError, match=r"'a\.png'.*its zip file"),
    ):
        reader.image(0)


def test_a_file_outside_the_folder_is_refused(tmp_path, picture):
    (tmp_path / "images").mkdir()
    (tmp_path / "secret.png").write_bytes(encoded(picture))
    frame = table({"../secret.png": encoded(picture)}, tmp_path / "images", "folder")
    with pytest.raises(DatasetError, match="outside the folder"):
        StimulusReader(frame, stimulus_set="s").image(0)


def test_hdf5_rows(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file["group/imgBrick"] = pixels
        file["wide"] = pixels.astype(np.float32)
    rows = {f"group/imgBrick/{i}": pixels[i].tobytes() for i in range(3)}
    with StimulusReader(table(rows, tmp_path / "x.hdf5", "hdf5"), stimulus_set="s") as reader:
        np.testing.assert_array_equal(np.asarray(reader.image(2)), pixels[2])
    frame = table({"wide/0": b"", "wide/7": b""}, tmp_path / "x.hdf5", "hdf5")
    with StimulusReader(frame, stimulus_set="s") as reader:
        with pytest.raises(ImageError, match="must be uint8"):
            reader.image(0)
        with pytest.raises(DatasetError, match="not in its HDF5"):
            reader.image(1)


@pytest.mark.parametrize(
    ("attrs", "message"),
    [
        ({"source": None, "kind": None}, "without images"),
        ({"source": "/no/such/place", "kind": "folder"}, "nothing is there now"),
        ({"source": __file__, "kind": "zip"}, "not a zip file"),
        ({"source": __file__, "kind": "hdf5"}, "not an HDF5 file"),
    ],
)
def test_sources_that_cannot_be_opened(attrs, message):
    frame = pd.DataFrame({"stimulus": ["a"], "file": ["a"]})
    frame.attrs.update(attrs)
    with pytest.raises(DatasetError, match=message):
        StimulusReader(frame, stimulus_set="s")


def test_corrupt_images_are_named(picture):
    data = encoded(picture.resize((200, 200)), "JPEG")
    for bad in (b"no image", b"", data[: len(data) // 2]):
        with pytest.raises(ImageError, match="'cat'"):
            decode_image(bad, name="'cat'")


def test_grey_becomes_three_equal_channels():
    grey = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    out = np.asarray(decode_image(encoded(grey), name="g"))
    assert (out == np.arange(12).reshape(3, 4, 1)).all()


def test_sixteen_bit_grey_keeps_its_upper_byte():
    grey = Image.fromarray(np.array([[0, 256, 65535]], dtype=np.uint16))
    assert np.asarray(decode_image(encoded(grey), name="g"))[0, :, 0].tolist() == [0, 1, 255]


def test_floating_point_pixels_are_refused():
    with pytest.raises(ValueError, match="no fixed range"):
        to_rgb(Image.fromarray(np.zeros((2, 2), np.float32)))


def test_transparency_is_laid_over_white():
    image = Image.new("RGBA", (1, 1), (255, 0, 0, 0))
    assert decode_image(encoded(image), name="t").getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (1, 1), 0)
    assert decode_image(encoded(palette, transparency=0), name="p").getpixel((0, 0)) == (255, 255, 255)


def test_cmyk_becomes_rgb():
    out = decode_image(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"), name="c").getpixel((4, 4))
    assert out[0] > 200 and out[1] < 60 and out[2] < 60


def test_exif_orientation_is_applied():
    image = Image.new("RGB", (4, 2))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_image(encoded(image, "JPEG", exif=exif), name="e").size == (2, 4)
