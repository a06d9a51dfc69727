"""``brainalign results``: the result files on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainalign.cli.command import command, family
from brainalign.cli.reply import Reply

app = family("results", "The result files on disk.")


@command(app, "check", example="brainalign results check brainalign-results")
def check(
    root: Annotated[Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="Folder of the results.")],
) -> Reply:
    """Check every result file.

    Schema, path, and hashes of the files beside it; exits with 1 on a problem.
    """
    from brainalign.results import check_results, iter_results

    problems = [str(problem) for problem in check_results(root)]
    number = sum(1 for _ in iter_results(root)) if not problems else None
    closing = f"{len(problems)} problems." if problems else f"{number} result files, all sound."
    return Reply(
        {"passed": not problems, "problems": problems, "n_results": number},
        [*(f"- {problem}" for problem in problems), closing],
        passed=not problems,
    )
