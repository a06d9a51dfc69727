"""The table of four papers for trained ResNets: a row a layer, all measures, what probes read, how networks agree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from brainalign.similarity import cka
from brainalign.studies.generalization.four_papers import paper_table
from brainalign.studies.generalization.resnets import ResnetStudy

__all__ = ["resnet_table"]

LAST = "flatten"
LEFT_OUT = ("layer3",)  # the same numbers as the last embedding


def resnet_table(study: ResnetStudy) -> pd.DataFrame:
    """Return one row for each network and layer.

    Parameters
    ----------
    study : ResnetStudy
        Of at least two networks.

    Returns
    -------
    DataFrame
        model, layer, n, the properties of `paper_table`, accuracy (of a probe on the held-out half), alignment (mean
        debiased CKA with the last embedding of the other networks), and lipschitz (upper bound of what follows) where
        the study has it.
    """
    embeddings = {key: Z for key, Z in study.embeddings.items() if key[1] not in LEFT_OUT}
    models = study.networks["model"].tolist()
    alignment = {
        (model, layer): float(np.mean([cka(Z, study.embeddings[(other, LAST)]) for other in models if other != model]))
        for (model, layer), Z in embeddings.items()
    }
    columns = {"probe_test": "accuracy", "lipschitz_upper": "lipschitz"}
    there = [name for name in columns if name in study.layers]
    more = study.layers[["model", "layer", *there]].rename(columns=columns)
    more = more[~more["layer"].isin(LEFT_OUT)].copy()
    more["alignment"] = [alignment[(m, x)] for m, x in zip(more["model"], more["layer"], strict=True)]
    return paper_table(embeddings, more=more)
