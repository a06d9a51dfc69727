"""Data on disk to labelled responses: one module a dataset, and importers for a laboratory's own data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainalign.datasets.algonauts import check_algonauts2023, ingest_algonauts2023
from brainalign.datasets.audit import AuditReport, audit_dataset
from brainalign.datasets.bids import import_bids
from brainalign.datasets.bold5000 import check_bold5000, ingest_bold5000
from brainalign.datasets.brainscore import import_brainscore
from brainalign.datasets.brainscore_export import export_brainscore
from brainalign.datasets.feature_files import import_features
from brainalign.datasets.fetching import DownloadReport, Wanted, fetch_files
from brainalign.datasets.generic import import_responses
from brainalign.datasets.god import check_god, ingest_god
from brainalign.datasets.haxby import check_haxby, ingest_haxby
from brainalign.datasets.images import import_images
from brainalign.datasets.laion import check_laion_fmri, ingest_laion_fmri
from brainalign.datasets.macaque_v4 import ingest_macaque_v4
from brainalign.datasets.miyawaki2008 import check_miyawaki2008, ingest_miyawaki2008
from brainalign.datasets.moments import check_bold_moments, ingest_bold_moments
from brainalign.datasets.natural_scenes import ingest_natural_scenes, make_natural_scenes
from brainalign.datasets.nsd import (
    check_nsd,
    check_nsd_imagery,
    check_nsd_synthetic,
    imagery_files,
    ingest_nsd,
    ingest_nsd_imagery,
    ingest_nsd_synthetic,
    nsd_files,
    synthetic_files,
)
from brainalign.datasets.nsd_packagings import ingest_brain_diffuser, ingest_mindeye1, ingest_mindeye2
from brainalign.datasets.nsd_packagings_check import check_brain_diffuser, check_mindeye1, check_mindeye2
from brainalign.datasets.objects92 import ingest_objects92
from brainalign.datasets.objects92_mat import check_objects92_mat, ingest_objects92_mat
from brainalign.datasets.open_sets import bold5000_files, god_files, laion_files, moments_files, things_files
from brainalign.datasets.rdms import import_rdms
from brainalign.datasets.report import ImportReport, IngestReport
from brainalign.datasets.room import require_room
from brainalign.datasets.rsatoolbox_files import export_rsatoolbox, import_rsatoolbox
from brainalign.datasets.shipped_files import check_files
from brainalign.datasets.simulated import simulate_cortex
from brainalign.datasets.splits import Split, import_split, list_splits, load_split, make_split
from brainalign.datasets.things import check_things_fmri, ingest_things_fmri
from brainalign.datasets.tree_report import TreeReport
from brainalign.datasets.volumes import import_volumes
from brainalign.errors import ChoiceError, DatasetError, near_names
from brainalign.manifests import load_manifest

if TYPE_CHECKING:
    from brainalign.store import Store

__all__ = [
    "CHECKS",
    "DATASETS",
    "DOWNLOADS",
    "AuditReport",
    "ImportReport",
    "IngestReport",
    "audit_dataset",
    "Split",
    "TreeReport",
    "check_tree",
    "download",
    "export_brainscore",
    "export_rsatoolbox",
    "import_bids",
    "import_brainscore",
    "import_features",
    "import_images",
    "import_rdms",
    "import_responses",
    "import_rsatoolbox",
    "import_split",
    "import_volumes",
    "ingest",
    "list_splits",
    "load_split",
    "make_natural_scenes",
    "make_split",
    "simulate_cortex",
]

DATASETS: dict[str, Callable[..., IngestReport]] = {
    "algonauts2023": ingest_algonauts2023,
    "bold-moments": ingest_bold_moments,
    "bold5000": ingest_bold5000,
    "god": ingest_god,
    "haxby": ingest_haxby,
    "laion-fmri": ingest_laion_fmri,
    "macaque-v4": ingest_macaque_v4,
    "miyawaki2008": ingest_miyawaki2008,
    "natural-scenes": ingest_natural_scenes,
    "nsd": ingest_nsd,
    "nsd-imagery": ingest_nsd_imagery,
    "nsd-synthetic": ingest_nsd_synthetic,
    "nsd-brain-diffuser": ingest_brain_diffuser,
    "nsd-mindeye1": ingest_mindeye1,
    "nsd-mindeye2": ingest_mindeye2,
    "objects92": ingest_objects92,
    "objects92-mat": ingest_objects92_mat,
    "simulated-cortex": simulate_cortex,
    "things-fmri": ingest_things_fmri,
}
"""Reader of each dataset by its manifest id."""

CHECKS: dict[str, Callable[[Path], TreeReport | None]] = {
    "algonauts2023": check_algonauts2023,
    "bold-moments": check_bold_moments,
    "bold5000": check_bold5000,
    "god": check_god,
    "haxby": check_haxby,
    "laion-fmri": check_laion_fmri,
    "macaque-v4": partial(check_files, "macaque-v4"),
    "miyawaki2008": check_miyawaki2008,
    "nsd": check_nsd,
    "nsd-brain-diffuser": check_brain_diffuser,
    "nsd-imagery": check_nsd_imagery,
    "nsd-mindeye1": check_mindeye1,
    "nsd-mindeye2": check_mindeye2,
    "nsd-synthetic": check_nsd_synthetic,
    "objects92": partial(check_files, "objects92"),
    "objects92-mat": check_objects92_mat,
    "things-fmri": check_things_fmri,
}
"""Look at the files of a dataset: what an ingestion would refuse, or None where the folder holds none of them."""


DOWNLOADS: dict[str, Callable[..., list[Wanted]]] = {
    "bold-moments": moments_files,
    "bold5000": bold5000_files,
    "god": god_files,
    "laion-fmri": laion_files,
    "nsd": nsd_files,
    "nsd-imagery": imagery_files,
    "nsd-synthetic": synthetic_files,
    "things-fmri": things_files,
}
"""Which files the options of a dataset need; of all others `brainalign data get` fetches what the manifest lists."""


def download(
    dataset_id: str,
    target: str | Path,
    *,
    accept_terms: bool = False,
    source: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    **options: Any,
) -> DownloadReport:
    """Fetch the files of a dataset that are asked for; the only function here that uses the network.

    Parameters
    ----------
    dataset_id : str
        As in the manifests.
    target : path
        Folder to be filled; give it to :func:`ingest` afterwards.
    accept_terms : bool
        Whether you accept the terms of the dataset.
    source : str, optional
        Another URL with the same files.
    progress : callable, optional
        Called with what is fetched, the bytes done and the bytes of all.
    **options
        What to fetch: subjects, sessions, space, …, as the dataset has them.

    Returns
    -------
    DownloadReport

    Raises
    ------
    ManifestError, ChoiceError
        If the dataset or an option is not known (near names are offered), or the dataset is not fetched.
    InputError
        If the terms were not accepted; the message holds them.
    DatasetError
        If a file is not there, or came with another size or hash.
    """
    if dataset_id in DOWNLOADS:
        _refuse_unknown("download", dataset_id, DOWNLOADS[dataset_id].__kwdefaults__ or (), options)
        files = DOWNLOADS[dataset_id](**options)
    else:
        _refuse_unknown("download", dataset_id, (), options)
        files = [Wanted(file.path, sha256=file.sha256) for file in load_manifest(dataset_id).files]
    return fetch_files(dataset_id, files, target, accept_terms=accept_terms, source=source, progress=progress)


def check_tree(root: str | Path, *, dataset: str | None = None, store: Store | None = None) -> list[TreeReport]:
    """Look at the files below a folder before anything is ingested, and say all that is wrong with them at once.

    Parameters
    ----------
    root : path
    dataset : str, optional
        As in `CHECKS`; default: every dataset whose files are there.
    store : Store, optional
        Also look whether its disk has room for what the default options would bring in.

    Returns
    -------
    list of TreeReport

    Raises
    ------
    ChoiceError
        If there is no check of the dataset.
    DatasetError
        If the folder holds no files of it, or of any.
    """
    if dataset is not None and dataset not in CHECKS:
        raise ChoiceError(f"there is no check of dataset {dataset!r}.{near_names(dataset, CHECKS)}")
    names = list(CHECKS) if dataset is None else [dataset]
    found = [report for name in names if (report := CHECKS[name](Path(root))) is not None]
    for report in found if store is not None else ():
        assert store is not None
        with report.collecting():
            require_room(store, report.n_bytes)
    if not found:
        raise DatasetError(
            f"{root} holds no files of {dataset or 'a dataset that has a check (' + ', '.join(CHECKS) + ')'}: give the "
            "folder that is ingested; `brainalign data show DATASET` says how its files are laid out."
        )
    return found


def ingest(
    dataset_id: str,
    root: str | Path | None,
    store: Store,
    *,
    subjects: Sequence[str] | None = None,
    variant: str | None = None,
    **options: Any,
) -> IngestReport:
    """Bring a known dataset from its files into the store.

    Parameters
    ----------
    dataset_id : str
        As in `DATASETS`, and in the manifests.
    root : path or None
        Folder of the files, as they were released; ``None`` for datasets that are made and not read.
    store : Store
    subjects : sequence of str, optional
        Default: all.
    variant : str, optional
        Default: the reader's own; `brainalign data show` lists the variants, and which of them each benchmark takes.
    **options
        Of the dataset's reader.

    Returns
    -------
    IngestReport
        What was brought in; a repeated call finds it there and writes nothing.

    Raises
    ------
    ChoiceError
        If the dataset, a subject, the variant or an option is unknown; near names are offered.
    DatasetError
        If files are absent or are not what the layout says.
    VariantError
        If the variant is in the store with other options or content.
    """
    if dataset_id not in DATASETS:
        raise ChoiceError(f"no reader for dataset {dataset_id!r}.{near_names(dataset_id, DATASETS)}")
    reader = DATASETS[dataset_id]
    known = (reader.__kwdefaults__ or {}).keys() - {"subjects", "variant"}
    _refuse_unknown("reader", dataset_id, known, options)
    return reader(root, store, subjects=subjects, variant=variant, **options)


def _refuse_unknown(what: str, dataset_id: str, known: Collection[str], options: dict[str, Any]) -> None:
    for option in options:
        if option not in known:
            raise ChoiceError(
                f"the {what} of {dataset_id!r} has no option {option!r}.{near_names(option, sorted(known))}"
            )
