"""One script per headline result: ``python -m benchmarks.reproduce.mnist_512``."""
