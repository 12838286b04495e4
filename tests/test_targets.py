"""Labels become what a loss compares with, and scores become labels again."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknets._targets import decode, encode, find_classes, n_outputs, same_classes, split

# labels -> kind, number of outputs
LABELS = {
    "integers": (np.array([3, -1, 3, -1]), "binary", 1),
    "booleans": (np.array([True, False, False, True]), "binary", 1),
    "strings": (np.array(["spam", "ham", "eggs", "spam"]), "multiclass", 3),
    "objects": (np.array(["b", "a", "b", "a"], dtype=object), "binary", 1),
    "whole floats": (np.array([0.0, 2.0, 1.0, 2.0]), "multiclass", 3),
    "one class": (np.array([5, 5, 5]), "binary", 1),
    "indicators": (np.array([[1, 0, 1], [0, 0, 0], [1, 1, 0]]), "multilabel", 3),
    "boolean indicators": (np.array([[True, False], [True, True]]), "multilabel", 2),
    "several targets": (np.array([[1, 5], [2, 7], [0, 5], [1, 9]]), "multioutput", 6),
    "several targets of strings": (
        np.array([["a", "x"], ["b", "y"], ["c", "x"]], dtype=object),
        "multioutput",
        5,
    ),
}


def one_hot(kind, classes, encoded):
    """Scores that say the encoded labels beyond doubt."""
    if kind in ("binary", "multilabel"):
        return encoded
    if kind == "multiclass":
        return np.eye(len(classes))[encoded]
    return np.hstack([np.eye(len(c))[column] for c, column in zip(classes, encoded.T, strict=True)])


@pytest.mark.parametrize("name", LABELS)
def test_kind_and_outputs_follow_from_the_labels(name):
    labels, kind, outputs = LABELS[name]
    found, classes = find_classes(labels)
    assert found == kind
    assert n_outputs(kind, classes) == outputs


@pytest.mark.parametrize("name", LABELS)
def test_decoding_inverts_encoding(name):
    labels, kind, _ = LABELS[name]
    _, classes = find_classes(labels)
    encoded = encode(kind, classes, labels)
    decoded = decode(kind, classes, one_hot(kind, classes, encoded), 0.5)
    assert_array_equal(decoded, labels)
    assert decoded.shape == labels.shape


def test_encoded_targets_are_what_the_losses_want():
    assert_array_equal(encode("binary", np.array(["a", "b"]), np.array(["b", "a"])), [[1.0], [0.0]])
    multiclass = encode("multiclass", np.array([2, 4, 8]), np.array([8, 2]))
    assert_array_equal(multiclass, [2, 0])
    assert multiclass.dtype.kind == "i"
    several = encode("multioutput", [np.array([1, 2]), np.array([5, 7])], np.array([[2, 5]]))
    assert_array_equal(several, [[1, 0]])
    assert encode("multilabel", np.arange(2), np.array([[1, 0]])).dtype == np.float32


def test_classes_are_sorted():
    assert_array_equal(find_classes(np.array(["b", "c", "a"]))[1], ["a", "b", "c"])
    first, second = find_classes(np.array([[3, 9], [1, 8], [2, 9]]))[1]
    assert_array_equal(first, [1, 2, 3])
    assert_array_equal(second, [8, 9])


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_binary_scores_are_compared_with_the_threshold(threshold):
    scores = np.array([[-1.0], [0.2], [0.5], [0.7]])
    expected = np.array(["no", "yes"])[(scores[:, 0] > threshold).astype(int)]
    assert_array_equal(decode("binary", np.array(["no", "yes"]), scores, threshold), expected)


def test_only_class_is_always_the_answer():
    assert_array_equal(decode("binary", np.array([5]), np.array([[-3.0], [3.0]]), 0.5), [5, 5])


def test_largest_score_wins():
    classes = np.array(["a", "b", "c"])
    assert_array_equal(
        decode("multiclass", classes, np.array([[0.1, 3, 2], [5, 5, 1]]), 0), ["b", "a"]
    )


def test_split_gives_each_target_its_scores():
    scores = np.arange(10).reshape(2, 5)
    first, second = split([np.arange(2), np.arange(3)], scores)
    assert_array_equal(first, scores[:, :2])
    assert_array_equal(second, scores[:, 2:])


@pytest.mark.parametrize("labels", [np.array([0.5, 1.2]), np.array([[0.5, 1.0], [2.0, 3.1]])])
def test_continuous_labels_are_an_error(labels):
    with pytest.raises(ValueError, match="Unknown label type"):
        find_classes(labels)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (np.array([0, 1]), np.array([0, 1]), True),
        (np.array([0, 1]), np.array([0, 2]), False),
        (np.array([0, 1]), np.array([0, 1, 2]), False),
        ([np.array([0, 1]), np.array([5])], [np.array([0, 1]), np.array([5])], True),
        ([np.array([0, 1]), np.array([5])], [np.array([0, 1]), np.array([6])], False),
        ([np.array([0, 1])], [np.array([0, 1]), np.array([5])], False),
        ([np.array([0, 1])], np.array([0, 1]), False),
    ],
)
def test_same_classes_compares_target_by_target(a, b, same):
    assert same_classes(a, b) is same
    assert same_classes(b, a) is same
