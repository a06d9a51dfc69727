"""An S3 server on this machine that is slow and fails now and then, as real ones do."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

__all__ = ["SECRET", "Trouble", "served"]

SECRET = "not-to-be-shown"


@dataclass
class Trouble:
    """How often the server refuses a request, loses an answer after having done what it was asked, and how slow it is.

    ``refused`` and ``lost`` are counted. While ``away`` every request is refused, as where the network is gone.
    """

    refuse: float = 0.0
    lose: float = 0.0
    seconds: float = 0.0
    seed: int = 0
    away: bool = False
    requests: int = 0
    refused: int = 0
    lost: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    def wrap(self, app: Callable[..., Any]) -> Callable[..., Any]:
        """Return a WSGI application with this trouble in front."""

        def troubled(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            with self._lock:
                self.requests += 1
                luck, wait = self._draw.random(), self._draw.expovariate(1 / self.seconds) if self.seconds else 0.0
                refused, lost = self.away or luck < self.refuse, self.refuse <= luck < self.refuse + self.lose
                self.refused, self.lost = self.refused + refused, self.lost + lost
            time.sleep(min(wait, 1.0))
            if refused:
                return _unavailable(environ, start)
            if lost:
                list(app(environ, lambda *_: None))
                return _unavailable(environ, start)
            return app(environ, start)

        return troubled


def _unavailable(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    environ["wsgi.input"].read(length) if length else None
    body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
    start("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


@contextmanager
def served(trouble: Trouble) -> Iterator[tuple[str, dict[str, Any]]]:
    """Serve an empty bucket; give the URL of a store in it and the options that open it.

    The bucket is made before trouble begins.
    """
    import boto3
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    plain = DomainDispatcherApplication(create_backend_app)
    behind = trouble.wrap(plain)
    begun = threading.Event()
    app = lambda environ, start: (behind if begun.is_set() else plain)(environ, start)  # noqa: E731
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    endpoint = {"endpoint_url": f"http://127.0.0.1:{server.server_port}", "region_name": "us-east-1"}
    bucket = f"lab-{uuid.uuid4().hex}"
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": SECRET}
    boto3.client("s3", **endpoint, **keys).create_bucket(Bucket=bucket)
    begun.set()
    options = {"key": "testing", "secret": SECRET, "client_kwargs": endpoint}
    try:
        yield f"s3://{bucket}/store", options
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
