"""The experiments on generalization: dimension, convergence, sensitivity of networks trained here or given."""

from brainalign.studies.generalization.autoencoders import AutoencoderStudy, autoencoder_study
from brainalign.studies.generalization.bounded import Assumed
from brainalign.studies.generalization.four_papers import (
    PROPERTIES_OF_PAPERS,
    PaperAnalysis,
    analyse_table,
    paper_table,
)
from brainalign.studies.generalization.measured import GeneralizationTerms, measure_generalization
from brainalign.studies.generalization.planted import Planted, planted_table
from brainalign.studies.generalization.profiles import class_profile, layer_profile, network_profile
from brainalign.studies.generalization.resnet_table import resnet_table
from brainalign.studies.generalization.resnets import ResnetStudy, labelled_images, resnet_study
from brainalign.studies.generalization.width import WidthStudy, relate_to_gap, width_study

__all__ = [
    "PROPERTIES_OF_PAPERS",
    "Assumed",
    "AutoencoderStudy",
    "GeneralizationTerms",
    "PaperAnalysis",
    "Planted",
    "ResnetStudy",
    "WidthStudy",
    "analyse_table",
    "autoencoder_study",
    "class_profile",
    "labelled_images",
    "layer_profile",
    "measure_generalization",
    "network_profile",
    "paper_table",
    "planted_table",
    "relate_to_gap",
    "resnet_study",
    "resnet_table",
    "width_study",
]
