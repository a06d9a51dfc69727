"""``brainalign demo``: the main job from images to a leaderboard, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainalign.cli.command import command
from brainalign.cli.reply import Reply


def register(app: typer.Typer) -> None:
    command(app, "demo", example="brainalign demo\nbrainalign demo --out /data/demo --json")(demo)


def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", file_okay=False, help="Folder for the store, results and page.")
    ] = Path("brainalign-demo"),
) -> Reply:
    """Do the main job offline, on a SIMULATED cortex.

    Embeds real networks, their untrained twins and pixels, scores them, and writes a leaderboard. A second run
    reuses what is there.
    """
    from brainalign.demo import run_demo

    report = run_demo(out, progress=True)
    return Reply(report, [str(report)])
