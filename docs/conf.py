"""How the documentation is built: ``make docs``."""

import os
from importlib.metadata import version as installed_version

import matplotlib

matplotlib.use("Agg")

project = "sknets"
author = "The sknets developers"
copyright = "2026, The sknets developers"
release = version = installed_version("sknets")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/*.ipynb", "sg_execution_times.rst"]
templates_path = ["_templates"]
default_role = "literal"

html_theme = "pydata_sphinx_theme"
html_title = "sknets"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}
html_sidebars = {"changelog": [], "developing": [], "quickstart": [], "results": []}

autosummary_generate = True
autosummary_imported_members = False
autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # types and shapes stand in the docstrings
numpydoc_show_class_members = False  # the class template lists them

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": None,
    "download_all_examples": False,
    "min_reported_time": 10,
    "plot_gallery": True,
    "show_memory": False,
}

# The build needs no network. With one, names of other libraries become links to their pages.
if os.environ.get("DOCS_ONLINE"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "matplotlib": ("https://matplotlib.org/stable", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "python": ("https://docs.python.org/3", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "skorch": ("https://skorch.readthedocs.io/en/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
    }


# Sections of scikit-learn's user guide that inherited docstrings refer to.
SKLEARN_LABELS = {
    "accuracy_score",
    "df_output_transform",
    "metadata_routing",
    "r2_score",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py",
}


def _skip_metadata_routing(app, what, name, obj, skip, options):
    """scikit-learn adds the same set_..._request to every estimator."""
    is_request = name.startswith("set_") and name.endswith("_request")
    return True if is_request or name == "get_metadata_routing" else None


def _leave_as_text(app, env, node, contnode):
    """Without a network those references are text; a broken one of our own is still an error."""
    is_label = node.get("reftype") == "ref"
    return contnode if is_label and node["reftarget"] in SKLEARN_LABELS else None


def setup(app):
    app.connect("autodoc-skip-member", _skip_metadata_routing)
    app.connect("missing-reference", _leave_as_text)
