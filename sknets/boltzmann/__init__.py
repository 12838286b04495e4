"""Boltzmann machines: restricted, deep and general, with likelihoods."""

from sknets.boltzmann.ais import LogPartition
from sknets.boltzmann.dbm import DBM
from sknets.boltzmann.dbm_classifier import DBMClassifier
from sknets.boltzmann.dbn import DBN
from sknets.boltzmann.machine import BoltzmannMachine
from sknets.boltzmann.multimodal import MultimodalDBN
from sknets.boltzmann.rbm import BernoulliRBM, GaussianRBM
from sknets.boltzmann.supervised_dbn import DBNClassifier, DBNRegressor

__all__ = [
    "DBM",
    "DBN",
    "BernoulliRBM",
    "BoltzmannMachine",
    "DBMClassifier",
    "DBNClassifier",
    "DBNRegressor",
    "GaussianRBM",
    "LogPartition",
    "MultimodalDBN",
]
