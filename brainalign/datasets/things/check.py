"""Looking at the files of THINGS-fMRI before they are ingested."""

from __future__ import annotations

from pathlib import Path

from brainalign.datasets.checking import check_subjects, note_grids, note_undefined
from brainalign.datasets.masked_frames import read_mask
from brainalign.datasets.things.ingest import DATASET, mask_of_size, subjects_on_disk
from brainalign.datasets.things.table import read_trials, read_voxels, response_block
from brainalign.datasets.things.volumes import read_run, region_files, region_images, run_files
from brainalign.datasets.tree_report import TreeReport
from brainalign.datasets.trees import find_files, find_one
from brainalign.manifests import load_manifest

__all__ = ["check_things_fmri"]


def check_things_fmri(root: Path) -> TreeReport | None:
    """Look at tables, volumes, masks and regions of every subject; None if there is none below ``root``."""
    tables, volumes = subjects_on_disk(root)

    def look(report: TreeReport, folder: Path, name: str) -> None:
        if name in tables:
            _tables(report, folder, name)
        if find_files(folder, f"{name}_space-T1w_brainmask.nii*") or name in volumes:
            _volumes(report, folder, name)

    return check_subjects(DATASET, root, tables | volumes, look)


def _tables(report: TreeReport, root: Path, name: str) -> None:
    manifest = load_manifest(DATASET)
    trials, voxels = None, None
    with report.collecting():
        trials = read_trials(find_one(root, f"{name}_StimulusMetadata.csv", manifest))
    with report.collecting():
        voxels = read_voxels(find_one(root, f"{name}_VoxelMetadata.csv", manifest))
    if trials is not None and voxels is not None:
        path = find_one(root, f"{name}_ResponseData.h5", manifest)
        block = response_block(path, voxels, len(trials))
        report.add(name, "tables", len(trials), voxels.n, itemsize=block.dtype.itemsize)
        if "nc_testset" in voxels.coordinates:
            note_undefined(report, name, "nc_testset", voxels.coordinates["nc_testset"])
        for path_of_mask in find_files(root, f"{name}_space-T1w_brainmask.nii*"):
            mask_of_size(read_mask(path_of_mask), voxels.n, path)


def _volumes(report: TreeReport, root: Path, name: str) -> None:
    mask = read_mask(
        find_one(root, [f"{name}_space-T1w_brainmask.nii{end}" for end in (".gz", "")], load_manifest(DATASET))
    )
    runs = run_files(root, name)
    note_grids(report, mask, [*runs.values(), *region_files(root, name)])
    n_trials = 0
    for (session, number), path in runs.items():
        with report.collecting():
            n_trials += len(read_run(path, session, number, mask).trials)
    if runs:
        report.add(name, f"{len(runs)} runs of volumes", n_trials, mask.size, variant="volumes")
    region_images(root, name, mask)
