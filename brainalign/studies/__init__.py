"""What joins results with what is known otherwise: the truth of simulated brains, properties of networks."""

from brainalign.stats.relations import Relation
from brainalign.studies.contrasts import Contrast, contrast
from brainalign.studies.relations import Judged, judge, relate, relate_all

__all__ = ["Contrast", "Judged", "Relation", "contrast", "judge", "relate", "relate_all"]
