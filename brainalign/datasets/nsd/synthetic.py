"""NSD-synthetic: responses of the NSD subjects to 284 controlled images (Gifford et al. 2026)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.datasets.colour_print import colour_print
from brainalign.datasets.image_decoding import decode_pixels
from brainalign.datasets.matrices import whole_numbers
from brainalign.datasets.nsd.companions import (
    Companion,
    Presentations,
    SessionChoice,
    companion_version,
    put_companion,
)
from brainalign.datasets.nsd.design import load_fields
from brainalign.datasets.nsd.tree import NsdTree, open_tree
from brainalign.datasets.nsd.trials import repetitions
from brainalign.datasets.report import IngestReport
from brainalign.datasets.stimulus_sets import complete_stimuli
from brainalign.errors import DatasetError
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = ["ingest_nsd_synthetic", "read_synthetic_design", "synthetic_id"]

DATASET = "nsd-synthetic"
SYNTHETIC = Companion(DATASET, "nsdsynthetic")
N_COMMON, N_IMAGES, N_RUNS = 220, 284, 8
IntArray = npt.NDArray[np.int64]


def ingest_nsd_synthetic(
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    space: str = "func1pt8mm",
    betas: str = "betas_fithrf_GLMdenoise_RR",
    neuroids: str | float = "nsdgeneral",
    rois: Sequence[str] | None = None,
    zscore: bool = True,
) -> IngestReport:
    """Bring NSD-synthetic into the store.

    Parameters
    ----------
    root, store, subjects, variant, space, neuroids, rois, zscore
        As for :func:`brainalign.datasets.nsd.ingest_nsd`; thresholds and regions are those of the core dataset, which
        lies in the same tree.
    betas : str
        ``betas_fithrf`` (b2) or ``betas_fithrf_GLMdenoise_RR`` (b3).

    Returns
    -------
    IngestReport
        Stimulus set ``nsd-synthetic``: ids are the names of the files, ``nsdsynthetic001`` to ``220``, and, for the 64
        images of each subject alone, ``nsdsynthetic221-subj01`` and on.

    Raises
    ------
    ChoiceError, DatasetError, StoreError, VariantError
        As for the core dataset.

    Notes
    -----
    ``ncsnr`` is computed from this session, with variances pooled over images by their repeats; ``ncsnr_nsd`` is that
    of the core dataset where it is there.
    """
    tree = open_tree(root, DATASET)
    families = [rois] if isinstance(rois, str) else None if rois is None else list(rois)
    choice = SessionChoice(space, companion_version(betas, SYNTHETIC), neuroids, families, zscore)
    order, pattern = read_synthetic_design(tree)
    table = _put_stimuli(tree, store)

    def presentations(subject: str, n_trials: int) -> Presentations:
        if n_trials != len(order):
            raise DatasetError(
                f"{subject} has betas of {n_trials} trials; {_design(tree)} has {len(order)}: one of them is cut off."
            )
        sizes = _run_sizes(pattern, n_trials)
        along = {
            "session": np.ones(n_trials, dtype=np.int64),
            "run": np.repeat(np.arange(1, len(sizes) + 1), sizes),
            "trial": np.concatenate([np.arange(1, n + 1) for n in sizes]),
            "repetition": repetitions(order),
        }
        return Presentations(DATASET, [synthetic_id(int(image), subject) for image in order], along)

    entries = put_companion(tree, store, SYNTHETIC, choice, subjects, variant, presentations)
    return IngestReport(DATASET, {DATASET: len(table)}, tuple(entries))


def synthetic_id(image: int, subject: str) -> str:
    """Return the stimulus id of an image, counted from 1.

    >>> synthetic_id(7, "subj01"), synthetic_id(221, "subj01")
    ('nsdsynthetic007', 'nsdsynthetic221-subj01')
    """
    return f"nsdsynthetic{image:03d}" + ("" if image <= N_COMMON else f"-{subject}")


def _design(tree: NsdTree) -> Path:
    return tree.root / "nsddata" / "experiments" / "nsdsynthetic" / "nsdsynthetic_expdesign.mat"


def read_synthetic_design(tree: NsdTree) -> tuple[IntArray, IntArray | None]:
    """Return the image of every trial, counted from 1, and the slots of the runs.

    Raises
    ------
    DatasetError
        If the file is absent or damaged, or its images do not count from 1 to 284.
    """
    path = _design(tree)
    fields = load_fields(path, ("masterordering",))
    order = whole_numbers(fields["masterordering"], f"{path}: masterordering").ravel()
    if order.min() < 1 or order.max() > N_IMAGES:
        raise DatasetError(
            f"{path}: masterordering runs from {order.min()} to {order.max()}; the images count from 1 to {N_IMAGES}."
        )
    pattern = fields.get("stimpattern")
    return order, None if pattern is None else whole_numbers(pattern, f"{path}: stimpattern")


def _run_sizes(pattern: IntArray | None, n_trials: int) -> list[int]:
    if pattern is not None:
        sizes = [int(n) for n in (pattern.reshape(-1, pattern.shape[-1]) != 0).sum(axis=1)]
        if sum(sizes) == n_trials:
            return sizes
    return [n_trials // N_RUNS] * N_RUNS if n_trials % N_RUNS == 0 else [n_trials]


def _put_stimuli(tree: NsdTree, store: Store) -> pd.DataFrame:
    """Record all images of all subjects; those whose files are there with hash and colour print."""
    folder = tree.root / "nsddata" / "stimuli" / "nsdsynthetic"
    rows = []
    for subject in load_manifest(DATASET).subjects:
        for image in range(1, N_IMAGES + 1):
            inner = "nsdsynthetic" if image <= N_COMMON else f"nsdsynthetic_{subject}"
            rows.append((synthetic_id(image, subject), f"{inner}/nsdsynthetic{image:03d}.png"))
    table = pd.DataFrame(dict(rows).items(), columns=["stimulus", "file"])
    there = [(folder / file).is_file() for file in table["file"]]
    data = [(folder / file).read_bytes() if found else b"" for file, found in zip(table["file"], there, strict=True)]
    table["bytes"] = [len(one) for one in data]
    table["sha256"] = [hashlib.sha256(one).hexdigest() if one else "" for one in data]
    table["print"] = [
        colour_print(decode_pixels(one, file)) if one else "" for one, file in zip(data, table["file"], strict=True)
    ]
    attrs = {"licence": load_manifest(DATASET).licence}
    source = str(folder.resolve()) if any(there) else None
    complete_stimuli(store, DATASET, table, source=source, kind="folder" if source else None, attrs=attrs)
    return table
