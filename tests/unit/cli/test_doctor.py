"""The report says what is missing and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from brainalign.cli.app import build_app


def _doctor(*arguments: str) -> tuple[int, dict[str, dict[str, str]], Any]:
    result = CliRunner().invoke(build_app(), ["doctor", "--json", *arguments])
    document = json.loads(result.stdout)
    return result.exit_code, {check["name"]: check for check in document["checks"]}, document


def test_all_is_fine_here_and_nothing_is_left_behind(tmp_path: Path) -> None:
    status, checks, document = _doctor("--store", str(tmp_path / "store"))
    assert (status, document["passed"]) == (0, True)
    assert checks["store"]["state"] == "fine"
    assert list(tmp_path.iterdir()) == []
    assert checks["torch"]["found"][0].isdigit()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    status, checks, _ = _doctor("--store", str(tmp_path / "file"))
    assert status == 1
    assert checks["store"]["state"] == "missing"
    assert "--store" in checks["store"]["advice"]


def test_an_unknown_kind_of_url_is_named() -> None:
    status, checks, _ = _doctor("--store", "nosuchprotocol://bucket")
    assert status == 1
    assert "nosuchprotocol" in checks["store"]["found"]


def test_an_absent_package_comes_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import brainalign.cli.doctor as module

    monkeypatch.setattr(module, "CORE", ("no-such-distribution",))
    monkeypatch.setattr(module, "OPTIONAL", {"no_such_module.inner": "demo"})
    status, checks, document = _doctor("--store", str(tmp_path))
    assert (status, document["passed"]) == (1, False)
    assert 'pip install "no-such-distribution"' in checks["no-such-distribution"]["advice"]
    assert checks["demo: no_such_module.inner"]["state"] == "optional"
    assert "brainalign[demo]" in checks["demo: no_such_module.inner"]["advice"]


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import brainalign.cli.doctor as module

    monkeypatch.setattr(module, "_memory_bytes", lambda: 2 * module.GIGABYTE)
    status, checks, _ = _doctor("--store", str(tmp_path))
    assert status == 1
    assert checks["memory"]["state"] == "low"
