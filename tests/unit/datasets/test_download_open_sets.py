"""Fetching the freely licensed datasets from a server on this machine: what was fetched can be ingested."""

import zipfile

import numpy as np
import pytest

from brainalign.datasets import CHECKS, DOWNLOADS, fetching, ingest
from brainalign.datasets import download as fetch
from brainalign.datasets.open_sets import AREAS
from brainalign.errors import ChoiceError, DatasetError, InputError
from brainalign.manifests import load_manifest, manifest_ids
from brainalign.store import open_store
from brainalign.testing.miniatures import MINIATURES


def pack(source, target, wrap="", method=zipfile.ZIP_DEFLATED):
    """Pack a folder, below ``wrap``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", method) as archive:
        for path in sorted(p for p in source.rglob("*") if p.is_file()):
            archive.write(path, f"{wrap}{path.relative_to(source)}")


def serve_miniature(dataset, tmp_path, serve):
    """Lay a miniature out as its source does, and serve it."""
    there = tmp_path / "there"
    tree = tmp_path / "tree"
    MINIATURES[dataset].make(tree)
    articles = there / "articles"
    if dataset == "things-fmri":
        (tree / "betas_csv" / "sub-99_ResponseData.h5").write_bytes(b"\0" * 100_000)  # must not be fetched
        pack(tree / "betas_csv", articles / "20492835" / "betas_csv.zip", "betas_csv/")
    elif dataset == "god":
        (articles / "7387130").mkdir(parents=True)
        (tree / "data" / "Subject1.h5").rename(articles / "7387130" / "Subject1.h5")
    elif dataset == "bold5000":
        pack(tree / "BOLD5000_GLMsingle_ROI_betas", articles / "14456124" / "BOLD5000_GLMsingle_ROI_betas.zip", "a/b/")
        for name in ("CSI1_imgnames.txt",):
            (tree / name).rename(articles / "14456124" / name)
        names = (articles / "14456124" / "CSI1_imgnames.txt").read_text().splitlines()
        lists = tmp_path / "lists"
        for session, part in enumerate(np.array_split(names, 2), start=1):
            run = lists / "Stimuli_Presentation_Lists" / "CSI1" / f"CSI1_sess{session:02d}" / "CSI_run01.txt"
            run.parent.mkdir(parents=True)
            run.write_text("\n".join(part))
        pack(lists, articles / "6459449" / "BOLD5000_Stimuli.zip", "BOLD5000_Stimuli/", zipfile.ZIP_STORED)
        pack(tree / "ROIs", articles / "6459449" / "BOLD5000_ROIs.zip", "ROIs/")
    else:
        return serve(tree)
    return serve(there)


SUBJECT = {"bold5000": "CSI1", "god": "Subject1"}
OPTIONS = {"laion-fmri": {"sessions": [1, 2]}}
FIGSHARE = ("things-fmri", "god", "bold5000")
OPEN = (*FIGSHARE, "bold-moments", "laion-fmri")


@pytest.mark.parametrize("dataset", OPEN)
def test_what_was_fetched_can_be_ingested(dataset, tmp_path, serve):
    server = serve_miniature(dataset, tmp_path, serve)
    source = f"figshare+{server.url}/v2" if dataset in FIGSHARE else server.url
    options = {"subjects": [SUBJECT.get(dataset, "sub-01")], **OPTIONS.get(dataset, {})}
    with pytest.raises(InputError, match=r"(?s)must be accepted first.*CC0"):
        fetch(dataset, tmp_path / "mine", source=source, **options)
    report = fetch(dataset, tmp_path / "mine", source=source, accept_terms=True, **options)
    assert report.fetched and not any("sub-99" in name for name in report.fetched)
    assert not list((tmp_path / "mine").rglob("*.part*"))
    again = fetch(dataset, tmp_path / "mine", source=source, accept_terms=True, **options)
    assert again.fetched == [] and sorted(again.there) == sorted(report.fetched)
    assert CHECKS[dataset](tmp_path / "mine").ok
    how = {"variant": "rois"} if dataset == "bold-moments" else {}
    how |= MINIATURES[dataset].options
    entry = ingest(dataset, tmp_path / "mine", open_store(tmp_path / "store"), **how).entries[0]
    assert entry.n_neuroids > 0
    if dataset == "laion-fmri":
        assert entry.rois == ("V1", "lFFA")  # found by listing the bucket, page by page


def test_only_the_bytes_of_the_members_asked_for_are_read(tmp_path, serve):
    server = serve_miniature("things-fmri", tmp_path, serve)
    report = fetch(
        "things-fmri", tmp_path / "mine", source=f"figshare+{server.url}/v2", accept_terms=True, subjects=["sub-01"]
    )
    read = [r for _, name, r in server.log if name == "betas_csv.zip"]
    assert len(report.fetched) == 3 and None not in read


def test_a_member_goes_on_where_it_broke_off_and_is_checked(tmp_path, serve, monkeypatch):
    monkeypatch.setattr(fetching, "_BLOCK", 1000)
    server = serve_miniature("things-fmri", tmp_path, serve)
    archive = tmp_path / "there" / "articles" / "20492835" / "betas_csv.zip"
    with zipfile.ZipFile(archive) as packed:
        info = packed.getinfo("betas_csv/sub-01_StimulusMetadata.csv")
        whole = packed.read(info)
    data = bytearray(archive.read_bytes())
    start = info.header_offset + 30 + len(info.filename)
    place = tmp_path / "mine" / "betas_csv" / "sub-01_StimulusMetadata.csv"
    place.parent.mkdir(parents=True)
    place.with_name(place.name + ".part").write_bytes(data[start : start + 500])
    get = {"source": f"figshare+{server.url}/v2", "accept_terms": True, "subjects": ["sub-01"]}
    fetch("things-fmri", tmp_path / "mine", **get)
    assert place.read_bytes() == whole
    assert any(r and r.startswith(f"bytes={start + 500}-") for _, _, r in server.log)
    data[start + 700] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(DatasetError, match=r"StimulusMetadata\.csv came with another checksum than the archive"):
        fetch("things-fmri", tmp_path / "again", **get)
    assert not list((tmp_path / "again").rglob("*StimulusMetadata*"))


def test_the_hash_of_figshare_is_compared(tmp_path, serve):
    server = serve_miniature("god", tmp_path, serve)
    server.lies.add("Subject1.h5")
    get = {"source": f"figshare+{server.url}/v2", "accept_terms": True, "subjects": ["Subject1"]}
    with pytest.raises(DatasetError, match="another md5 than the server"):
        fetch("god", tmp_path / "mine", **get)
    server.lies.clear()
    with pytest.raises(DatasetError, match=r"has no 7387130/Subject2\.h5"):
        fetch("god", tmp_path / "mine", **get | {"subjects": ["Subject2"]})
    server.root = tmp_path / "nothing"
    with pytest.raises(DatasetError, match="does not list the files of article 7387130"):
        fetch("god", tmp_path / "mine", **get)


def test_what_is_optional_and_not_there_is_reported(tmp_path, serve):
    """Without presentation lists the matrices come all the same; z-scoring then says what it needs."""
    server = serve_miniature("bold5000", tmp_path, serve)
    (tmp_path / "there" / "articles" / "6459449" / "BOLD5000_Stimuli.zip").unlink()
    get = {"source": f"figshare+{server.url}/v2", "accept_terms": True, "subjects": ["CSI1"]}
    report = fetch("bold5000", tmp_path / "mine", **get)
    assert report.absent == ["Stimuli_Presentation_Lists/CSI1/"] and len(report.fetched) == 11
    with pytest.raises(DatasetError, match="z-scoring within sessions needs"):
        ingest("bold5000", tmp_path / "mine", open_store(tmp_path / "store"))


def test_every_dataset_that_has_a_source_is_fetched_by_a_rule():
    """A manifest names a source, and terms to accept, where and only where there is a rule."""
    with_source = {name for name in manifest_ids() if load_manifest(name).download is not None}
    assert with_source == set(DOWNLOADS)
    assert all(load_manifest(name).download.accept_terms for name in with_source)


def test_the_files_of_the_options():
    assert len(DOWNLOADS["things-fmri"](subjects=["sub-02"])) == 3
    volumes = DOWNLOADS["bold5000"](subjects=["CSI4"], variant="glmsingle-volume.TYPEC")
    assert [w.path for w in volumes][-1] == "CSI4_GLMbetas-TYPEC-FITHRF-GLMDENOISE_ses-09.nii.gz"
    first = [w.path for w in DOWNLOADS["bold5000"](subjects=["CSI2"], variant="release1.TR34")]
    assert first == ["ROIs/stim_lists/CSI02_stim_lists.txt", "ROIs/CSI2/h5/CSI2_ROIs_TR34.h5"]
    surface = [w.path for w in DOWNLOADS["bold-moments"](subjects=["sub-03"], space="fsaverage")]
    assert len(surface) == 4 and all("_hemi-" in path for path in surface)
    assert len(DOWNLOADS["bold-moments"](subjects=["sub-03"], rois=["lV1v"])) == 1 and len(AREAS) == 23
    with pytest.raises(ChoiceError, match="Did you mean 'lV1v'"):
        DOWNLOADS["bold-moments"](rois=["lV1"])
    with pytest.raises(InputError, match="numbers from 1"):
        DOWNLOADS["laion-fmri"](sessions=["ses-01"])


def test_a_listing_that_declares_entities_is_refused() -> None:
    from xml.etree import ElementTree

    from brainalign.datasets.remote_http import _listing

    assert [key.text for key in _listing(b"<L><Key>a</Key></L>").iter("Key")] == ["a"]
    with pytest.raises(ElementTree.ParseError, match="document type"):
        _listing(b'<!DOCTYPE L [<!ENTITY a "aaaa">]><L><Key>&a;</Key></L>')
