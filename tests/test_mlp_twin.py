"""scikit-learn's own tests of its perceptrons, run on ours with the one import line swapped.

Left out are the tests that read private attributes; ``test_mlp.py`` says in public terms what
they say.
"""

from pathlib import Path

import pytest
import sklearn.neural_network

PRIVATE = (
    "test_fit",
    "test_gradient",
    "test_learning_rate_warmstart",
    "test_adaptive_learning_rate",
    "test_n_iter_no_change",
    "test_n_iter_no_change_inf",
)
THEIRS = "from sklearn.neural_network import MLPClassifier, MLPRegressor\n"
OURS = "from sknets import MLPClassifier, MLPRegressor\n"

# scikit-learn's suite reports warnings rather than failing, and draws from numpy's global state.
pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.global_state("numpy random state"),
]

_path = Path(sklearn.neural_network.__file__).parent / "tests" / "test_mlp.py"
_source = _path.read_text(encoding="utf-8")
assert _source.count(THEIRS) == 1
exec(compile(_source.replace(THEIRS, OURS), str(_path), "exec"))
for _name in PRIVATE:
    del globals()[_name]
