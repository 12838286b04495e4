"""Every classic deep network with the manners of a scikit-learn estimator."""

from sknets.autoencoders import (
    Autoencoder,
    AutoencoderOutlierDetector,
    ConvAutoencoder,
    RecurrentAutoencoder,
    VariationalAutoencoder,
)
from sknets.boltzmann import (
    DBM,
    DBN,
    BernoulliRBM,
    BoltzmannMachine,
    DBMClassifier,
    DBNClassifier,
    DBNRegressor,
    GaussianRBM,
    MultimodalDBN,
)
from sknets.cnn import CNNClassifier, CNNRegressor
from sknets.gan import DCGAN, GAN, ProgressiveGAN, StyleGAN
from sknets.mlp import MLPClassifier, MLPRegressor
from sknets.persistence import load, save
from sknets.rnn import (
    ImageCaptioner,
    LanguageModel,
    RNNClassifier,
    RNNForecaster,
    RNNRegressor,
    RNNTagger,
    Seq2Seq,
)

__version__ = "0.1.0.dev0"

__all__ = [
    "DBM",
    "DBN",
    "DCGAN",
    "GAN",
    "Autoencoder",
    "AutoencoderOutlierDetector",
    "BernoulliRBM",
    "BoltzmannMachine",
    "CNNClassifier",
    "CNNRegressor",
    "ConvAutoencoder",
    "DBMClassifier",
    "DBNClassifier",
    "DBNRegressor",
    "GaussianRBM",
    "ImageCaptioner",
    "LanguageModel",
    "MLPClassifier",
    "MLPRegressor",
    "MultimodalDBN",
    "ProgressiveGAN",
    "RNNClassifier",
    "RNNForecaster",
    "RNNRegressor",
    "RNNTagger",
    "RecurrentAutoencoder",
    "Seq2Seq",
    "StyleGAN",
    "VariationalAutoencoder",
    "load",
    "save",
]
