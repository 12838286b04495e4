"""How papers train their networks, in the words of the estimators' parameters."""

from __future__ import annotations

import math
from typing import Any


def sgd_recipe(
    learning_rate_init: float,
    *,
    batch_size: int,
    max_iter: int,
    decay: float = 0.0,
    nesterov: bool = False,
    **schedule: Any,
) -> dict[str, Any]:
    """A paper's training by gradient descent with a momentum of 0.9, for `recipe`.

    The weight `decay` is of the mean loss of a batch, where `alpha` is of the sum. All epochs are
    run, unless the schedule is the one that waits for the loss to stall.
    """
    recipe = {
        "solver": "sgd",
        "learning_rate_init": learning_rate_init,
        "momentum": 0.9,
        "nesterovs_momentum": nesterov,
        "alpha": decay * batch_size,
        "batch_size": batch_size,
        "max_iter": max_iter,
        **schedule,
    }
    if schedule.get("learning_rate") != "plateau":
        recipe["n_iter_no_change"] = math.inf
    return recipe
