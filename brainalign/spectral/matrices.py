"""The weight matrices of a checkpoint: what each is, where it stands, and what counts as one matrix."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from brainalign.errors import InputError, ShapeError, near_names

__all__ = ["KINDS", "WeightMatrix", "block_of", "kind_of", "weight_matrices"]

KINDS = (
    "attention-query", "attention-key", "attention-value", "attention-qkv", "attention-output", "mlp", "convolution",
    "embedding", "head", "linear",
)  # fmt: skip

_ROLES = (
    ("head", r"^(\w+\.)?(classifier|heads?|fc|lm_head|score|pooler|logits)\."),
    ("attention-qkv", r"(^|[._])(qkv|in_proj|c_attn|wqkv|attn_qkv|query_key_value)([._]|$)"),
    ("attention-query", r"(^|[._])(query|q_proj|q_lin|q|to_q|wq|query_proj)([._]|$)"),
    ("attention-key", r"(^|[._])(key|k_proj|k_lin|k|to_k|wk|key_proj)([._]|$)"),
    ("attention-value", r"(^|[._])(value|v_proj|v_lin|v|to_v|wv|value_proj)([._]|$)"),
    ("attention-output", r"(attention\.output|attn\.(c_)?proj|out_proj|o_proj|out_lin|to_out|attn\.dense)"),
    ("mlp", r"(^|[._])(mlp|ffn|intermediate|output\.dense|fc1|fc2|c_fc|linear1|linear2|lin1|lin2|(up|down|gate)_proj)"),
    ("embedding", r"(embed|(^|\.)(wte|wpe|shared)\.)"),
)  # fmt: skip
_BLOCK = re.compile(r"^((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*\.\d+)((?:\.(?:blocks?|layers?)\.\d+)*)")


@dataclass(frozen=True, eq=False)
class WeightMatrix:
    """One weight matrix (out x in).

    Attributes
    ----------
    name, kind, depth, head
        Name of the tensor; one of `KINDS`; number of its block from the input, None outside of blocks; number of the
        attention head where heads were asked for.
    before, after : tensor (rows, columns)
        Views of the two checkpoints.
    """

    name: str
    kind: str
    depth: int | None
    head: int | None
    before: torch.Tensor
    after: torch.Tensor


def kind_of(name: str, ndim: int) -> str:
    """Say what a weight tensor is by its name and dimensions.

    >>> kind_of("encoder.layer.3.attention.self.query.weight", 2), kind_of("layer1.0.conv1.weight", 4)
    ('attention-query', 'convolution')
    """
    if ndim > 2:
        return "convolution"
    stem = name.removesuffix(".weight").lower() + "."
    return next((kind for kind, pattern in _ROLES if re.search(pattern, stem)), "linear")


def block_of(name: str) -> str | None:
    """Return the block of a network to which a weight belongs: its name up to the number that counts blocks.

    >>> block_of("encoder.layer.3.attention.self.query.weight"), block_of("stages.2.blocks.5.conv_dw.weight")
    ('encoder.layer.3', 'stages.2.blocks.5')
    """
    found = _BLOCK.match(name)
    return found[1] + found[2] if found else None


def weight_matrices(
    before: Mapping[str, torch.Tensor],
    after: Mapping[str, torch.Tensor],
    pairs: Mapping[str, str],
    *,
    include: Sequence[str] | None = None,
    heads: int | None = None,
) -> list[WeightMatrix]:
    """List the matrices that two checkpoints share, in the order of depth.

    Parameters
    ----------
    before, after : mappings of str to tensor
        Weights by name.
    pairs : mapping of str to str
        Which names belong together, as `shared_names` finds them.
    include : sequence of str, optional
        Names or patterns such as ``encoder.*.query.weight``; default all tensors of two or more dimensions.
    heads : int, optional
        Number of attention heads: queries, keys, values are then split by rows and the output by columns, one matrix
        for each head; a fused query-key-value first into its three parts.

    Raises
    ------
    ShapeError
        Tensors of one name and different shape (all are named), or sides that do not divide into heads.
    InputError
        No matrix is left.

    Notes
    -----
    A convolution (out, in, …) is the matrix (out, in · …) of its kernel, which is not its operator on images. A
    depthwise convolution is a matrix of its filters.
    """
    names = [name for name in pairs if _is_matrix(name, before[name]) and _asked(name, include)]
    other = [n for n in names if before[n].shape != after[pairs[n]].shape]
    if other:
        said = "; ".join(f"{n}: {tuple(before[n].shape)} and {tuple(after[pairs[n]].shape)}" for n in other[:5])
        raise ShapeError(
            f"{len(other)} matrices have other shapes in the two checkpoints ({said}); leave them out with include="
        )
    if not names:
        asked = "" if include is None else f" that match {', '.join(include)}"
        near = "" if include is None else near_names(include[0], pairs)
        raise InputError(f"the two checkpoints share no weight matrices{asked}.{near}")
    order = _natural(dict.fromkeys(b for n in names if (b := block_of(n)) is not None))
    found = [
        WeightMatrix(n, kind_of(n, before[n].ndim), order.get(block_of(n) or ""), None,
                     before[n].flatten(1), after[pairs[n]].flatten(1))
        for n in names
    ]  # fmt: skip
    found.sort(key=lambda m: -1 if m.depth is None else m.depth)
    if heads is None:
        return found
    queries = {m.depth: m.before.shape[0] for m in found if m.kind == "attention-query"}
    return [part for whole in found for part in _by_head(whole, heads, queries.get(whole.depth))]


def _is_matrix(name: str, tensor: torch.Tensor) -> bool:
    """Tell matrices and kernels from tokens and positions, which have dimensions for batches."""
    return tensor.numel() > 0 and (tensor.ndim == 2 or (tensor.ndim > 2 and name.endswith("weight")))


def _asked(name: str, include: Sequence[str] | None) -> bool:
    return include is None or any(fnmatch.fnmatchcase(name, pattern) for pattern in include)


def _natural(blocks: dict[str, None]) -> dict[str, int]:
    """Number blocks so that layer 10 follows layer 9, in whatever order a file lists them."""
    stems = list(dict.fromkeys(re.sub(r"\d+", "#", block) for block in blocks))

    def place(block: str) -> tuple[int, list[int]]:
        return stems.index(re.sub(r"\d+", "#", block)), [int(number) for number in re.findall(r"\d+", block)]

    return {block: index for index, block in enumerate(sorted(blocks, key=place))}


def _by_head(whole: WeightMatrix, heads: int, queries: int | None) -> list[WeightMatrix]:
    """Split a matrix of attention by heads; any other stays whole. Keys and values may have fewer heads."""
    if whole.kind == "attention-qkv":
        fused_columns = "c_attn" in whole.name  # (in, out) there
        dim = 1 if fused_columns else 0
        size = whole.before.shape[dim]
        if size % 3:
            raise ShapeError(f"{whole.name} has {size} rows, which do not divide into query, key and value.")
        thirds = zip(whole.before.chunk(3, dim), whole.after.chunk(3, dim), strict=True)
        parts = ("query", "key", "value")
        pieces = [
            WeightMatrix(f"{whole.name}[{part}]", f"attention-{part}", whole.depth, None,
                         b.T if fused_columns else b, a.T if fused_columns else a)
            for part, (b, a) in zip(parts, thirds, strict=True)
        ]  # fmt: skip
        return [head for piece in pieces for head in _by_head(piece, heads, None)]
    if not whole.kind.startswith("attention-"):
        return [whole]
    dim = 1 if whole.kind == "attention-output" and "c_proj" not in whole.name else 0
    size = whole.before.shape[dim]
    if queries and whole.kind in ("attention-key", "attention-value") and size < queries and queries % heads == 0:
        heads = size // (queries // heads) if size % (queries // heads) == 0 else heads
    if size % heads:
        raise ShapeError(
            f"{whole.name} has {size} {'columns' if dim else 'rows'}: they do not divide by {heads} heads."
        )
    both = zip(whole.before.chunk(heads, dim), whole.after.chunk(heads, dim), strict=True)
    return [WeightMatrix(whole.name, whole.kind, whole.depth, i, b, a) for i, (b, a) in enumerate(both)]
