"""A benchmark on the miniature, scored through the command line."""

import json

import numpy as np
import pandas as pd
import yaml
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.datasets import ingest


def test_the_true_features_reach_the_ceiling(mini, store, tmp_path):
    root, design = mini
    ingest("nsd", root, store, subjects=["subj01"], check_ncsnr=False, hash_stimuli=False)
    ids = store.stimuli("nsd")["stimulus"].tolist()
    layers = {
        "true|mean": design.features.astype(np.float32),
        "other|mean": np.random.default_rng(0).standard_normal((len(ids), 8)).astype(np.float32),
    }
    store.put_embeddings("features", "0123456789ab", "nsd", layers, stimuli=ids)
    benchmark = {
        "id": "mini",
        "dataset": "nsd",
        "rois": ["nsdgeneral/nsdgeneral"],
        "metrics": ["encoding.ridge.r"],
        "n_permutations": 20,
        "encoding_permutations": 20,
    }
    path = tmp_path / "mini.yaml"
    path.write_text(yaml.safe_dump(benchmark))
    words = ["score", "features@0123456789ab", str(path), "--store", str(store.url), "--results", str(tmp_path / "out")]
    result = CliRunner().invoke(build_app(), [*words, "--json"])
    assert result.exit_code == 0, result.output
    rows = pd.DataFrame(json.loads(next((tmp_path / "out").rglob("*.json")).read_text())["rows"]).set_index("layer")
    assert rows.loc["true|mean", "ceiling_kind"] == "variance"
    assert 0.97 < rows.loc["true|mean", "normalised"] < 1.02
    assert abs(rows.loc["other|mean", "value"]) < 0.1
    assert rows.loc["true|mean", "n_excluded"] >= 1  # the constant voxel has no ceiling
