"""scikit-learn's own tests of its machine, run on ours with the one import line swapped."""

from pathlib import Path

import pytest
import sklearn.neural_network

THEIRS = "from sklearn.neural_network import BernoulliRBM\n"
OURS = "from sknets import BernoulliRBM\n"

# scikit-learn's suite draws from numpy's global state.
pytestmark = pytest.mark.global_state("numpy random state")

_path = Path(sklearn.neural_network.__file__).parent / "tests" / "test_rbm.py"
_source = _path.read_text(encoding="utf-8")
assert _source.count(THEIRS) == 1
exec(compile(_source.replace(THEIRS, OURS), str(_path), "exec"))
