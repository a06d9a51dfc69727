"""Values of single neuroids of a result as pages with a surface that turns, one a subject."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel

from brainalign.evaluate.maps import write_maps
from brainalign.plots import surface_page
from brainalign.results import read_result
from brainalign.store import Store

__all__ = ["write_surface_pages"]

_NIBABEL: Any = nibabel  # half typed


def write_surface_pages(
    result: str | Path,
    store: Store,
    folder: str | Path,
    *,
    quantity: str = "r",
    layer: str | None = None,
    subjects: list[str] | None = None,
) -> list[Path]:
    """Write the maps of a result on fsaverage5, and a page for each pair of hemispheres.

    Parameters and errors as of `brainalign.evaluate.maps.write_maps`.

    Returns
    -------
    list of Path
        One HTML file a subject; the GIfTI files that it was made of lie beside it.
    """
    paths = write_maps(result, store, folder, to="fsaverage5", quantity=quantity, layer=layer, subjects=subjects)
    head = read_result(result)
    pages = []
    for left, right in zip(paths[::2], paths[1::2], strict=True):
        stem = left.name.removeprefix("lh.").removesuffix(".func.gii")
        lh, rh = (_NIBABEL.load(path).darrays[0].data for path in (left, right))
        title = f"{head.embedding.model}: {quantity} of {stem.split('.')[0]} on {head.benchmark.id}"
        page = left.with_name(f"{stem}.html")
        pages.append(surface_page(lh, rh, page, label=quantity, title=title, simulated=head.simulated))
    return pages
