"""Penn Treebank by words: an LSTM's perplexity on the test part, 100 at most in 40 minutes.

Tokens are what stands between spaces: the 10,000 words of the corpus, and ends of sentences.
Zaremba, Sutskever and Vinyals (2014), https://doi.org/10.48550/arXiv.1409.2329, reach 82.7 by two
layers of 650 units with dropout, on an accelerator. With ``--select`` the validation part judges.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from sknets import LanguageModel
from sknets.datasets import load_penn_treebank

SETTINGS: dict[str, Any] = {
    "pattern": r"\S+",
    "cell": "lstm",
    "hidden_layer_sizes": (400,),
    "embedding_dim": 400,
    "tie_weights": True,
    "input_dropout": 0.4,
    "dropout": 0.5,
    "window": 35,
    "batch_size": 32,
    "max_iter": 17,
    "solver": "sgd",  # which generalises better here than Adam
    "momentum": 0.0,
    "nesterovs_momentum": False,
    "learning_rate": "cosine",
    "learning_rate_init": 20.0,
    "clip_norm": 0.25,
    "precision": "bfloat16",
    "device": "cpu",
}


def perplexity(seed: int, toy: bool, select: bool) -> Outcome:
    """Of words and ends of sentences."""
    judging = "validation" if select else "test"
    if toy:
        texts = unseen = ["the cat sat on the mat", "the dog sat too"] * 20
        settings = SETTINGS | {"hidden_layer_sizes": (4,), "embedding_dim": 4, "max_iter": 1}
    else:
        texts, unseen = (load_penn_treebank(subset=part).data for part in ("train", judging))
        settings = SETTINGS
    model = LanguageModel("word", **settings, random_state=seed)
    return timed(lambda: model.fit(texts), lambda fitted: fitted.perplexity(unseen))


def claims(select: bool) -> list[Claim]:
    return [Claim("perplexity", partial(perplexity, select=select), most=100, minutes=40)]


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the validation part").parse_args()))
