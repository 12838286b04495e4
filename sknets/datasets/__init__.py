"""Data sets: files at hand first, OpenML otherwise, in the manners of scikit-learn's loaders."""

from sknets.datasets.images import (
    load_binarized_mnist,
    load_cifar10,
    load_fashion_mnist,
    load_flickr8k,
    load_mnist,
    load_olivetti_faces,
)
from sknets.datasets.series import (
    load_airline_passengers,
    load_polyphonic_music,
    load_time_series,
)
from sknets.datasets.synthetic import (
    make_adding_problem,
    make_embedded_reber,
    make_temporal_order,
)
from sknets.datasets.tables import (
    load_adult,
    load_bank_marketing,
    load_california_housing,
    load_covertype,
    load_titanic,
)
from sknets.datasets.texts import (
    load_multi30k,
    load_penn_treebank,
    load_rotten_tomatoes,
    load_sms_spam,
    load_sst2,
    load_tatoeba,
    load_tiny_shakespeare,
)

__all__ = [
    "load_adult",
    "load_airline_passengers",
    "load_bank_marketing",
    "load_binarized_mnist",
    "load_california_housing",
    "load_cifar10",
    "load_covertype",
    "load_fashion_mnist",
    "load_flickr8k",
    "load_mnist",
    "load_multi30k",
    "load_olivetti_faces",
    "load_penn_treebank",
    "load_polyphonic_music",
    "load_rotten_tomatoes",
    "load_sms_spam",
    "load_sst2",
    "load_tatoeba",
    "load_time_series",
    "load_tiny_shakespeare",
    "load_titanic",
    "make_adding_problem",
    "make_embedded_reber",
    "make_temporal_order",
]
