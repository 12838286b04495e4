"""Labels become what a loss compares with, and scores become labels again."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_array_equal

from sknets._targets import (
    KINDS,
    Binary,
    Multiclass,
    Multilabel,
    Multioutput,
    SparseMultilabel,
    columns,
    found_targets,
    given_targets,
    n_targets,
    same_classes,
)
from sknets._training.losses import BinaryHinge, Grouped, MulticlassHinge

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
    "indicators other than 0 and 1": (np.array([[1, 2], [2, 2], [1, 1]]), "multioutput", 4),
    "several targets": (np.array([[1, 5], [2, 7], [0, 5], [1, 9]]), "multioutput", 6),
    "several targets of strings": (
        np.array([["a", "x"], ["b", "y"], ["c", "x"]], dtype=object),
        "multioutput",
        5,
    ),
}


def one_hot(targets, encoded):
    """Scores that say the encoded labels beyond doubt."""
    if encoded.dtype == np.float32:
        return encoded
    pairs = zip(targets.each, columns(encoded), strict=True)
    return np.hstack([np.eye(len(classes))[column] for classes, column in pairs])


@pytest.mark.parametrize("name", LABELS)
def test_kind_and_outputs_follow_from_the_labels(name):
    labels, kind, outputs = LABELS[name]
    targets = found_targets(labels)
    assert targets.kind == kind
    assert targets.n_outputs == outputs
    assert len(targets.each) == n_targets(labels)


@pytest.mark.parametrize("name", LABELS)
def test_decoding_inverts_encoding(name):
    labels = LABELS[name][0]
    targets = found_targets(labels)
    encoded = targets.encode(labels)
    decided = targets.decide(one_hot(targets, encoded), 0.5)
    assert_array_equal(decided, encoded)
    assert_array_equal(targets.labels(decided), labels)
    assert targets.labels(decided).shape == labels.shape


@pytest.mark.parametrize("name", LABELS)
def test_targets_are_rebuilt_from_kind_and_classes(name):
    labels = LABELS[name][0]
    targets = found_targets(labels)
    again = KINDS[targets.kind](targets.classes)
    assert_array_equal(again.encode(labels), targets.encode(labels))
    with pytest.raises(FrozenInstanceError):
        again.classes = None


def test_encoded_targets_are_what_the_losses_want():
    binary = Binary(np.array(["a", "b"]))
    assert_array_equal(binary.encode(np.array(["b", "a"])), [[1.0], [0.0]])
    multiclass = Multiclass(np.array([2, 4, 8])).encode(np.array([8, 2]))
    assert_array_equal(multiclass, [2, 0])
    assert multiclass.dtype.kind == "i"
    several = Multioutput([np.array([1, 2]), np.array([5, 7])])
    assert_array_equal(several.encode(np.array([[2, 5]])), [[1, 0]])
    assert Multilabel(np.arange(2)).encode(np.array([[1, 0]])).dtype == np.float32


@pytest.mark.parametrize(
    ("targets", "loss"),
    [
        (Binary(np.arange(2)), BinaryHinge(2)),
        (Multiclass(np.arange(3)), MulticlassHinge(2)),
        (Multilabel(np.arange(3)), BinaryHinge(2)),
        (SparseMultilabel(np.arange(3)), BinaryHinge(2)),
        (Multioutput([np.arange(3), np.arange(2)]), Grouped(MulticlassHinge(2), (3, 2))),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_kind_decides_the_loss(targets, loss):
    assert targets.loss(BinaryHinge, MulticlassHinge, {"power": 2}) == loss


def test_classes_are_sorted():
    assert_array_equal(found_targets(np.array(["b", "c", "a"])).classes, ["a", "b", "c"])
    first, second = found_targets(np.array([[3, 9], [1, 8], [2, 9]])).classes
    assert_array_equal(first, [1, 2, 3])
    assert_array_equal(second, [8, 9])


@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_binary_scores_are_compared_with_the_threshold(threshold):
    scores = np.array([[-1.0], [0.2], [0.5], [0.7]])
    targets = Binary(np.array(["no", "yes"]))
    expected = np.array(["no", "yes"])[(scores[:, 0] > threshold).astype(int)]
    assert_array_equal(targets.labels(targets.decide(scores, threshold)), expected)


def test_only_class_is_always_the_answer():
    targets = Binary(np.array([5]))
    assert_array_equal(targets.labels(targets.decide(np.array([[-3.0], [3.0]]), 0.5)), [5, 5])


def test_largest_score_wins():
    targets = Multiclass(np.array(["a", "b", "c"]))
    scores = np.array([[0.1, 3, 2], [5, 5, 1]])
    assert_array_equal(targets.labels(targets.decide(scores, 0)), ["b", "a"])


def test_each_of_several_targets_has_its_scores():
    scores = np.arange(10).reshape(2, 5)
    targets = Multioutput([np.arange(2), np.arange(3)])
    for first, second in (targets.scores(scores), targets.probabilities(scores)):
        assert_array_equal(first, scores[:, :2])
        assert_array_equal(second, scores[:, 2:])


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "lil"])
def test_sparse_indicators_come_back_sparse(format):
    labels = sp.csr_array([[1, 0], [0, 0], [1, 1]])
    targets = found_targets(labels.asformat(format))
    assert targets.kind == "sparse multilabel"
    decided = targets.encode(labels.toarray()) > 0.5
    assert sp.isspmatrix_csr(targets.labels(decided))
    with sklearn.config_context(sparse_interface="sparray"):
        assert isinstance(targets.labels(decided), sp.csr_array)
    assert_array_equal(targets.labels(decided).toarray(), labels.toarray())


@pytest.mark.parametrize(
    ("labels", "n_held_out", "stratified"),
    [
        ([0, 1, 2] * 4, 3, True),
        ([0, 1, 2] * 4, 2, False),  # fewer held out than there are classes
        ([0, 1, 2] * 4, 10, False),
        ([0, 1] * 5 + [2], 4, False),
        ([0, 1] * 5 + [2, 2], 4, True),
        ([0] + [1] * 9, 4, True),  # scikit-learn's error comes later
    ],
)
def test_classes_are_stratified_unless_one_of_many_is_too_rare(labels, n_held_out, stratified):
    targets = found_targets(np.array(labels))
    strata = targets.strata(targets.encode(np.array(labels)), n_held_out)
    assert (strata is not None) == stratified


def test_several_targets_are_not_stratified():
    for kind, classes in ((Multilabel, np.arange(2)), (Multioutput, [np.arange(2)] * 2)):
        assert kind(classes).strata(np.zeros((10, 2)), 5) is None


@pytest.mark.parametrize("labels", [np.array([0.5, 1.2]), np.array([[0.5, 1.0], [2.0, 3.1]])])
def test_continuous_labels_are_an_error(labels):
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        found_targets(labels)


@pytest.mark.parametrize(
    ("known", "labels", "message"),
    [
        (Binary(np.array([0, 1])), [0, 2], r"`self.classes_` has \[0 1\]. 'y' has \[0 2\]"),
        (Multiclass(np.array(["a", "b", "c"])), ["d"], r"has \['a' 'b' 'c'\]. 'y' has \['d'\]"),
        (Multilabel(np.arange(2)), [[0, 1], [2, 1]], r"has \[0 1\]. 'y' has \[0 1 2\]"),
        (Multioutput([np.arange(2), np.array([5])]), [[0, 5], [0, 6]], r"has \[5\]. 'y' has \[5 6"),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_labels_of_no_known_class_are_an_error(known, labels, message):
    with pytest.raises(ValueError, match=message):
        known.check(np.array(labels))


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([1, 1], [3, 1], Binary(np.array([1, 3]))),
        (["b"], ["c", "a", "b"], Multiclass(np.array(["a", "b", "c"]))),
        ([[0, 0], [0, 1]], [0, 1], Multilabel(np.arange(2))),
        ([[0, 0], [0, 1]], [[0, 2], [1, 0]], Multioutput([np.array([0, 2]), np.array([0, 1])])),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_given_classes_may_be_missing_from_the_labels(labels, classes, expected):
    targets = given_targets(np.array(labels), classes)
    assert targets.kind == expected.kind
    assert same_classes(targets.classes, expected.classes)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([[0, 1, 0], [1, 0, 0]], [0, 1]),
        ([[0, 1], [1, 0]], [[0, 1]] * 3),
        ([[0, 5], [1, 6]], [0, 1, 5, 6]),
        ([0, 1], [[0, 1], [0, 1]]),
    ],
    ids=["labels", "too many targets", "one list", "one target"],
)
def test_given_classes_must_be_of_the_targets(labels, classes):
    with pytest.raises(ValueError, match=r"`classes=.* are not of `y`, which has shape"):
        given_targets(np.array(labels), classes)


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
