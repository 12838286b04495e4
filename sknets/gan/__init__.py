"""Generative adversarial networks."""

from sknets.gan.dcgan import DCGAN
from sknets.gan.gan import GAN
from sknets.gan.two_sample import TwoSampleReport

__all__ = ["DCGAN", "GAN", "TwoSampleReport"]
