"""Estimators side by side: the same splits for each, scores, costs, and whether gaps are real."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV, GroupKFold, ParameterSampler, check_cv
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel, delayed

from sknets._params import InvalidParameterError
from sknets.model_selection._folds import Fold, run_fold
from sknets.model_selection.significance import corrected_t_test, holm_correction

__all__ = ["Comparison", "compare"]

SIGNIFICANCE = 0.05

# Verdicts say in words what the p-value says in a number.
BEST = "best"
WITHIN_NOISE = "within noise"
WORSE = "worse"
NOT_TESTED = "not tested"
FAILED = "failed"
UNFINISHED = "not finished"

VERDICT_COLORS = {
    BEST: "#0072B2",
    WITHIN_NOISE: "#56B4E9",
    WORSE: "#999999",
    NOT_TESTED: "#999999",
}


class Row(NamedTuple):
    """One line of the table; times in seconds, predicting per 1,000 rows."""

    model: str
    mean: float = np.nan
    std: float = np.nan
    fit_time: float = np.nan
    predict_time: float = np.nan
    difference: float = np.nan
    p_value: float = np.nan
    verdict: str = NOT_TESTED
    note: str = ""


class Comparison:
    """The outcome of :func:`compare`: a table, a plot, and the scores they are made of.

    The best model is the one with the highest mean score; ties go to the one given first. Every
    other model is tested against it by the corrected resampled t-test on the scores of the same
    splits, two-sided at the level 0.05, and the p-values are corrected by Holm's method for the
    number of models tested. The best is picked on the scores it is then tested with, so the tests
    lean a little towards finding a difference; Holm's correction leans the other way.

    Read more in the :doc:`User Guide </guide/compare>`.

    Parameters
    ----------
    estimators : dict
        Names and estimators, as they were compared.

    folds : list of Fold
        Every fit that was finished, in any order.

    n_splits : int
        Fits that each model should have had.

    scoring : str, default="score"
        What the scores are called.

    Attributes
    ----------
    table : DataFrame
        One row a model, best first, with the columns ``model``, ``mean`` and ``std`` of the score,
        ``fit_time`` (seconds, mean over the splits), ``predict_time`` (seconds per 1,000 rows),
        ``difference`` to the best, ``p_value`` (corrected), ``verdict`` ("best", "within noise",
        "worse"; "not tested", "failed" and "not finished" where there is nothing to test) and
        ``note`` (errors and warnings).

    rows_ : list of Row
        The same without pandas.

    best_ : str or None
        Name of the model with the highest mean score; None if no model finished.

    scores_ : dict
        For each name an array of shape (n_splits,), nan where there is no score.

    folds_ : list of Fold
        Every fit: sizes, score, times, parameters chosen by a search, warnings, error, traceback.

    estimators_ : dict
        The estimators as they were compared, unfitted.

    interrupted_ : bool
        Whether a Ctrl-C ended the comparison before all of it was done.

    See Also
    --------
    compare : Makes one.

    References
    ----------
    Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine Learning, 52,
    239-281. https://doi.org/10.1023/A:1024068626366

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sknets.model_selection import compare
    >>> X, y = load_iris(return_X_y=True)
    >>> comparison = compare({"guess": DummyClassifier(), "bayes": GaussianNB()}, X, y)
    >>> comparison.table[["model", "mean", "difference", "verdict"]].round(2)
       model  mean  difference verdict
    0  bayes  0.95        0.00    best
    1  guess  0.33       -0.62   worse
    """

    def __init__(
        self,
        estimators: Mapping[str, BaseEstimator],
        folds: Sequence[Fold],
        *,
        n_splits: int,
        scoring: str = "score",
    ):
        self.estimators_ = dict(estimators)
        place = {name: i for i, name in enumerate(estimators)}
        self.folds_ = sorted(folds, key=lambda fold: (place[fold.model], fold.fold))
        self.n_splits_ = n_splits
        self.scoring_ = scoring
        self.interrupted_ = len(folds) < n_splits * len(estimators)
        self.scores_ = {name: self._scores(name) for name in estimators}
        self.best_ = self._best()
        self.rows_ = self._rows()

    @property
    def table(self):
        """DataFrame with one row a model, best first."""
        import pandas as pd

        return pd.DataFrame(self.rows_, columns=list(Row._fields))

    def plot(self, ax=None):
        """Scores of every split as dots and their mean as a bar, the best model on top.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        matplotlib Axes
            What was drawn on.
        """
        rows = [row for row in self.rows_ if not np.isnan(row.mean)]
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(7, 1.2 + 0.5 * len(rows)), layout="constrained")
        for place, row in enumerate(rows):
            scores, color = self.scores_[row.model], VERDICT_COLORS[row.verdict]
            ax.plot(scores, np.full(len(scores), place), "o", color=color, alpha=0.45, mew=0)
            ax.plot([row.mean], [place], "|", color=color, ms=22, mew=3)
            beside = {"xycoords": ("axes fraction", "data"), "va": "center", "color": "0.4"}
            ax.annotate(f"fit {_seconds(row.fit_time)}", (1.01, place), **beside)
        ax.set_yticks(range(len(rows)), [f"{row.model}\n({row.verdict})" for row in rows])
        ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
        ax.set_xlabel(f"{self.scoring_}: {self.n_splits_} splits (dots) and their mean (bar)")
        ax.grid(axis="x", color="0.9")
        ax.set_axisbelow(True)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        return ax

    def conclusion(self) -> str:
        """The table in a sentence or two.

        Returns
        -------
        str
            Which model is best, which are within noise of it, and which are worse.
        """
        if self.best_ is None:
            return "No model finished."
        best = self.rows_[0]
        sentences = [f"Best: {best.model}, {self.scoring_} {self._text(best.mean)}."]
        for verdict, start in CONCLUSIONS.items():
            names = [row.model for row in self.rows_ if row.verdict == verdict]
            if names:
                sentences.append(f"{start}: {', '.join(names)}.")
        return " ".join(sentences)

    def cells(self) -> list[list[str]]:
        """The table as texts ready to be printed.

        Returns
        -------
        list of list of str
            The headings, then a list for each model; notes are left to ``rows_``.
        """
        lines = [
            [
                row.model,
                self._text(row.mean),
                self._text(row.std),
                _seconds(row.fit_time),
                _seconds(row.predict_time),
                "" if row.verdict == BEST else self._text(row.difference, sign="+"),
                _p_value(row.p_value),
                row.verdict,
            ]
            for row in self.rows_
        ]
        headings = ["model", self.scoring_, "std", "fit", "predict 1k", "to best", "p", "verdict"]
        return [headings, *lines]

    def __repr__(self) -> str:
        cells = self.cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(map(_justified, line, widths, cells[0])).rstrip() for line in cells]
        notes = [f"{row.model}: {row.note}" for row in self.rows_ if row.note]
        return "\n".join([*lines, self.conclusion(), *notes])

    def _repr_html_(self) -> str:
        headings, *lines = self.cells()
        head = "".join(f"<th>{escape(text)}</th>" for text in [*headings, "note"])
        body = "\n".join(
            "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in [*line, row.note]) + "</tr>"
            for line, row in zip(lines, self.rows_, strict=True)
        )
        return (
            f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"
            f"<p>{escape(self.conclusion())}</p>"
        )

    def _folds_of(self, name: str) -> list[Fold]:
        return [fold for fold in self.folds_ if fold.model == name]

    def _scores(self, name: str) -> np.ndarray:
        scores = np.full(self.n_splits_, np.nan)
        for fold in self._folds_of(name):
            scores[fold.fold] = fold.score
        return scores

    def _best(self) -> str | None:
        means = {name: fmean(scores) for name, scores in self.scores_.items()}
        finished = [name for name in means if not np.isnan(means[name])]
        return max(finished, key=means.__getitem__, default=None)

    def _rows(self) -> list[Row]:
        rows = sorted(
            map(self._row, self.estimators_),
            key=lambda row: (np.isnan(row.mean), row.model != self.best_, -row.mean),
        )
        corrected = holm_correction([row.p_value for row in rows])
        return [
            row._replace(p_value=float(p), verdict=_verdict(row.verdict, p))
            for row, p in zip(rows, corrected, strict=True)
        ]

    def _row(self, name: str) -> Row:
        """One model's line, with its p-value not corrected yet."""
        folds, scores = self._folds_of(name), self.scores_[name]
        row = Row(name, note="; ".join(_notes(folds, self.n_splits_)))
        if any(fold.error for fold in folds):
            return row._replace(verdict=FAILED)
        if len(folds) < self.n_splits_:
            return row._replace(verdict=UNFINISHED)
        row = row._replace(
            mean=fmean(scores),
            std=float(scores.std(ddof=1)) if len(scores) > 1 else np.nan,
            fit_time=fmean(fold.fit_time for fold in folds),
            predict_time=fmean(fold.predict_time for fold in folds),
        )
        assert self.best_ is not None  # this one finished
        if name == self.best_:
            return row._replace(difference=0.0, verdict=BEST)
        differences = scores - self.scores_[self.best_]
        n_train, n_test = (fmean(getattr(f, size) for f in folds) for size in ("n_train", "n_test"))
        test = corrected_t_test(differences, n_train=n_train, n_test=n_test)
        return row._replace(difference=fmean(differences), p_value=test.p_value)

    def _text(self, score: float, sign: str = "") -> str:
        """Four digits after the point for shares, more for tiny scores and fewer for large ones."""
        if np.isnan(score):
            return ""
        largest = max((abs(row.mean) for row in self.rows_ if not np.isnan(row.mean)), default=0)
        size = np.floor(np.log10(largest)) if largest else 0
        decimals = int(np.clip(4 - size, 0, 12)) if size > 0 or size < -3 else 4
        return format(score, f"{sign}.{decimals}f")


CONCLUSIONS = {
    WITHIN_NOISE: "Within noise of it",
    WORSE: "Worse",
    NOT_TESTED: "Not tested",
    FAILED: "Failed",
    UNFINISHED: "Not finished",
}


def compare(
    estimators,
    X,
    y,
    *,
    cv=5,
    scoring=None,
    n_jobs=None,
    params=None,
    search=None,
    n_candidates=10,
    search_cv=3,
    random_state=None,
    callback=None,
) -> Comparison:
    """Cross-validate several estimators on the same splits and say which gaps are more than noise.

    The splits are drawn once and every estimator is fitted on each of them. A model that raises
    an error is reported as failed, with the error; the others go on. Warnings raised while a
    model is fitted or scored become its notes instead of being shown. A Ctrl-C ends the comparison
    with what was finished, and warns.

    Read more in the :doc:`User Guide </guide/compare>`.

    Parameters
    ----------
    estimators : dict or list of (str, estimator)
        The models and their names: Pipelines, searches, anything with ``fit`` and ``predict``.

    X : array-like of shape (n_samples, n_features)
        The data: arrays, data frames, or lists of whatever the estimators take.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.

    cv : int, splitter or iterable, default=5
        As in :func:`~sklearn.model_selection.cross_validate`: an integer gives (stratified) folds
        without shuffling.

    scoring : str or callable, default=None
        Any scorer of scikit-learn's, a name or a callable ``scorer(estimator, X, y)``. Greater is
        better. None is accuracy for classifiers and R2 for regressors.

    n_jobs : int, default=None
        Fits that run side by side. None is one, -1 all the cores. Times are fair only with one.

    params : dict, default=None
        Passed on to ``fit``, sliced to each split, such as ``{"sample_weight": weights}`` (which,
        in a Pipeline, goes to its last step). ``"groups"`` goes to the splitter. As in
        cross_validate, scorers see ``params`` only where metadata routing is enabled.

    search : dict, default=None
        Tunes every model inside each split, on its training part alone. For each name a dict of
        parameters and their lists or distributions, as in
        :class:`~sklearn.model_selection.RandomizedSearchCV`. Every model gets the same number of
        candidates: the estimator as given, and random draws.

    n_candidates : int, default=10
        Candidates for each model with ``search``.

    search_cv : int or splitter, default=3
        Splits of each training part on which ``search`` chooses. With groups, an integer means
        :class:`~sklearn.model_selection.GroupKFold`.

    random_state : int or RandomState, default=None
        Draws the candidates of ``search``. The estimators and ``cv`` bring their own.

    callback : callable, default=None
        Called with a ``Fold`` after each fit, for example to show progress.

    Returns
    -------
    Comparison
        With ``table``, ``plot()``, ``best_`` and ``scores_``.

    See Also
    --------
    default_models : The models that ``sknets compare`` sets side by side.
    corrected_t_test : How a difference is told from noise.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sknets.model_selection import compare
    >>> X, y = load_iris(return_X_y=True)
    >>> comparison = compare({"guess": DummyClassifier(), "bayes": GaussianNB()}, X, y)
    >>> comparison.best_
    'bayes'
    >>> print(comparison.conclusion())
    Best: bayes, accuracy 0.9533. Worse: guess.
    """
    estimators = _named(estimators)
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise InvalidParameterError(
            "The 'scoring' parameter of compare must be the name of one scorer, or one. "
            f"Got {scoring!r} instead."
        )
    for estimator in estimators.values():
        check_scoring(estimator, scoring)
    label = _label(scoring, estimators)
    X, y = indexable(X, y)
    params = dict(params or {})
    classifier = all(map(is_classifier, estimators.values()))
    splits = list(check_cv(cv, y, classifier=classifier).split(X, y, groups=params.get("groups")))
    if search is None:
        params.pop("groups", None)  # They drew the splits; only a search draws more.
    else:
        if isinstance(search_cv, int) and "groups" in params:
            search_cv = GroupKFold(search_cv)
        candidates = _candidates(search, estimators, n_candidates, random_state)
        estimators = {
            name: GridSearchCV(estimator, candidates[name], scoring=scoring, cv=search_cv)
            for name, estimator in estimators.items()
        }

    tasks = [
        delayed(run_fold)(
            Fold(name, i, len(train), len(test)), estimator, X, y, (train, test), scoring, params
        )
        for name, estimator in estimators.items()
        for i, (train, test) in enumerate(splits)
    ]
    folds: list[Fold] = []
    try:
        # Threads, if joblib is told to use them, share one list of warnings filters and may leave
        # it changed: this puts it back.
        with warnings.catch_warnings():
            for fold in Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks):
                folds.append(fold)
                if callback is not None:
                    callback(fold)
    except KeyboardInterrupt:
        if not folds:
            raise
        message = f"Comparison interrupted by user after {len(folds)} of {len(tasks)} fits."
        warnings.warn(message, stacklevel=2)
    return Comparison(estimators, folds, n_splits=len(splits), scoring=label)


def _named(estimators) -> dict[str, BaseEstimator]:
    """The estimators as a dict, or an error that says what is allowed."""
    pairs = list(estimators.items() if isinstance(estimators, Mapping) else estimators)
    well_formed = pairs and all(
        isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)
        for pair in pairs
    )
    if not well_formed or len({name for name, _ in pairs}) < len(pairs):
        raise ValueError(
            "The 'estimators' parameter of compare must be a dict of names and estimators or a "
            f"list of (name, estimator) pairs with distinct names. Got {estimators!r} instead."
        )
    for name, estimator in pairs:
        if isinstance(estimator, type) or not callable(getattr(estimator, "predict", None)):
            raise TypeError(
                "The 'estimators' parameter of compare takes estimators with fit and predict. "
                f"Got {estimator!r} for {name!r} instead."
            )
    return dict(pairs)


def _label(scoring, estimators: Mapping[str, BaseEstimator]) -> str:
    """What the scores are called."""
    if scoring is not None:
        return scoring if isinstance(scoring, str) else getattr(scoring, "__name__", str(scoring))
    for is_role, label in ((is_classifier, "accuracy"), (is_regressor, "r2")):
        if all(map(is_role, estimators.values())):
            return label
    return "score"


def _candidates(
    spaces: Mapping[str, Any],
    estimators: Mapping[str, BaseEstimator],
    n_candidates: int,
    random_state,
) -> dict[str, list[dict[str, list]]]:
    """For each model the grids of one point that a search tries: none changed, then random ones."""
    if set(spaces) != set(estimators):
        raise ValueError(
            "The 'search' parameter of compare must have parameters for exactly the models that "
            f"are compared, {sorted(estimators)}, so that all are tuned alike. "
            f"Got {sorted(spaces)} instead."
        )
    if n_candidates < 2:
        raise ValueError(
            "The 'n_candidates' parameter of compare must be at least 2. "
            f"Got {n_candidates} instead."
        )
    drawn = {
        name: ParameterSampler(space, n_candidates - 1, random_state=random_state)
        for name, space in spaces.items()
    }
    return {
        name: [{}, *({key: [value] for key, value in draw.items()} for draw in draws)]
        for name, draws in drawn.items()
    }


def _notes(folds: Sequence[Fold], n_splits: int) -> list[str]:
    """Errors and warnings, each once with the number of splits it came from."""
    errors = Counter(fold.error for fold in folds if fold.error)
    warned = Counter(message for fold in folds for message in fold.warnings)
    notes = [f"{text} ({n} of {n_splits} splits)" for text, n in [*errors.items(), *warned.items()]]
    if len(folds) < n_splits:
        notes.append(f"interrupted after {len(folds)} of {n_splits} splits")
    return notes


def _verdict(verdict: str, p_value: float) -> str:
    if np.isnan(p_value):
        return verdict
    return WORSE if p_value < SIGNIFICANCE else WITHIN_NOISE


def _p_value(p_value: float) -> str:
    if np.isnan(p_value):
        return ""
    return "<.001" if p_value < 0.001 else f"{p_value:.3f}"


def _seconds(seconds: float) -> str:
    if np.isnan(seconds):
        return ""
    if seconds < 0.0995:
        return f"{1000 * seconds:.2g} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def _justified(text: str, width: int, heading: str) -> str:
    """Words to the left, numbers to the right."""
    return text.ljust(width) if heading in {"model", "verdict"} else text.rjust(width)
