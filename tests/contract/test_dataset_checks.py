"""Every dataset that is read from files has a miniature and a check, which passes it and names all damaged files."""

import hashlib
import shutil

import pytest
import yaml

from brainalign.datasets import CHECKS, DATASETS, check_tree
from brainalign.manifests import load_manifest
from brainalign.testing.miniatures import MINIATURES

READ = sorted(name for name in DATASETS if load_manifest(name).patterns or load_manifest(name).files)
BY_HASH = {"macaque-v4", "objects92"}  # their manifests list files with hashes


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    made = {}

    def tree(dataset):
        if dataset not in made:
            made[dataset] = tmp_path_factory.mktemp(dataset)
            MINIATURES[dataset].make(made[dataset])
        return made[dataset]

    return tree


@pytest.fixture(autouse=True)
def hashes_of_miniatures(request, tmp_path, trees, monkeypatch):
    """Manifests that mean the files of the miniatures."""
    dataset = request.node.callspec.params.get("dataset") if hasattr(request.node, "callspec") else None
    if dataset in BY_HASH:
        manifest = load_manifest(dataset).model_dump()
        for file in manifest["files"]:
            file["sha256"] = hashlib.sha256((trees(dataset) / file["path"]).read_bytes()).hexdigest()
        folder = tmp_path / "manifests"
        folder.mkdir()
        (folder / f"{dataset}.yaml").write_text(yaml.safe_dump(manifest))
        monkeypatch.setenv("BRAINALIGN_MANIFESTS", str(folder))


def test_the_tables_are_complete():
    assert sorted(CHECKS) == sorted(MINIATURES) == READ
    made = set(DATASETS) - set(READ)
    assert made == {"natural-scenes", "simulated-cortex"}


@pytest.mark.parametrize("dataset", READ)
def test_a_sound_tree_passes(dataset, trees):
    (report,) = check_tree(trees(dataset), dataset=dataset)
    assert report.ok, str(report)
    assert report.dataset == dataset and report.found
    assert dataset in [one.dataset for one in check_tree(trees(dataset))]


@pytest.mark.parametrize("dataset", READ)
def test_every_damaged_file_is_named_at_once(dataset, trees, tmp_path):
    """One file of every kind of name is cut in half; others stay, so that each must be said for itself."""
    root = shutil.copytree(trees(dataset), tmp_path / "tree")
    (sound,) = check_tree(root, dataset=dataset)
    cut = []
    for path in files_by_kind(root, dataset):
        data = path.read_bytes()
        path.write_bytes(data[: len(data.rstrip(b"\0")) // 2])
        cut.append(path)
    (report,) = check_tree(root, dataset=dataset)
    text = "\n".join(report.problems)
    assert sound.ok and cut
    assert [path.name for path in cut if path.name not in text] == []


def files_by_kind(root, dataset):
    """One binary file of every ending that the dataset's own files have."""
    found = {}
    for path in sorted(root.rglob("*")):
        binary = path.is_file() and path.suffix not in (".txt", ".csv", ".tsv", ".ctab", ".png", ".jpg", ".json", "")
        if binary and belongs(path, dataset) and (dataset in BY_HASH or path.suffix != ".zip"):
            found.setdefault("".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix, path)
    return found.values()


def belongs(path, dataset):
    """Trees of NSD's companions hold the core dataset as well; and what no reader opens is not looked at."""
    unread = ("anat.nii.gz", "bg.nii.gz", "nsd_stim_info_merged.pkl")
    if path.name in unread or path.name.startswith("mapping_") or (path.suffix == ".npz" and dataset == "nsd"):
        return False
    if dataset in ("nsd-synthetic", "nsd-imagery"):
        return dataset.replace("-", "") in path.name and path.suffix != ".mat"
    return True
