"""docs/traps.md names tests that exist."""

import ast
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "traps.md"
ROWS = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| \d+ \|", line)]


def test_traps_are_numbered() -> None:
    assert [int(row.split("|")[1]) for row in ROWS] == list(range(1, len(ROWS) + 1))


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip() for row in ROWS])
def test_the_tests_of_a_trap_exist(row: str, repository: Path) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", row.split("|")[4])
    assert named
    for file, function in named:
        tree = ast.parse((repository / "tests" / file).read_text(encoding="utf-8"))
        assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, file
