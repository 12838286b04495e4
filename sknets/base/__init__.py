"""What every estimator does, and the roles it can have."""

from sknets.base.descent import DescentEstimator
from sknets.base.estimator import NetworkEstimator
from sknets.base.parameters import PacedParameters, TrainingParameters, clipping_norm
from sknets.base.supervised import (
    CLASS_LOSSES,
    REGRESSION_LOSSES,
    NetworkClassifier,
    NetworkRegressor,
    SupervisedNetwork,
)
from sknets.base.transformer import InvertibleTransformer, NetworkTransformer

__all__ = [
    "CLASS_LOSSES",
    "REGRESSION_LOSSES",
    "DescentEstimator",
    "InvertibleTransformer",
    "NetworkClassifier",
    "NetworkEstimator",
    "NetworkRegressor",
    "NetworkTransformer",
    "PacedParameters",
    "SupervisedNetwork",
    "TrainingParameters",
    "clipping_norm",
]
