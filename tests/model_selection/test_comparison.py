"""The function compare and the table, plot and texts of what it returns."""

import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, ShuffleSplit, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from skorch.callbacks import Callback

from sknets import MLPClassifier
from sknets.model_selection import compare, corrected_t_test, holm_correction

X, y = load_iris(return_X_y=True)
MODELS = {
    "guess": DummyClassifier(),
    "bayes": GaussianNB(),
    "stump": DecisionTreeClassifier(max_depth=1, random_state=0),
    "neighbors": KNeighborsClassifier(),
}
MACRO_RECALL = make_scorer(recall_score, average="macro")


class Failing(ClassifierMixin, BaseEstimator):
    """Cannot learn from data whose smallest first value is above `limit`."""

    def __init__(self, limit=-np.inf):
        self.limit = limit

    def fit(self, X, y):
        if X[:, 0].min() > self.limit:
            raise RuntimeError("no thanks\nand further lines")
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


class Doubtful(GaussianNB):
    def fit(self, X, y):
        warnings.warn("not quite sure", stacklevel=2)
        return super().fit(X, y)


class Interrupted(GaussianNB):
    def fit(self, X, y):
        raise KeyboardInterrupt


class CtrlC(Callback):
    def on_batch_end(self, net, **kwargs):
        raise KeyboardInterrupt


def verdicts(comparison):
    return {row.model: row.verdict for row in comparison.rows_}


# -- scores and tests


def test_scores_are_those_of_cross_validation():
    comparison = compare(MODELS, X, y, cv=4)
    for name, model in MODELS.items():
        np.testing.assert_array_equal(comparison.scores_[name], cross_val_score(model, X, y, cv=4))


def test_all_models_see_the_same_splits():
    draws = np.random.RandomState(0)
    splits = ShuffleSplit(5, test_size=0.2, random_state=draws)  # other rows at every call
    comparison = compare({"one": GaussianNB(), "two": GaussianNB()}, X, y, cv=splits)
    np.testing.assert_array_equal(comparison.scores_["one"], comparison.scores_["two"])
    assert comparison.best_ == "one"
    assert verdicts(comparison) == {"one": "best", "two": "within noise"}


def test_table_is_ranked_tested_and_timed():
    comparison = compare(MODELS, X, y)
    scores, table = comparison.scores_, comparison.table.set_index("model")
    others = [name for name in table.index if name != "neighbors"]
    p_values = [
        corrected_t_test(scores[name] - scores["neighbors"], n_train=120, n_test=30).p_value
        for name in others
    ]
    assert comparison.best_ == table.index[0] == "neighbors"
    assert table["mean"].is_monotonic_decreasing
    np.testing.assert_allclose(table["mean"], [scores[name].mean() for name in table.index])
    np.testing.assert_allclose(table["std"], [scores[name].std(ddof=1) for name in table.index])
    np.testing.assert_allclose(table["difference"], table["mean"] - table["mean"].iloc[0])
    np.testing.assert_allclose(table.loc[others, "p_value"], holm_correction(p_values))
    assert np.isnan(table.loc["neighbors", "p_value"])
    assert (table[["fit_time", "predict_time"]] > 0).all(axis=None)
    assert verdicts(comparison) == {
        "neighbors": "best",
        "bayes": "within noise",
        "stump": "worse",
        "guess": "worse",
    }


def test_one_split_cannot_be_tested():
    comparison = compare(MODELS, X, y, cv=ShuffleSplit(1, random_state=0))
    assert set(verdicts(comparison).values()) == {"best", "not tested"}
    assert np.isnan([row.std for row in comparison.rows_]).all()


def test_predicting_is_timed_on_a_thousand_rows():
    n_rows = set()

    class Counting(GaussianNB):
        def predict(self, X):
            n_rows.add(len(X))
            return super().predict(X)

    compare({"counting": Counting()}, X, y)
    assert n_rows == {30, 1000}  # once to score the test part, once to time


@pytest.mark.parametrize(
    ("scoring", "label"),
    [
        (None, "accuracy"),
        ("f1_macro", "f1_macro"),
        (make_scorer(recall_score, average="macro"), ""),
    ],
    ids=["default", "name", "callable"],
)
def test_scoring_may_be_a_name_or_callable(scoring, label):
    comparison = compare(MODELS, X, y, scoring=scoring)
    expected = cross_val_score(MODELS["bayes"], X, y, scoring=scoring)
    np.testing.assert_array_equal(comparison.scores_["bayes"], expected)
    assert label in comparison.scoring_


def test_regressors_are_scored_by_r2():
    models = {"mean": DummyRegressor(), "line": LinearRegression()}
    comparison = compare(models, X, X[:, 0] + X[:, 1], cv=3)
    assert comparison.scoring_ == "r2"
    assert comparison.scores_["line"] == pytest.approx(1)


def test_estimators_may_be_pairs_and_jobs_may_run_side_by_side():
    with parallel_config("threading"):
        comparison = compare(list(MODELS.items()), X, y, n_jobs=2)
    expected = compare(MODELS, X, y)
    assert list(comparison.estimators_) == list(MODELS)
    for name in MODELS:
        np.testing.assert_array_equal(comparison.scores_[name], expected.scores_[name])


# -- errors, warnings, Ctrl-C


@pytest.mark.parametrize(
    ("limit", "n_failed"), [(-np.inf, 5), (4.3, 1)], ids=["every split", "one split"]
)
def test_failing_model_is_reported_and_others_go_on(limit, n_failed):
    # 4.3 is the smallest value of the column and occurs once.
    comparison = compare({"failing": Failing(limit), "bayes": GaussianNB()}, X, y)
    *_, row = comparison.rows_
    assert comparison.best_ == "bayes"
    assert (row.model, row.verdict) == ("failing", "failed")
    assert row.note == f"RuntimeError: no thanks ({n_failed} of 5 splits)"
    assert np.isnan(row.mean)
    assert np.isnan(comparison.scores_["failing"]).sum() == n_failed
    failed = [fold for fold in comparison.folds_ if fold.error]
    assert all("and further lines" in fold.traceback for fold in failed)
    assert "Failed: failing." in comparison.conclusion()


def test_score_that_is_nan_is_a_failure():
    comparison = compare({"bayes": GaussianNB()}, X, y, scoring=lambda model, X, y: np.nan)
    assert comparison.best_ is None
    assert comparison.rows_[0].note == "ValueError: the score is nan (5 of 5 splits)"
    assert comparison.conclusion() == "No model finished."


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_warnings_become_notes(n_jobs):
    with parallel_config("threading"):
        comparison = compare({"doubtful": Doubtful(), "sure": GaussianNB()}, X, y, n_jobs=n_jobs)
    notes = {row.model: row.note for row in comparison.rows_}
    assert "UserWarning: not quite sure" in notes["doubtful"]
    if n_jobs is None:  # threads share what catches warnings
        assert notes == {"doubtful": "UserWarning: not quite sure (5 of 5 splits)", "sure": ""}


@pytest.mark.parametrize(
    "stopped",
    [Interrupted(), MLPClassifier(max_iter=5, random_state=0, callbacks=[CtrlC()])],
    ids=["raised", "answered by fit with a warning"],
)
def test_ctrl_c_keeps_what_was_finished(stopped):
    with pytest.warns(UserWarning, match="interrupted by user after 5 of 15 fits"):
        comparison = compare(
            {"bayes": GaussianNB(), "stopped": stopped, "late": GaussianNB()}, X, y
        )
    assert comparison.interrupted_
    assert verdicts(comparison) == {
        "bayes": "best",
        "stopped": "not finished",
        "late": "not finished",
    }


def test_ctrl_c_before_the_first_fit_is_passed_on():
    with pytest.raises(KeyboardInterrupt):
        compare({"interrupted": Interrupted()}, X, y)


@pytest.mark.parametrize(
    ("estimators", "error", "message"),
    [
        ({}, ValueError, "must be a dict of names and estimators or a list"),
        ([GaussianNB()], ValueError, "must be a dict of names and estimators or a list"),
        ([("a", GaussianNB()), ("a", GaussianNB())], ValueError, "distinct names"),
        ({"a": GaussianNB}, TypeError, "takes estimators with fit and predict"),
        ({"a": StandardScaler()}, TypeError, "takes estimators with fit and predict"),
    ],
    ids=["none", "no names", "one name twice", "a class", "a transformer"],
)
def test_wrong_estimators_are_refused(estimators, error, message):
    with pytest.raises(error, match=message):
        compare(estimators, X, y)


def test_wrong_scoring_is_refused_before_any_fit():
    with pytest.raises(ValueError, match=r"scoring.*'acuracy'"):
        compare({"interrupted": Interrupted()}, X, y, scoring="acuracy")


# -- params


def test_sample_weight_reaches_the_last_step_of_a_pipeline():
    weights = np.where(y == 2, 100.0, 1.0)
    models = {
        "plain": LogisticRegression(max_iter=1000),
        "pipeline": make_pipeline("passthrough", LogisticRegression(max_iter=1000)),
    }
    given = {"max_iter": [1000]}
    comparison = compare(models, X, y, params={"sample_weight": weights})
    unweighted = compare(models, X, y)
    tuned = compare(
        models,
        X,
        y,
        params={"sample_weight": weights},
        search={"plain": given, "pipeline": {"logisticregression__max_iter": [1000]}},
        n_candidates=2,
        random_state=0,
    )
    for name in models:
        np.testing.assert_array_equal(comparison.scores_[name], comparison.scores_["plain"])
        np.testing.assert_array_equal(tuned.scores_[name], comparison.scores_["plain"])
        assert (comparison.scores_[name] != unweighted.scores_[name]).any()


def test_sample_weight_reaches_a_pipeline_inside_a_target_transformer():
    line = make_pipeline(StandardScaler(), LinearRegression())
    models = {"plain": line, "inside": TransformedTargetRegressor(line)}
    params = {"sample_weight": np.linspace(0, 1, len(X)) ** 4}
    comparison = compare(models, X[:, :2], X[:, 3], params=params, cv=3)
    np.testing.assert_allclose(comparison.scores_["inside"], comparison.scores_["plain"])


def test_metadata_is_routed_where_that_is_enabled():
    weights = np.where(y == 2, 100.0, 1.0)
    with config_context(enable_metadata_routing=True):
        model = LogisticRegression(max_iter=1000).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        scorer = make_scorer(recall_score, average="macro").set_score_request(sample_weight=True)
        comparison = compare(
            {"pipeline": make_pipeline("passthrough", model)},
            X,
            y,
            params={"sample_weight": weights},
            scoring=scorer,
        )
        expected = cross_val_score(
            model, X, y, params={"sample_weight": weights}, scoring=scorer, error_score="raise"
        )
    np.testing.assert_array_equal(comparison.scores_["pipeline"], expected)


def test_groups_draw_the_splits_and_those_of_a_search():
    groups = np.arange(len(X)) % 6
    comparison = compare(
        {"neighbors": KNeighborsClassifier()},
        X,
        y,
        cv=LeaveOneGroupOut(),
        params={"groups": groups},
        search={"neighbors": {"n_neighbors": [1, 3, 9]}},
        n_candidates=2,
        random_state=0,
    )
    assert len(comparison.scores_["neighbors"]) == 6
    assert not np.isnan(comparison.scores_["neighbors"]).any()
    assert isinstance(comparison.estimators_["neighbors"].cv, GroupKFold)


# -- search


def test_search_gives_every_model_as_many_candidates_and_the_given_one_among_them():
    models = {"neighbors": KNeighborsClassifier(), "tree": DecisionTreeClassifier(random_state=0)}
    spaces = {"neighbors": {"n_neighbors": range(60, 80)}, "tree": {"max_depth": range(1, 20)}}
    comparison = compare(models, X, y, search=spaces, n_candidates=4, random_state=0)
    searches = comparison.estimators_.values()
    assert [len(search.param_grid) for search in searches] == [4, 4]
    # Sixty neighbours of three times forty flowers are too many.
    chosen = [fold.best_params for fold in comparison.folds_ if fold.model == "neighbors"]
    assert chosen == [{}] * 5


def test_search_draws_the_same_candidates_from_the_same_seed():
    def candidates(seed):
        models = {"neighbors": KNeighborsClassifier()}
        space = {"neighbors": {"n_neighbors": range(1, 60)}}
        splits = ShuffleSplit(1, random_state=0)
        comparison = compare(models, X, y, cv=splits, search=space, random_state=seed)
        return comparison.estimators_["neighbors"].param_grid

    assert candidates(0) == candidates(0)
    assert candidates(0) != candidates(1)


@pytest.mark.parametrize(
    ("search", "n_candidates", "message"),
    [
        ({"bayes": {"var_smoothing": [1e-9, 1e-6]}}, 2, "exactly the models that are compared"),
        ({name: {} for name in MODELS}, 1, "must be at least 2. Got 1 instead"),
    ],
    ids=["a model is missing", "nothing to choose from"],
)
def test_unfair_search_is_refused(search, n_candidates, message):
    with pytest.raises(ValueError, match=message):
        compare(MODELS, X, y, search=search, n_candidates=n_candidates)


# -- what is shown


def test_callback_sees_every_fit():
    seen = []
    compare(MODELS, X, y, cv=3, callback=seen.append)
    assert [(fold.model, fold.fold) for fold in seen] == [(m, i) for m in MODELS for i in range(3)]
    assert all(fold.wall_time > fold.fit_time > 0 for fold in seen)


def test_repr_shows_the_table_the_conclusion_and_the_notes():
    lines = repr(compare({"bayes": GaussianNB(), "failing": Failing()}, X, y)).splitlines()
    assert lines[0].split()[:2] == ["model", "accuracy"]
    assert lines[1].startswith("bayes      0.9533  0.0298")
    assert lines[1].endswith("best")
    assert lines[3] == "Best: bayes, accuracy 0.9533. Failed: failing."
    assert lines[4] == "failing: RuntimeError: no thanks (5 of 5 splits)"


def test_html_repr_is_escaped():
    html = compare({"a<b": GaussianNB()}, X, y)._repr_html_()
    assert "<td>a&lt;b</td>" in html
    assert "a<b" not in html


def test_large_scores_have_fewer_decimals():
    models = {"mean": DummyRegressor(), "line": LinearRegression()}
    scoring = "neg_root_mean_squared_error"
    comparison = compare(models, X, 1e4 * X[:, 0], cv=3, scoring=scoring)
    assert {row[0]: row[1] for row in comparison.cells()}["line"] == "-0"
    assert "." not in {row[0]: row[1] for row in comparison.cells()}["mean"]


def test_plot_draws_every_model_that_finished():
    pytest.importorskip("matplotlib")
    comparison = compare({**MODELS, "failing": Failing()}, X, y)
    ax = comparison.plot()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == [f"{row.model}\n({row.verdict})" for row in comparison.rows_[:-1]]
    assert comparison.plot(ax=ax) is ax
