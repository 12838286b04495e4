"""Networks beside SVMs and forests: comparisons that tell a difference from noise."""

from sknets.model_selection.comparison import Comparison, compare
from sknets.model_selection.lineup import default_models, default_search
from sknets.model_selection.significance import corrected_t_test, holm_correction

__all__ = [
    "Comparison",
    "compare",
    "corrected_t_test",
    "default_models",
    "default_search",
    "holm_correction",
]
