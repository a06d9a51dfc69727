"""Provenance in a checkout, from a wheel, and without git."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from brainalign.results import provenance, trust_of
from brainalign.results.provenance import _git_state

_PRINT = "import json; from brainalign.results import provenance; print(json.dumps(provenance(seed=3)))"


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a committed package."""
    package = tmp_path / "repo" / "brainalign"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package.parent / ".gitignore").write_text("ignored\n")
    _git(package.parent, "init", "-q")
    _git(package.parent, "add", ".")
    _git(package.parent, "commit", "-q", "-m", "one")
    return package


def test_what_is_recorded() -> None:
    found = provenance(seed=1, seconds=2.0, device="cuda:0")
    assert (found["seed"], found["seconds"], found["device"]) == (1, 2.0, "cuda:0")
    assert found["packages"].keys() >= {"numpy", "torch", "pandas"}
    assert found["threads"] >= 1 and found["time"].endswith("+00:00")
    assert json.loads(json.dumps(found)) == found


def test_a_checkout_is_clean_until_something_changes(checkout: Path) -> None:
    state = _git_state(checkout)
    assert state is not None and state["dirty"] is False and len(state["commit"]) == 40
    (checkout.parent / "demo-output").mkdir()
    (checkout.parent / "demo-output" / "table.csv").write_text("1")
    (checkout / "ignored").write_text("1")
    assert _git_state(checkout) == state
    (checkout / "new.py").write_text("x = 1")
    assert _git_state(checkout) == {**state, "dirty": True}
    (checkout / "new.py").unlink()
    (checkout.parent / ".gitignore").write_text("")
    (checkout / "ignored").unlink()
    assert _git_state(checkout) == {**state, "dirty": True}


def test_an_installation_inside_a_foreign_repository_is_no_checkout(checkout: Path) -> None:
    installed = checkout.parent / "venv" / "brainalign"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert _git_state(installed) is None


def test_without_git_the_commit_is_unknown(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert _git_state(checkout) == {"commit": None, "dirty": None}
    assert trust_of(False, provenance()) == "dirty"


def test_variables_of_another_repository_play_no_part(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    state = _git_state(checkout)
    assert state is not None and state["dirty"] is False


def _install(repository: Path, site: Path) -> None:
    """Lay out what a wheel installs: the files that this test needs, and a RECORD of their hashes."""
    record = []
    for source in ("__init__.py", "errors.py"):
        record.append(_copy(repository / "brainalign" / source, site / "brainalign" / source, site))
    for room in ("foreign", "results"):
        for path in sorted((repository / "brainalign" / room).glob("*.py")):
            record.append(_copy(path, site / "brainalign" / room / path.name, site))
    info = site / "brainalign-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brainalign\nVersion: 0.1.0\n")
    (info / "RECORD").write_text("".join(record) + "brainalign-0.1.0.dist-info/RECORD,,\n")


def _copy(source: Path, target: Path, site: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    data = source.read_bytes()
    target.write_bytes(data)
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return f"{target.relative_to(site).as_posix()},sha256={digest},{len(data)}\n"


def test_an_installed_wheel_is_clean_while_its_files_are_those_shipped(repository: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    _install(repository, site)

    def run() -> dict[str, object]:
        environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", _PRINT], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
        )
        found: dict[str, object] = json.loads(done.stdout)
        return found

    shipped = run()
    assert shipped["git"] is None and shipped["seed"] == 3
    assert isinstance(shipped["wheel"], dict)
    assert shipped["wheel"]["intact"] is True and trust_of(False, shipped) == "clean"
    changed = site / "brainalign" / "results" / "paths.py"
    changed.write_text(changed.read_text() + "\n# patched\n")
    patched = run()
    assert isinstance(patched["wheel"], dict)
    assert patched["wheel"]["intact"] is False and trust_of(False, patched) == "dirty"
    assert patched["wheel"]["sha256"] != shipped["wheel"]["sha256"]
