"""The command line: parse, call one function, print."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the ``brainalign`` command and exit with its status.

    0: done; 1: an error of this package, said in one message; 2: wrong usage; 130: interrupted.
    """
    try:
        from brainalign.cli.app import build_app
        from brainalign.freed_memory import keep_freed_memory

        keep_freed_memory()
        build_app()(prog_name="brainalign")
    except KeyboardInterrupt:  # before or after the body of a command, which has its own guard
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)
