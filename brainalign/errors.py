"""Every error that a user can meet.

::

    BrainalignError
    ├── InputError (ValueError)            numbers or arguments that cannot be used as given
    │   ├── ShapeError                     wrong number of dimensions, too few rows or columns
    │   ├── NonFiniteError                 NaN or inf, with the place named
    │   ├── PairingError                   rows that do not pair
    │   └── ChoiceError                    a name that is not one of the choices (near names offered)
    ├── UndefinedError (ValueError)        the quantity has no value for these data
    │   └── ResponseKindError              the measure does not apply to this kind of response (RDMs, averages)
    ├── CeilingError (ValueError)          a ceiling used with a quantity that it does not bound
    ├── JoinError (ValueError)             responses and embeddings that cannot be joined without guessing
    ├── StoreError
    │   ├── EntryNotFoundError (KeyError)  no such entry
    │   ├── VariantError                   several variants where one is needed, or one with other options
    │   ├── FormatVersionError             written by a newer or unknown version
    │   └── CorruptEntryError              an entry that does not match its checksums or its layout
    ├── DatasetError                       files on disk that are not what the layout says
    ├── ModelError
    │   ├── UnknownModelError              no such source or model
    │   ├── UnknownLayerError              no such layer, or one that is not reached (near names offered)
    │   ├── ActivationError                NaN, inf, overflow or a shape that changes between batches
    │   └── ImageError                     an image that does not decode
    ├── ManifestError (ValueError)         a manifest or benchmark file that the schema refuses
    ├── ScheduleError                      no scheduler or worker, or one that was lost
    │   └── IncompleteRunError             tasks that failed; names them and the command that goes on
    ├── ResultError
    │   ├── ResultConflictError            the same result with other inputs, parameters or versions
    │   └── ResultFormatError              a result file that the schema refuses
    └── MissingDependencyError (ImportError)   an optional package is absent; says the command that installs it
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ActivationError",
    "BrainalignError",
    "CeilingError",
    "ChoiceError",
    "CorruptEntryError",
    "DatasetError",
    "EntryNotFoundError",
    "FormatVersionError",
    "ImageError",
    "IncompleteRunError",
    "InputError",
    "JoinError",
    "ManifestError",
    "MissingDependencyError",
    "ModelError",
    "NonFiniteError",
    "PairingError",
    "ResponseKindError",
    "ResultConflictError",
    "ResultError",
    "ResultFormatError",
    "ScheduleError",
    "ShapeError",
    "StoreError",
    "UndefinedError",
    "UnknownLayerError",
    "UnknownModelError",
    "VariantError",
    "near_names",
]


class BrainalignError(Exception):
    """Base of all errors of this package."""


class InputError(BrainalignError, ValueError):
    """Numbers or arguments that cannot be used as given."""


class ShapeError(InputError):
    """Wrong number of dimensions, too few rows or columns."""


class NonFiniteError(InputError):
    """NaN or inf, with the place named."""


class PairingError(InputError):
    """Rows that do not pair."""


class ChoiceError(InputError):
    """A name that is not one of the choices."""


class UndefinedError(BrainalignError, ValueError):
    """The quantity has no value for these data."""


class ResponseKindError(UndefinedError):
    """The measure does not apply to this kind of response."""


class CeilingError(BrainalignError, ValueError):
    """A ceiling used with a quantity that it does not bound."""


class JoinError(BrainalignError, ValueError):
    """Responses and embeddings that cannot be joined without guessing."""


class StoreError(BrainalignError):
    """The store cannot do what was asked."""


class EntryNotFoundError(StoreError, KeyError):
    """No such entry in the store."""

    def __str__(self) -> str:  # KeyError would print the repr
        return str(self.args[0]) if self.args else ""


class VariantError(StoreError):
    """Several variants where one is needed, or the same variant with other options."""


class FormatVersionError(StoreError):
    """Written by a newer or unknown version."""


class CorruptEntryError(StoreError):
    """An entry that does not match its checksums or its layout."""


class DatasetError(BrainalignError):
    """Files on disk that are not what the layout says."""


class ModelError(BrainalignError):
    """A network that cannot be used as asked."""


class UnknownModelError(ModelError):
    """No such source or model."""


class UnknownLayerError(ModelError):
    """No such layer, or one that the forward pass does not reach."""


class ActivationError(ModelError):
    """NaN, inf, overflow, or a shape that changes between batches."""


class ImageError(ModelError):
    """An image that does not decode."""


class ManifestError(BrainalignError, ValueError):
    """A manifest or benchmark file that the schema refuses."""


class ScheduleError(BrainalignError):
    """No scheduler or worker answers, or the scheduler was lost on the way."""


class IncompleteRunError(ScheduleError):
    """Some tasks of a run failed; what was finished is kept."""


class ResultError(BrainalignError):
    """A result that cannot be written or read."""


class ResultConflictError(ResultError):
    """The same result with other inputs, parameters or versions."""


class ResultFormatError(ResultError):
    """A result file that the schema refuses."""


class MissingDependencyError(BrainalignError, ImportError):
    """An optional package is absent."""


def near_names(name: str, choices: Iterable[str], *, limit: int = 3) -> str:
    """Return the end of an error message that offers near names.

    >>> near_names("cosin", ["cosine", "euclidean"])
    " Did you mean 'cosine'?"
    >>> near_names("xyz", ["cosine", "euclidean"])
    " Choices: 'cosine', 'euclidean'."
    """
    names = [str(choice) for choice in choices]
    close = difflib.get_close_matches(name, names, n=limit)
    if close:
        return " Did you mean " + " or ".join(repr(c) for c in close) + "?"
    shown = ", ".join(repr(c) for c in names[:12])
    return f" Choices: {shown}{', …' if len(names) > 12 else ''}." if names else ""
