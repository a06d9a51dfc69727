"""``brainalign store``: what lies in the store, and whether it is sound."""

from __future__ import annotations

from typing import Annotated

import typer

from brainalign.cli.command import command, family
from brainalign.cli.options import StoreUrl
from brainalign.cli.reply import Grid, Reply, plain

app = family("store", "What lies in the store, and whether it is sound.")


@command(app, "ls", example="brainalign store ls\nbrainalign store ls --store s3://lab/store --json")
def ls(store: StoreUrl = None) -> Reply:
    """List stimuli, responses, RDMs, embeddings."""
    from brainalign.store import open_store

    records = plain(open_store(store).entries())
    if not records:
        hint = "The store is empty; `brainalign demo` or `brainalign data ingest` puts something there."
        return Reply([], [hint])
    rows = [(r["kind"], _name(r), r["stimulus_set"], r["time"], r["entry_sha256"][:12]) for r in records]
    return Reply(records, [Grid(("kind", "name", "stimuli", "written", "sha256"), rows)])


def _name(entry: dict[str, str]) -> str:
    if entry["model"]:
        return f"{entry['model']}@{entry['revision']}"
    return "/".join(filter(None, (entry["dataset"], entry["variant"], entry["subject"]))) or entry["stimulus_set"]


@command(app, "check", example="brainalign store check\nbrainalign store check --full --repair --discard")
def check(
    store: StoreUrl = None,
    full: Annotated[bool, typer.Option("--full", help="Read every byte and compare checksums.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Remove what no pointer names (killed writes).")] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Remove damaged entries; the commands that make them again are printed.")
    ] = False,
) -> Reply:
    """Check every entry of the store.

    Exits with 1 if something is wrong.
    """
    from brainalign.store import open_store

    report = open_store(store).check(repair=repair, full=full, discard=discard)
    return Reply({"passed": report.ok, **plain(report)}, [str(report)], passed=report.ok)
