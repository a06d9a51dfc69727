"""What is published of networks: training sets and their sizes, objectives, top-1 accuracy, each with its source.

Covariates of the relations across networks. What is not known stays out; nothing is guessed from a name alone.
"""

from __future__ import annotations

from typing import Any

__all__ = ["PUBLISHED", "TRAINING_SETS", "of_tag", "training_set"]

#: id -> (name, number of images or image-text pairs, source)
TRAINING_SETS: dict[str, tuple[str, float, str]] = {
    "cifar-10": ("CIFAR-10", 50_000, "Krizhevsky 2009"),
    "imagenet-1k": ("ImageNet-1k", 1_281_167, "Russakovsky et al. 2015, doi:10.1007/s11263-015-0816-y"),
    "imagenet-21k": ("ImageNet-21k", 14_197_122, "image-net.org, fall 2011 release"),
    "openai": ("WebImageText", 400e6, "Radford et al. 2021, arXiv:2103.00020"),
    "laion400m": ("LAION-400M", 413e6, "Schuhmann et al. 2021, arXiv:2111.02114"),
    "laion2b": ("LAION-2B", 2.32e9, "Schuhmann et al. 2022, arXiv:2210.08402"),
    "datacomp1b": ("DataComp-1B", 1.4e9, "Gadre et al. 2023, arXiv:2304.14108"),
    "lvd142m": ("LVD-142M", 142e6, "Oquab et al. 2023, arXiv:2304.07193"),
    "lvd1689m": ("LVD-1689M", 1.689e9, "Siméoni et al. 2025, arXiv:2508.10104"),
    "sat493m": ("SAT-493M", 493e6, "Siméoni et al. 2025, arXiv:2508.10104"),
    "yfcc15m": ("YFCC15M", 15e6, "Radford et al. 2021, arXiv:2103.00020"),
}

_LITE = "tensorflow/tpu, models/official/efficientnet/lite/README.md"
#: shipped name -> published top-1 on the validation images of ImageNet, and where it stands
PUBLISHED: dict[str, tuple[float, str]] = {
    "efficientnet-lite0": (0.751, _LITE),
    "efficientnet-lite1": (0.767, _LITE),
    "efficientnet-lite2": (0.776, _LITE),
}

#: part of a weight tag -> (training set, objective, modality); the first that is found counts
_TAGS: tuple[tuple[str, str, str, str], ...] = (
    ("laion2b", "laion2b", "contrastive image-text", "image-text"),
    ("laion400m", "laion400m", "contrastive image-text", "image-text"),
    ("datacomp_xl", "datacomp1b", "contrastive image-text", "image-text"),
    ("yfcc15m", "yfcc15m", "contrastive image-text", "image-text"),
    ("openai", "openai", "contrastive image-text", "image-text"),
    ("lvd142m", "lvd142m", "self-supervised", "image"),
    ("lvd1689m", "lvd1689m", "self-supervised", "image"),
    ("sat493m", "sat493m", "self-supervised", "image"),
    ("dino", "imagenet-1k", "self-supervised", "image"),
    ("mae", "imagenet-1k", "self-supervised", "image"),
    ("in21k", "imagenet-21k", "classification", "image"),
    ("in22k", "imagenet-21k", "classification", "image"),
    ("in1k", "imagenet-1k", "classification", "image"),
)


def training_set(known: str) -> dict[str, Any]:
    """Return the covariates of a training set: name, size, source."""
    name, size, source = TRAINING_SETS[known]
    return {"training_data": name, "training_set_size": int(size), "training_set_source": source}


def of_tag(tag: str) -> dict[str, Any]:
    """Return what the tag of published weights says: training set, objective, modality, fine-tuned on what.

    >>> of_tag("augreg_in21k_ft_in1k")["training_data"], of_tag("augreg_in21k_ft_in1k")["fine_tuned_on"]
    ('ImageNet-21k', 'ImageNet-1k')
    >>> of_tag("dinov3_lvd1689m")["training_data"]
    'LVD-1689M'
    >>> of_tag("")
    {'training_data': None}
    """
    first, _, tuned = tag.partition("_ft_")
    for part, data, objective, modality in _TAGS:
        if part in first:
            found = {**training_set(data), "objective": objective, "modality": modality}
            if tuned:
                found["fine_tuned_on"] = next((TRAINING_SETS[d][0] for p, d, *_ in _TAGS if p in tuned), tuned)
            return found
    return {"training_data": None}
