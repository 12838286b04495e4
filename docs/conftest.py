"""These pages are doctests (see the conftest.py above); the configuration of Sphinx is not."""

collect_ignore = ["conf.py"]
