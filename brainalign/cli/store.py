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

    opened = open_store(store)
    entries = opened.entries()
    records = plain(entries)
    if not records:
        hint = "The store is empty; `brainalign demo` or `brainalign data ingest` puts something there."
        return Reply([], [hint])
    return Reply(records, [Grid.of(records, list(entries.columns))])


@command(app, "check", example="brainalign store check\nbrainalign store check --full --repair")
def check(
    store: StoreUrl = None,
    full: Annotated[bool, typer.Option("--full", help="Read every byte and compare checksums.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Remove what no pointer names (killed writes).")] = False,
) -> Reply:
    """Check every entry of the store.

    Exits with 1 if something is wrong.
    """
    from brainalign.store import open_store

    report = open_store(store).check(repair=repair, full=full)
    return Reply(report, [str(report)], passed=report.passed)
