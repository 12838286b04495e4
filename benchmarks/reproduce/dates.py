"""Dates as people write them to dates as ISO 8601 has them, by Seq2Seq: 98 % without a fault.

The dates of the test are in none of the pairs of the fit, in whatever form.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial

import numpy as np

from benchmarks.reproduce._claims import Claim, Outcome, options, reproduce, timed
from sknets import Seq2Seq

FIRST, N_DAYS = date(1950, 1, 1), 36_500
FORMS = (
    "%d %B %Y",
    "%d. %b %Y",
    "%B %d, %Y",
    "%b %d %Y",
    "%A, %d %B %Y",
    "%a %b %d %Y",
    "%d/%m/%Y",
    "%Y.%m.%d",
    "the %dth of %B %Y",
    "%B %Y, the %dth",
)


def pairs(days: np.ndarray, random: np.random.Generator) -> tuple[list[str], list[str]]:
    """Each day in a form drawn for it, half of them in lower case, and as ISO 8601."""
    sources, targets = [], []
    for day, form, lower in zip(
        days, random.choice(FORMS, len(days)), random.random(len(days)) < 0.5, strict=True
    ):
        now = FIRST + timedelta(days=int(day))
        text = now.strftime(form)
        sources.append(text.lower() if lower else text)
        targets.append(now.isoformat())
    return sources, targets


def exact(seed: int, toy: bool, attention: str | None) -> Outcome:
    """The share of unseen dates that are written without a fault."""
    n_train, n_test = (60, 30) if toy else (10_000, 2_000)
    random = np.random.default_rng(seed)
    days = random.permutation(N_DAYS)
    X, y = pairs(days[:n_train], random)
    unseen, right = pairs(days[n_train : n_train + n_test], random)
    model = Seq2Seq(
        level="character",
        hidden_layer_sizes=(4 if toy else 128,),
        embedding_dim=32,
        bidirectional=True,
        attention=attention,
        batch_size=50,
        max_iter=1 if toy else 20,
        learning_rate="one_cycle",
        learning_rate_init=0.005,
        random_state=seed,
        device="cpu",
    )
    return timed(lambda: model.fit(X, y), lambda fitted: fitted.score(unseen, right))


CLAIMS = [
    Claim("dates, attention", partial(exact, attention="dot"), least=0.98, seeds=3),
    Claim("dates, no attention", partial(exact, attention=None), seeds=1),
]
main = partial(reproduce, CLAIMS)

if __name__ == "__main__":
    main(**vars(options(__doc__, CLAIMS).parse_args()))
