"""Importing the package and asking for help load nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ["torch", "zarr", "nilearn", "pandas", "xarray", "scipy", "matplotlib", "sklearn", "open_clip", "timm", "numpy"]

IMPORT = "import brainalign"
COMMAND = """
import contextlib, io
sys.argv = ["brainalign", *{arguments!r}]
with contextlib.redirect_stdout(io.StringIO()) as out:
    try:
        from brainalign.cli import main
        main()
    except SystemExit as end:
        assert not end.code, end.code
assert out.getvalue()
"""


def _loaded(program: str) -> set[str]:
    source = f"import json, sys\n{program}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "program",
    [
        IMPORT,
        COMMAND.format(arguments=["--help"]),
        COMMAND.format(arguments=["--version"]),
        COMMAND.format(arguments=["score", "--help"]),
        COMMAND.format(arguments=["data", "import", "responses", "--help"]),
    ],
    ids=["import", "--help", "--version", "score --help", "data import responses --help"],
)
def test_nothing_heavy_is_loaded(program: str) -> None:
    assert _loaded(program) & set(HEAVY) == set()


def test_the_check_can_fail() -> None:
    assert _loaded("import brainalign; import numpy") & set(HEAVY) == {"numpy"}
