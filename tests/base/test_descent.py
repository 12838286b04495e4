"""What descent on any loss has in common: when it stops, and what it says of its end."""

import numpy as np
import pytest

from sknets import (
    GAN,
    Autoencoder,
    BoltzmannMachine,
    DBNClassifier,
    VariationalAutoencoder,
)

rng = np.random.default_rng(0)
X = rng.integers(0, 2, (40, 4)).astype(float)
y = X[:, 0].astype(int)

# Those whose training loss is another one from epoch to epoch, or none.
MOVING = {
    "players": GAN(2, hidden_layer_sizes=4),
    "machine": BoltzmannMachine(3),
    "associative": DBNClassifier((3,), head="associative"),
    "warm-up": VariationalAutoencoder(2, hidden_layer_sizes=(4,), beta_warmup=2),
    "sparser": Autoencoder(4, n_active=1, n_active_init=3),
}


@pytest.mark.parametrize("learning_rate", ["plateau", "adaptive"])
@pytest.mark.parametrize("net", MOVING.values(), ids=MOVING)
def test_a_rate_that_waits_needs_a_loss_that_tells_of_progress(net, learning_rate):
    name = type(net).__name__
    net.set_params(learning_rate=learning_rate)
    with pytest.raises(ValueError, match=f"of {name} can be '{learning_rate}' with early_stopping"):
        net.fit(X, y)


@pytest.mark.parametrize("net", MOVING.values(), ids=MOVING)
def test_a_loss_that_tells_of_no_progress_stops_nothing(net, recwarn):
    net.set_params(random_state=0)
    settings = {"learning_rate": "constant", "max_iter": 6, "n_iter_no_change": 1, "tol": 1e9}
    assert net.set_params(**settings).fit(X, y).n_iter_ == 6
    assert not list(recwarn)
