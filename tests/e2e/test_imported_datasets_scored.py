"""What readers bring in is scored by the dataset's own benchmark, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from brainalign.cli.app import build_app
from brainalign.manifests import load_manifest
from brainalign.store import average_repeats, open_store
from brainalign.testing import nilearn_trees, nsd_packagings

TREES: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
    "haxby": (nilearn_trees.make_haxby_tree, ()),
    "miyawaki2008": (nilearn_trees.make_miyawaki_tree, ()),
    "objects92-mat": (lambda root: nsd_packagings.make_objects92_mat(root, n=30), ()),
    "nsd-mindeye1": (nsd_packagings.make_mindeye1_tree, ()),
    "nsd-mindeye2": (lambda root: nsd_packagings.make_mindeye2_tree(root, n_trials=60, n_images=30), ()),
    "nsd-brain-diffuser": (nsd_packagings.make_brain_diffuser_tree, ("--option", "sessions=2")),
}


def _json(*arguments: str) -> Any:
    result = CliRunner().invoke(build_app(), [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("dataset", TREES)
def test_ingest_audit_and_score(dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRAINALIGN_STORE", str(tmp_path / "store"))
    make, options = TREES[dataset]
    make(tmp_path / "tree")
    report = _json("data", "ingest", dataset, "tree", *options)
    subject = report["entries"][0]["subject"]
    store = open_store(tmp_path / "store")
    responses = store.responses(dataset, subject)
    stimulus_set = responses.attrs["stimulus_set"]
    assert stimulus_set in report["stimulus_sets"]
    if responses.attrs["kind"] == "rdms":
        ids = responses["stimulus"].values.tolist()
        good = np.random.default_rng(0).standard_normal((len(ids), 6))
    else:
        mean = average_repeats(responses)
        ids, good = mean["stimulus"].values.tolist(), mean["response"].values
    store.put_embeddings("net", "r1", stimulus_set, {"itself": good}, stimuli=ids)
    assert _json("data", "audit", dataset, "--embedding", "net", "--no-images")["passed"]
    fields = load_manifest(dataset).benchmarks[0].model_dump()
    # neighbourhoods of ten need more stimuli than some miniatures have
    fields["metrics"] = [metric for metric in fields["metrics"] if not metric.startswith("mutual-knn")]
    small = {"n_permutations": 20, "encoding_permutations": 20, "half_samples": 20, "blocks": 10}
    Path("small.yaml").write_text(yaml.safe_dump({**fields, **small, "id": "small", "subjects": [subject]}))
    rows = _json("score", "net", "small.yaml")
    rows = rows["rows"] if isinstance(rows, dict) else rows
    scores = [row["value"] for row in rows if row["layer"] == "itself" and row["value"] is not None]
    assert scores
    if responses.attrs["kind"] == "responses":
        assert max(scores) > 0.5  # the responses themselves are the best of models
