"""Sentiment and spam: a recurrent network on words beside a linear SVM on TF-IDF.

Each seed shuffles the texts anew and holds out a fifth of them; both sides learn from the rest. The
network's settings were chosen by cross-validation within that of another seed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from sknets import RNNClassifier
from sknets.datasets import load_rotten_tomatoes, load_sms_spam
from sknets.preprocessing import SequenceTokenizer

TOY = (["good film", "bad film", "very good", "very bad"] * 25, [1, 0, 1, 0] * 25)


def network(seed: int, toy: bool) -> Any:
    return make_pipeline(
        SequenceTokenizer("word", min_count=2, lowercase=True),
        RNNClassifier(
            vocabulary_size="auto",
            embedding_dim=64,
            hidden_layer_sizes=(4 if toy else 64,),
            bidirectional=True,
            pooling="max",
            input_dropout=0.5,
            dropout=0.5,
            batch_size=50,
            max_iter=1 if toy else 5,
            learning_rate="one_cycle",
            learning_rate_init=0.003,
            random_state=seed,
            device="cpu",
        ),
    )


def svm(seed: int, toy: bool) -> Any:
    return make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LinearSVC(random_state=seed)
    )


def accuracy(
    seed: int, toy: bool, load: Callable[..., Any], make: Callable[[int, bool], Any]
) -> Outcome:
    """In % of the texts that are held out."""
    X, y = TOY if toy else load(return_X_y=True)
    X, unseen, y, right = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=1000 + seed
    )
    model = make(seed, toy)
    return timed(lambda: model.fit(X, y), lambda fitted: 100 * fitted.score(unseen, right))


SETS = {"sentiment": load_rotten_tomatoes, "spam": load_sms_spam}
SIDES = {"network": network, "TF-IDF and linear SVM": svm}
CLAIMS = [
    Claim(f"{name}, {side}", partial(accuracy, load=load, make=make), seeds=5)
    for name, load in SETS.items()
    for side, make in SIDES.items()
]
main = partial(reproduce, CLAIMS)

if __name__ == "__main__":
    main(**vars(options(__doc__, CLAIMS).parse_args()))
