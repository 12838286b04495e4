"""Optimisers beside those of scikit-learn, torch and linear algebra."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import ElasticNet, Lasso
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from torch import nn

from sknets import MLPRegressor
from sknets._training.optimizers import FULL_BATCH, STOCHASTIC, Settings, minimize
from sknets._training.parameters import FlatParameters

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # 20 steps are few

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 8))
Y = X[:, :2] @ [[1.0, 0.0], [-2.0, 0.5]] + 0.1 * rng.normal(size=(60, 2))
GRADIENTS = rng.normal(size=(50, 5)) * np.geomspace(1e-3, 1e3, 5)  # 50 steps of 5 parameters


def trajectory(make, settings):
    """Where an optimiser of ours goes along the gradients."""
    vector = nn.Parameter(torch.zeros(5, dtype=torch.float64))
    optimizer = make([vector], settings)
    path = []
    for gradient in GRADIENTS:
        vector.grad = torch.tensor(gradient)
        optimizer.step()
        path.append(vector.detach().numpy().copy())
    return np.array(path)


def twin_trajectory(optimizer, parameters):
    path = []
    for gradient in GRADIENTS:
        optimizer.update_params([parameters], [gradient])
        path.append(parameters.copy())
    return np.array(path)


@pytest.mark.parametrize(
    ("momentum", "nesterov"), [(0.0, False), (0.0, True), (0.9, False), (0.9, True), (1.0, True)]
)
def test_sgd_walks_as_scikit_learns(momentum, nesterov):
    settings = Settings(learning_rate_init=0.03, momentum=momentum, nesterovs_momentum=nesterov)
    parameters = np.zeros(5)
    twin = SGDOptimizer([parameters], 0.03, momentum=momentum, nesterov=nesterov)
    ours = trajectory(STOCHASTIC["sgd"], settings)
    assert_allclose(ours, twin_trajectory(twin, parameters), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("epsilon", [1e-8, 0.3])
@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.9, 0.999), (0.0, 0.5), (0.5, 0.0)])
@pytest.mark.parametrize("solver", ["adam", "adamw"])
def test_adam_walks_as_scikit_learns(solver, beta_1, beta_2, epsilon):
    settings = Settings(learning_rate_init=0.03, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
    parameters = np.zeros(5)
    twin = AdamOptimizer([parameters], 0.03, beta_1, beta_2, epsilon)
    ours = trajectory(STOCHASTIC[solver], settings)
    assert_allclose(ours, twin_trajectory(twin, parameters), rtol=1e-10, atol=1e-10)


class Net(nn.Module):
    """Two layers whose weights come from a generator of their own."""

    def __init__(self):
        super().__init__()
        with torch.device("meta"):
            layers = nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 2))
        self.layers = layers.to_empty(device="cpu").double()
        generator = torch.Generator().manual_seed(0)
        for parameter in self.parameters():
            nn.init.normal_(parameter, 0, 0.5, generator=generator)

    def forward(self, x):
        return self.layers(x)


def squared_error(net):
    return (net(torch.tensor(X)) - torch.tensor(Y)).square().mean()


BETAS = (0.8, 0.95)
SETTINGS = Settings(learning_rate_init=0.05, beta_1=0.8, beta_2=0.95, epsilon=1e-6)
BY_PARAMETER = {
    "adagrad": lambda params: torch.optim.Adagrad(params, 0.05, eps=1e-6),
    "adadelta": lambda params: torch.optim.Adadelta(params, 0.05, eps=1e-6),
    "rmsprop": lambda params: torch.optim.RMSprop(params, 0.05, eps=1e-6),
    "nadam": lambda params: torch.optim.NAdam(params, 0.05, BETAS, 1e-6),
}


def test_every_solver_is_compared_with_another_implementation():
    assert set(STOCHASTIC) == {"sgd", "adam", "adamw", *BY_PARAMETER}


@pytest.mark.parametrize("solver", BY_PARAMETER)
def test_flat_vector_walks_as_torchs_optimiser_on_each_parameter(solver):
    flat_net, net = Net(), Net()
    flat = FlatParameters(flat_net)
    ours, reference = STOCHASTIC[solver]([flat.vector], SETTINGS), BY_PARAMETER[solver]
    reference = reference(net.parameters())
    for _ in range(20):
        flat.grad.zero_()
        squared_error(flat_net).backward()
        ours.step()
        reference.zero_grad()
        squared_error(net).backward()
        reference.step()
    for mine, other in zip(flat_net.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)
    start = dict(Net().named_parameters())
    moved = [abs(p - start[name]).max() for name, p in net.named_parameters()]
    assert min(moved) > 1e-4


def fitted(**settings):
    """A float64 network after 20 full-batch steps."""
    settings = {"alpha": 0.0, "learning_rate_init": 0.01} | settings
    net = MLPRegressor(
        hidden_layer_sizes=(4,),
        activation="tanh",
        batch_size="full",
        max_iter=20,
        tol=0.0,
        random_state=0,
        **settings,
    )
    return net.fit(X, Y)


def weights(estimator):
    return np.concatenate([w.ravel() for w in estimator.coefs_ + estimator.intercepts_])


@pytest.mark.parametrize(
    ("solver", "twin"),
    [
        (torch.optim.SGD, {"solver": "sgd", "momentum": 0.0}),
        (partial(torch.optim.SGD, momentum=0.9), {"solver": "sgd", "nesterovs_momentum": False}),
        (partial(torch.optim.SGD, momentum=0.9, nesterov=True), {"solver": "sgd"}),
        (partial(torch.optim.Adam, eps=1e-16), {"solver": "adam", "epsilon": 1e-16}),
        (torch.optim.RMSprop, {"solver": "rmsprop"}),
    ],
    ids=["sgd", "momentum", "nesterov", "adam", "rmsprop"],
)
@pytest.mark.parametrize("learning_rate", ["constant", "cosine"])
def test_torch_optimiser_class_gives_what_its_name_gives(solver, twin, learning_rate):
    if learning_rate != "constant" and "momentum" in getattr(solver, "keywords", {}):
        pytest.skip("torch's velocity does not hold the learning rate, scikit-learn's does")
    mine = fitted(solver=solver, learning_rate=learning_rate)
    named = fitted(learning_rate=learning_rate, **twin)
    assert_allclose(weights(mine), weights(named), rtol=1e-9, atol=1e-11)


def test_adamw_walks_as_torchs_with_decay_of_weights_alone():
    ours = fitted(solver="adamw", alpha=0.3, epsilon=1e-16)
    start = fitted(solver="sgd", learning_rate_init=1e-300)
    net = Net()
    with torch.no_grad():
        for layer, w, b in zip(
            (net.layers[0], net.layers[2]), start.coefs_, start.intercepts_, strict=True
        ):
            layer.weight.copy_(torch.tensor(w.T))
            layer.bias.copy_(torch.tensor(b))
    decayed = [p for p in net.parameters() if p.ndim == 2]
    free = [p for p in net.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.3}, {"params": free, "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, 0.01, eps=1e-16)
    for _ in range(20):
        reference.zero_grad()
        squared_error(net).backward()  # the mean over both outputs is the half of their sum
        reference.step()
    assert_allclose(ours.coefs_[0], net.layers[0].weight.detach().T, rtol=1e-9)
    assert_allclose(ours.intercepts_[1], net.layers[2].bias.detach(), rtol=1e-9)
    undecayed = fitted(solver="adamw", alpha=0.0, epsilon=1e-16)
    assert abs(ours.coefs_[0] - undecayed.coefs_[0]).max() > 1e-3


# -- full-batch solvers

A = np.diag([1.0, 3.0, 10.0]) + 0.4
B = np.array([1.0, -2.0, 0.5])


def quadratic(x):
    return x @ A @ x / 2 - B @ x, A @ x - B


def minimum(solver, objective=quadratic, x0=(5.0, 5.0, 5.0), **settings):
    settings = {
        "hessian_product": lambda x, v: A @ v,
        "max_iter": 200,
        "max_fun": 1000,
        "tol": 1e-10,
        "callback": lambda x: None,
    } | settings
    return minimize(solver, objective, np.array(x0), **settings)


@pytest.mark.parametrize("solver", FULL_BATCH)
def test_full_batch_solver_finds_the_minimum_of_a_quadratic(solver):
    result = minimum(solver, tol=1e-6)
    solution = np.linalg.solve(A, B)
    assert result.converged
    assert_allclose(result.x, solution, atol=1e-5)
    assert result.value == pytest.approx(-B @ solution / 2)


def test_newton_alone_asks_for_hessian_products():
    asked = []

    def product(x, v):
        asked.append(v)
        return A @ v

    for solver in FULL_BATCH:
        asked.clear()
        minimum(solver, hessian_product=product)
        assert bool(asked) == (solver == "newton-cg")


@pytest.mark.parametrize("solver", FULL_BATCH)
def test_full_batch_solver_calls_back_at_every_iterate(solver):
    path = []
    result = minimum(solver, callback=path.append)
    assert len(path) == result.n_iter > 1
    assert_allclose(path[-1], result.x, atol=1e-9)


@pytest.mark.parametrize("solver", FULL_BATCH)
def test_full_batch_solver_stops_at_max_iter_and_says_so(solver):
    result = minimum(solver, x0=(500.0, -80.0, 3.0), max_iter=1)
    assert result.n_iter == 1
    assert not result.converged
    assert result.message


@pytest.mark.parametrize("solver", FULL_BATCH)
def test_full_batch_solver_stops_when_the_callback_says_so(solver):
    seen = []

    def stop(x):
        seen.append(x.copy())
        if len(seen) == 2:
            raise StopIteration

    result = minimum(solver, x0=(500.0, -80.0, 3.0), callback=stop)
    assert result.n_iter == 2
    assert_allclose(result.x, seen[-1])


def test_lbfgs_obeys_max_fun():
    calls = []

    def counted(x):
        calls.append(x)
        return quadratic(x)

    minimum("lbfgs", counted, max_fun=4)
    assert len(calls) <= 6  # scipy looks at the count between iterations


@pytest.mark.parametrize("x0", [(5.0, 5.0, 5.0), (-5.0, -5.0, -5.0), (0.0, 0.0, 0.0)])
def test_l1_soft_thresholds_the_minimum_of_a_separable_quadratic(x0):
    curvature, linear = np.array([1.0, 2.0, 4.0]), np.array([3.0, -0.5, -8.0])

    def separable(x):
        return curvature @ x**2 / 2 - linear @ x, curvature * x - linear

    result = minimum("lbfgs", separable, x0, l1=np.array([1.0, 1.0, 0.0]))
    expected = [(3 - 1) / 1, 0.0, -8 / 4]  # sign(b) max(|b| - l1, 0) / a
    assert_allclose(result.x, expected, atol=1e-4)
    assert result.x[1] == 0
    assert result.value == pytest.approx(1 * 2**2 / 2 - 3 * 2 + 2 + 4 * 4 / 2 - 8 * 2)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_l1_with_lbfgs_gives_the_lasso_with_exact_zeros(l1_ratio):
    y = 10 * Y[:, 0]
    alpha = 2.0
    net = MLPRegressor(
        hidden_layer_sizes=(),
        solver="lbfgs",
        alpha=alpha * len(X),
        l1_ratio=l1_ratio,
        tol=1e-9,
        max_iter=2000,
        random_state=0,
    ).fit(X, y)
    twin = Lasso(alpha) if l1_ratio == 1 else ElasticNet(alpha, l1_ratio=l1_ratio)
    twin.set_params(tol=1e-12, max_iter=100_000, random_state=0).fit(X, y)
    assert_allclose(net.coefs_[0].ravel(), twin.coef_, atol=1e-3)
    assert_allclose(net.intercepts_[0], twin.intercept_, atol=1e-3)
    zeros = net.coefs_[0].ravel() == 0
    assert_array_equal(zeros, twin.coef_ == 0)
    assert 0 < zeros.sum() < 8


@pytest.mark.parametrize("solver", FULL_BATCH)
def test_full_batch_solvers_agree_on_ridge_regression(solver):
    net = MLPRegressor(
        hidden_layer_sizes=(), solver=solver, alpha=6.0, tol=1e-8, max_iter=500, random_state=0
    ).fit(X, Y[:, 0])
    centred = X - X.mean(0)
    solution = np.linalg.solve(
        centred.T @ centred + 6.0 * np.eye(8), centred.T @ (Y[:, 0] - Y[:, 0].mean())
    )
    assert_allclose(net.coefs_[0].ravel(), solution, atol=1e-6)


STEPS_OF_ALL = """
import sys, torch
from sknets._training.optimizers import STOCHASTIC, Settings
for make in STOCHASTIC.values():
    vector = torch.nn.Parameter(torch.ones(3))
    vector.grad = torch.ones(3)
    optimizer = make([vector], Settings())
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
assert "torch._dynamo" not in sys.modules
"""


def test_no_solver_imports_torchs_compiler():
    subprocess.run([sys.executable, "-c", STEPS_OF_ALL], check=True)
