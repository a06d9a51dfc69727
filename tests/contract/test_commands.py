"""Every command of the tree keeps the promises that all commands make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from brainalign.cli.app import build_app

APP = build_app()


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, below in group.commands.items():
        if hasattr(below, "commands"):
            yield from _commands(below, (*path, name))
        else:
            yield (*path, name), below


COMMANDS = dict(_commands(typer.main.get_command(APP)))


def test_the_tree_holds_the_verbs() -> None:
    first = {path[0] for path in COMMANDS}
    assert {
        "demo",
        "data",
        "models",
        "embed",
        "score",
        "compare",
        "geometry",
        "relate",
        "contrast",
        "leaderboard",
        "results",
        "store",
        "doctor",
    } <= first
    assert ("data", "import", "responses") in COMMANDS


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_has_a_sentence_an_example_and_json(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(APP, [*path, "--help"], prog_name="brainalign")
    assert result.exit_code == 0, result.output
    assert "Example:" in result.output
    examples = result.output.split("Example:")[1].strip().splitlines()
    assert any(line.strip().startswith("brainalign " + " ".join(path)) for line in examples)
    assert "--json" in result.output and "--debug" in result.output
    usage, _, rest = result.output.strip().partition("\n")
    assert usage.startswith("Usage: brainalign")
    assert rest.strip().splitlines()[0].strip()[0].isupper()


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_parameter_is_explained(path: tuple[str, ...]) -> None:
    silent = [p.name for p in COMMANDS[path].params if p.name != "help" and not getattr(p, "help", None)]
    assert silent == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_an_unknown_option_is_a_usage_error(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(APP, [*path, "--no-such-option"], prog_name="brainalign")
    assert result.exit_code == 2
    assert "no-such-option" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_examples_parse(path: tuple[str, ...]) -> None:
    """An example names only options and arguments that the command has."""
    import shlex

    epilog = COMMANDS[path].epilog
    lines = [line.strip() for line in epilog.splitlines() if line.strip().startswith("brainalign ")]
    assert lines
    for line in lines:
        words = shlex.split(line)[1 + len(path) :]
        options = {option for p in COMMANDS[path].params for option in (*p.opts, *p.secondary_opts)}
        unknown = [w for w in words if w.startswith("--") and w.split("=")[0] not in options]
        assert unknown == [], line
