"""Fixtures of the readers' tests."""

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import pandas as pd
import pytest

import brainalign as ba
from brainalign.benchmarks import load_benchmark
from brainalign.store import Store, open_store

QUICK = {"n_permutations": 20, "encoding_permutations": 20, "half_samples": 20, "blocks": 10}


@pytest.fixture
def fresh_store(tmp_path) -> Store:
    """An empty store on disk."""
    return open_store(tmp_path / "store")


@pytest.fixture
def score_tiny() -> Callable[..., pd.DataFrame]:
    """Score a benchmark of the manifests with one layer: the averaged responses of a subject, and noise."""

    def score(store: Store, benchmark: str, **changes) -> pd.DataFrame:
        bench = load_benchmark(benchmark).model_copy(update={**QUICK, **changes})
        subject = store.subjects(bench.dataset, bench.variant)[0]
        mean = ba.average_repeats(store.responses(bench.dataset, subject, variant=bench.variant))
        stimulus_set = mean.attrs["stimulus_set"]
        ids = list(store.stimuli(stimulus_set)["stimulus"])
        rng = np.random.default_rng(0)
        layer = rng.standard_normal((len(ids), mean.sizes["neuroid"])).astype(np.float32)
        place = {stimulus: row for row, stimulus in enumerate(ids)}
        layer[[place[s] for s in mean["stimulus"].values]] = mean["response"].values
        store.put_embeddings("tiny", "0123456789ab", stimulus_set, {"same": layer}, stimuli=ids, attrs={})
        table = ba.score("tiny@0123456789ab", bench, store).table
        return table[(table["layer"] == "same") & (table["subject"] == subject)]

    return score


class Bucket(http.server.BaseHTTPRequestHandler):
    """A server on this machine: HEAD, GET with ranges, MD5 as ETag, lists of a bucket (two keys a page) and of figshare
    articles, whose downloads are redirected; may lie about hashes or break off.
    """

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, *, body):
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        article = re.fullmatch(r"/v2/articles/(\d+)/files", url.path)
        if article:
            self._send(json.dumps(self._files(article[1], int(query["page"]))).encode())
        elif query.get("list-type") == "2":
            self._send(self._keys(query["prefix"], int(query.get("continuation-token", 0))).encode())
        elif url.path.startswith("/ndownloader/"):
            self.send_response(302)
            self.send_header("Location", "/" + unquote(url.path.removeprefix("/ndownloader/")))
            self.end_headers()
        else:
            self._file(self.server.root / unquote(url.path).lstrip("/"), body=body)

    def _files(self, article, page):
        folder = self.server.root / "articles" / article
        files = sorted(path for path in folder.iterdir() if path.is_file())[(page - 1) * 100 : page * 100]
        base = f"http://127.0.0.1:{self.server.server_port}/ndownloader/articles/{article}/"
        return [
            {"name": p.name, "size": p.stat().st_size, "computed_md5": self._md5(p), "download_url": base + p.name}
            for p in files
        ]

    def _keys(self, prefix, start):
        root = self.server.root
        keys = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        keys = [key for key in keys if key.startswith(prefix)]
        shown, more = keys[start : start + 2], len(keys) > start + 2
        inner = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in shown)
        token = f"<NextContinuationToken>{start + 2}</NextContinuationToken>" if more else ""
        state = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}"
        return f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{state}{inner}</ListBucketResult>'

    def _md5(self, path):
        return "0" * 32 if path.name in self.server.lies else hashlib.md5(path.read_bytes()).hexdigest()

    def _file(self, path, *, body):
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        part = data[int(wanted[1]) : int(wanted[2]) + 1] if wanted else data
        self.server.log.append((self.command, path.name, wanted and wanted[0]))
        if body and path.name in self.server.broken:
            self.send_error(503)
            return
        self._send(part, status=206 if wanted else 200, etag=self._md5(path), body=body)

    def _send(self, data, *, status=200, etag=None, body=True):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if etag:
            self.send_header("ETag", f'"{etag}"')
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def serve():
    """Start servers of folders; each has url, log, lies and broken."""
    started = []

    def start(root):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
        server.root, server.log, server.lies, server.broken = root, [], set(), set()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()
