"""``brainalign results``: the result files on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from brainalign.cli.command import command, family
from brainalign.cli.options import StoreUrl
from brainalign.cli.progress import bars
from brainalign.cli.reply import Grid, Reply, plain

app = family("results", "The result files on disk.")
CHANGED = ("benchmark", "model", "metric", "change", "old", "new", "old_rank", "new_rank", "reasons")


def register(app: typer.Typer) -> None:
    command(
        app,
        "verify",
        example="brainalign verify results/clean/mynet/0a1b2c3d4e5f/macaque-v4.v1/cka.linear.debiased.v1.json",
    )(verify)


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


@command(app, "diff", example="brainalign results diff last-release/results brainalign-results")
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", exists=True, file_okay=False, help="Folder of results.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", exists=True, file_okay=False, help="Folder of results.")],
    everything: Annotated[bool, typer.Option("--all", help="Show what did not change, too.")] = False,
) -> Reply:
    """Say what changed between two leaderboards, and why.

    Scores and ranks before and after; and whether the model, the data, the benchmark, the metric, the code or
    packages changed.
    """
    from brainalign.leaderboard import diff_leaderboards

    rows = plain(diff_leaderboards(old, new))
    changed = [row for row in rows if row["change"] != "none"]
    shown = rows if everything else changed
    text: list[str | Grid] = [Grid.of(shown, CHANGED)] if shown else []
    if any(row["simulated"] for row in shown):
        text.append("Some of these are scores against a SIMULATED brain.")
    text.append(f"{len(changed)} of {len(rows)} scores changed." if rows else "no results.")
    return Reply({"changed": len(changed), "rows": shown}, text)


def verify(
    result: Annotated[Path, typer.Argument(metavar="RESULT", exists=True, dir_okay=False, help="A result file.")],
    store: StoreUrl = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.0, help="Relative difference up to which numbers count as equal.")
    ] = 1e-6,
) -> Reply:
    """Compute a result again and compare.

    Inputs by their hashes, and every number; exits with 1 where one differs.
    """
    from brainalign.evaluate import verify as run

    with bars() as progress:
        found = run(result, store, tolerance=tolerance, progress=progress)
    differing = plain(found.rows)
    columns = ("subject", "roi", "layer", "field", "stored", "computed", "difference")
    text: list[str | Grid] = [f"- other input: {line}" for line in found.inputs]
    text += [Grid.of(differing[:20], columns)] if differing else []
    text.append(
        f"{'the same' if found.passed else 'NOT the same'}: {found.n_numbers} numbers compared, "
        f"{len(differing)} differ, the largest relative difference is {found.largest:.1e}; {found.seconds:.1f} s."
    )
    document = {
        "passed": found.passed,
        "inputs": found.inputs,
        "differing": differing,
        "n_numbers": found.n_numbers,
        "largest": found.largest,
        "seconds": found.seconds,
    }
    return Reply(document, text, passed=found.passed)
