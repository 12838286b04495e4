"""How fast, how lean and how good sknets is beside its peers: ``python -m benchmarks.fit_mlp``."""
