"""Every dataset is brought in, audited and scored by its own benchmark, from the command line, on its miniature."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from brainalign.benchmarks import load_benchmark
from brainalign.cli.app import build_app
from brainalign.datasets import DATASETS, ingest
from brainalign.errors import EntryNotFoundError
from brainalign.evaluate.inputs import chosen_subjects
from brainalign.manifests import load_manifest, manifest_ids
from brainalign.store import Store, average_repeats, open_store
from brainalign.testing.miniatures import MINIATURES

SMALL = {"n_permutations": 20, "encoding_permutations": 20, "half_samples": 20, "blocks": 10, "groups": None}
METRICS = {"responses": ["encoding.ridge.r", "cka.linear.debiased"], "rdms": ["rsa.correlation.rho-a"]}
STIMULI_ONLY = {"natural-scenes"}
MADE = {"simulated-cortex"}  # needs images and a network that sees them; scored by the demo
BEYOND_MINIATURES = {"nsd-conwell-otc"}  # its region needs reliabilities that the miniature has not
VARIANTS = {"bold-moments": "rois"}  # six test videos are too few to be split


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(build_app(), [*arguments, "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def put_answers(store: Store, responses: Any) -> None:
    """Embeddings that are the averaged responses themselves; for RDMs, random ones."""
    stimulus_set = responses.attrs["stimulus_set"]
    if responses.attrs["kind"] == "rdms":
        ids = responses["stimulus"].values.tolist()
        good = np.random.default_rng(0).standard_normal((len(ids), 6))
    else:
        mean = average_repeats(responses)
        ids, good = mean["stimulus"].values.tolist(), mean["response"].values
    store.put_embeddings("net", "r1", stimulus_set, {"itself": good}, stimuli=ids)


def test_every_dataset_is_covered() -> None:
    assert set(DATASETS) - STIMULI_ONLY - MADE == set(MINIATURES)
    assert {name for name in manifest_ids() if not load_manifest(name).benchmarks} == STIMULI_ONLY


@pytest.mark.parametrize("dataset", MINIATURES)
def test_ingest_audit_and_score(dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRAINALIGN_STORE", str(tmp_path / "store"))
    mini = MINIATURES[dataset]
    mini.make(tmp_path / "tree")
    benchmark = load_manifest(dataset).benchmarks[0].model_dump()
    given = {name: value for name, value in mini.options.items() if name != "trust_pickle"}
    options = [part for name, value in given.items() for part in ("--option", f"{name}={json.dumps(value)}")]
    options += ["--trust-pickle"] if "trust_pickle" in mini.options else []
    benchmark["variant"] = VARIANTS.get(dataset, benchmark.get("variant"))
    variant = ["--variant", benchmark["variant"]] if benchmark["variant"] else []
    report = run("data", "ingest", dataset, "tree", *options, *variant)
    subject = report["entries"][0]["subject"]
    store = open_store(tmp_path / "store")
    responses = store.responses(dataset, subject)
    assert responses.attrs["stimulus_set"] in report["stimulus_sets"]
    put_answers(store, responses)
    assert run("data", "audit", dataset, "--embedding", "net", "--no-images")["passed"]
    kind = responses.attrs["kind"]
    named = benchmark["rois"]
    if named != "all":  # some miniatures have fewer regions than the release
        there = responses["roi"].attrs["labels"] if kind == "responses" else responses["roi"].values.tolist()
        named = [name for name in named if name in there] or "all"
    fields = {**benchmark, **SMALL, "id": "small", "subjects": [subject], "rois": named, "metrics": METRICS[kind]}
    Path("small.yaml").write_text(yaml.safe_dump(fields))
    scored = run("score", "net", "small.yaml")
    rows = [row for row in scored["rows"] if row["layer"] == "itself"]
    assert {row["metric"] for row in rows} == set(METRICS[kind])
    values = [row["value"] for row in rows if row["value"] is not None]
    assert values
    if kind == "responses":
        assert max(values) > 0.5  # the responses themselves are the best of models
        assert all(row["ceiling"] is not None or row["ceiling_reason"] for row in rows)


@pytest.mark.parametrize("dataset", MINIATURES)
def test_what_a_benchmark_lacks_is_brought_in_by_the_command_that_its_error_names(dataset: str, tmp_path: Path) -> None:
    """Also after an ingestion with the defaults, which of some datasets is another variant."""
    mini, store = MINIATURES[dataset], open_store(tmp_path / "store")
    mini.make(tmp_path / "tree")
    ingest(dataset, tmp_path / "tree", store, **mini.options)
    for document in load_manifest(dataset).benchmarks:
        benchmark = load_benchmark(document.id)
        there = store.variants(dataset)
        if benchmark.variant in there or document.id in BEYOND_MINIATURES:
            continue
        with pytest.raises(EntryNotFoundError, match=re.escape(", ".join(map(repr, there)))) as caught:
            chosen_subjects(benchmark, store)
        words = shlex.split(str(caught.value).rpartition("Bring it in: ")[2])
        assert words == ["brainalign", "data", "ingest", dataset, "ROOT", "--variant", str(benchmark.variant)]
        ingest(dataset, tmp_path / "tree", store, variant=words[-1], **mini.options)
        assert store.subjects(dataset, words[-1])
