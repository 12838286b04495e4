"""Boltzmann machines: restricted, deep and general, with likelihoods."""

from sknets.boltzmann.rbm import BernoulliRBM

__all__ = ["BernoulliRBM"]
