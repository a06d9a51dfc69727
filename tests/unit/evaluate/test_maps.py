"""Values of neuroids land in the places that the responses name, and nowhere else."""

import base64
import json
import re

import nibabel
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

from brainalign.benchmarks import Benchmark
from brainalign.cli.app import build_app
from brainalign.errors import ChoiceError, ResponseKindError, ResultConflictError
from brainalign.evaluate import score
from brainalign.evaluate.maps import write_maps
from brainalign.leaderboard import build_leaderboard
from brainalign.results import check_results, iter_surface_maps, read_neuroids
from brainalign.store import open_store

N, LAYERS = 40, (("a", 0.1), ("b", 0.3))
AFFINE = np.diag([1.8, 1.8, 1.8, 1.0])


def put(store, dataset, where, *, subject="s1", seed=0, **attrs):
    rng = np.random.default_rng(0)
    ids = [f"i{k}" for k in range(N)]
    code = rng.standard_normal((N, 4))
    layers = {f"{name}|mean": (code + noise * rng.standard_normal((N, 4))).astype(np.float32) for name, noise in LAYERS}
    rng = np.random.default_rng(seed)
    responses = code @ rng.standard_normal((4, len(next(iter(where.values())))))
    data = xr.Dataset(
        {"response": (("presentation", "neuroid"), responses.astype(np.float32))},
        coords={"stimulus": ("presentation", np.array(ids, dtype=object))}
        | {name: ("neuroid", np.asarray(values)) for name, values in where.items()},
        attrs={"stimulus_set": "set", "averaged": "once", **attrs},
    )
    store.put_responses(dataset, "v", subject, data, options={})
    if "set" not in store.stimulus_sets():
        store.put_stimuli("set", pd.DataFrame({"stimulus": ids}))
        store.put_embeddings("net", "0123456789ab", "set", layers, stimuli=ids)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    store = open_store(folder / "store")
    volume = {"x": [0, 2, 1], "y": [3, 0, 1], "z": [1, 1, 0]}
    put(store, "volume", volume, affine=AFFINE, shape=[3, 4, 2], space="func1pt8mm")
    sides = {"vertex": [4, 0, 5, 1], "hemisphere": np.array(["lh", "lh", "rh", "rh"], dtype=object)}
    put(store, "surface", sides, shape=[5, 6], space="nativesurface")
    paths = {}
    for dataset in ("volume", "surface"):
        bench = Benchmark(
            id=dataset, dataset=dataset, metrics=["encoding.ridge.r"], encoding_permutations=20, blocks=10
        )
        paths[dataset] = score("net@0123456789ab", bench, store, results=folder / "results").files[0]
    return store, paths


def test_a_volume(scored, tmp_path):
    store, paths = scored
    path = write_maps(paths["volume"], store, tmp_path, to="nifti", layer="b|mean")[0]
    image = nibabel.load(path)
    values, table = image.get_fdata(), read_neuroids(paths["volume"]).query("layer == 'b|mean'")
    assert np.allclose(image.affine, AFFINE) and values.shape == (3, 4, 2)
    assert np.isfinite(values).sum() == 3
    for x, y, z, neuroid in ((0, 3, 1, 0), (2, 0, 1, 1), (1, 1, 0, 2)):
        assert values[x, y, z] == np.float32(table.set_index("neuroid").loc[neuroid, "r"])


@pytest.mark.parametrize("to", ["gifti", "mgh"])
def test_a_surface(scored, tmp_path, to):
    store, paths = scored
    left, right = write_maps(paths["surface"], store, tmp_path, to=to, quantity="alpha", layer="a|mean")
    assert left.name.startswith("lh.s1.") and right.name.startswith("rh.s1.")
    alpha = read_neuroids(paths["surface"]).query("layer == 'a|mean'").set_index("neuroid")["alpha"]
    found = []
    for path in (left, right):
        if to == "gifti":
            found.append(nibabel.load(path).darrays[0].data)
        else:
            found.append(np.frombuffer(path.read_bytes(), ">f4", [5, 6][path == right], offset=284))
    assert len(found[0]) == 5 and len(found[1]) == 6
    assert np.allclose([found[0][4], found[0][0], found[1][5], found[1][1]], alpha[[0, 1, 2, 3]])
    assert np.isfinite(found[0]).sum() == np.isfinite(found[1]).sum() == 2


@pytest.mark.parametrize("said", ["space", "surface"])
def test_fsaverage5_is_the_first_part_of_fsaverage(tmp_path, said):
    """Readers say either the space or the surface that vertices are of."""
    store = open_store(tmp_path / "store")
    sides = {"vertex": [10241, 10242, 7], "hemisphere": np.array(["lh", "lh", "rh"], dtype=object)}
    put(store, "surface", sides, shape=[163842, 163842], **{said: "fsaverage"})
    bench = Benchmark(id="b", dataset="surface", metrics=["encoding.ridge.r"], encoding_permutations=20, blocks=10)
    result = score("net@0123456789ab", bench, store, results=tmp_path / "results").files[0]
    found = [nibabel.load(p).darrays[0].data for p in write_maps(result, store, tmp_path / "maps", to="fsaverage5")]
    assert [len(side) for side in found] == [10242, 10242]
    assert [np.flatnonzero(np.isfinite(side)).tolist() for side in found] == [[10241], [7]]


def test_the_command(scored, tmp_path):
    store, paths = scored
    words = ["map", str(paths["volume"]), "--to", "nifti", "--out", str(tmp_path), "--store", str(store.url)]
    result = CliRunner().invoke(build_app(), words)
    assert result.exit_code == 0, result.output
    assert len(list(tmp_path.glob("s1.encoding.ridge.r.*.nii.gz"))) == 1


def test_a_page_by_the_command(tmp_path):
    store = open_store(tmp_path / "store")
    sides = {"vertex": [4, 10_241, 5, 100_000], "hemisphere": np.array(["lh", "lh", "rh", "rh"], dtype=object)}
    put(store, "whole", sides, shape=[163_842, 163_842], space="fsaverage")
    bench = Benchmark(id="whole", dataset="whole", metrics=["encoding.ridge.r"], encoding_permutations=20, blocks=10)
    path = score("net@0123456789ab", bench, store, results=tmp_path / "results").files[0]
    words = ["map", str(path), "--to", "page", "--out", str(tmp_path / "maps"), "--store", str(store.url)]
    result = CliRunner().invoke(build_app(), words)
    assert result.exit_code == 0, result.output
    (page,) = (tmp_path / "maps").glob("s1.*.html")
    data = json.loads(re.search(r'id="surface-data">(.*?)</script>', page.read_text())[1])
    left, right = (np.frombuffer(base64.b64decode(side["values"]), dtype="<f4") for side in data["sides"])
    known = [np.flatnonzero(np.isfinite(values)).tolist() for values in (left, right)]
    assert known == [[4, 10_241], [5]]  # vertices past the coarser mesh are left out


def test_a_map_for_the_leaderboard_is_the_mean_over_subjects(tmp_path):
    store = open_store(tmp_path / "store")
    of_subject = {"s1": ([4, 10_241, 5, 100_000], 0), "s2": ([4, 7, 5, 8], 1)}
    for name, (vertices, seed) in of_subject.items():
        sides = {"vertex": vertices, "hemisphere": np.array(["lh", "lh", "rh", "rh"], dtype=object)}
        put(store, "whole", sides, subject=name, seed=seed, shape=[163_842, 163_842], space="fsaverage")
    bench = Benchmark(id="whole", dataset="whole", metrics=["encoding.ridge.r"], encoding_permutations=20, blocks=10)
    path = score("net@0123456789ab", bench, store, results=tmp_path / "results").files[0]
    words = ["map", str(path), "--to", "leaderboard", "--layer", "b|mean", "--store", str(store.url)]
    result = CliRunner().invoke(build_app(), words)
    assert result.exit_code == 0, result.output
    ((_, kept),) = iter_surface_maps(tmp_path / "results")
    table = read_neuroids(path).query("layer == 'b|mean'").set_index(["subject", "neuroid"])["r"]
    left, right = (np.array(side, dtype=float) for side in (kept.left, kept.right))
    assert np.flatnonzero(np.isfinite(left)).tolist() == [4, 7, 10_241]
    assert np.flatnonzero(np.isfinite(right)).tolist() == [5, 8]  # a vertex past the coarser mesh is left out
    assert left[4] == pytest.approx((table["s1", 0] + table["s2", 0]) / 2, rel=1e-4)
    assert (left[10_241], right[8]) == pytest.approx((table["s1", 1], table["s2", 3]), rel=1e-4)
    assert kept.subjects == ["s1", "s2"] and kept.layer == "b|mean"
    assert check_results(tmp_path / "results") == []
    page = build_leaderboard(tmp_path / "results", tmp_path / "site").html.read_text()
    assert '"name":"r of encoding.ridge.r.v' in page


def test_what_cannot_be_mapped(scored, tmp_path):
    store, paths = scored
    with pytest.raises(ResponseKindError, match=r"no surface; take --to nifti.*never by its affine"):
        write_maps(paths["volume"], store, tmp_path, to="gifti")
    with pytest.raises(ResponseKindError, match="no volume"):
        write_maps(paths["surface"], store, tmp_path, to="nifti")
    with pytest.raises(ResponseKindError, match="163842 vertices a hemisphere; these responses"):
        write_maps(paths["surface"], store, tmp_path, to="fsaverage5")
    with pytest.raises(ChoiceError, match="Did you mean 'nifti'"):
        write_maps(paths["volume"], store, tmp_path, to="nifty")
    with pytest.raises(ChoiceError, match="no layer 'a'"):
        write_maps(paths["volume"], store, tmp_path, to="nifti", layer="a")
    other = open_store(tmp_path / "other")
    put(other, "volume", {"x": [0, 2, 1], "y": [3, 0, 1], "z": [0, 1, 0]}, affine=AFFINE, shape=[3, 4, 2])
    with pytest.raises(ResultConflictError, match="than those that were scored"):
        write_maps(paths["volume"], other, tmp_path, to="nifti")
