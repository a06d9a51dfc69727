"""Pages that follow from the code: tutorials from notebooks, the command line from its help, names from the tables."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from mkdocs.structure.files import File, Files
from typer.testing import CliRunner

import brainalign
from brainalign.cli.app import build_app
from brainalign.plots import PLOTS

ROOT = Path(__file__).parents[2]


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages to those of the folder."""
    pages = {
        "index.md": _home(),
        "reference/command-line.md": _command_line(),
        "reference/python.md": _python(),
        "reference/figures.md": _figures(),
    }
    pages |= {f"tutorials/{path.stem}.md": _tutorial(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def _home() -> str:
    """The README, its links turned to pages of the site."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\(docs/decisions\)", "](decisions/0001-layers.md)", text)
    text = re.sub(r"\]\(docs/", "](", text)
    repository = "https://github.com/brainalign/brainalign/blob/main"
    return re.sub(r"\]\(((?:CONTRIBUTING|CHANGELOG)\.md|LICENSE)\)", rf"]({repository}/\1)", text)


def _tutorial(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = ["".join(c["source"]) if c["cell_type"] == "markdown" else _code("".join(c["source"])) for c in cells]
    where = f"*This page is `notebooks/{path.name}`, which the tests run; run it to see the figures.*"
    return "\n\n".join([parts[0], where, *parts[1:]]) + "\n"


def _code(source: str) -> str:
    return f"```python\n{source}\n```"


def _commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, below in group.commands.items():
        if hasattr(below, "commands"):
            yield from _commands(below, (*path, name))
        else:
            yield (*path, name)


def _command_line() -> str:
    app = build_app()
    parts = ["# Command line", "Every command has `--json`, for machines, and `--help`, which is printed here."]
    for path in _commands(typer.main.get_command(app)):
        said = CliRunner().invoke(app, [*path, "--help"], prog_name="brainalign", env={"COLUMNS": "100"})
        parts += [f"## {' '.join(path)}", f"```text\n{said.output.strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def _python() -> str:
    """Every public name, by the room it lives in."""
    by_room: dict[str, list[str]] = {}
    for name, home in brainalign._HOME.items():
        value = getattr(importlib.import_module(home), name)
        by_room.setdefault(home.removeprefix("brainalign."), []).append(f"{value.__module__}.{value.__qualname__}")
    parts = ["# Python", "The names that `import brainalign as ba` gives."]
    for room, names in by_room.items():
        parts.append(f"## {room}")
        parts += [f"::: {name}\n    options:\n      heading_level: 3" for name in names]
    return "\n\n".join(parts) + "\n"


def _figures() -> str:
    parts = [
        "# Figures",
        "Each function of `brainalign.plots` draws one result in one call and returns the matplotlib figure: "
        "`figure.savefig('figure.pdf')` keeps it as vectors. In a notebook run `%matplotlib inline` once.",
    ]
    parts += [f"::: {plot.__module__}.{plot.__qualname__}" for plot in PLOTS.values()]
    return "\n\n".join(parts) + "\n"
