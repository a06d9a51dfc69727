"""Looking at a tree of NSD files: everything that an ingestion would refuse, at once, without reading the betas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from brainalign.datasets.image_brick import brick_shape
from brainalign.datasets.nsd.anatomy import Anatomy
from brainalign.datasets.nsd.betas import BetaFile, HemispherePair, check_file, open_betas
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

__all__ = ["check_nsd"]


def check_nsd(root: Path) -> TreeReport | None:
    """Look at a tree of the core dataset and its companions; None if there is no ``nsddata_betas`` below ``root``.

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
    for subject, space, version in _folders(tree):
        with report.collecting():
            _check_subject(tree, report, design, table, (subject, space, version))
    if not report.found:
        report.problems.append(f"{root / 'nsddata_betas'} holds no betas of a known space and version.")
    return report


def _folders(tree: NsdTree) -> Iterator[tuple[str, str, str]]:
    later = (BETA_VERSIONS["b2"], BETA_VERSIONS["b3"])
    versions = [*BETA_VERSIONS.values(), *(one.folder(v) for one in (SYNTHETIC, IMAGERY) for v in later)]
    for space in load_manifest(DATASET).spaces:
        for version in versions:
            for subject in tree.subjects(space, version):
                yield subject, space, version


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


def _check_subject(
    tree: NsdTree,
    report: TreeReport,
    design: Design | None,
    table: pd.DataFrame | None,
    place: tuple[str, str, str],
) -> None:
    subject, space, version = place
    folder, surface = tree.betas(*place), space_kind(space) == "surface"
    companion = next((one for one in (SYNTHETIC, IMAGERY) if version.startswith(one.experiment)), None)
    if companion is not None:
        files = {1: open_betas(folder, companion.stem, surface=surface)}
        version = version.removeprefix(companion.experiment)
    else:
        files = open_sessions(folder, surface=surface)
    report.found.append(f"{subject}/{space}/{folder.name}: {len(files)} sessions of {files[1].n_trials} trials")
    for path in sorted(folder.glob("*betas_*")):
        with report.collecting():
            check_file(path, surface=surface, grid=_own_grid(files[1], path))
    with report.collecting():
        _check_maps(make_anatomy(tree, subject, space, version, files[1]))
    with report.collecting():
        if companion is not None:
            _check_companion(tree, companion.dataset, files[1])
        elif design is not None:
            report.notes += [f"{subject}/{space}: {note}" for note in less_than_published(subject, len(files))]
            _check_trials(tree, design, table, subject, files)


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


def _check_companion(tree: NsdTree, dataset: str, file: BetaFile) -> None:
    planned = sum(BLOCKS.values()) if dataset == IMAGERY.dataset else len(read_synthetic_design(tree)[0])
    if file.n_trials != planned:
        raise DatasetError(f"{file.label} has {file.n_trials} trials; {dataset} has {planned}.")


def _check_maps(anatomy: Anatomy) -> None:
    """Read every map of a subject: regions, brain mask, ncsnr; all that do not fit are named together."""
    wrong = TreeReport("", "")
    for family in anatomy.families():
        with wrong.collecting():
            anatomy.family(family)
    for name in ("brain", "ncsnr"):
        with wrong.collecting():
            getattr(anatomy, name)
    if wrong.problems:
        raise DatasetError("\n  ".join(wrong.problems))
