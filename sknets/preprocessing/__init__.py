"""What is done to images and sequences before they reach a network, or an SVM beside it."""

from sknets.preprocessing._batches import AugmentedBatch
from sknets.preprocessing.augmentation import Compose, augmented
from sknets.preprocessing.geometric import Crop, Elastic, Flip, Rotate, Scale, Shear, Translate
from sknets.preprocessing.images import ImageResizer, ImageScaler, ImageWhitener
from sknets.preprocessing.pixelwise import ColorJitter, Cutout, Mixup, PCAJitter
from sknets.preprocessing.sequences import SequencePadder, SequenceScaler, SequenceTokenizer

__all__ = [
    "AugmentedBatch",
    "ColorJitter",
    "Compose",
    "Crop",
    "Cutout",
    "Elastic",
    "Flip",
    "ImageResizer",
    "ImageScaler",
    "ImageWhitener",
    "Mixup",
    "PCAJitter",
    "Rotate",
    "Scale",
    "SequencePadder",
    "SequenceScaler",
    "SequenceTokenizer",
    "Shear",
    "Translate",
    "augmented",
]
