"""Geometry of responses: ROIs, repeats, neuroids by signal to noise, and the files they are kept in."""

from pathlib import Path

import numpy as np
import pytest

import brainalign as ba
from brainalign.errors import ChoiceError, InputError, ResponseKindError, UndefinedError
from brainalign.results import read_property
from brainalign.stats import as_repeats
from brainalign.store import Store
from brainalign.studies.geometry import measure_geometry
from brainalign.studies.representations import ncsnr_of
from brainalign.testing.toy import MODEL, make_toy_rdms, make_toy_store

LOCAL = "dimension.local.mle.k20"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    store = make_toy_store(tmp_path_factory.mktemp("toy"))
    make_toy_rdms(store, n_subjects=1)
    return store


def _values(found) -> list[float]:
    return found.table["value"].tolist()


def test_every_roi_of_every_subject(store: Store) -> None:
    found = measure_geometry("toy", store=store, properties=[LOCAL, "dimension.participation-ratio"])
    table = found.table
    assert table.groupby(["subject", "roi"]).size().to_dict() == {
        (s, r): 2 for s in ("one", "two") for r in ("V1", "IT")
    }
    responses = ba.average_repeats(store.responses("toy", "two"))
    expected = ba.local_dimension(responses["response"].values[:, 10:], k=20).value
    row = table[(table["subject"] == "two") & (table["roi"] == "IT") & (table["property"] == LOCAL)].iloc[0]
    assert row["value"] == pytest.approx(expected) and row["n_repeats"] == 3 and row["layer"] is None
    assert found.files == []


def test_fewer_repeats_have_more_noise_and_so_more_dimensions(store: Store) -> None:
    options = {"subjects": ["one"], "rois": ["IT"], "store": store, "properties": [LOCAL]}
    one, two, three = (_values(measure_geometry("toy", repeats=k, **options))[0] for k in (1, 2, 3))
    assert one > two > three
    assert three == pytest.approx(_values(measure_geometry("toy", **options))[0])


def test_neuroids_by_signal_to_noise(store: Store) -> None:
    responses = store.responses("toy", "one")
    ncsnr = ncsnr_of(responses)
    # signal and noise variance by definition
    values = np.asarray(as_repeats(responses).values, dtype=float).reshape(120, 3, -1)
    noise = values.var(axis=1, ddof=1).mean(axis=0)
    signal = values.mean(axis=1).var(axis=0, ddof=1) - noise / 3
    varied = noise > 0
    assert ncsnr[varied] == pytest.approx(
        np.sqrt(np.maximum(signal, 0) / np.where(noise > 0, noise, 1))[varied], rel=0.05
    )
    floor = float(np.median(ncsnr[np.isfinite(ncsnr)]))
    found = measure_geometry("toy", subjects=["one"], rois=["IT"], min_ncsnr=floor, store=store, properties=[LOCAL])
    assert found.table["n_units"].tolist() == [int((ncsnr[10:] >= floor).sum())]
    with pytest.raises(UndefinedError, match="no neuroid of V1"):
        measure_geometry("toy", subjects=["one"], min_ncsnr=1e6, store=store, properties=[LOCAL])


def test_curves_and_files(store: Store, tmp_path: Path) -> None:
    properties = [LOCAL, "dimension.curve.mle"]
    found = measure_geometry(
        MODEL, stimuli="images", layers=["signal*"], store=store, properties=properties, results=tmp_path
    )
    curve = ba.dimension_curve(store.embeddings(MODEL, stimuli="images")["signal|mean"].values, average="arithmetic")
    rows = found.table[found.table["property"] == "dimension.curve.mle"]
    assert rows["scale"].tolist() == curve.scales.tolist() and rows["value"].tolist() == pytest.approx(curve.values)
    assert [p.name for p in found.files] == [f"{p}.v1.json" for p in properties]
    measure_geometry(MODEL, stimuli="images", store=store, properties=properties, results=tmp_path)
    stored = read_property(found.files[1])
    assert {row.part for row in stored.rows} == {"signal|mean", "noise|mean"}
    assert stored.source.attributes == {"family": "toy", "n_parameters": 3}
    brain = measure_geometry("toy", subjects=["one"], repeats=1, store=store, properties=[LOCAL], results=tmp_path)
    assert brain.files[0].relative_to(tmp_path).parts[:2] == ("properties", "simulated")
    assert [row.part for row in read_property(brain.files[0]).rows] == ["V1", "IT"]


def test_what_cannot_be_measured(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ResponseKindError, match="RDMs only"):
        measure_geometry("toy-rdms", store=store, properties=[LOCAL])
    with pytest.raises(ChoiceError, match="no ROI is called"):
        measure_geometry("toy", rois=["V9"], store=store, properties=[LOCAL])
    with pytest.raises(ChoiceError, match=r"Did you mean 'dimension.curve.mle'"):
        measure_geometry("toy", store=store, properties=["dimension.curve.ml"])
    with pytest.raises(UndefinedError, match="fewest is 3"):
        measure_geometry("toy", repeats=4, store=store, properties=[LOCAL])
    np.save(tmp_path / "x.npy", np.eye(9))
    with pytest.raises(InputError, match="no place among results"):
        measure_geometry(str(tmp_path / "x.npy"), results=tmp_path)
