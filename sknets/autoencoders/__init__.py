"""Autoencoders: codes, reconstructions, likelihoods."""

from sknets.autoencoders.autoencoder import Autoencoder

__all__ = ["Autoencoder"]
