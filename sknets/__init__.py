"""Every classic deep network with the manners of a scikit-learn estimator."""

from sknets.mlp import MLPClassifier, MLPRegressor
from sknets.persistence import load, save

__version__ = "0.1.0.dev0"

__all__ = ["MLPClassifier", "MLPRegressor", "load", "save"]
