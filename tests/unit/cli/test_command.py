"""What becomes of answers, errors, warnings and interruptions."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from brainalign.cli.command import command, family
from brainalign.cli.reply import Grid, Reply
from brainalign.errors import ChoiceError, EntryNotFoundError


def _invoke(body: Any, *arguments: str) -> Any:
    app = family("app", "An app with one command.")

    @app.callback()
    def root() -> None:
        """Keep the command a command of a group."""

    command(app, "go", example="app go")(body)
    return CliRunner().invoke(app, ["go", *arguments])


def answer(number: Annotated[int, typer.Option(help="A number.")] = 3) -> Reply:
    """Answer with a number."""
    print("chatter of a library")
    return Reply({"number": number, "undefined": float("nan")}, [f"number {number}", Grid(["n"], [[number]])])


def test_json_is_the_only_thing_on_stdout() -> None:
    result = _invoke(answer, "--json", "--number", "5")
    assert json.loads(result.stdout) == {"number": 5, "undefined": None}
    assert "chatter" in result.stderr
    assert result.exit_code == 0


def test_text_is_for_people() -> None:
    result = _invoke(answer)
    assert "number 3" in result.stdout
    assert "chatter" not in result.stdout


def test_an_error_of_the_package_is_one_message_and_status_1() -> None:
    def fails() -> Reply:
        """Fail."""
        raise ChoiceError("'spearmann' is not a comparator. Did you mean 'spearman'?")

    result = _invoke(fails)
    assert result.exit_code == 1
    assert result.stderr == "ChoiceError: 'spearmann' is not a comparator. Did you mean 'spearman'?\n"
    assert result.stdout == ""
    traced = _invoke(fails, "--debug")
    assert "Traceback" in traced.stderr and traced.exit_code == 1


def test_an_error_with_json_is_a_document() -> None:
    def fails() -> Reply:
        """Fail."""
        raise EntryNotFoundError("no entry 'a/b'")

    result = _invoke(fails, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"error": {"type": "EntryNotFoundError", "message": "no entry 'a/b'"}}


def test_a_file_that_is_absent_is_a_message() -> None:
    def fails() -> Reply:
        """Fail."""
        with Path("/no/such/file").open():
            return Reply({})

    result = _invoke(fails)
    assert result.exit_code == 1
    assert "/no/such/file" in result.stderr and "Traceback" not in result.stderr


def test_a_defect_is_not_hidden() -> None:
    def fails() -> Reply:
        """Fail."""
        raise ZeroDivisionError("a defect")

    assert isinstance(_invoke(fails).exception, ZeroDivisionError)


def test_an_interruption_is_status_130() -> None:
    def fails() -> Reply:
        """Fail."""
        raise KeyboardInterrupt

    result = _invoke(fails, "--json")
    assert result.exit_code == 130
    assert result.stdout == ""
    assert "Interrupted" in result.stderr


def test_a_check_that_finds_a_problem_prints_and_fails() -> None:
    def check() -> Reply:
        """Check."""
        return Reply({"passed": False}, ["one problem"], passed=False)

    result = _invoke(check, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"passed": False}


def test_user_warnings_are_one_line_and_others_are_left_out() -> None:
    def warns() -> Reply:
        """Warn."""
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("alpha lies at the edge of the grid", UserWarning, stacklevel=1)
            warnings.warn("a detail for developers", DeprecationWarning, stacklevel=1)
        return Reply({})

    before = warnings.showwarning
    result = _invoke(warns)
    assert "Warning: alpha lies at the edge of the grid\n" in result.stderr
    assert "developers" not in result.stderr
    assert warnings.showwarning is before


def test_a_wrong_value_is_status_2() -> None:
    result = _invoke(answer, "--number", "many")
    assert result.exit_code == 2
    assert "--number" in result.stderr and "Usage:" in result.stderr


def test_main_turns_an_early_interruption_into_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import brainalign.cli.app
    from brainalign.cli import main

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(brainalign.cli.app, "build_app", interrupted)
    monkeypatch.setattr(sys, "argv", ["brainalign"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert "Interrupted" in capsys.readouterr().err
