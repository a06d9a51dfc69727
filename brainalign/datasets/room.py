"""Room on the disk of a store, looked at before much is written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from brainalign.errors import StoreError

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["gigabytes", "require_free", "require_room"]


def require_room(store: Store, n_bytes: int) -> None:
    """Raise unless the disk of a store has room for ``n_bytes``; a store that is not on this disk is not looked at.

    Raises
    ------
    StoreError
        Says how much is needed, how much is free, and where.
    """
    url = str(store.url)
    if "://" not in url or url.startswith("file://"):
        require_free(Path(url.removeprefix("file://")), n_bytes)


def require_free(folder: Path, n_bytes: int) -> None:
    """Raise StoreError unless the disk of a folder, which need not exist yet, has room for ``n_bytes``."""
    place = folder.resolve()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if n_bytes > free:
        raise StoreError(
            f"{gigabytes(n_bytes)} are needed in {folder} and {gigabytes(free)} are free on its disk: make room, "
            "name a folder elsewhere, or take fewer subjects, sessions or neuroids."
        )


def gigabytes(n_bytes: int) -> str:
    """Return a number of bytes as text.

    >>> gigabytes(1_500_000_000), gigabytes(2_000_000)
    ('1.5 GB', '2.0 MB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"
