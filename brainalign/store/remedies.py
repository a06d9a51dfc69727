"""The command that makes a damaged entry again."""

from __future__ import annotations

import shlex
from urllib.parse import unquote

__all__ = ["remedy"]


def remedy(place: str, url: str) -> str:
    """Return a command; what only the user knows stands in capitals.

    >>> remedy("responses/nsd/func1pt8mm.b3/subj01", "brainalign-store")
    "brainalign data ingest nsd ROOT --subject subj01 --store brainalign-store  # variant 'func1pt8mm.b3'"
    >>> remedy("embeddings/timm%3Aresnet18@0a1b/images", "s3://lab/store")
    'brainalign embed timm:resnet18 --stimuli images --store s3://lab/store  # revision 0a1b'
    """
    kind, *parts = place.split("/")
    names = [unquote(part) for part in parts]
    if kind == "embeddings":
        model, _, revision = names[0].rpartition("@")
        words, note = ["embed", model, "--stimuli", names[-1]], f"revision {revision}"
    elif kind == "stimuli":
        words, note = ["data", "ingest", "DATASET", "ROOT"], f"stimulus set {names[-1].removesuffix('.parquet')!r}"
    elif kind == "splits":
        words, note = ["data", "split", names[0], "FILE"], f"split {names[-1].removesuffix('.json')!r}"
    else:
        words = ["data", "ingest", names[0], "ROOT", "--subject", names[-1]]
        note = f"variant {names[1]!r}"
    return f"{shlex.join(['brainalign', *words, '--store', url])}  # {note}"
