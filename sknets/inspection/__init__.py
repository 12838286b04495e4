"""Looking into networks: how they were trained, what they learnt."""

from sknets.inspection.gradients import check_gradients
from sknets.inspection.loss_curve import LossCurveDisplay

__all__ = ["LossCurveDisplay", "check_gradients"]
