"""README.md keeps to what there is: its commands exist, its files exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from brainalign.cli.app import build_app


def _blocks(repository: Path, language: str) -> list[str]:
    text = (repository / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_one_test_command_and_one_demo_command(repository: Path) -> None:
    lines = [line for block in _blocks(repository, "bash") for line in block.splitlines()]
    assert [line for line in lines if "pytest" in line] == ['pip install -e ".[test]" && pytest']
    assert [line for line in lines if "demo" in line] == ['pip install -e ".[demo]" && brainalign demo']


def test_every_command_shown_exists_with_its_options(repository: Path) -> None:
    lines = [line.split("#")[0] for block in _blocks(repository, "bash") for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("brainalign ")]
    assert len(commands) >= 5
    for line in commands:
        words, node = shlex.split(line)[1:], typer.main.get_command(build_app())
        while hasattr(node, "commands"):
            assert words[0] in node.commands, line
            node = node.commands[words.pop(0)]
        options = {option for p in node.params for option in p.opts}
        assert [w for w in words if w.startswith("--") and w not in options] == [], line


def test_python_blocks_compile_and_use_public_names(repository: Path) -> None:
    import brainalign

    blocks = _blocks(repository, "python")
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")
        for name in re.findall(r"\bba\.(\w+)", block):
            assert name in brainalign.__all__


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_to_files(repository: Path, document: str) -> None:
    text = (repository / document).read_text(encoding="utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in t]
    assert targets
    assert [t for t in targets if not (repository / t).exists()] == []
