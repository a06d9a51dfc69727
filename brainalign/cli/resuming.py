"""The command that goes on where a run stopped."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator, Sequence

from brainalign.errors import ScheduleError

__all__ = ["resumable", "resuming_command"]


@contextlib.contextmanager
def resumable() -> Iterator[None]:
    """Add the command that goes on to what is said of failures, or of a scheduler or workers that are gone."""
    try:
        yield
    except ScheduleError as error:
        raise type(error)(f"{error}\ngo on with: {resuming_command(sys.argv[1:])}") from error


def resuming_command(arguments: Sequence[str]) -> str:
    """Return the command of these arguments, without what is secret in a URL.

    >>> resuming_command(["score", "net", "v4", "--store=s3://key:secret@lab/store?token=1"])
    'brainalign score net v4 --store=s3://lab/store'
    """
    from brainalign.store.files import without_secrets

    words = []
    for word in arguments:
        option, equals, value = word.partition("=")
        if equals and option.startswith("--"):
            words.append(f"{option}={without_secrets(value)}")
        else:
            words.append(without_secrets(word))
    return shlex.join(["brainalign", *words])
