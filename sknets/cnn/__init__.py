"""Convolutional networks: a file an architecture, and the estimators that train them."""

from sknets.cnn.alexnet import AlexNet
from sknets.cnn.architecture import Architecture, get_architecture, list_architectures
from sknets.cnn.convnet import ConvNet
from sknets.cnn.densenet import DenseNet
from sknets.cnn.estimators import CNNClassifier, CNNRegressor
from sknets.cnn.fcn import FCN
from sknets.cnn.fractalnet import FractalNet
from sknets.cnn.googlenet import GoogLeNet
from sknets.cnn.lenet import LeCun1989, LeNet
from sknets.cnn.nin import NiN
from sknets.cnn.resnet import ResNet
from sknets.cnn.resnext import ResNeXt
from sknets.cnn.series_resnet import SeriesResNet
from sknets.cnn.squeezenet import SqueezeNet
from sknets.cnn.transfer import load_weights
from sknets.cnn.vgg import VGG
from sknets.cnn.wide_resnet import WideResNet
from sknets.cnn.zfnet import ZFNet

__all__ = [
    "FCN",
    "VGG",
    "AlexNet",
    "Architecture",
    "CNNClassifier",
    "CNNRegressor",
    "ConvNet",
    "DenseNet",
    "FractalNet",
    "GoogLeNet",
    "LeCun1989",
    "LeNet",
    "NiN",
    "ResNeXt",
    "ResNet",
    "SeriesResNet",
    "SqueezeNet",
    "WideResNet",
    "ZFNet",
    "get_architecture",
    "list_architectures",
    "load_weights",
]
