"""What joins results with what is known otherwise: the truth of simulated brains, properties of networks."""

from brainalign.stats.relations import Relation
from brainalign.studies.accuracy import Accuracy, accuracy_differences, measure_accuracy
from brainalign.studies.agreement import measure_agreement, measure_table
from brainalign.studies.brain_curves import BrainCurves, brain_curves
from brainalign.studies.contrasts import Contrast, contrast
from brainalign.studies.convergence import ModelAlignment, Triangle, model_alignment, triangle
from brainalign.studies.relations import Judged, judge, relate, relate_all
from brainalign.studies.response_curves import RegionCurves, response_curves

__all__ = [
    "Accuracy",
    "BrainCurves",
    "Contrast",
    "Judged",
    "ModelAlignment",
    "RegionCurves",
    "Relation",
    "Triangle",
    "accuracy_differences",
    "brain_curves",
    "contrast",
    "judge",
    "measure_accuracy",
    "measure_agreement",
    "measure_table",
    "model_alignment",
    "relate",
    "relate_all",
    "response_curves",
    "triangle",
]
