"""Tiny Shakespeare by characters: 1.50 nats in 3 minutes, 1.4697 in 40, on the last tenth.

nanoGPT reaches 1.88 on a processor in some 3 minutes, and 1.4697 on an A100
(https://github.com/karpathy/nanoGPT). What each model writes is printed. With ``--select`` the last
tenth of the training part judges instead.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from sknets import LanguageModel
from sknets.datasets import load_tiny_shakespeare

TOY = "to be or not to be, that is the question. " * 30
SHARED: dict[str, Any] = {
    "learning_rate": "one_cycle",
    "batch_size": 64,
    "window": 64,
    "cell": "lstm",
    "embedding_dim": 64,
    "precision": "bfloat16",
    "device": "cpu",
}
SHORT = {
    "hidden_layer_sizes": (256,),
    "dropout": 0.1,
    "input_dropout": 0.1,
    "learning_rate_init": 0.01,
    "max_iter": 15,
}
LONG = {
    "hidden_layer_sizes": (512,),
    "dropout": 0.3,
    "learning_rate_init": 0.005,
    "max_iter": 12,
}


def texts(toy: bool, select: bool) -> tuple[str, str]:
    """What is learnt from, and what judges."""
    if toy:
        return TOY, TOY
    (train,), (test,) = (load_tiny_shakespeare(subset=part).data for part in ("train", "test"))
    end = len(train) * 9 // 10
    return (train[:end], train[end:]) if select else (train, test)


def nats(seed: int, toy: bool, select: bool = False, **settings: Any) -> Outcome:
    """Minus the mean log-probability of a character."""
    text, unseen = texts(toy, select)
    if toy:
        settings |= {"hidden_layer_sizes": (4,), "max_iter": 1, "window": 8}
    model = LanguageModel(**{**SHARED, **settings}, random_state=seed)

    def score(fitted: LanguageModel) -> float:
        drawn = {"max_length": 400, "temperature": 0.8, "random_state": seed}
        print(*fitted.sample(prompt="ROMEO:", **drawn), flush=True)
        return -fitted.score(unseen)

    return timed(lambda: model.fit(text), score)


def claims(select: bool) -> list[Claim]:
    return [
        Claim("3 minutes", partial(nats, select=select, **SHORT), most=1.5, seeds=3, minutes=3),
        Claim("40 minutes", partial(nats, select=select, **LONG), most=1.4697, seeds=3, minutes=40),
    ]


def main(select: bool = False, **how: Any) -> list[dict[str, Any]]:
    return reproduce(claims(select), **how)


if __name__ == "__main__":
    main(**vars(options(__doc__, claims(False), "the end of the training part").parse_args()))
