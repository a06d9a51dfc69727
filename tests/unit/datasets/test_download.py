"""Fetching files: from a server on this machine and from a folder, in pieces, with terms, sizes and hashes checked."""

import hashlib
import shutil

import pytest
import yaml
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.datasets import download as fetch
from brainalign.datasets import fetching, ingest
from brainalign.datasets.nsd import nsd_files, synthetic_files
from brainalign.errors import ChoiceError, DatasetError, InputError, MissingDependencyError
from brainalign.store import open_store
from brainalign.testing.mini_nsd import make_mini_nsd

ONE = {"subjects": ["subj04"], "sessions": [1], "rois": ["nsdgeneral", "floc-words"]}


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    root = tmp_path_factory.mktemp("bucket")
    make_mini_nsd(root, subjects=["subj04"], spaces=["func1pt8mm"], formats=["hdf5"])
    return root


@pytest.fixture
def server(bucket, serve):
    return serve(bucket)


def test_what_was_fetched_can_be_ingested(server, tmp_path):
    report = fetch("nsd", tmp_path / "nsd", accept_terms=True, source=server.url, **ONE)
    assert "nsddata/experiments/nsd/nsd_expdesign.mat" in report.fetched
    assert not any("subj01" in name or "streams" in name for name in report.fetched)
    assert ingest("nsd", tmp_path / "nsd", open_store(tmp_path / "store")).entries[0].n_presentations == 750
    again = fetch("nsd", tmp_path / "nsd", accept_terms=True, source=server.url, **ONE)
    assert again.fetched == [] and len(again.there) == len(report.fetched)


def test_terms_come_first(server, tmp_path):
    with pytest.raises(InputError, match=r"(?s)must be accepted first.*no distribution.*--accept-terms"):
        fetch("nsd", tmp_path / "nsd", source=server.url, **ONE)
    assert server.log == [] and not (tmp_path / "nsd").exists()
    words = ["data", "get", "nsd", str(tmp_path / "nsd"), "--source", server.url, "--subject", "subj04"]
    refused = CliRunner().invoke(build_app(), words)
    assert refused.exit_code == 1 and "Terms: " in refused.stderr
    options = ["--option", "sessions=[1]", "--option", "rois=[nsdgeneral]"]
    fetched = CliRunner().invoke(build_app(), [*words, *options, "--accept-terms"])
    assert fetched.exit_code == 0 and "files fetched" in fetched.stdout


def test_a_broken_download_goes_on_where_it_broke_off(server, bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "_BLOCK", 10_000)
    name = "nsddata_betas/ppdata/subj04/func1pt8mm/betas_fithrf_GLMdenoise_RR/betas_session01.hdf5"
    place = tmp_path / "nsd" / name
    place.parent.mkdir(parents=True)
    whole = (bucket / name).read_bytes()
    place.with_name(place.name + ".part").write_bytes(whole[:25_000])
    fetch("nsd", tmp_path / "nsd", accept_terms=True, source=server.url, **ONE)
    assert place.read_bytes() == whole
    ranges = [r for command, file, r in server.log if command == "GET" and file == place.name]
    assert ranges[0].startswith("bytes=25000-")
    assert not place.with_name(place.name + ".part").exists()


def test_what_comes_is_checked(server, tmp_path):
    server.lies.add("nsdgeneral.nii.gz")
    with pytest.raises(DatasetError, match=r"nsdgeneral\.nii\.gz came with another md5 than the server"):
        fetch("nsd", tmp_path / "nsd", accept_terms=True, source=server.url, **ONE)
    server.lies.clear()
    server.broken.add("nsdgeneral.nii.gz")
    with pytest.raises(DatasetError, match=r"broke off at byte 0.*call again to resume"):
        fetch("nsd", tmp_path / "nsd", accept_terms=True, source=server.url, **ONE)
    server.broken.clear()
    fetch("nsd", tmp_path / "nsd", accept_terms=True, source=server.url, **ONE)


def test_any_file_system_of_fsspec(bucket, tmp_path):
    fetch("nsd", tmp_path / "nsd", accept_terms=True, source=f"file://{bucket}", **ONE)
    found = ingest("nsd", tmp_path / "nsd", open_store(tmp_path / "store"))
    shutil.rmtree(tmp_path / "nsd")
    assert found.entries[0].subject == "subj04"


def test_what_is_not_there(server, tmp_path):
    with pytest.raises(DatasetError, match=r"has no .*betas_session02\.hdf5"):
        fetch("nsd", tmp_path, accept_terms=True, source=server.url, **(ONE | {"sessions": [2]}))
    with pytest.raises(ChoiceError, match="Did you mean 'subj04'"):
        fetch("nsd", tmp_path, accept_terms=True, source=server.url, subjects=["subj4"])
    with pytest.raises(ChoiceError, match=r"no option 'session'.*Did you mean 'sessions'"):
        fetch("nsd", tmp_path, accept_terms=True, session=1)
    with pytest.raises(ChoiceError, match="objects92 is not fetched by this command; it lies at"):
        fetch("objects92", tmp_path)
    with pytest.raises((DatasetError, MissingDependencyError), match="nosuchscheme"):
        fetch("nsd", tmp_path, accept_terms=True, source="nosuchscheme://x", **ONE)


def test_the_files_of_every_space():
    names = [w.path for w in nsd_files(subjects=["subj03"], space="fsaverage", sessions=3, rois=["streams"])]
    assert "nsddata_betas/ppdata/subj03/fsaverage/betas_fithrf_GLMdenoise_RR/rh.betas_session03.mgh" in names
    assert "nsddata/freesurfer/fsaverage/label/lh.streams.mgz" in names
    assert len([n for n in (w.path for w in nsd_files(subjects=["subj03"])) if "betas_session" in n]) == 32
    assert len([w for w in synthetic_files(subjects=["subj01"], stimuli=True) if w.path.endswith("png")]) == 284


def test_the_files_of_a_manifest(tmp_path, monkeypatch):
    """Of a dataset without a rule of its own the listed files are fetched, and their hashes are those of the list."""
    there = tmp_path / "there"
    there.mkdir()
    (there / "a.bin").write_bytes(b"numbers")
    files = [{"path": "a.bin", "sha256": hashlib.sha256(b"numbers").hexdigest()}]
    lab = {"id": "lab", "title": "t", "citation": [], "licence": "CC0", "terms": "none", "location": "here"}
    lab |= {"kind": "responses", "stimuli": "some", "files": files, "download": {"url": f"file://{there}"}}
    monkeypatch.setenv("BRAINALIGN_MANIFESTS", str(tmp_path))
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab))
    assert fetch("lab", tmp_path / "here").fetched == ["a.bin"]
    assert (tmp_path / "here" / "a.bin").read_bytes() == b"numbers"
    (there / "a.bin").write_bytes(b"changed!")
    with pytest.raises(DatasetError, match="another sha256 than the manifest states"):
        fetch("lab", tmp_path / "again")
