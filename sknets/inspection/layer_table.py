"""A network's layers, as Keras prints them and with what they cost."""

from __future__ import annotations

from typing import Any

from sknets._summary import Summary
from sknets.inspection._fitted import having


def summary(estimator: Any) -> Summary:
    """The layers of a fitted network: shapes, parameters, operations, memory, receptive fields.

    Parameters
    ----------
    estimator : fitted estimator of sknets
        Or a Pipeline that ends with one, or a search for one.

    Returns
    -------
    summary : Summary
        A table when it is printed; ``summary.to_frame()`` is one of numbers.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    ActivationMapsDisplay : What layers make of an image.

    References
    ----------
    .. [1] Araujo, Norris and Sim (2019). "Computing receptive fields of convolutional neural
       networks." Distill. https://doi.org/10.23915/distill.00021

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknets import CNNClassifier
    >>> from sknets.cnn import ConvNet
    >>> from sknets.inspection import summary
    >>> digits = load_digits()
    >>> clf = CNNClassifier(architecture=ConvNet(channels=8, dense=16), random_state=0)
    >>> clf = clf.partial_fit(digits.images, digits.target, classes=range(10))
    >>> print(summary(clf))
    layer                          output  parameters  multiply-adds   memory  receptive field
    ------------------------------------------------------------------------------------------
    features.conv1_1 (Conv2d)   8 x 8 x 8          80          4,608  2.0 KiB            3 x 3
    features.relu1_1 (ReLU)     8 x 8 x 8           0              0  2.0 KiB            3 x 3
    features.pool1 (MaxPool2d)  8 x 4 x 4           0              0    512 B            4 x 4
    features.flatten (Flatten)        128           0              0    512 B            4 x 4
    features.dense1 (Linear)           16       2,064          2,048     64 B            8 x 8
    features.relu2 (ReLU)              16           0              0     64 B            8 x 8
    head (Linear)                      10         170            160     40 B            8 x 8
    ------------------------------------------------------------------------------------------
    2,314 parameters, 6,816 multiply-adds and 5.2 KiB a sample
    """
    return having("module_", estimator, "summary").summary()
