"""Ingest, embed and score on an object store that is slow, refuses requests and loses answers; and its secrets."""

from __future__ import annotations

import copy
import logging
from pathlib import Path

import pytest

from brainalign.errors import StoreError
from brainalign.evaluate import score
from brainalign.leaderboard import build_leaderboard
from brainalign.store import LayerSpec, Store, open_store
from brainalign.testing import faults
from brainalign.testing.toy import MODEL, make_toy_store

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the server and its client
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # sockets of the stopped server
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
METRICS = ["cka.linear.debiased"]


def copied(source: Store, target: Store) -> None:
    """Put what a store holds into another."""
    table = source.stimuli("images")
    target.put_stimuli("images", table)
    found = source.embeddings(MODEL, stimuli="images")
    model, revision = MODEL.split("@")
    layers = [LayerSpec(str(name), variable.shape[1]) for name, variable in found.data_vars.items()]
    ids = [str(name) for name in table["stimulus"]]
    about = {"attributes": found.attrs["attributes"]}
    with target.embedding_writer(
        model, revision, "images", stimuli=ids, layers=layers, chunk_rows=16, attrs=about
    ) as writer:
        writer.append({spec.key: found[spec.key].values for spec in layers})
        writer.commit()
    for subject in source.subjects("toy"):
        responses = source.responses("toy", subject).load().drop_vars(["V1", "IT"])
        target.put_responses("toy", "v1", subject, responses, options={"noise": 2.0})


@pytest.mark.parametrize(
    "size",
    [pytest.param(0.2, id="short", marks=pytest.mark.slow), pytest.param(1.0, id="long", marks=pytest.mark.slow)],
)
def test_a_bucket_in_trouble_gives_the_same_results(tmp_path: Path, size: float) -> None:
    for package in ("s3fs", "boto3", "flask"):
        pytest.importorskip(package)
    pytest.importorskip("moto.server")
    from brainalign.testing.object_store import SECRET, Trouble, served

    disk = make_toy_store(tmp_path, n_stimuli=60)
    trouble = Trouble(refuse=0.1 * size, lose=0.05 * size, seconds=0.01 * size, seed=1)
    logs = tmp_path / "log"
    handler = logging.FileHandler(logs)
    logging.getLogger().addHandler(handler)
    try:
        with served(trouble) as (url, options):
            bucket = open_store(url, storage_options=options)
            copied(disk, bucket)
            again = copy.deepcopy(bucket)  # by the same way as a worker gets it
            score(MODEL, faults.BENCHMARK, again, metrics=METRICS, results=tmp_path / "bucket")
            report = bucket.check(full=True)
            with pytest.raises(StoreError) as missing:
                bucket.embeddings("none", stimuli="images")
            said = f"{report} {bucket!r} {bucket.files!r} {missing.value} {bucket.entries().to_csv()}"
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
    assert report.ok, str(report)
    assert trouble.refused + trouble.lost > 0
    score(MODEL, faults.BENCHMARK, disk, metrics=METRICS, results=tmp_path / "disk")
    assert faults.content(tmp_path / "bucket") == faults.content(tmp_path / "disk")
    build_leaderboard(tmp_path / "bucket", tmp_path / "board")
    written = b"".join(
        p.read_bytes() for part in ("bucket", "board") for p in (tmp_path / part).rglob("*") if p.is_file()
    )
    assert SECRET.encode() not in written + logs.read_bytes() and SECRET not in said
    print(f"{trouble.requests} requests, {trouble.refused} refused, {trouble.lost} answers lost")


def test_a_url_with_a_secret_leaves_it_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from brainalign.cli.resuming import resuming_command

    secret = "hunter2"
    disk = make_toy_store(tmp_path, n_stimuli=60)
    store = open_store(f"memory://user:{secret}@lab/{tmp_path.name}?token={secret}")
    copied(disk, store)
    score(MODEL, faults.BENCHMARK, store, metrics=METRICS, results=tmp_path / "results")
    build_leaderboard(tmp_path / "results", tmp_path / "board")
    files = [p for part in ("results", "board") for p in (tmp_path / part).rglob("*") if p.is_file()]
    assert len(files) > 3
    assert [p for p in files if secret.encode() in p.read_bytes() or secret in str(p)] == []
    with pytest.raises(StoreError) as missing:
        store.embeddings("none", stimuli="images")
    command = resuming_command(["score", "m", "b", "--store", f"s3://user:{secret}@lab/x", "--cluster=local:2"])
    said = f"{store!r} {store.check()} {missing.value} {store.entries().to_csv()} {command} {capsys.readouterr()}"
    assert secret not in said and "s3://lab/x" in command
