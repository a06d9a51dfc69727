import zipfile

import pytest

from brainalign.datasets.image_files import bundle_images, folder_beside, write_zip
from brainalign.errors import DatasetError
from brainalign.store import open_store


def test_bundle_gathers_sources_unchanged_and_repeatably(tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("deep/cat.png", b"cat")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "dog.PNG").write_bytes(b"dog")
    sources = {"one": tmp_path / "a", "two": tmp_path / "b.zip"}
    assert bundle_images(tmp_path / "all.zip", sources) == ["one/dog.PNG", "two/cat.png"]
    first = (tmp_path / "all.zip").read_bytes()
    bundle_images(tmp_path / "all.zip", sources)
    assert (tmp_path / "all.zip").read_bytes() == first
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.read("two/cat.png") == b"cat"


def test_interrupted_zip_leaves_nothing(tmp_path):
    def members():
        yield "a.png", b"1"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_zip(tmp_path / "x.zip", members())
    assert list(tmp_path.iterdir()) == []


def test_images_lie_beside_a_store_on_this_disk(tmp_path):
    assert folder_beside(open_store(tmp_path / "s")) == tmp_path.resolve() / "s-images"
    with pytest.raises(DatasetError, match="not on this disk"):
        folder_beside(open_store("memory://beside"))


def test_two_images_of_one_name_are_refused(tmp_path):
    for level in ("x", "y"):
        (tmp_path / "a" / level).mkdir(parents=True)
        (tmp_path / "a" / level / "cat.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"'one/cat\.png'"):
        bundle_images(tmp_path / "all.zip", {"one": tmp_path / "a"})
    assert not (tmp_path / "all.zip").exists()
