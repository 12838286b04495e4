"""Optimisers: stochastic ones that step on one flat vector, full-batch ones through scipy."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.optim.optimizer import Optimizer

FULL_BATCH = {"lbfgs": "L-BFGS-B", "bfgs": "BFGS", "cg": "CG", "newton-cg": "Newton-CG"}


class LightOptimizer(Optimizer):
    """Abstract: an optimiser without torch's hooks for its profiler and its compiler.

    The one costs a third of a small step, the other a second of imports at the first fit.
    """

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)


class SGD(LightOptimizer):
    """Stochastic gradient descent with momentum as in scikit-learn: the velocity holds the rate.

    ``v = momentum v - rate g``, then ``w += v``, or with Nesterov's momentum
    ``w += momentum v - rate g`` (Sutskever et al., 2013).
    """

    def __init__(self, params: Any, lr: float, momentum: float, nesterov: bool) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "nesterov": nesterov})

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of every parameter."""
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["velocity"] = torch.zeros_like(p.data)
                velocity = state["velocity"].mul_(momentum).add_(p.grad, alpha=-rate)
                if group["nesterov"]:
                    p.data.add_(velocity, alpha=momentum).add_(p.grad, alpha=-rate)
                else:
                    p.data.add_(velocity)

    step.hooked = True  # type: ignore[attr-defined]  # see LightOptimizer


class Adam(LightOptimizer):
    """Adam (Kingma and Ba, 2015) with the epsilon of the paper's section 2, as in scikit-learn.

    torch's own optimiser adds epsilon to the bias-corrected root; here its fused kernel gets
    ``epsilon / sqrt(1 - beta_2 ** t)``, which is the paper's "epsilon hat". The kernel is called
    directly: on a small network the checks on the way to it take longer than it does.
    """

    def __init__(self, params: Any, lr: float, betas: tuple[float, float], eps: float) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "fused": True})

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of every parameter."""
        for group in self.param_groups:
            beta_1, beta_2 = group["betas"]
            t = group["t"] = group.get("t", 0) + 1
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["step"] = torch.zeros((), device=p.device)
                    state["exp_avg"] = torch.zeros_like(p.data)
                    state["exp_avg_sq"] = torch.zeros_like(p.data)
                torch._fused_adam_(
                    [p.data],
                    [p.grad],
                    [state["exp_avg"]],
                    [state["exp_avg_sq"]],
                    [],
                    [state["step"].add_(1)],
                    lr=group["lr"],
                    beta1=beta_1,
                    beta2=beta_2,
                    weight_decay=0.0,
                    eps=group["eps"] / (1 - beta_2**t) ** 0.5,
                    amsgrad=False,
                    maximize=False,
                )

    step.hooked = True  # type: ignore[attr-defined]  # see LightOptimizer


class Settings(NamedTuple):
    """What an optimiser may need to know, in MLPClassifier's words."""

    learning_rate_init: float = 1e-3
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8


def _adam(params: Any, s: Settings) -> Optimizer:
    return Adam(params, s.learning_rate_init, (s.beta_1, s.beta_2), s.epsilon)


STOCHASTIC: dict[str, Callable[[Any, Settings], Optimizer]] = {
    "sgd": lambda params, s: SGD(
        params, s.learning_rate_init, s.momentum, s.nesterovs_momentum and s.momentum > 0
    ),
    "adam": _adam,
    "adamw": _adam,  # the trainer decays the weights, so that biases go free
    "adagrad": lambda params, s: torch.optim.Adagrad(params, s.learning_rate_init, eps=s.epsilon),
    "adadelta": lambda params, s: torch.optim.Adadelta(params, s.learning_rate_init, eps=s.epsilon),
    "rmsprop": lambda params, s: torch.optim.RMSprop(params, s.learning_rate_init, eps=s.epsilon),
    "nadam": lambda params, s: torch.optim.NAdam(
        params, s.learning_rate_init, (s.beta_1, s.beta_2), s.epsilon
    ),
}


class FullBatchResult(NamedTuple):
    """Where a full-batch optimiser ended."""

    x: np.ndarray
    value: float
    n_iter: int
    converged: bool
    message: str


def minimize(
    solver: str,
    objective: Callable[[np.ndarray], tuple[float, np.ndarray]],
    x0: np.ndarray,
    *,
    hessian_product: Callable[[np.ndarray, np.ndarray], np.ndarray],
    max_iter: int,
    max_fun: int,
    tol: float,
    callback: Callable[[np.ndarray], None],
    l1: np.ndarray | None = None,
) -> FullBatchResult:
    """Minimise a smooth objective of one vector, plus ``l1 @ abs(x)``, with scipy.

    The absolute values are made smooth by splitting x into its positive and negative parts, both
    bounded below by 0; L-BFGS-B keeps the bounds.

    Parameters
    ----------
    solver : {"lbfgs", "bfgs", "cg", "newton-cg"}
    objective : callable
        ``objective(x)`` gives the value and the gradient.
    x0 : ndarray of shape (n,)
    hessian_product : callable
        ``hessian_product(x, v)``; "newton-cg" alone calls it.
    max_iter, max_fun, tol
        ``max_fun`` bounds the evaluations of "lbfgs" alone; `tol` is the gradient's, or for
        "newton-cg" the step's.
    callback : callable
        ``callback(x)`` after every iteration; raising StopIteration ends the minimisation.
    l1 : ndarray of shape (n,), optional
        Strength of the L1 penalty by coordinate; "lbfgs" alone allows it.
    """
    from scipy.optimize import minimize as scipy_minimize

    options: dict[str, Any] = {"maxiter": max_iter}
    options["xtol" if solver == "newton-cg" else "gtol"] = tol
    if solver == "lbfgs":
        options["maxfun"] = max_fun
    extra: dict[str, Any] = {"hessp": hessian_product} if solver == "newton-cg" else {}
    join = _identity
    if l1 is not None:
        options["ftol"] = np.finfo(float).eps  # weights reach 0 slowly; `tol` says when to stop
        n = len(x0)
        smooth, seen = objective, callback

        def join(x: np.ndarray) -> np.ndarray:
            return x[:n] - x[n:]

        def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = smooth(join(x))
            return value + l1 @ (x[:n] + x[n:]), np.concatenate([l1 + gradient, l1 - gradient])

        def callback(x: np.ndarray) -> None:
            seen(join(x))

        # A coordinate without penalty has no use for its negative part: it is its own.
        lower = np.where(l1 > 0, 0.0, -np.inf)
        extra["bounds"] = [(low, None) for low in lower] + [
            (0.0, None if strength > 0 else 0.0) for strength in l1
        ]
        positive = np.where(l1 > 0, np.maximum(x0, 0), x0)
        x0 = np.concatenate([positive, positive - x0])
    result = scipy_minimize(
        objective,
        x0,
        jac=True,
        method=FULL_BATCH[solver],
        options=options,
        callback=callback,
        **extra,
    )
    return FullBatchResult(
        join(result.x), float(result.fun), int(result.nit), bool(result.success), result.message
    )


def _identity(x: np.ndarray) -> np.ndarray:
    return x
