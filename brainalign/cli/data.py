"""``brainalign data``: known datasets, and bringing data into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from brainalign.cli import data_export, data_import, data_import_maps, data_import_tools, data_split
from brainalign.cli.command import command, family
from brainalign.cli.options import StoreUrl, Subjects, settings
from brainalign.cli.reply import Grid, Reply, cell, plain

EMPTY: tuple[object, ...] = ("", [], {}, None)
app = family("data", "Known datasets, and bringing data into the store.")
data_import_maps.register(data_import.app)
data_import_tools.register(data_import.app)
app.add_typer(data_import.app)
app.add_typer(data_export.app)
data_split.register(app)


@command(app, "list", example="brainalign data list\nbrainalign data list --json")
def list_() -> Reply:
    """List known datasets and their benchmarks."""
    from brainalign.manifests import load_manifest, manifest_ids

    manifests = [load_manifest(dataset) for dataset in manifest_ids()]
    rows = [
        {
            "dataset": m.id,
            "kind": m.kind + (", SIMULATED" if m.simulated else ""),
            "subjects": len(m.subjects),
            "benchmarks": [f"{b.id}.v{b.version}" for b in m.benchmarks],
            "title": m.title,
        }
        for m in manifests
    ]
    return Reply(rows, [Grid.of(rows, ("dataset", "kind", "subjects", "benchmarks", "title"))])


@command(app, "show", example="brainalign data show macaque-v4\nbrainalign data show macaque-v4 --json")
def show(dataset: Annotated[str, typer.Argument(help="Id of a dataset, as in `data list`.")]) -> Reply:
    """Show all that is known of a dataset.

    Source, terms, files and how they are laid out, subjects, spaces, regions and their labels, variants, ceilings,
    splits, benchmarks.
    """
    from brainalign.manifests import load_manifest

    manifest = plain(load_manifest(dataset))
    return Reply(manifest, _outline(manifest))


def _outline(manifest: dict[str, Any]) -> list[str]:
    lines = []
    for name, value in manifest.items():
        if isinstance(value, dict) and value:
            lines += [f"{name}:", *(f"  {key}: {_one_line(item)}" for key, item in value.items() if item not in EMPTY)]
        elif isinstance(value, list) and value:
            lines += [f"{name}:", *(f"  - {_one_line(item)}" for item in value)]
        elif value not in EMPTY:
            lines.append(f"{name}: {cell(value)}")
    return lines


def _one_line(item: Any) -> str:
    if not isinstance(item, dict):
        return cell(item)
    shown = {key: value for key, value in item.items() if value not in EMPTY}
    return ", ".join(f"{key} {_one_line(value)}" for key, value in shown.items())


@command(
    app, "check", example="brainalign data check ../data/nsd\nbrainalign data check ../data/nsd --dataset nsd --json"
)
def check(
    root: Annotated[Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="Folder of the files.")],
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="ID", help="Only this dataset; default: whichever is there.")
    ] = None,
    store: StoreUrl = None,
) -> Reply:
    """Look at a dataset's files before ingesting them.

    Says all that is wrong at once: files that are absent, cut off, of another grid or id base, or that disagree, and a
    disk of the store without room for them; exits with 1 on a problem. Nothing is written, and no large file is read
    whole.
    """
    from brainalign.datasets import check_tree
    from brainalign.store import open_store

    reports = check_tree(root, dataset=dataset, store=open_store(store))
    return Reply(reports, [str(report) for report in reports], passed=all(report.ok for report in reports))


@command(
    app,
    "get",
    example="brainalign data get nsd ../data/nsd --subject subj01 --option sessions=[1,2] --accept-terms\n"
    "brainalign data get things-fmri ../data/things --subject sub-01 --accept-terms",
)
def get(
    dataset: Annotated[str, typer.Argument(help="Id of a dataset, as in `data list`.")],
    root: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="Folder to be filled.")],
    subject: Subjects = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="What to fetch (sessions, space, rois, …); several times."),
    ] = None,
    accept_terms: Annotated[
        bool, typer.Option("--accept-terms", help="You have read the terms and accept them; without it they are shown.")
    ] = False,
    source: Annotated[
        str | None, typer.Option("--source", metavar="URL", help="Another place with the same files: HTTP or fsspec.")
    ] = None,
) -> Reply:
    """Fetch a dataset's files from its public place.

    Only the subjects, sessions and regions asked for; goes on where an earlier call broke off; sizes and hashes are
    checked. The terms of the dataset are shown, and must be accepted, first.
    """
    from brainalign.cli.progress import bars
    from brainalign.datasets import download

    chosen = settings(option) | ({"subjects": subject} if subject else {})
    with bars() as progress:
        report = download(dataset, root, accept_terms=accept_terms, source=source, progress=progress, **chosen)
    return Reply(report, [str(report)])


@command(
    app,
    "ingest",
    example="brainalign data ingest macaque-v4 ../data/macaque_v4\n"
    "brainalign data ingest objects92 ../data/objects92 --subject S01 --subject S02",
)
def ingest(
    dataset: Annotated[str, typer.Argument(help="Id of a dataset, as in `data list`.")],
    root: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR", exists=True, file_okay=False, help="Folder of its files; none for data that are made."
        ),
    ] = None,
    store: StoreUrl = None,
    subject: Subjects = None,
    variant: Annotated[str | None, typer.Option("--variant", help="Variant; `data show` lists them.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="Option of this dataset's reader; several times."),
    ] = None,
    trust_pickle: Annotated[
        bool, typer.Option("--trust-pickle", help="Read pickled files, by a reader that runs nothing of them.")
    ] = False,
) -> Reply:
    """Bring a known dataset into the store.

    Reads its files on disk: stimuli and responses.
    """
    from brainalign.datasets import ingest as run
    from brainalign.store import open_store

    options = settings(option) | ({"trust_pickle": True} if trust_pickle else {})
    report = run(dataset, root, open_store(store), subjects=subject or None, variant=variant, **options)
    return Reply(report, [str(report)])


@command(
    app,
    "audit",
    example="brainalign data audit macaque-v4\nbrainalign data audit lab --embedding resnet50 --subject s1 --json",
)
def audit(
    dataset: Annotated[str, typer.Argument(help="Dataset in the store.")],
    store: StoreUrl = None,
    subject: Subjects = None,
    variant: Annotated[str | None, typer.Option("--variant", help="Needed where there are several.")] = None,
    embedding: Annotated[
        str | None,
        typer.Option("--embedding", metavar="MODEL", help="Embeddings in the store, to check ids and near-duplicates."),
    ] = None,
    layer: Annotated[str | None, typer.Option("--layer", metavar="NAME", help="Of it; default the last.")] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="A registered split to check for leaks, as tau.v1.")
    ] = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="Do not read the image files.")] = False,
) -> Reply:
    """Look for leaks and mistakes in a dataset of the store.

    Constant neuroids, equal regions, session effects, near-duplicate images, wrong id bases, images that changed.
    Exits with 1 if something is an error.
    """
    from brainalign.datasets import audit_dataset
    from brainalign.store import open_store

    report = audit_dataset(
        open_store(store),
        dataset,
        variant=variant,
        subjects=subject or None,
        embedding=embedding,
        layer=layer,
        split=split,
        images=not no_images,
    )
    return Reply({"passed": report.ok, **plain(report)}, [str(report)], passed=report.ok)
