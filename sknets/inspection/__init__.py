"""Looking into data and networks: examples, how training went, what was learnt."""

from sknets.inspection.gradients import check_gradients
from sknets.inspection.images import ImagesDisplay
from sknets.inspection.loss_curve import LossCurveDisplay
from sknets.inspection.weights import WeightsDisplay

__all__ = ["ImagesDisplay", "LossCurveDisplay", "WeightsDisplay", "check_gradients"]
