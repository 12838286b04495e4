"""Convolutional networks: a file an architecture, and the estimators that train them."""

from sknets.cnn.architecture import Architecture, get_architecture, list_architectures
from sknets.cnn.convnet import ConvNet
from sknets.cnn.densenet import DenseNet
from sknets.cnn.estimators import CNNClassifier, CNNRegressor
from sknets.cnn.fcn import FCN
from sknets.cnn.fractalnet import FractalNet
from sknets.cnn.resnet import ResNet
from sknets.cnn.resnext import ResNeXt
from sknets.cnn.squeezenet import SqueezeNet
from sknets.cnn.transfer import load_weights
from sknets.cnn.vgg import VGG
from sknets.cnn.wide_resnet import WideResNet

__all__ = [
    "FCN",
    "VGG",
    "Architecture",
    "CNNClassifier",
    "CNNRegressor",
    "ConvNet",
    "DenseNet",
    "FractalNet",
    "ResNeXt",
    "ResNet",
    "SqueezeNet",
    "WideResNet",
    "get_architecture",
    "list_architectures",
    "load_weights",
]
