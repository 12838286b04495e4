"""The default line-up learns from numbers, categories and gaps in either task."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import ParameterSampler

from sknets.model_selection import default_models, default_search
from sknets.model_selection.lineup import LINE_UP, Columns, default_names, smooth_clip

rng = np.random.default_rng(0)
N = 60
MIXED = pd.DataFrame(
    {
        "size": np.where(np.arange(N) % 7 == 0, np.nan, rng.normal(size=N)),
        "count": rng.integers(0, 9, N),
        "color": rng.choice(["red", "green", "blue"], N),
        "id": [f"row {i}" for i in range(N)],
        "gap": [np.nan if i % 5 == 0 else "there" for i in range(N)],
    }
)
TARGETS = {
    "classification": (MIXED["count"] > 4).to_numpy().astype(int),
    "regression": 100.0 + 10 * MIXED["count"].to_numpy(),
}


def fast(model):
    """The same with a network of one small layer."""
    sizes = [name for name in model.get_params() if name.endswith("hidden_layer_sizes")]
    return clone(model).set_params(**dict.fromkeys(sizes, (10,)))


@pytest.mark.global_state("numpy random state")  # scikit-learn's SVR draws from it
@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("name", LINE_UP)
def test_model_learns_from_mixed_columns_and_predicts_unknown_categories(name, task):
    model = fast(default_models(MIXED, task, names=[name], random_state=0)[name])
    y = TARGETS[task]
    assert model.fit(MIXED, y).score(MIXED, y) > (0.7 if task == "classification" else 0.2)
    unknown = MIXED.assign(color="violet", gap="new")
    assert model.predict(unknown).shape == (N,)


@pytest.mark.parametrize("task", TARGETS)
def test_models_take_arrays(task):
    X = MIXED[["size", "count"]].to_numpy()
    names = ["linear", "hist_gradient_boosting"]
    for model in default_models(X, task, names=names, random_state=0).values():
        assert model.fit(X, TARGETS[task]).predict(X).shape == (N,)


@pytest.mark.global_state("numpy random state")
@pytest.mark.parametrize("task", TARGETS)
def test_search_varies_parameters_that_the_models_have(task):
    models = default_models(MIXED, task, names=LINE_UP, probabilities=True, random_state=0)
    spaces = default_search(models)
    assert list(spaces) == list(models)
    for name, space in spaces.items():
        (draw,) = ParameterSampler(space, 1, random_state=0)
        assert draw
        fast(models[name].set_params(**draw)).fit(MIXED, TARGETS[task])


def test_probabilities_calibrates_what_has_none():
    y = TARGETS["classification"]
    models = default_models(MIXED, names=["svm", "linear"], probabilities=True, random_state=0)
    for model in models.values():
        np.testing.assert_allclose(model.fit(MIXED, y).predict_proba(MIXED).sum(axis=1), 1)


def test_kernel_is_approximated_on_many_rows():
    few, many = default_names(np.zeros((10_000, 1))), default_names(np.zeros((10_001, 1)))
    assert set(few) ^ set(many) == {"svm", "nystroem_svm"}
    assert "svm" in few


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ["svm", "oracle"]}, "must be among network, svm, .*Got oracle instead"),
        ({"task": "clustering"}, "must be one of classification, regression. Got 'clustering'"),
    ],
    ids=["name", "task"],
)
def test_wrong_arguments_say_what_is_allowed(arguments, message):
    with pytest.raises(ValueError, match=message):
        default_models(MIXED, **arguments)


@pytest.mark.parametrize("n_rows", [100, 5_000])
def test_network_sees_more_of_a_number_where_rows_are_many(n_rows):
    draws = np.random.default_rng(0)
    smooth = draws.normal(size=n_rows)
    spiked = np.where(draws.random(n_rows) < 0.6, 0, draws.choice([1.0, 7.0, 9.0], n_rows))
    X = np.column_stack([smooth, spiked])
    assert Columns.of(X) == ([0, 1], [], [1])
    prepare = default_models(X, names=["network"])["network"]["prepare"]
    x = prepare.fit_transform(X)
    if n_rows == 100:
        assert x.shape == (n_rows, 2)
    else:  # 15 hats for the smooth one, an indicator for each value of the spiked one
        assert x.shape == (n_rows, 2 + 15 + 4)
        assert ((x[:, 2:17] > 0).sum(axis=1) <= 2).all()
        np.testing.assert_array_equal(x[:, 17:].sum(axis=1), 1)


def test_columns_of_a_frame_are_told_by_type_and_spike():
    frame = MIXED.assign(mostly=np.where(np.arange(N) < 40, np.nan, np.arange(N)), yes=True)
    names = list(frame)
    numeric, categorical, spiked = ([names[i] for i in places] for places in Columns.of(frame))
    assert numeric == ["size", "count", "mostly"]
    assert categorical == ["color", "id", "gap", "yes"]
    assert spiked == ["mostly"]


def test_columns_may_be_named_by_numbers():
    frame = pd.DataFrame({5: np.arange(N), 0: np.tile(["a", "b"], N // 2), 1: np.arange(N)})
    assert Columns.of(frame) == ([0, 2], [1], [])


def test_nullable_whole_numbers_may_be_missing():
    values = pd.array([1, None, 3, 4] * (N // 4), dtype="Int64")
    frame = pd.DataFrame({"count": values, "size": np.arange(N)})
    target = np.tile([0, 1], N // 2)
    for name, model in default_models(frame, random_state=0).items():
        if name != "network":
            assert model.fit(frame, target).predict(frame).shape == (N,)


def test_smooth_clip_leaves_the_middle_and_bounds_the_rest():
    np.testing.assert_allclose(
        smooth_clip(np.array([0, 0.1, -1e9, 1e9])), [0, 0.1, -3, 3], rtol=1e-3
    )


def test_one_model_may_be_named():
    assert list(default_models(MIXED, names="svm")) == ["svm"]


def test_search_of_an_unknown_model_is_an_error():
    with pytest.raises(ValueError, match=r"must have names among network, .* Got mine instead"):
        default_search({"mine": None})
