"""English to French by Seq2Seq, with attention and without: Tatoeba's short sentences, Multi30k.

BLEU (Papineni et al., 2002) of held-out sentences, by sacrebleu, in words as they are learnt. Of
Tatoeba it is pairs of up to ten words, of which no English sentence is on both sides.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from sknets import Seq2Seq
from sknets.datasets import load_multi30k, load_tatoeba

Pairs = tuple[list[str], list[str]]
SETTINGS: dict[str, Any] = {
    "lowercase": True,
    "vocabulary_size": 8_000,
    "embedding_dim": 128,
    "hidden_layer_sizes": (256,),
    "bidirectional": True,
    "dropout": 0.3,
    "batch_size": 64,
    "learning_rate": "one_cycle",
    "learning_rate_init": 0.003,
    "precision": "bfloat16",
    "beam_size": 4,
    "device": "cpu",
}
LONGEST, N_TEST = 10, 2_000


def tatoeba() -> tuple[Pairs, Pairs]:
    """Short pairs; the test part is of English sentences drawn once."""
    found = load_tatoeba()
    short = [
        (source, target)
        for source, target in zip(found.data, found.target, strict=True)
        if max(len(source.split()), len(target.split())) <= LONGEST
    ]
    sentences = sorted({source for source, _ in short})
    held = set(np.random.default_rng(0).permutation(sentences)[:N_TEST].tolist())
    train = [pair for pair in short if pair[0] not in held]
    first = {source: target for source, target in reversed(short) if source in held}
    (a, b), (c, d) = zip(*train, strict=True), zip(*first.items(), strict=True)
    return (list(a), list(b)), (list(c), list(d))


def multi30k() -> tuple[Pairs, Pairs]:
    train, test = (load_multi30k(subset=part, return_X_y=True) for part in ("train", "test"))
    return train, test


def toy_pairs() -> tuple[Pairs, Pairs]:
    pairs = ["one two", "two one", "one", "two"] * 10, ["un deux", "deux un", "un", "deux"] * 10
    return pairs, pairs


def bleu(seed: int, toy: bool, load: Any, n_epochs: int, attention: str | None) -> Outcome:
    """In %, as it is usual."""
    (X, y), (unseen, right) = toy_pairs() if toy else load()
    settings = SETTINGS | {"max_iter": n_epochs, "attention": attention, "random_state": seed}
    if toy:
        settings |= {"hidden_layer_sizes": (4,), "batch_size": 10, "max_iter": 1}
    model = Seq2Seq(**settings)

    return timed(lambda: model.fit(X, y), lambda fitted: 100 * fitted.bleu(unseen, right))


CLAIMS = [
    Claim(
        f"{name}, {attention or 'no'} attention",
        partial(bleu, load=load, n_epochs=n_epochs, attention=attention),
    )
    # Tatoeba has four times as many pairs, of half as many words.
    for name, load, n_epochs in (("Tatoeba", tatoeba, 5), ("Multi30k", multi30k, 10))
    for attention in ("dot", None)
]
main: Any = partial(reproduce, CLAIMS)

if __name__ == "__main__":
    main(**vars(options(__doc__, CLAIMS).parse_args()))
