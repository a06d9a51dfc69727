"""What a look at a dataset's files found, all of it at once, before anything is ingested."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from brainalign.datasets.room import gigabytes
from brainalign.errors import BrainalignError

__all__ = ["TreeReport"]


@dataclass
class TreeReport:
    """Files of one dataset below a folder.

    Attributes
    ----------
    dataset, root : str
    found : list of str
        What is there.
    notes : list of str
        What is less than published, or optional and absent.
    problems : list of str
        What an ingestion would refuse; each names the file, what was expected, and the way out.
    damaged : list of str
        Files that are cut off or not what their endings say; each is a problem, which is not said again.
    sizes : dict
        Bytes of all subjects by variant.
    """

    dataset: str
    root: str
    found: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way of an ingestion."""
        return not self.problems

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Note an error of the package as a problem and go on."""
        try:
            yield
        except BrainalignError as error:
            said = str(error)
            if said not in self.problems and not any(path in said for path in self.damaged):
                self.problems.append(said)

    def add(
        self, subject: str, what: str, n_presentations: int, n_neuroids: int, *, itemsize: int = 4, variant: str = ""
    ) -> None:
        """Say that responses are there, and count the room that they need."""
        self.found.append(f"{subject}: {what}, {n_presentations} presentations x {n_neuroids} neuroids")
        self.count(n_presentations * n_neuroids * itemsize, variant)

    def count(self, n_bytes: int, variant: str = "") -> None:
        """Count the room that a variant needs."""
        self.sizes[variant] = self.sizes.get(variant, 0) + n_bytes

    @property
    def n_bytes(self) -> int:
        """Bytes that an ingestion needs in the store before compression: those of the largest variant."""
        return max(self.sizes.values(), default=0)

    def __str__(self) -> str:
        counted = f"{len(self.problems)} problem{'' if len(self.problems) == 1 else 's'}"
        lines = [f"{self.dataset} in {self.root}: {counted}"]
        lines += [f"  {line}" for line in self.found]
        lines += [f"  note: {line}" for line in self.notes]
        if self.n_bytes:
            lines.append(f"  an ingestion needs up to {gigabytes(self.n_bytes)} in the store")
        return "\n".join(lines + [f"  problem: {line}" for line in self.problems])
