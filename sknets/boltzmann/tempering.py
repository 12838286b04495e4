"""Parallel tempering: chains at several temperatures, which swap their states.

Desjardins, Courville, Bengio, Vincent and Delalleau (2010), "Tempered Markov chain Monte Carlo for
training of restricted Boltzmann machines", AISTATS.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sknets._state import taken
from sknets.boltzmann.ais import Path
from sknets.boltzmann.draws import Draws


class TemperedChains:
    """Chains along a path of machines, evenly in the inverse temperature.

    Hot chains go far, and the coldest, whose samples count, gets there by swaps.

    Parameters
    ----------
    like : Tensor of shape (n_units,)
        Of the kind that states have.
    n_chains : int
        At each temperature.
    n_temperatures : int
    """

    def __init__(self, like: Tensor, n_chains: int, n_temperatures: int) -> None:
        self.n_chains, self.n_temperatures = n_chains, n_temperatures
        betas = torch.linspace(0, 1, n_temperatures).to(like)
        self.betas = betas.repeat_interleave(n_chains)[:, None]  # the hottest first
        self.states = like.new_zeros(len(self.betas), len(like))
        self.started = False
        self.n_swaps = 0

    def step(self, path: Path, draws: Draws, n_steps: int) -> Tensor:
        """The coldest chains' states after some steps on a path, and a swap after each step."""
        if not self.started:
            self.states, self.started = path.start(len(self.betas), draws), True
        for _ in range(n_steps):
            self.states = path.step(self.states, path.inputs(self.states), self.betas, draws)
            self.swap(path, draws)
        return self.states[-self.n_chains :]

    def swap(self, path: Path, draws: Draws) -> None:
        """Let neighbours in temperature change places, every other pair, by Metropolis's rule."""
        first = self.n_swaps % 2
        self.n_swaps += 1
        n_pairs = (self.n_temperatures - first) // 2
        if not n_pairs:
            return
        rows = torch.arange(len(self.states), device=self.states.device)
        rows = rows.view(self.n_temperatures, self.n_chains)[first : first + 2 * n_pairs]
        hot, cold = rows[::2].flatten(), rows[1::2].flatten()
        inputs = path.inputs(self.states)

        def log_p(rows: Tensor, at: Tensor) -> Tensor:
            """Of the states of some chains, at the temperatures of others."""
            return path.log_p(self.states[rows], inputs[rows], self.betas[at])

        log_ratio = log_p(hot, cold) + log_p(cold, hot) - log_p(hot, hot) - log_p(cold, cold)
        swapped = (draws.uniform(log_ratio) < log_ratio.exp())[:, None]
        a, b = self.states[hot], self.states[cold]
        self.states[hot], self.states[cold] = torch.where(swapped, b, a), torch.where(swapped, a, b)

    def state(self) -> dict[str, Any]:
        """What outlasts a step."""
        return {"tempered": self.states, "n_swaps": self.n_swaps} if self.started else {}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state, where it is of such chains."""
        before = self.states
        self.states = taken(state, "tempered", before)
        self.started = self.states is not before
        self.n_swaps = state.get("n_swaps", 0)
