"""What a look at a dataset's files found, all of it at once, before anything is ingested."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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
    """

    dataset: str
    root: str
    found: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

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
            if str(error) not in self.problems:
                self.problems.append(str(error))

    def __str__(self) -> str:
        counted = f"{len(self.problems)} problem{'' if len(self.problems) == 1 else 's'}"
        lines = [f"{self.dataset} in {self.root}: {counted}"]
        lines += [f"  {line}" for line in self.found]
        lines += [f"  note: {line}" for line in self.notes]
        return "\n".join(lines + [f"  problem: {line}" for line in self.problems])
