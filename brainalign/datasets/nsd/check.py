"""Looking at a tree of NSD files: everything that an ingestion would refuse, at once, without reading the betas."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd

from brainalign.datasets.checking import note_damage, note_undefined
from brainalign.datasets.image_brick import brick_shape
from brainalign.datasets.nsd.anatomy import Anatomy
from brainalign.datasets.nsd.betas import BetaFile, HemispherePair, check_file, open_betas
from brainalign.datasets.nsd.companions import Companion
from brainalign.datasets.nsd.design import Design, read_design
from brainalign.datasets.nsd.imagery import BLOCKS, IMAGERY
from brainalign.datasets.nsd.ingest import DATASET, less_than_published, make_anatomy, space_kind
from brainalign.datasets.nsd.labels import read_ctab
from brainalign.datasets.nsd.sessions import open_sessions
from brainalign.datasets.nsd.stimuli import BRICK, number_of_images, read_stimulus_table
from brainalign.datasets.nsd.synthetic import SYNTHETIC, read_synthetic_design
from brainalign.datasets.nsd.tree import BETA_VERSIONS, NsdTree
from brainalign.datasets.nsd.trials import check_stimulus_table, make_trials
from brainalign.datasets.tree_report import TreeReport
from brainalign.errors import DatasetError
from brainalign.manifests import load_manifest

__all__ = ["check_nsd", "check_nsd_imagery", "check_nsd_synthetic"]


def check_nsd(root: Path) -> TreeReport | None:
    """Look at a tree of the core dataset; None if there is no ``nsddata_betas`` below ``root``.

    Looks at the design and its agreement with behaviour, table and images; at every session file of every subject,
    space and version (gaps, grids, sizes, whether it is cut off); at regions, label tables, masks and ncsnr.

    Notes
    -----
    Reads headers and maps. A compressed NIfTI is not unpacked: its size is compared with what its last bytes say.
    """
    tree = NsdTree(root)
    if not (root / "nsddata_betas").is_dir():
        return None
    report = TreeReport(DATASET, str(root))
    design, table = _check_experiment(tree, report)
    for path in sorted(root.rglob("*.ctab")):
        with report.collecting():
            read_ctab(path)
    for subject, space, version in _folders(tree, BETA_VERSIONS.values()):
        for path in _map_files(tree, subject, space, version):
            note_damage(report, path)
        with report.collecting():
            files = open_sessions(tree.betas(subject, space, version), surface=space_kind(space) == "surface")
            _check_files(tree, report, files, (subject, space, version), version)
            with report.collecting():
                if design is not None:
                    report.notes += [f"{subject}/{space}: {note}" for note in less_than_published(subject, len(files))]
                    _check_trials(tree, design, table, subject, files)
    if not report.found:
        report.problems.append(f"{root / 'nsddata_betas'} holds no betas of a known space and version.")
    return report


def check_nsd_synthetic(root: Path) -> TreeReport | None:
    """Look at NSD-synthetic in a tree of NSD; None if no subject has its betas."""
    return _check_companion(root, SYNTHETIC, lambda tree: len(read_synthetic_design(tree)[0]))


def check_nsd_imagery(root: Path) -> TreeReport | None:
    """Look at NSD-imagery in a tree of NSD; None if no subject has its betas."""
    return _check_companion(root, IMAGERY, lambda _: sum(BLOCKS.values()))


def _check_companion(root: Path, companion: Companion, planned: Callable[[NsdTree], int]) -> TreeReport | None:
    tree, report = NsdTree(root), TreeReport(companion.dataset, str(root))
    versions = [version for short, version in BETA_VERSIONS.items() if short != "b1"]
    folders = list(_folders(tree, map(companion.folder, versions)))
    for subject, space, version in folders:
        with report.collecting():
            file = open_betas(
                tree.betas(subject, space, version), companion.stem, surface=space_kind(space) == "surface"
            )
            _check_files(tree, report, {1: file}, (subject, space, version), version.removeprefix(companion.experiment))
            n = planned(tree)
            if file.n_trials != n:
                raise DatasetError(f"{file.label} has {file.n_trials} trials; {companion.dataset} has {n}.")
    return report if folders else None


def _folders(tree: NsdTree, versions: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    return (
        (subject, space, version)
        for space, version in itertools.product(load_manifest(DATASET).spaces, versions)
        for subject in tree.subjects(space, version)
    )


def _check_experiment(tree: NsdTree, report: TreeReport) -> tuple[Design | None, pd.DataFrame | None]:
    design, table = None, None
    with report.collecting():
        design = read_design(tree.design)
    if tree.brick.is_file():
        with report.collecting():
            report.found.append(f"{brick_shape(tree.brick, BRICK)[0]} images in {tree.brick.name}")
    else:
        report.notes.append(f"{tree.brick} is not there: no image can be embedded")
    if design is not None:
        with report.collecting():
            table = read_stimulus_table(tree.stimulus_table, design)
            number_of_images(tree, design, table)
    return design, table


def _check_files(
    tree: NsdTree, report: TreeReport, files: dict[int, BetaFile], place: tuple[str, str, str], core: str
) -> None:
    """Look at the files of betas of a subject and at its maps; ``core`` is the version that holds its ncsnr."""
    subject, space, _ = place
    folder, surface, trials = tree.betas(*place), space_kind(space) == "surface", files[1].n_trials
    report.found.append(f"{subject}/{space}/{folder.name}: {len(files)} sessions of {trials} trials")
    for path in sorted(folder.glob("*betas_*")):
        with report.collecting():
            check_file(path, surface=surface, grid=_own_grid(files[1], path))
    with report.collecting():
        anatomy = make_anatomy(tree, subject, space, core, files[1])
        _check_maps(anatomy, f"{subject}/{space}", report)
        if "nsdgeneral" in anatomy.families():
            size = int(anatomy.family("nsdgeneral").any.sum())
            report.count(4 * size * sum(file.n_trials for file in files.values()), f"{space}/{folder.name}")


def _map_files(tree: NsdTree, subject: str, space: str, version: str) -> list[Path]:
    """Maps of a subject: masks, regions and ncsnr, whatever the state of its betas."""
    if space_kind(space) == "surface":
        return sorted(tree.betas(subject, space, version).glob("*.ncsnr.mg[hz]"))
    functional = tree.functional(subject, space)
    maps = [functional / "brainmask.nii.gz", tree.betas(subject, space, version) / "ncsnr.nii.gz"]
    return [path for path in maps if path.is_file()] + sorted((functional / "roi").glob("*.nii.gz"))


def _own_grid(file: BetaFile, path: Path) -> tuple[int, ...]:
    """Grid that a file must have; on surfaces that of its hemisphere."""
    if isinstance(file, HemispherePair):
        return (file.left if path.name.startswith("lh.") else file.right).grid
    return file.grid


def _check_trials(
    tree: NsdTree, design: Design, table: pd.DataFrame | None, subject: str, files: dict[int, BetaFile]
) -> None:
    sizes = {number: file.n_trials for number, file in files.items()}
    behaviour = tree.behaviour(subject)
    trials = make_trials(design, subject, sizes, behaviour if behaviour.is_file() else None)
    if table is not None:
        check_stimulus_table(table, tree.stimulus_table, subject, trials)


def _check_maps(anatomy: Anatomy, where: str, report: TreeReport) -> None:
    """Read every map of a subject: regions, brain mask, ncsnr; all that do not fit are noted."""
    for family in anatomy.families():
        with report.collecting():
            anatomy.family(family)
    for name in ("brain", "ncsnr"):
        with report.collecting():
            getattr(anatomy, name)
    with report.collecting():
        if anatomy.ncsnr is not None:
            note_undefined(report, where, "ncsnr in the brain", anatomy.ncsnr[anatomy.brain])
