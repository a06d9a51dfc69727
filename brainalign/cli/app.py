"""The root command: where every family of verbs is hung up."""

from __future__ import annotations

from typing import Annotated

import typer

import brainalign
from brainalign.cli import (
    accuracy,
    compare,
    data,
    demo,
    doctor,
    generalization,
    geometry,
    maps,
    models,
    relations,
    results,
    scoring,
    spectral,
    store,
)
from brainalign.cli.command import family

_SUMMARY = "How well do vision models align with visual cortex, where, and compared with what?"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"brainalign {brainalign.__version__}")
        raise typer.Exit()


def build_app() -> typer.Typer:
    """Return the whole command line."""
    app = family("brainalign", _SUMMARY)
    app.info.epilog = "\b\nStart here:\n  brainalign demo\n  brainalign doctor"

    @app.callback()
    def root(
        version: Annotated[
            bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
        ] = False,
    ) -> None:
        pass

    root.__doc__ = _SUMMARY
    demo.register(app)
    app.add_typer(data.app)
    app.add_typer(models.app)
    scoring.register(app)
    compare.register(app)
    geometry.register(app)
    accuracy.register(app)
    app.add_typer(generalization.app)
    relations.register(app)
    app.add_typer(spectral.app)
    maps.register(app)
    app.add_typer(results.app)
    results.register(app)
    app.add_typer(store.app)
    doctor.register(app)
    return app
