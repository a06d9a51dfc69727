"""``python -m brainalign.spectral.study``: a study on any machine that has torch, transformers and peft.

It imports nothing of the package but errors, arrays, statistics and this room, so that it runs where the store's
libraries are not installed. ``brainalign spectral study`` is the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from brainalign.spectral.study.command import half_precision_copy, run_images, run_pretraining, run_sentences

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m brainalign.spectral.study", description=__doc__)
    parser.add_argument("--network", type=Path, help="folder with config.json, weights and tokenizer")
    parser.add_argument("--data", type=Path, help="folder with sst2/, subj/, mrpc/, stsb_en/")
    parser.add_argument("--out", type=Path, help="folder of the cells; what is there is kept")
    parser.add_argument("--tasks", nargs="+", default=None, help="default: sst2 subj mrpc stsb")
    parser.add_argument("--methods", nargs="+", default=None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-grid", action="store_true", help="the middle learning rate of each method only")
    parser.add_argument("--analysis", action="store_true", help="stability, sharing, embeddings of seed 0 as well")
    parser.add_argument("--copy-half", type=Path, help="only copy the network there in half precision, to travel")
    parser.add_argument("--pretraining", action="store_true", help="stability by size of pretraining, on CIFAR images")
    parser.add_argument("--images", action="store_true", help="adapt an image network to other labelled sets")
    given = parser.parse_args(arguments)
    if given.pretraining:
        if given.data is None or given.out is None:
            parser.error("--data (with cifar10_test/) and --out are needed")
        print(run_pretraining(given.data, given.out, n_seeds=given.seeds, device=given.device))
        return
    if given.images:
        if None in (given.network, given.data, given.out):
            parser.error("--network (weights, or efficientnet-lite0), --data and --out are needed")
        run_images(
            given.network, given.data, given.out, tasks=given.tasks or ("digits", "digits69"), methods=given.methods,
            n_seeds=given.seeds, device=given.device, grid=not given.no_grid, say=lambda line: print(line, flush=True),
        )  # fmt: skip
        return
    if given.network is None:
        parser.error("--network is needed")
    if given.copy_half is not None:
        print(half_precision_copy(given.network, given.copy_half))
        return
    if given.data is None or given.out is None:
        parser.error("--data and --out are needed")
    tasks = given.tasks or ("sst2", "subj", "mrpc", "stsb")
    run_sentences(
        given.network, given.data, given.out, tasks=tasks, methods=given.methods, n_seeds=given.seeds,
        n_train=given.train, epochs=given.epochs, device=given.device, grid=not given.no_grid,
        analysis=given.analysis, say=lambda line: print(line, flush=True),
    )  # fmt: skip


if __name__ == "__main__":
    main()
