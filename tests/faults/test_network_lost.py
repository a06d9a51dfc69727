"""The network store goes away at random moments, for seconds: nothing is half-written, and the next call goes on."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from brainalign.errors import BrainalignError
from brainalign.evaluate import score
from brainalign.store import Store, open_store
from brainalign.testing import faults
from brainalign.testing.toy import MODEL, make_toy_store
from tests.faults.test_object_store import copied

pytestmark = [
    pytest.mark.faults,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the server and its client
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # sockets of the stopped server
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
TIMES = int(os.environ.get("BRAINALIGN_FAULTS", "20"))
METRICS = ["cka.linear.debiased"]
LONGEST = 8.0  # seconds that the store is away
MOST_CALLS = 20


class Outages:
    """A server that is away now and then, and what became of the calls meanwhile."""

    def __init__(self, trouble: object, seed: int) -> None:
        self.trouble, self.draw = trouble, random.Random(seed)
        self.calls = self.errors = 0

    def until_done(self, job: Callable[[], object], seconds: float) -> None:
        """Call a job, with the store away from a random moment on for a random time, until it ends well."""
        start, length = self.draw.uniform(0, seconds), self.draw.uniform(0.2, LONGEST)
        striker = threading.Thread(target=self._strike, args=(start, length))
        striker.start()
        try:
            for _ in range(MOST_CALLS):
                self.calls += 1
                try:
                    job()
                    return
                except BrainalignError as error:
                    assert str(error)
                    self.errors += 1
            raise AssertionError(f"no success in {MOST_CALLS} calls")
        finally:
            striker.join()

    def _strike(self, start: float, length: float) -> None:
        time.sleep(start)
        self.trouble.away = True
        time.sleep(length)
        self.trouble.away = False


@pytest.fixture(scope="module")
def bucket() -> Iterator[tuple[object, str, dict[str, object]]]:
    for package in ("s3fs", "boto3", "flask"):
        pytest.importorskip(package)
    pytest.importorskip("moto.server")
    from brainalign.testing.object_store import Trouble, served

    trouble = Trouble()
    with served(trouble) as (url, options):
        yield trouble, url, options


def _opened(bucket: tuple[object, str, dict[str, object]], name: str) -> Store:
    return open_store(f"{bucket[1]}-{name}", storage_options=bucket[2])


def test_while_scoring(tmp_path: Path, bucket: tuple[object, str, dict[str, object]]) -> None:
    disk = make_toy_store(tmp_path, n_stimuli=60)
    copied(disk, _opened(bucket, "score"))
    score(MODEL, faults.BENCHMARK, disk, metrics=METRICS, results=tmp_path / "disk")
    outages, seconds = Outages(bucket[0], seed=11), 0.0
    for i in range(TIMES + 1):
        results, started = tmp_path / f"bucket{i}", time.perf_counter()
        job = lambda results=results: score(  # noqa: E731
            MODEL, faults.BENCHMARK, _opened(bucket, "score"), metrics=METRICS, results=results
        )
        if not seconds:  # undisturbed, to know how long it takes
            job()
            seconds = time.perf_counter() - started
            continue
        outages.until_done(job, seconds)
        assert faults.content(results) == faults.content(tmp_path / "disk")
    assert outages.trouble.refused > 0
    print(
        f"{TIMES} outages, {outages.trouble.refused} requests refused, {outages.errors} of {outages.calls} calls failed"
    )


def test_while_writing(tmp_path: Path, bucket: tuple[object, str, dict[str, object]]) -> None:
    disk = make_toy_store(tmp_path, n_stimuli=60)
    started = time.perf_counter()
    copied(disk, _opened(bucket, "undisturbed"))
    seconds = time.perf_counter() - started
    hashes = _opened(bucket, "undisturbed").entries().set_index("path")["entry_sha256"].sort_index()
    before, outages = bucket[0].refused, Outages(bucket[0], seed=12)
    for i in range(TIMES):
        store = _opened(bucket, f"write{i}")
        outages.until_done(lambda store=store: copied(disk, store), seconds)
        report = store.check(full=True)
        assert report.ok, str(report)
        found = store.entries().set_index("path")["entry_sha256"].sort_index()
        assert found.to_dict() == hashes.to_dict()
    assert bucket[0].refused > before
    refused = bucket[0].refused - before
    print(f"{TIMES} outages, {refused} requests refused, {outages.errors} of {outages.calls} calls failed")
