"""Looking into data and networks: examples, how training went, what was learnt."""

from sknets.inspection.activations import ActivationMapsDisplay, PatchesDisplay
from sknets.inspection.adversarial import AdversarialDisplay, adversarial_examples
from sknets.inspection.codes import CodePlaneDisplay, LatentTraversalDisplay
from sknets.inspection.gradients import check_gradients
from sknets.inspection.images import ImagesDisplay
from sknets.inspection.layer_table import summary
from sknets.inspection.loss_curve import LossCurveDisplay
from sknets.inspection.machines import FantasyParticlesDisplay, FreeEnergyDisplay
from sknets.inspection.players import GameLossDisplay, SampleProgressDisplay
from sknets.inspection.reconstructions import ReconstructionsDisplay
from sknets.inspection.saliency import SaliencyDisplay, saliency
from sknets.inspection.states import GradientNormDisplay, HiddenStatesDisplay
from sknets.inspection.texts import TextDisplay
from sknets.inspection.weights import WeightsDisplay

__all__ = [
    "ActivationMapsDisplay",
    "AdversarialDisplay",
    "CodePlaneDisplay",
    "FantasyParticlesDisplay",
    "FreeEnergyDisplay",
    "GameLossDisplay",
    "GradientNormDisplay",
    "HiddenStatesDisplay",
    "ImagesDisplay",
    "LatentTraversalDisplay",
    "LossCurveDisplay",
    "PatchesDisplay",
    "ReconstructionsDisplay",
    "SaliencyDisplay",
    "SampleProgressDisplay",
    "TextDisplay",
    "WeightsDisplay",
    "adversarial_examples",
    "check_gradients",
    "saliency",
    "summary",
]
