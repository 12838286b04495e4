"""Recurrent networks, for sequences of any kind."""

from sknets.rnn.recurrent import RNNClassifier, RNNRegressor

__all__ = ["RNNClassifier", "RNNRegressor"]
