"""What is published of networks: training sets and their sizes, objectives, top-1 accuracy, each with its source.

Covariates of the relations across networks. What is not known stays out; nothing is guessed from a name alone.
"""

from __future__ import annotations

from typing import Any

__all__ = ["PUBLISHED", "TRAINING_SETS", "of_tag", "published", "training_set"]

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

_VALIDATION = "ImageNet-1k validation"
_ZERO_SHOT = "ImageNet-1k validation, zero-shot"
_CIFAR = "CIFAR-10 test"
_LITE = "tensorflow/tpu, models/official/efficientnet/lite/README.md"
_OPEN_CLIP = "mlfoundations/open_clip, docs/PRETRAINED.md"
_AKAMASTER = "akamaster/pytorch_resnet_cifar10, README.md"
_SQUEEZENET = "Iandola et al. 2016, arXiv:1602.07360, table 2"
#: id, or first 8 hex digits of the SHA-256 of a file of weights -> published top-1, on what, and where it stands
PUBLISHED: dict[str, tuple[float, str, str]] = {
    "efficientnet-lite0": (0.751, _VALIDATION, _LITE),
    "efficientnet-lite1": (0.767, _VALIDATION, _LITE),
    "efficientnet-lite2": (0.776, _VALIDATION, _LITE),
    "12fca82f": (0.9173, _CIFAR, _AKAMASTER),
    "d509ac18": (0.9263, _CIFAR, _AKAMASTER),
    "014dd654": (0.9310, _CIFAR, _AKAMASTER),
    "4bfd9763": (0.9339, _CIFAR, _AKAMASTER),
    "e4ab6960": (0.575, _VALIDATION, _SQUEEZENET),
    "open_clip:ViT-B-32/laion400m_e32": (0.6296, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:ViT-B-16/laion400m_e32": (0.6707, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:ViT-B-16-plus-240/laion400m_e32": (0.6921, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:ViT-L-14/laion400m_e32": (0.7277, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:ViT-B-32/laion2b_e16": (0.6562, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:ViT-B-32/laion2b_s34b_b79k": (0.666, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:ViT-L-14/laion2b_s32b_b82k": (0.753, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:ViT-H-14/laion2b_s32b_b79k": (0.780, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:ViT-g-14/laion2b_s12b_b42k": (0.766, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:ViT-L-14/datacomp_xl_s13b_b90k": (0.792, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:ViT-L-14/commonpool_xl_clip_s13b_b90k": (0.764, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:ViT-L-14/commonpool_xl_laion_s13b_b90k": (0.755, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:ViT-L-14/commonpool_xl_s13b_b90k": (0.723, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:RN50-quickgelu/yfcc15m": (0.327, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:RN101-quickgelu/yfcc15m": (0.348, _ZERO_SHOT, _OPEN_CLIP),
    "open_clip:RN50-quickgelu/cc12m": (0.3645, _ZERO_SHOT, _OPEN_CLIP),
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


def published(known: str) -> dict[str, Any]:
    """Return the published top-1 of a network with its source; nothing where none is known.

    >>> published("efficientnet-lite0")["top1"], published("mynet")
    (0.751, {})
    """
    if known not in PUBLISHED:
        return {}
    top1, where, source = PUBLISHED[known]
    return {"top1": top1, "top1_on": where, "top1_source": source}


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
