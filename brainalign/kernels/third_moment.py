"""The third moment of a Mantel statistic over all permutations, without permuting.

The cube of ``Σ_ij A_ij B_π(i)π(j)`` is a sum over six indices of A, three pairs of two. Which of the six are equal is a
partition; partitions that draw the same multigraph of three edges give the same sum. The sum over distinct vertices of
each multigraph follows from the sums over all vertices (products of matrices and vectors) by Möbius inversion.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

import torch

__all__ = ["permutation_skewness"]

Partition = tuple[int, ...]
"""The vertex that each of the six ends of three edges falls on."""
Component = tuple[int, int, tuple[int, ...]]
"""Numbers of edges and loops, and sorted degrees: these tell connected multigraphs of up to three edges apart."""
Graph = tuple[Component, ...]

LOOPS_3 = (3, 3, (6,))
LOOPS_2_EDGE = (3, 2, (1, 5))
LOOP_EDGE_LOOP = (3, 2, (3, 3))
LOOP_DOUBLE = (3, 1, (2, 4))
LOOP_AMID = (3, 1, (1, 1, 4))
LOOP_AT_END = (3, 1, (1, 2, 3))
TRIPLE = (3, 0, (3, 3))
DOUBLE_EDGE = (3, 0, (1, 2, 3))
PATH = (3, 0, (1, 1, 2, 2))
STAR = (3, 0, (1, 1, 1, 3))
TRIANGLE = (3, 0, (2, 2, 2))


def permutation_skewness(A: torch.Tensor, B: torch.Tensor, sd: float) -> float:
    """Return the skewness over all n! permutations of the sum of ``A_ij B_π(i)π(j)`` over all i, j.

    Parameters
    ----------
    A, B : tensors, shape (n, n), float64
        Symmetric; diagonals count.
    sd : float
        Standard deviation over all permutations, from `permutation_moments`.

    Notes
    -----
    Siemiatycki 1978, J. Stat. Comput. Simul. 7:13, for zero diagonals; Kazi-Aoual et al. 1995, Comput. Stat. Data Anal.
    20:643, for doubly centred matrices; this form holds for any symmetric ones. Cost: two products of n³.
    """
    n = len(A)
    in_a, in_b = _sums_of_graphs(A), _sums_of_graphs(B)
    third = 0.0
    for graph, (multiplicity, inversion) in _graphs().items():
        vertices = sum(len(component[2]) for component in graph)
        if vertices <= n:
            distinct_a, distinct_b = (sum(c * known[g] for g, c in inversion.items()) for known in (in_a, in_b))
            third += multiplicity * distinct_a * distinct_b / math.perm(n, vertices)
    return third / sd**3


def _sums_of_graphs(A: torch.Tensor) -> dict[Component, float]:
    """Sums over all vertices of each connected multigraph of three edges, the mean of A taken out.

    The means off and on the diagonal add a constant to every permuted sum. Without them a single edge and a single loop
    sum to zero, and with them every multigraph that falls apart.
    """
    n = len(A)
    d = A.diagonal() - A.diagonal().mean()
    M = A - (A.sum() - A.diagonal().sum()) / (n * (n - 1))
    M.diagonal().copy_(d)
    r, squares = M.sum(dim=1), M * M
    q = squares.sum(dim=1)
    return {
        LOOPS_3: float((d**3).sum()),
        LOOPS_2_EDGE: float((d**2 * r).sum()),
        LOOP_EDGE_LOOP: float(d @ M @ d),
        LOOP_DOUBLE: float(d @ q),
        LOOP_AMID: float((d * r**2).sum()),
        LOOP_AT_END: float(d @ M @ r),
        TRIPLE: float((squares * M).sum()),
        DOUBLE_EDGE: float(q @ r),
        PATH: float(r @ M @ r),
        STAR: float((r**3).sum()),
        TRIANGLE: float(((M @ M) * M).sum()),
    }


@lru_cache(maxsize=1)
def _graphs() -> dict[Graph, tuple[int, dict[Component, int]]]:
    """For each multigraph: how many partitions draw it, and its sum over distinct vertices in terms of all vertices."""
    counts: Counter[Graph] = Counter()
    example: dict[Graph, Partition] = {}
    for partition in _partitions(6):
        graph = _drawn(partition)
        counts[graph] += 1
        example[graph] = partition
    return {graph: (count, _inversion(example[graph])) for graph, count in counts.items()}


def _inversion(partition: Partition) -> dict[Component, int]:
    """Möbius inversion over all ways to merge vertices; multigraphs of several components sum to zero."""
    terms: Counter[Component] = Counter()
    for merged in _partitions(max(partition) + 1):
        graph = _drawn(tuple(merged[vertex] for vertex in partition))
        if len(graph) == 1:
            sizes = Counter(merged).values()
            terms[graph[0]] += math.prod((-1) ** (size - 1) * math.factorial(size - 1) for size in sizes)
    return dict(terms)


def _partitions(n: int) -> Iterator[Partition]:
    """All partitions of ``n`` things, as the block that each falls in."""
    if n == 0:
        yield ()
        return
    for head in _partitions(n - 1):
        for block in range(max(head, default=-1) + 2):
            yield (*head, block)


def _drawn(partition: Partition) -> Graph:
    """Return the multigraph that joins ends 0-1, 2-3 and 4-5 of the partition."""
    edges = [(partition[i], partition[i + 1]) for i in (0, 2, 4)]
    component = {vertex: vertex for vertex in partition}
    for u, v in edges:
        old, new = component[u], component[v]
        component = {vertex: new if label == old else label for vertex, label in component.items()}
    found = []
    for label in set(component.values()):
        mine = [(u, v) for u, v in edges if component[u] == label]
        degrees = Counter(end for edge in mine for end in edge)
        found.append((len(mine), sum(u == v for u, v in mine), tuple(sorted(degrees.values()))))
    return tuple(sorted(found))
