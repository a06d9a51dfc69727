"""What fine-tuning did to the matrices and to the embedding, for the cells that a study chose."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.spectral.sharing import compare_tasks
from brainalign.spectral.stability import compare_checkpoints
from brainalign.spectral.study.cells import Study
from brainalign.spectral.study.networks import Headed
from brainalign.spectral.study.summary import chosen_cells, write_rows
from brainalign.spectral.study.tasks import Part, Task, draw

__all__ = ["analyse", "embedding_of"]

EMBEDDED = ("full", "core", "lora")


def analyse(study: Study, folder: Path) -> dict[str, Any]:
    """Train the chosen cells of seed 0 again and keep what they did.

    Full fine-tuning is compared with the pretrained network matrix by matrix, beside the nulls, and across tasks;
    embeddings of the test sentences are kept before and after full fine-tuning, the core and LoRA.

    Returns
    -------
    dict
        The verdicts, which ``verdicts.json`` holds too. Other files: ``stability.csv``, ``sharing.csv``,
        ``embeddings.TASK.npz`` (float16).
    """
    before = study.source.make()
    matrices = [name for name, w in before.named_parameters() if w.ndim == 2 and "embed" not in name]
    matrices = [name for name in matrices if "pooler" not in name]
    tuned: dict[str, dict[str, torch.Tensor]] = {}
    rows: list[dict[str, Any]] = []
    said: dict[str, Any] = {}
    for task in study.tasks:
        arrays = {"before": embedding_of(study, Headed(study.source, study.source.make(), task), task)}
        for method in (m for m in EMBEDDED if m in study.methods):
            rate = chosen_cells(study.cells_of(task, method))[task.name, method][0]["rate"]
            trained = study.train(task, method, rate, 0)
            arrays[method] = embedding_of(study, trained.network, task)
            if method == "full":
                state = trained.attached.encoder.state_dict()
                tuned[task.name] = {name: state[name].detach().cpu().clone() for name in matrices}
        np.savez_compressed(folder / f"embeddings.{task.name}.npz", **arrays)  # type: ignore[arg-type]
        if task.name in tuned:
            start = {name: w.detach() for name, w in before.named_parameters() if name in matrices}
            found = compare_checkpoints(start, tuned[task.name], ranks=(4, 16, 35, 64), judged_rank=16,
                                        device=study.device)  # fmt: skip
            rows += [{"task": task.name, **row} for row in found.rows]
            said[task.name] = {"stable": asdict(found.stable), "leaning": asdict(found.leaning)}
            study.say(f"{task.name}: {found.stable}")
            study.say(f"{task.name}: {found.leaning}")
    if rows:
        write_rows(folder / "stability.csv", rows)
    if len(tuned) > 1:
        start = {name: w.detach() for name, w in before.named_parameters() if name in matrices}
        shared = compare_tasks(start, tuned, ranks=(4, 16, 35, 64), judged_rank=16, device=study.device)
        write_rows(folder / "sharing.csv", shared.rows)
        said["sharing"] = {"shared": asdict(shared.shared), "updates_shared": asdict(shared.updates_shared)}
        study.say(str(shared.shared))
        study.say(str(shared.updates_shared))
    (folder / "verdicts.json").write_text(json.dumps(said, indent=2), encoding="utf-8")
    return said


def embedding_of(study: Study, network: Headed, task: Task) -> npt.NDArray[np.float16]:
    """Return the embedding of the drawn test sentences (first sentences of pairs), (n, d)."""
    drawn = draw(task, n_train=1, n_dev=1, n_test=study.schedule.n_test, seed=0).test
    inputs = [text[0] if isinstance(text, tuple) else text for text in drawn.inputs]
    where = torch.device(study.device)
    batches = study.source.prepare(Part(inputs, drawn.labels), where)
    network.to(where).eval()
    with torch.no_grad():
        parts = [network.embed(batches.take(i)) for i in torch.split(torch.arange(len(batches), device=where), 128)]
    return torch.cat(parts).cpu().numpy().astype(np.float16)
