"""Optimisers: stochastic ones that step on one flat vector, full-batch ones through scipy."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]  # x -> value and gradient

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
                if not momentum:
                    p.data.add_(p.grad, alpha=-rate)
                    continue
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
            parameters = group["params"]
            states = [self.state[p] or self._start(p) for p in parameters]
            torch._fused_adam_(
                [p.data for p in parameters],
                [p.grad for p in parameters],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"].add_(1) for state in states],
                lr=group["lr"],
                beta1=beta_1,
                beta2=beta_2,
                weight_decay=0.0,
                eps=group["eps"] / (1 - beta_2**t) ** 0.5,
                amsgrad=False,
                maximize=False,
            )

    def _start(self, p: Tensor) -> dict[str, Tensor]:
        """The state before the first step."""
        self.state[p] = {
            "step": torch.zeros((), device=p.device),
            "exp_avg": torch.zeros_like(p.data),
            "exp_avg_sq": torch.zeros_like(p.data),
        }
        return self.state[p]

    step.hooked = True  # type: ignore[attr-defined]  # see LightOptimizer


def light(theirs: type[Optimizer]) -> type[Any]:
    """One of torch's optimisers as a light one: the same states and steps, without the hooks."""
    step: Any = torch.no_grad()(inspect.unwrap(theirs.step))
    step.hooked = True  # see LightOptimizer
    return type(theirs.__name__, (LightOptimizer, theirs), {"step": step})


Adagrad = light(torch.optim.Adagrad)
Adadelta = light(torch.optim.Adadelta)
RMSprop = light(torch.optim.RMSprop)
NAdam = light(torch.optim.NAdam)


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
    "adagrad": lambda params, s: Adagrad(params, s.learning_rate_init, eps=s.epsilon),
    "adadelta": lambda params, s: Adadelta(params, s.learning_rate_init, eps=s.epsilon),
    "rmsprop": lambda params, s: RMSprop(params, s.learning_rate_init, eps=s.epsilon),
    "nadam": lambda params, s: NAdam(params, s.learning_rate_init, (s.beta_1, s.beta_2), s.epsilon),
}


class FullBatchResult(NamedTuple):
    """Where a full-batch optimiser ended."""

    x: np.ndarray
    value: float
    n_iter: int
    converged: bool
    status: int
    message: str


def minimize(
    solver: str,
    objective: Objective,
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
        Strength of the L1 penalty by coordinate; "lbfgs" alone allows it, as it keeps bounds.
    """
    from scipy.optimize import minimize as scipy_minimize

    options: dict[str, Any] = {"maxiter": max_iter}
    options["xtol" if solver == "newton-cg" else "gtol"] = tol
    if solver == "lbfgs":
        options["maxfun"] = max_fun
    extra: dict[str, Any] = {"hessp": hessian_product} if solver == "newton-cg" else {}
    split = None if l1 is None else SplitSigns(l1)
    if split is not None:
        objective, callback = split.objective(objective), split.callback(callback)
        x0, extra["bounds"] = split.parts(x0), split.bounds()
        options["ftol"] = np.finfo(float).eps  # weights reach 0 slowly; `tol` says when to stop
    result = scipy_minimize(
        objective,
        x0,
        jac=True,
        method=FULL_BATCH[solver],
        options=options,
        callback=callback,
        **extra,
    )
    x = result.x if split is None else split.whole(result.x)
    return FullBatchResult(
        x, float(result.fun), int(result.nit), bool(result.success), result.status, result.message
    )


class SplitSigns:
    """The absolute values of an L1 penalty made smooth: x is its positive less its negative part.

    Both parts are bounded below by 0, and the penalty is linear in them. A coordinate without
    penalty has no use for a negative part: it is its own positive one, without a bound.

    Parameters
    ----------
    l1 : ndarray of shape (n,)
        Strength of the penalty by coordinate.
    """

    def __init__(self, l1: np.ndarray) -> None:
        self.l1 = l1

    def whole(self, parts: np.ndarray) -> np.ndarray:
        """What the parts, of shape (2 n,), add up to."""
        positive, negative = np.split(parts, 2)
        return positive - negative

    def parts(self, x: np.ndarray) -> np.ndarray:
        """The way back."""
        positive = np.where(self.l1 > 0, np.maximum(x, 0), x)
        return np.concatenate([positive, positive - x])

    def bounds(self) -> list[tuple[float, float | None]]:
        """Of the parts."""
        penalised = self.l1 > 0
        positive: list = [(0.0 if p else -np.inf, None) for p in penalised]
        negative: list = [(0.0, None if p else 0.0) for p in penalised]
        return positive + negative

    def objective(self, smooth: Objective) -> Objective:
        """A smooth objective plus ``l1 @ abs(x)``, as a function of the parts."""

        def penalised(parts: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = smooth(self.whole(parts))
            penalty = np.tile(self.l1, 2)
            return value + penalty @ parts, np.concatenate([gradient, -gradient]) + penalty

        return penalised

    def callback(self, seen: Callable[[np.ndarray], None]) -> Callable[[np.ndarray], None]:
        """A callback that is told of the parts, and tells of x."""
        return lambda parts: seen(self.whole(parts))
