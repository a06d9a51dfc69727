"""How every command is declared: its example, ``--json``, ``--debug``, and what becomes of errors."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TextIO

import typer

from brainalign.cli.reply import Reply, print_reply
from brainalign.errors import BrainalignError

Body = Callable[..., Reply]

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, nothing else.")]
_Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def family(name: str, summary: str) -> typer.Typer:
    """Return an empty group of commands: a verb that has verbs below it."""
    return typer.Typer(
        name=name, help=summary, no_args_is_help=True, add_completion=False, rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )  # fmt: skip


def command(app: typer.Typer, name: str, *, example: str) -> Callable[[Body], Body]:
    """Register a function that returns a Reply as the command ``name`` of ``app``.

    The command gets ``--json`` and ``--debug``; its help ends with ``example``. While the body runs, stdout
    is led to stderr, so that progress and chatter of libraries never mix with the answer.
    """

    def register(body: Body) -> Body:
        @functools.wraps(body)
        def run(*, json_: bool, debug: bool, **arguments: Any) -> None:
            with _errors_as_status(as_json=json_, debug=debug):
                with contextlib.redirect_stdout(sys.stderr), _short_warnings():
                    reply = body(**arguments)
                print_reply(reply, as_json=json_)
            if not reply.passed:
                raise typer.Exit(1)

        _add_options(run, body)
        epilog = "\b\nExample:\n" + "\n".join(f"  {line}" for line in example.strip().splitlines())
        app.command(name, epilog=epilog)(run)
        return body

    return register


def _add_options(run: Callable[..., None], body: Body) -> None:
    signature = inspect.signature(body, eval_str=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    extra = [
        inspect.Parameter("json_", keyword, default=False, annotation=_Json),
        inspect.Parameter("debug", keyword, default=False, annotation=_Debug),
    ]
    own = list(signature.parameters.values())
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*own, *extra], return_annotation=None
    )
    run.__annotations__ = {p.name: p.annotation for p in (*own, *extra)} | {"return": None}


@contextlib.contextmanager
def _errors_as_status(*, as_json: bool, debug: bool) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; what was finished is kept, the same command goes on from there.\n")
        raise typer.Exit(130) from None
    except BrokenPipeError:
        raise  # the reader went away: typer ends quietly
    except (BrainalignError, OSError) as error:
        if debug:
            traceback.print_exc()
        message = str(error) or type(error).__name__
        sys.stderr.write(f"{type(error).__name__}: {message}\n")
        if as_json:
            print_reply(Reply({"error": {"type": type(error).__name__, "message": message}}), as_json=True)
        raise typer.Exit(1) from None


@contextlib.contextmanager
def _short_warnings() -> Iterator[None]:
    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,
    ) -> None:  # fmt: skip
        if issubclass(category, UserWarning):  # the rest is for developers
            sys.stderr.write(f"Warning: {message}\n")

    previous, warnings.showwarning = warnings.showwarning, show
    try:
        yield
    finally:
        warnings.showwarning = previous
