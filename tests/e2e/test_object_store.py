"""A store on an object store: conditional writes, streams that resume, and a join, against a server of S3."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.errors import StoreError
from brainalign.store import LayerSpec, Store, join, open_store

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the server and its client, not of ours
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # sockets of the stopped server
]
IDS = [f"s{i}" for i in range(30)]
ROWS = np.random.default_rng(0).standard_normal((30, 4)).astype("f4")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store in a bucket."""
    pytest.importorskip("s3fs")
    pytest.importorskip("flask")
    boto3 = pytest.importorskip("boto3")
    from moto.server import ThreadedMotoServer

    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    bucket = f"lab-{uuid.uuid4().hex}"  # the server keeps its buckets for the process
    options: dict[str, Any] = {"endpoint_url": f"http://{host}:{port}"}
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "not-shown"}
    boto3.client("s3", **options, **keys).create_bucket(Bucket=bucket)
    yield open_store(
        f"s3://{bucket}/store", storage_options={"key": "testing", "secret": "not-shown", "client_kwargs": options}
    )
    server.stop()


def _feed(store: Store, stop: int) -> int:
    with store.embedding_writer(
        "lab/net", "1", "set", stimuli=IDS, layers=[LayerSpec("fc|mean", 4)], chunk_rows=8
    ) as writer:
        start = writer.rows_done
        writer.append({"fc|mean": ROWS[start:stop]})
        if stop == len(IDS):
            writer.commit()
    return start


def test_a_bucket_is_a_store(s3: Store) -> None:
    assert "not-shown" not in repr(s3) + repr(s3.files)
    responses = xr.Dataset(
        {"response": (("presentation", "neuroid"), np.eye(30, 3))}, {"stimulus": ("presentation", IDS[::-1])}
    )
    assert s3.put_stimuli("set", pd.DataFrame({"stimulus": IDS}))
    assert s3.put_responses("d", "v", "s", responses, options={})
    assert not s3.put_responses("d", "v", "s", responses, options={})
    assert _feed(s3, 20) == 0
    assert len(s3.check().litter) == 1
    assert _feed(s3, 30) == 16
    joined = join(s3.responses("d", "s"), s3.embeddings("lab/net", stimuli="set"))
    np.testing.assert_array_equal(joined.X["fc|mean"].values, ROWS[::-1])
    np.testing.assert_array_equal(joined.Y["response"].values, np.eye(30, 3))
    report = s3.check(full=True)
    assert report.ok and report.litter == [] and report.entries == 3


def test_of_two_writers_one_publishes(s3: Store) -> None:
    s3.files.publish("p/current.json", b"first", create=True)
    with pytest.raises(FileExistsError):
        s3.files.publish("p/current.json", b"second", create=True)
    assert s3.files.read("p/current.json") == b"first"
    layers = [LayerSpec("fc", 4)]
    one = s3.embedding_writer("m", "1", "set", stimuli=IDS, layers=layers)
    two = s3.embedding_writer("m", "1", "set", stimuli=IDS, layers=layers, attrs={"attributes": {"family": "x"}})
    for writer in (one, two):
        writer.append({"fc": ROWS})
    one.commit()
    with pytest.raises(StoreError, match="made otherwise"):
        two.commit()
    two.close()
    one.close()
    assert s3.embeddings("m", stimuli="set").attrs["attributes"] == {}
