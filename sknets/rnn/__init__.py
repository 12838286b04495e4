"""Recurrent networks, for sequences of any kind."""

from sknets.rnn.captioning import ImageCaptioner
from sknets.rnn.forecaster import RNNForecaster
from sknets.rnn.language_model import LanguageModel
from sknets.rnn.recurrent import RNNClassifier, RNNRegressor
from sknets.rnn.seq2seq import Seq2Seq
from sknets.rnn.tagger import RNNTagger

__all__ = [
    "ImageCaptioner",
    "LanguageModel",
    "RNNClassifier",
    "RNNForecaster",
    "RNNRegressor",
    "RNNTagger",
    "Seq2Seq",
]
