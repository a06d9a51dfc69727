"""Curves of stored responses by region: the same as of the bare array, with the control joined by stimulus."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import brainalign as ba
from brainalign.cli.app import build_app
from brainalign.errors import InputError, ResponseKindError, UndefinedError, UnknownLayerError
from brainalign.store import Store, open_store
from brainalign.studies import brain_curves, response_curves
from brainalign.testing.toy import make_toy_rdms, make_toy_store

N, V, D = 200, 40, 5


def _signal() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The code (N, D), and single responses (N, 3, V)."""
    rng = np.random.default_rng(0)
    code = rng.uniform(-1, 1, (N, D))
    signal = code @ rng.standard_normal((D, V))
    return code, signal, signal[:, None] + rng.uniform(0.5, 4, V) * rng.standard_normal((N, 3, V))


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    store = open_store(tmp_path_factory.mktemp("noise") / "store")
    code, _, values = _signal()
    ids = [f"i{k:03d}" for k in range(N)]
    # presentations in three runs of all stimuli, and one more stimulus that is shown once
    data = xr.Dataset(
        {
            "response": (
                ("presentation", "neuroid"),
                np.concatenate([*values.swapaxes(0, 1), values[:1, 0]]).astype("f4"),
            )
        },
        coords={
            "stimulus": ("presentation", np.array([*ids * 3, "once"], dtype=object)),
            "label": ["early", "late"],
        },
        attrs={"stimulus_set": "set", "simulated": True},
    )
    member = np.zeros((V, 2), dtype=bool)
    member[:10, 0] = member[10:, 1] = True
    data["roi"] = (("neuroid", "label"), member, {"labels": ["early", "late"]})
    store.put_stimuli("set", pd.DataFrame({"stimulus": [*ids, "once"]}))
    store.put_responses("brain", "v", "s1", data, options={})
    turned = [*reversed(ids)]  # in another order, without one of them
    layers = {"a|mean": code[::-1][:-1].astype("f4"), "b|mean": code[::-1][:-1].astype("f4") ** 3}
    store.put_embeddings("net", "0123456789ab", "set", layers, stimuli=turned[:-1])
    return store


def test_a_region_is_what_the_array_is(store: Store) -> None:
    _, _, values = _signal()
    found = response_curves("brain", store=store)
    assert [(one.subject, one.roi) for one in found] == [("s1", "early"), ("s1", "late")]
    expected = brain_curves(values.astype("f4"), neuroids=np.arange(10, V))
    pd.testing.assert_frame_equal(found[1].curves.dimension, expected.dimension)
    assert found[1].curves.notes == [f"{N} stimuli of set", "1 shown once are left out", "30 of 30 neuroids of late"]
    law = ba.spectrum_exponent(values[:, 0, 10:], repeats=list(values[:, 1:, 10:].swapaxes(0, 1)))
    assert found[1].spectrum.exponent == pytest.approx(law.exponent, rel=1e-5)
    assert found[0].spectrum is None and "needs components 11 to 13" in found[0].no_spectrum
    said = found[1].sentence()
    assert said.startswith("s1 late (SIMULATED): dimension of the brain") and "variance that repeats share" in said
    assert "No spectrum" in found[0].sentence()


def test_the_control_is_joined_by_stimulus(store: Store) -> None:
    code, _, values = _signal()
    found = response_curves("brain", store=store, rois=["late"], model="net", layer="a*", n_stimuli=100)
    rows = np.sort(np.random.default_rng(0).choice(N - 1, 100, replace=False)) + 1  # the model lacks the first
    expected = brain_curves(values[rows].astype("f4"), neuroids=np.arange(10, V), model=code[rows].astype("f4"))
    pd.testing.assert_frame_equal(found[0].curves.dimension, expected.dimension)
    assert "control: net a|mean" in found[0].curves.notes
    chosen = response_curves("brain", store=store, min_ncsnr=0.5, rois=["late"])[0].curves
    assert 0 < chosen.n_neuroids < 30 and "ncsnr at least 0.5" in chosen.notes[-1]


def test_what_has_no_curves(store: Store, tmp_path) -> None:
    with pytest.raises(InputError, match="name the one that is the control"):
        response_curves("brain", store=store, model="net")
    with pytest.raises(UnknownLayerError):
        response_curves("brain", store=store, model="net", layer="c")
    with pytest.raises(UndefinedError, match="nothing to measure"):
        response_curves("brain", store=store, min_ncsnr=99)
    toy = make_toy_store(tmp_path)
    make_toy_rdms(toy, n_subjects=1)
    name = next(d for d, k in zip(*(toy.entries()[c] for c in ("dataset", "kind")), strict=True) if k == "rdms")
    with pytest.raises(ResponseKindError, match="RDMs only"):
        response_curves(str(name), store=toy)


def test_the_command(store: Store) -> None:
    def run(*words: str):
        return CliRunner().invoke(build_app(), ["geometry", "brain", *words, "--store", str(store.url)])

    words = ["--noise", "--roi", "late", "--control", "net", "--layer", "b|mean", "--structure", "--json"]
    result = run(*words)
    assert result.exit_code == 0, result.output
    reply = json.loads(result.stdout)
    assert {row["of"] for row in reply["dimension"]} == {
        "brain", "noise", "model", "model + noise", "brain without noise",
    }  # fmt: skip
    assert {row["subject"] for row in reply["structure"]} == {"s1"} and reply["spectra"][0]["exponent"] is not None
    plain = run("--noise", "--roi", "late")
    assert plain.exit_code == 0 and "without noise" in plain.output and "30 of 30 neuroids of late" in plain.output
    for wrong in (["--noise", "--repeats", "2"], ["--control", "net"], ["--noise", "--layer", "b|mean"]):
        refused = run(*wrong)
        assert refused.exit_code == 2 and "--noise" in refused.stderr
