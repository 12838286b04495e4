"""Generative adversarial networks."""

from sknets.gan.dcgan import DCGAN
from sknets.gan.gan import GAN
from sknets.gan.progressive import ProgressiveGAN
from sknets.gan.stylegan import StyleGAN
from sknets.gan.two_sample import TwoSampleReport

__all__ = ["DCGAN", "GAN", "ProgressiveGAN", "StyleGAN", "TwoSampleReport"]
