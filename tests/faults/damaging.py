"""Damage to files, and the bounds within which a reader of damaged ones must stay."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOM = 3 << 30  # bytes that a reader may ask for
LONGEST = 20.0  # seconds for one small file


@contextmanager
def limited() -> Iterator[None]:
    """Leave so much address space, and so much time."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, hard))
    started = time.monotonic()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert time.monotonic() - started < LONGEST


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Flip, cut, repeat, insert and overwrite."""
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 8, 30))):
        at = draw.randrange(len(out) + 1)
        kind = draw.randrange(6)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del out[at:]
        elif kind == 2:
            end = min(len(out), at + draw.randrange(1, 64))
            out[at:at] = out[at:end] * draw.randrange(1, 4)
        elif kind == 3:
            out[at:at] = draw.randbytes(draw.randrange(1, 32))
        elif kind == 4:
            value = draw.choice((0, 255, 2**31 - 1, 2**32 - 1, 2**63 - 1)).to_bytes(8, draw.choice(("little", "big")))
            out[at : at + 8] = value
        else:
            del out[at : at + draw.randrange(1, 64)]
    return bytes(out)
