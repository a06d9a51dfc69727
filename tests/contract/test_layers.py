"""The layers of the house, and the sizes of its rooms."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

MODULE_LIMIT = 400
FUNCTION_LIMIT = 60
GRAVEYARDS = {"utils", "helpers", "common", "misc", "util", "helper"}


def test_import_contracts_are_kept(repository: Path) -> None:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--config", str(repository / "pyproject.toml"), "--no-cache"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def _modules(repository: Path) -> list[Path]:
    return sorted((repository / "brainalign").rglob("*.py"))


def test_no_module_is_a_drawer(repository: Path) -> None:
    assert [str(path) for path in _modules(repository) if path.stem in GRAVEYARDS] == []


def test_modules_and_functions_stay_small(repository: Path) -> None:
    too_long = []
    for path in _modules(repository):
        source = path.read_text(encoding="utf-8")
        if source.count("\n") > MODULE_LIMIT:
            too_long.append(f"{path.name}: {source.count(chr(10))} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                if lines > FUNCTION_LIMIT:
                    too_long.append(f"{path.name}: {node.name} has {lines} lines")
    assert too_long == []


def test_imports_are_absolute(repository: Path) -> None:
    relative = [
        f"{path.name}:{node.lineno}"
        for path in _modules(repository)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert relative == []
