"""A comparison as files: CSV, PNG, and one HTML page that needs no other file."""

import base64
import io
import platform
from collections.abc import Mapping
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sknets.model_selection.comparison import Comparison

LIBRARIES = ("sknets", "scikit-learn", "torch", "skorch", "numpy", "scipy", "pandas")

HOW_TO_READ = """\
All models saw the same splits. <b>std</b> is the standard deviation over the splits; <b>fit</b> the
mean time of a fit, a search included; <b>predict 1k</b> the time to predict 1,000 rows. <b>p</b> is
that of the difference to the best model by the corrected resampled t-test (Nadeau and Bengio,
2003), corrected for the number of models by Holm's method: below 0.05 the model is called worse,
else the difference is within noise."""

STYLE = """\
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid #8884; }
th { vertical-align: top; }
img { max-width: 100%; background: white; border-radius: .4rem; }
code, pre { font-size: .85em; }
pre { overflow-x: auto; padding: .7rem; background: #8881; border-radius: .4rem; }
"""

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<h1>{title}</h1>
{table}
<p><img alt="Scores of each model on each split" src="data:image/png;base64,{plot}"></p>
<p>{how_to_read}</p>
{details}
</body>
</html>
"""


def write_report(
    comparison: Comparison, folder: Path, *, name: str, settings: Mapping[str, object]
) -> list[Path]:
    """Write comparison.csv, scores.csv, comparison.png and report.html; return their paths."""
    plot = _png(comparison)
    contents = {
        "comparison.csv": comparison.table.to_csv(index=False).encode(),
        "scores.csv": _scores(comparison).to_csv(index=False).encode(),
        "comparison.png": plot,
        "report.html": _page(comparison, plot, name, settings).encode(),
    }
    for file, content in contents.items():
        (folder / file).write_bytes(content)
    return [folder / file for file in contents]


def _scores(comparison: Comparison):
    """One row a fit, without the traceback and with the parameters a search chose, if any did."""
    import pandas as pd

    frame = pd.DataFrame(comparison.folds_).drop(columns="traceback")
    frame["warnings"] = frame["warnings"].map("; ".join)
    return frame.dropna(axis="columns", how="all")


def _png(comparison: Comparison) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.2 + 0.5 * len(comparison.rows_)), layout="constrained")
    comparison.plot(ax=figure.add_subplot())
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=150)
    return file.getvalue()


def _page(comparison: Comparison, plot: bytes, name: str, settings: Mapping[str, object]) -> str:
    errors = {
        f"{fold.model}, split {fold.fold}": fold.traceback
        for fold in comparison.folds_
        if fold.traceback
    }
    models = {
        model: " ".join(repr(estimator).split())
        for model, estimator in comparison.estimators_.items()
    }
    details = {
        "Settings": _definitions(settings),
        "Chosen by the search": _chosen(comparison),
        "Models": _definitions(models),
        "Errors": "".join(f"<h3>{escape(at)}</h3><pre>{escape(errors[at])}</pre>" for at in errors),
        "Versions": _definitions(_versions()),
    }
    return PAGE.format(
        title=escape(f"sknets compare: {name}"),
        style=STYLE,
        table=comparison._repr_html_(),
        plot=base64.b64encode(plot).decode(),
        how_to_read=HOW_TO_READ,
        details="\n".join(f"<h2>{title}</h2>\n{html}" for title, html in details.items() if html),
    )


def _definitions(values: Mapping[str, object]) -> str:
    rows = (
        f"<tr><th>{escape(key)}</th><td><code>{escape(str(value))}</code></td></tr>"
        for key, value in values.items()
    )
    return "<table>\n" + "\n".join(rows) + "\n</table>"


def _chosen(comparison: Comparison) -> str:
    chosen = {
        f"{fold.model}, split {fold.fold}": ", ".join(
            f"{key.rpartition('model__')[2]}={value:.3g}"
            if isinstance(value, float)
            else f"{key.rpartition('model__')[2]}={value}"
            for key, value in fold.best_params.items()
        )
        or "as given"
        for fold in comparison.folds_
        if fold.best_params is not None
    }
    return _definitions(chosen) if chosen else ""


def _versions() -> dict[str, str]:
    versions = {"Python": platform.python_version()}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:  # run from a folder that is not installed
            continue
    return versions
