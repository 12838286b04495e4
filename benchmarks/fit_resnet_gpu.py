"""Throughput of CNNClassifier's ResNet-18 on 32 x 32 images against hand-tuned loops, on a GPU.

The loops keep the images on the device, in channels-last order, and compute in bfloat16 with a
fused optimiser; one runs as it is, the other is compiled, which takes its time in the warm-up turn.
All sides train the same network at the same rate on the same images, without augmentation. Without
a CUDA device only the toy size runs, on the CPU.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch.nn.functional import cross_entropy

from benchmarks._timing import (
    Timing,
    alternate,
    arguments,
    print_environment,
    print_table,
    write_json,
)
from sknets import CNNClassifier
from sknets.cnn import get_architecture

RATE, BATCH, N_IMAGES = 0.05, 512, 51_200
BARS = {"loop": 1 / 0.9, "compiled loop": 1 / 0.9}  # at least 0.9 of the throughput


def images(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise: what a fit takes does not depend on what the images show."""
    rng = np.random.default_rng(0)
    return rng.random((n, 3, 32, 32), dtype=np.float32), np.arange(n) % 10


def estimator(X: np.ndarray, y: np.ndarray, name: str, device: str, epochs: int) -> None:
    CNNClassifier(
        name,
        solver="sgd",
        learning_rate_init=RATE,
        batch_size=min(BATCH, len(X)),
        max_iter=epochs,
        n_iter_no_change=np.inf,
        precision="bfloat16",
        random_state=0,
        device=device,
    ).fit(X, y)


def loop(
    X: np.ndarray, y: np.ndarray, name: str, device: str, epochs: int, *, compiled: bool = False
) -> None:
    x = torch.from_numpy(X).to(device, memory_format=torch.channels_last)
    target = torch.from_numpy(y).to(device)
    net = get_architecture(name).build(X.shape[1:], 10).to(device)
    net = net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        net.parameters(), lr=RATE, momentum=0.9, nesterov=True, weight_decay=1e-4, fused=True
    )
    forward: Any = torch.compile(net) if compiled else net
    kind = torch.device(device).type
    for _ in range(epochs):
        order = torch.randperm(len(x), device=device)
        for rows in order.split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(kind, torch.bfloat16):
                loss = cross_entropy(forward(x[rows]), target[rows])
            loss.backward()
            optimizer.step()
    if kind == "cuda":
        torch.cuda.synchronize()


def main(
    toy: bool = False, repeats: int = 5, epochs: int = 2, json: str | None = None
) -> list[Timing]:
    print_environment()
    device = "cuda" if torch.cuda.is_available() and not toy else "cpu"
    if device == "cpu" and not toy:
        print("There is no CUDA device.")
        return []
    name, n, epochs, repeats = (
        ("resnet20", 20, 1, 1) if toy else ("resnet18", N_IMAGES, epochs, repeats)
    )
    X, y = images(n)
    sides: dict[str, Callable] = {"ours": estimator, "loop": loop}
    if device == "cuda" and find_spec("triton"):
        sides["compiled loop"] = lambda *given: loop(*given, compiled=True)
    runs = {side: lambda run=run: run(X, y, name, device, epochs) for side, run in sides.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        timing = alternate(runs, repeats, case=f"{name}, {n} images, {epochs} epoch(s)")
    print_table(timing, BARS)
    for side, seconds in timing.medians.items():
        print(f"  {side:16}{n * epochs / seconds:12.0f} images a second")
    write_json(json, [timing])
    return [timing]


if __name__ == "__main__":
    parser = arguments(__doc__, repeats=5)
    parser.add_argument("--epochs", type=int, default=2, help="default: 2")
    main(**vars(parser.parse_args()))
