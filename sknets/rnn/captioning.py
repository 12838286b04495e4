"""Captions: a convolutional network sees, a recurrent one writes (Vinyals et al., 2015)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_consistent_length
from torch import Tensor, nn

from sknets._params import OneOf, estimator, param
from sknets.base.training_set import Call
from sknets.cnn.architecture import Architecture, named_architecture
from sknets.cnn.images import as_rows, as_shares
from sknets.cnn.transfer import load_weights
from sknets.preprocessing.layout import Layout, as_image_array, sample_shape
from sknets.rnn.decoder import Source
from sknets.rnn.vision import Vision
from sknets.rnn.writer import Writer, WritingNetwork, references


class ImageEncoder(nn.Module):
    """Images through a convolutional network, to vectors that the decoder sees once or always."""

    def __init__(self, vision: Vision, always: bool) -> None:
        super().__init__()
        self.vision, self.always = vision, always

    def forward(self, x: Tensor) -> Source:
        vector = self.vision(x)
        return Source(vector, beside=vector if self.always else None)


@estimator
class ImageCaptioner(Writer):
    r"""Texts for images: a convolutional network encodes, a recurrent one writes, both are trained.

    It learns the probability of each token of a caption from those before and from the image,

    .. math:: p(y_1, \dots, y_T | x) = \prod_t p(y_t | y_1, \dots, y_{t-1}, x).

    See the :ref:`user guide <rnn>`.

    See Also
    --------
    Seq2Seq : Sequences from sequences.
    sknets.CNNClassifier : One class for an image.

    References
    ----------
    .. [1] Vinyals, Toshev, Bengio and Erhan (2015). "Show and tell: a neural image caption
       generator." CVPR. https://doi.org/10.48550/arXiv.1411.4555
    .. [2] Mao, Xu, Yang, Wang, Huang and Yuille (2015). "Deep captioning with multimodal recurrent
       neural networks (m-RNN)." ICLR. https://doi.org/10.48550/arXiv.1412.6632

    Examples
    --------
    >>> import numpy as np
    >>> from sknets.cnn import ConvNet
    >>> from sknets import ImageCaptioner
    >>> dark, light = np.zeros((20, 8, 8)), np.ones((20, 8, 8))
    >>> X, y = np.concatenate([dark, light]), ["it is dark"] * 20 + ["there is light"] * 20
    >>> model = ImageCaptioner(architecture=ConvNet(channels=4, dense=8), embedding_dim=8,
    ...                        hidden_layer_sizes=(16,), batch_size=10, max_iter=30,
    ...                        learning_rate="one_cycle", learning_rate_init=0.02, random_state=0)
    >>> model.fit(X, y).predict(X[[0, 20]])
    ['it is dark', 'there is light']
    """

    architecture: Any = param(
        "convnet",
        [str, Architecture],
        "The convolutional network: a name of `sknets.cnn.list_architectures`, or a description.",
    )
    weights: Any = param(
        None,
        [None, str, os.PathLike, Mapping, BaseEstimator],
        "Weights that the convolutional network starts from: a fitted convolutional estimator of "
        "the same architecture (in a search as FrozenEstimator), or a file or a state dict with "
        "the network's names or torchvision's.",
    )
    image_shape: Any = param(
        None,
        [None, tuple, list],
        "Shape of the image in a row of a table: (height, width), or that with an axis of "
        "channels. Arrays of images have shapes of their own.",
    )
    channels: str = param(
        "first",
        OneOf("first", "last"),
        "Whether the axis of channels is the first or the last of an image.",
    )
    inject: str = param(
        "each",
        OneOf("each", "start"),
        "Whether the image is seen at each step, or is only what the first state is made of, which "
        "takes longer to learn.",
    )

    _fitted_attributes: ClassVar[dict[str, str]] = {
        "image_shape_": "tuple of int: (channels, height, width) of an image.",
    }
    _shape_parameters: ClassVar[tuple[str, ...]] = ("architecture", "inject")
    _lasting_parameters: ClassVar[tuple[str, ...]] = ("channels",)

    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn to write the captions of images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width), \
                (n_samples, channels, height, width) or (n_samples, n_features)
            The images; bytes are read as shares of 255.
        y : sequence of str, or of lists of str
            A caption of each image, or several.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not allowed, or if the loss stops being finite.
        """
        return self._fit(Call(X, y))

    def score(self, X: Any, y: Any, sample_weight: None = None) -> float:
        """BLEU-4 of the captions that are written.

        Parameters
        ----------
        X : as in `fit`
            The images.
        y : sequence of str, or of lists of str
            A caption of each image, or several.
        sample_weight : None
            BLEU is of all captions together.

        Returns
        -------
        score : float
            From 0 to 1.

        Raises
        ------
        ImportError
            If sacrebleu is not installed.
        """
        return self.bleu(X, y)

    # -- images and captions in

    def _check_settings(self, incremental: bool) -> None:
        super()._check_settings(incremental)
        self._description()

    def _description(self) -> Architecture:
        return named_architecture(self.architecture, "architecture", type(self).__name__)

    def _validate(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but y is None.")
        several = references(y)
        texts = [text for each in several for text in each]
        if reset:
            self.target_tokens_ = self._tokens_of(texts)
        images = self._sources(X, reset)
        check_consistent_length(images, several)
        rows = np.repeat(np.arange(len(several)), [len(each) for each in several])
        return images[rows], self._targets(texts, reset)

    def _sources(self, X: Any, reset: bool) -> np.ndarray:
        X = as_image_array(X)
        rows = check_array(as_rows(X), dtype=(np.float32, np.float64), input_name="X")
        rows = as_shares(rows, X)
        name = type(self).__name__
        if reset:
            layout = Layout.of(
                sample_shape(X), rows.shape[1], name, self.image_shape, self.channels, False
            )
            self.image_shape_, self.n_features_in_ = layout.shape, rows.shape[1]
            return rows
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {rows.shape[1]} features, but {name} is expecting {self.n_features_in_} "
                "features as input."
            )
        Layout(self.image_shape_, self._shape["channels"] == "last").check(
            sample_shape(X), name, False
        )
        return rows

    # -- the network

    def _input_shape(self) -> tuple[int, ...]:
        return self.image_shape_

    def _build(self, input_shape: tuple[int, ...], n_outputs: int) -> WritingNetwork:
        vision = Vision(self._description(), input_shape, self.channels == "last")
        always = self.inject == "each"
        n_beside = vision.n_outputs if always else 0
        decoder = self._decoder(n_outputs, vision.n_outputs, n_beside=n_beside)
        return WritingNetwork(ImageEncoder(vision, always), decoder)

    def _initialise(self, module: Any, seed: int) -> None:
        super()._initialise(module, seed)
        module.encoder.vision.initialise(self.weight_init, self.init_std, seed)
        if self.weights is not None:
            load_weights(module.encoder.vision.network, self.weights)

    def _example(self) -> tuple[Any, tuple[int, ...]]:
        return torch.empty(1, *self.image_shape_, device="meta"), self.image_shape_[1:]
