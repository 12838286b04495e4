"""Autoencoders: codes, reconstructions, likelihoods."""

from sknets.autoencoders.autoencoder import Autoencoder
from sknets.autoencoders.convolutional import ConvAutoencoder
from sknets.autoencoders.outliers import AutoencoderOutlierDetector
from sknets.autoencoders.recurrent import RecurrentAutoencoder
from sknets.autoencoders.variational import VariationalAutoencoder

__all__ = [
    "Autoencoder",
    "AutoencoderOutlierDetector",
    "ConvAutoencoder",
    "RecurrentAutoencoder",
    "VariationalAutoencoder",
]
