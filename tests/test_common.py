"""What every public estimator does, whatever its family: scikit-learn's contract and our own.

`ESTIMATORS` is the one table: an estimator that `sknets` exports without a row in it fails here.
"""

import copy
import importlib
import inspect
import io
import pickle
import random
import threading
from typing import NamedTuple

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import DataConversionWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch import callbacks as skorch_callbacks

import sknets
from sknets import DBM, BernoulliRBM
from sknets.cnn import ConvNet
from sknets.inspection import check_gradients

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose


class Row(NamedTuple):
    """What the table says of an estimator.

    Those of tier 2 take data that cannot be rows with a target each: a label for each step, a whole
    series, texts, or captions. Of scikit-learn's checks, which feed rows, none makes sense for
    them, and of the tests here those that take the data of `SAMPLES`.
    """

    tier: int
    tags: dict  # those that differ from scikit-learn's defaults
    methods: set  # beside those of every estimator
    absent: dict  # method -> settings under which it cannot work


COMMON_METHODS = {
    "fit",
    "get_metadata_routing",
    "get_params",
    "set_callbacks",
    "set_params",
    "summary",
}
TRANSFORMER = {"fit_transform", "get_feature_names_out", "set_output", "transform"}
NO_HIDDEN_LAYER = [{"hidden_layer_sizes": ()}]
FULL_BATCH = [{"solver": solver} for solver in ("lbfgs", "bfgs", "cg", "newton-cg")]
HINGE = [{"loss": "hinge"}, {"loss": "squared_hinge"}]

CLASSIFIER = Row(
    tier=1,
    tags={
        "estimator_type": "classifier",
        "classifier_tags.multi_label": True,
        "input_tags.sparse": True,
        "target_tags.multi_output": True,
        "target_tags.required": True,
    },
    methods=TRANSFORMER
    | {"partial_fit", "set_partial_fit_request", "score", "set_score_request", "set_fit_request"}
    | {"predict", "predict_proba", "predict_log_proba", "decision_function"},
    absent={"predict_proba": HINGE, "predict_log_proba": HINGE, "partial_fit": FULL_BATCH},
)
REGRESSOR = Row(
    tier=1,
    tags={
        "estimator_type": "regressor",
        "input_tags.sparse": True,
        "target_tags.multi_output": True,
        "target_tags.required": True,
    },
    methods=TRANSFORMER
    | {"partial_fit", "set_partial_fit_request", "score", "set_score_request", "set_fit_request"}
    | {"predict"},
    absent={"partial_fit": FULL_BATCH},
)
TAGGER = CLASSIFIER._replace(tier=2)
FORECASTER = REGRESSOR._replace(tier=2, methods=REGRESSOR.methods - TRANSFORMER | {"forecast"})
TEXT_TAGS = {"input_tags.string": True, "input_tags.two_d_array": False, "input_tags.sparse": False}
LANGUAGE_MODEL = Row(
    tier=2,
    tags=TEXT_TAGS | {"target_tags.required": False},
    methods={"partial_fit", "predict_proba", "sample", "score", "score_samples"}
    | {"perplexity", "bits_per_character"},
    absent={},
)
WRITER = Row(
    tier=2,
    tags=TEXT_TAGS | {"target_tags.required": True},
    methods={"partial_fit", "predict", "score", "set_score_request", "token_accuracy", "bleu"},
    absent={},
)
RESTRICTED = Row(
    tier=1,
    tags={"input_tags.sparse": True, "target_tags.required": False},
    methods=TRANSFORMER
    | {"partial_fit", "inverse_transform", "reconstruct", "gibbs", "sample"}
    | {"free_energy", "score_samples", "log_partition", "log_likelihood"}
    | {"log_likelihood_bound"},
    absent={},
)
MACHINE = RESTRICTED._replace(
    methods=RESTRICTED.methods
    - {"inverse_transform", "reconstruct", "gibbs", "log_likelihood_bound"}
)
BELIEF = RESTRICTED._replace(
    methods=TRANSFORMER
    | {"partial_fit", "inverse_transform", "reconstruct", "sample", "log_likelihood_bound"}
)
DEEP = BELIEF._replace(methods=BELIEF.methods | {"free_energy", "log_partition", "log_likelihood"})
CODER = RESTRICTED._replace(
    methods=TRANSFORMER
    | {"partial_fit", "set_partial_fit_request", "set_fit_request"}
    | {"inverse_transform", "reconstruct", "score", "score_samples"},
    absent={"partial_fit": FULL_BATCH},
)
DETECTOR = CODER._replace(
    tags=CODER.tags | {"estimator_type": "outlier_detector"},
    methods=CODER.methods | {"predict", "fit_predict", "decision_function"},
)
VARIATIONAL = CODER._replace(methods=CODER.methods | {"interpolate", "log_likelihood", "sample"})
SEQUENCE_CODER = CODER._replace(methods=CODER.methods | {"set_inverse_transform_request"})
PLAYERS = CODER._replace(
    methods=CODER.methods - {"inverse_transform", "reconstruct"}
    | {"generate", "interpolate", "invert", "sample", "two_sample_report"}
)
SHALLOW = {"transform": NO_HIDDEN_LAYER, "fit_transform": NO_HIDDEN_LAYER}

ESTIMATORS = {
    "Autoencoder": CODER,
    "AutoencoderOutlierDetector": DETECTOR,
    "BernoulliRBM": RESTRICTED,
    "BoltzmannMachine": MACHINE,
    "CNNClassifier": CLASSIFIER,
    "CNNRegressor": REGRESSOR,
    "ConvAutoencoder": CODER,
    "DBM": DEEP,
    "DBMClassifier": CLASSIFIER,
    "DBN": BELIEF,
    "DBNClassifier": CLASSIFIER,
    "DCGAN": PLAYERS,
    "DBNRegressor": REGRESSOR,
    "GAN": PLAYERS,
    "GaussianRBM": RESTRICTED,
    "ImageCaptioner": WRITER,
    "LanguageModel": LANGUAGE_MODEL,
    "MultimodalDBN": BELIEF._replace(
        methods=BELIEF.methods | {"predict_modality", "sample_modality"}
    ),
    "MLPClassifier": CLASSIFIER._replace(absent=CLASSIFIER.absent | SHALLOW),
    "MLPRegressor": REGRESSOR._replace(absent=REGRESSOR.absent | SHALLOW),
    "ProgressiveGAN": PLAYERS,
    "RNNClassifier": CLASSIFIER,
    "RNNForecaster": FORECASTER,
    "RNNRegressor": REGRESSOR,
    "RNNTagger": TAGGER,
    "RecurrentAutoencoder": SEQUENCE_CODER,
    "Seq2Seq": WRITER,
    "StyleGAN": PLAYERS._replace(methods=PLAYERS.methods | {"mix_styles"}),
    "VariationalAutoencoder": VARIATIONAL,
}
NAMES = list(ESTIMATORS)
OF_ROWS = [n for n in NAMES if ESTIMATORS[n].tier == 1]
CLASSIFIERS = [n for n in OF_ROWS if ESTIMATORS[n].tags.get("estimator_type") == "classifier"]
REGRESSORS = [n for n in OF_ROWS if ESTIMATORS[n].tags.get("estimator_type") == "regressor"]
SUPERVISED = CLASSIFIERS + REGRESSORS
WEIGHTED = [n for n in SUPERVISED if not n.startswith("DB")]  # machines know no weights
CODERS = [n for n in NAMES if "Autoencoder" in n]
GROWING = ("ProgressiveGAN", "StyleGAN")
ADVERSARIAL = [n for n in NAMES if ESTIMATORS[n].methods >= PLAYERS.methods]
RBMS = [n for n in NAMES if ESTIMATORS[n] is RESTRICTED]
MACHINES = [*RBMS, "BoltzmannMachine", "DBM", "DBN", "MultimodalDBN"]
DESCENDING = [n for n in NAMES if n not in RBMS]  # which have the words of gradient descent
TRANSFORMERS = [n for n in OF_ROWS if "transform" in ESTIMATORS[n].methods]
INCREMENTAL = [n for n in OF_ROWS if "partial_fit" in ESTIMATORS[n].methods]
OUTPUTS = ("predict", "predict_proba", "decision_function", "transform", "score_samples")

each = pytest.mark.parametrize("name", NAMES)
each_of_rows = pytest.mark.parametrize("name", OF_ROWS)
each_supervised = pytest.mark.parametrize("name", SUPERVISED)
each_classifier = pytest.mark.parametrize("name", CLASSIFIERS)
each_regressor = pytest.mark.parametrize("name", REGRESSORS)
each_weighted = pytest.mark.parametrize("name", WEIGHTED)
each_transformer = pytest.mark.parametrize("name", TRANSFORMERS)
each_incremental = pytest.mark.parametrize("name", INCREMENTAL)

X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
ROWS = np.random.default_rng(0).permutation(150)[:90]
X, y = X[ROWS], y[ROWS]
WEIGHT = np.random.default_rng(1).uniform(0.5, 2.0, 90)


class Sample(NamedTuple):
    """What an estimator is fitted to, and what it is asked of then."""

    X: object
    y: object
    asked: object


WORDS = np.random.default_rng(2).choice(["one", "two", "three"], size=(60, 3))
TEXTS = [" ".join(words) for words in WORDS]
BACKWARDS = [" ".join(words[::-1]) for words in WORDS]
IMAGES = np.random.default_rng(3).random((60, 6, 6))
SAMPLES = dict.fromkeys(OF_ROWS, Sample(X, y, X)) | {
    "ImageCaptioner": Sample(IMAGES, TEXTS, IMAGES[:9]),
    "LanguageModel": Sample(TEXTS, None, TEXTS[:9]),
    "RNNForecaster": Sample(X, X.sum(1), X[:7]),
    "RNNTagger": Sample(X, (X > 0).astype(int), X),
    "Seq2Seq": Sample(TEXTS, BACKWARDS, TEXTS[:9]),
}


def fitted_to(estimator, X=None, y=None):
    """An estimator, fitted to its sample or to other data."""
    sample = SAMPLES[type(estimator).__name__]
    return estimator.fit(*(sample[:2] if X is None else (X, y)))


def other_sample(name):
    """Data and targets that differ from those of the sample."""
    if name in OF_ROWS:
        return -X[:60, :2], y[:60]
    data, target, _ = SAMPLES[name]
    return data[:40], target if target is None else target[:40]


UNKNOWN = ("lr",)  # which no estimator has
SNAPSHOTS = {"averaging": "snapshots", "n_snapshots": 2}
OF_TEXTS = [n for n in NAMES if ESTIMATORS[n].tags.get("input_tags.string", False)]


def suits(name, settings):
    """Whether an estimator can have some settings; those of texts are trained by minibatches."""
    if name in RBMS:
        return not settings
    if settings in FULL_BATCH:
        return name not in (*OF_TEXTS, *MACHINES, *ADVERSARIAL, "VariationalAutoencoder")
    if settings.get("averaging") == "snapshots":
        return name not in (*OF_TEXTS, *MACHINES, *CODERS, *ADVERSARIAL)
    return True


def each_that_suits(*all_settings):
    """Every estimator with each of some settings that it can have."""
    pairs = [(n, s) for n in NAMES for s in all_settings if suits(n, s)]
    ids = [f"{n}-{s}" for n, s in pairs]
    return pytest.mark.parametrize(("name", "settings"), pairs, ids=ids)


OF_SEQUENCES = {
    "ImageCaptioner": {"architecture": ConvNet(channels=4, dense=8)},
    "LanguageModel": {"window": 4},
    "RNNForecaster": {"window": 4, "difference": 1},
    "RecurrentAutoencoder": {"n_components": 4},
}


OF_MACHINES = {
    "BoltzmannMachine": {"n_components": 8, "n_chains": 20},
    "DBM": {
        "hidden_layer_sizes": (8, 8),
        "rbm": BernoulliRBM(n_iter=2, batch_size=30),
        "n_chains": 20,
        "centring": False,  # so that it has all solvers
    },
    "DBN": {
        "hidden_layer_sizes": (8, 8),
        "rbm": BernoulliRBM(n_iter=2, batch_size=30),
        "fine_tuning": "up_down",
    },
}
OF_MACHINES["MultimodalDBN"] = OF_MACHINES["DBN"] | {
    "hidden_layer_sizes": ((8,), (8,)),
    "n_components": 8,
}
OF_BELIEFS = ("DBNClassifier", "DBNRegressor")
RBM_WORDS = {"learning_rate_init": "learning_rate", "max_iter": "n_iter"}


def make(name, **settings):
    """An estimator that fits in a few hundredths of a second; what it does not know is left out."""
    if name in RBMS:
        settings = {RBM_WORDS.get(k, k): v for k, v in settings.items() if k != "learning_rate"}
        known = inspect.signature(getattr(sknets, name)).parameters
        settings = {k: v for k, v in settings.items() if k in known or k in UNKNOWN}
        small = {"n_components": 8, "n_iter": 4, "batch_size": 30, "random_state": 0}
        settings = small | settings
        if settings["batch_size"] == "full":
            settings["batch_size"] = 1000
        return getattr(sknets, name)(**settings)
    if name == "DBMClassifier":
        settings = {"dbm": DBM(rbm=BernoulliRBM(n_iter=2, batch_size=30), max_iter=1)} | settings
    if name in OF_BELIEFS:
        settings = {"rbm": BernoulliRBM(n_iter=2, batch_size=30)} | settings
    if name.startswith("CNN"):
        of_network = ("activation", "batch_norm", "dropout")
        inside = {k: settings.pop(k) for k in of_network if k in settings}
        network = {"architecture": ConvNet(channels=4, dense=8, **inside)}
    elif name in ("ConvAutoencoder", "DCGAN", *GROWING):
        network = {"n_components": 8, "filters": 4}
        for of_others in ("activation", "batch_norm", "dropout") if name in GROWING else ():
            settings.pop(of_others, None)
    elif name.startswith(("Auto", "GAN", "Variat", "MLP", "DBMC", "DBNC", "DBNR")):
        network = {"hidden_layer_sizes": (8,)}
    elif name in MACHINES:
        network = OF_MACHINES[name]
        for of_others in ("activation", "batch_norm", "dropout"):
            settings.pop(of_others, None)
    else:
        network = {"hidden_layer_sizes": (8,)} | OF_SEQUENCES.get(name, {})
        for of_others in ("activation", "batch_norm"):
            settings.pop(of_others, None)
    settings = (
        network
        | {
            "max_iter": 4,
            "batch_size": 30,
            "learning_rate_init": 0.01,
            "random_state": 0,
        }
        | settings
    )
    return getattr(sknets, name)(**settings)


def learner(name, **settings):
    """One that learns the data well enough to be told from chance."""
    settings = {"learning_rate": "one_cycle", "learning_rate_init": 0.05} | settings
    if name == "VariationalAutoencoder":
        settings = {"beta": 0.1} | settings  # or codes of four columns say little of them
    if name in GROWING:
        settings = settings | {"learning_rate_init": 0.005, "filters": 16}
    return make(name, **{"max_iter": 15, "batch_size": 10} | settings)


def outputs(estimator, X=None):
    """All that an estimator says of some data."""
    X = SAMPLES[type(estimator).__name__].asked if X is None else X
    methods = [method for method in OUTPUTS if hasattr(estimator, method)]
    return {method: comparable(getattr(estimator, method)(X)) for method in methods}


def comparable(values):
    """An array as it is, or whatever holds several."""
    return np.array(values) if isinstance(values, list) else values


def parameters(estimator):
    """All parameters, with objects among them as they are written."""
    return {
        name: repr(value) if isinstance(value, BaseEstimator) else value
        for name, value in estimator.get_params().items()
    }


def weights(estimator):
    """The network's parameters by their names, without those of the modules around it."""
    named = estimator.module_.named_parameters()
    return {name.removeprefix("network."): p.detach().numpy() for name, p in named}


def same_weights(a, b):
    """Whether two networks are the same."""
    ours, theirs = weights(a), weights(b)
    return all(np.array_equal(ours[key], theirs[key]) for key in ours)


def assert_same_outputs(a, b, X=None):
    """Two estimators say the same, bit for bit."""
    ours, theirs = outputs(a, X), outputs(b, X)
    assert ours.keys() == theirs.keys()
    for method, values in ours.items():
        assert_array_equal(values, theirs[method], err_msg=method)


def tag(estimator, path):
    value = estimator.__sklearn_tags__()
    for part in path.split("."):
        value = getattr(value, part)
    return value


# -- the table


def test_table_has_exactly_the_exported_estimators():
    exported = {
        name
        for name in sknets.__all__
        if inspect.isclass(getattr(sknets, name))
        and issubclass(getattr(sknets, name), BaseEstimator)
    }
    assert exported == set(ESTIMATORS)


def test_all_is_sorted_and_everything_in_it_exists():
    assert len(set(sknets.__all__)) == len(sknets.__all__)
    assert all(hasattr(sknets, name) for name in sknets.__all__)


@each
def test_tags_are_those_of_the_table(name):
    estimator = getattr(sknets, name)()
    for path, value in ESTIMATORS[name].tags.items():
        assert tag(estimator, path) == value, path


SILENCING = {
    "_skip_test": False,
    "no_validation": False,
    "non_deterministic": False,
    "requires_fit": True,
    "input_tags.two_d_array": True,
    "input_tags.allow_nan": False,
    "input_tags.positive_only": False,
    "input_tags.pairwise": False,
    "target_tags.positive_only": False,
}


@pytest.mark.parametrize("name", [n for n in NAMES if ESTIMATORS[n].tier == 1])
def test_no_tag_silences_a_check(name):
    estimator = getattr(sknets, name)()
    for path, value in SILENCING.items():
        assert tag(estimator, path) == value, path
    for role in ("classifier_tags", "regressor_tags"):
        if tag(estimator, role) is not None:
            assert not tag(estimator, f"{role}.poor_score")
    if tag(estimator, "classifier_tags") is not None:
        assert tag(estimator, "classifier_tags.multi_class")


@each
def test_methods_are_those_of_the_table(name):
    estimator = getattr(sknets, name)()
    methods = {
        m for m in dir(estimator) if not m.startswith("_") and callable(getattr(estimator, m, None))
    }
    assert methods == ESTIMATORS[name].methods | COMMON_METHODS


@pytest.mark.parametrize(
    ("name", "method", "settings"),
    [
        pytest.param(name, method, settings, id=f"{name}-{method}-{settings}")
        for name, row in ESTIMATORS.items()
        for method, all_settings in row.absent.items()
        for settings in all_settings
    ],
)
def test_methods_that_cannot_work_are_absent(name, method, settings):
    estimator = make(name, **settings)
    assert not hasattr(estimator, method)
    pipe = make_pipeline(StandardScaler(), estimator)
    if method != "partial_fit":  # a Pipeline has none
        assert not hasattr(pipe, method)
    with pytest.raises(AttributeError):
        getattr(estimator, method)
    assert hasattr(make(name), method)


# -- scikit-learn's checks

FEW_EPOCHS = {
    "DBMClassifier": {"max_iter": 100},
    "DBNClassifier": {"max_iter": 100},
    "DBNRegressor": {"max_iter": 100},
    "RNNRegressor": {"max_iter": 200},
    **{n: {"n_iter": 5} for n in RBMS},
}


@pytest.mark.global_state("numpy random state", "python random state")
@parametrize_with_checks(
    [
        getattr(sknets, n)(**FEW_EPOCHS.get(n, {"max_iter": 20}))
        for n in NAMES
        if ESTIMATORS[n].tier == 1
    ]
)
def test_scikit_learn_finds_no_fault(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.global_state("numpy random state", "python random state")
@parametrize_with_checks([getattr(sknets, n)() for n in NAMES if ESTIMATORS[n].tier == 1])
def test_scikit_learn_finds_no_fault_in_the_defaults(estimator, check):
    check(estimator)


# -- copies


@each
def test_clone_has_the_parameters_and_nothing_else(name):
    for estimator in (make(name), fitted_to(make(name))):
        cloned = clone(estimator)
        assert parameters(cloned) == parameters(estimator)
        assert vars(cloned).keys() == estimator.get_params(deep=False).keys()
    assert_same_outputs(fitted_to(cloned), estimator)


def by_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "joblib": by_joblib,
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@each_that_suits({}, {"averaging": "ema", "batch_norm": True}, {"solver": "lbfgs"})
@pytest.mark.parametrize("how", COPIES)
@pytest.mark.filterwarnings("ignore:lbfgs failed")
def test_copies_say_the_same_and_live_on_their_own(name, how, settings):
    estimator = fitted_to(make(name, **settings))
    before = outputs(estimator)
    copied = COPIES[how](estimator)
    assert parameters(copied) == parameters(estimator)
    assert_same_outputs(copied, estimator)
    fitted_to(copied, *other_sample(name))
    for method, values in outputs(estimator).items():
        assert_array_equal(values, before[method])


@each_incremental
@pytest.mark.parametrize("how", COPIES)
def test_copies_go_on_training_without_disturbing_the_original(name, how):
    estimator = make(name).fit(X, y)
    never_copied = make(name).fit(X, y).partial_fit(X, y)
    COPIES[how](estimator).partial_fit(X, y)
    copied = COPIES[how](estimator)
    assert_same_outputs(estimator.partial_fit(X, y), never_copied)
    assert_same_outputs(copied.partial_fit(X, y), never_copied)


@each
def test_unfitted_estimator_can_be_copied(name):
    for how, copied in COPIES.items():
        assert parameters(copied(make(name))) == parameters(make(name)), how


@each_that_suits({}, SNAPSHOTS)
def test_saved_estimators_come_back(name, settings, tmp_path):
    pytest.importorskip("safetensors")
    for estimator in (make(name, **settings), fitted_to(make(name, **settings))):
        sknets.save(estimator, tmp_path / "net.sknets")
        loaded = sknets.load(tmp_path / "net.sknets")
        assert parameters(loaded) == parameters(estimator)
    assert_same_outputs(loaded, estimator)


PLAIN = (bool, int, float, str, type(None), np.bool_, np.integer, np.floating)


def assert_plain(value, where):
    """Nothing but plain values, arrays of them, and the containers of the language."""
    if isinstance(value, dict):
        for key, child in value.items():
            assert_plain(key, f"{where} key")
            assert_plain(child, f"{where}[{key!r}]")
    elif isinstance(value, BaseEstimator):
        assert_plain(value.__getstate__(), where)
    elif type(value) in (list, tuple):
        for i, child in enumerate(value):
            assert_plain(child, f"{where}[{i}]")
    elif type(value) is np.ndarray:
        assert value.dtype.kind in "biufUO", where
        if value.dtype.kind == "O":
            assert_plain(value.tolist(), where)
    else:
        assert isinstance(value, PLAIN), f"{where} is {value!r}"


class Recorder(pickle.Unpickler):
    """Remembers the packages of everything that a pickle refers to by name."""

    def find_class(self, module, name):
        self.packages.add(module.split(".")[0])
        return super().find_class(module, name)


def packages_in(estimator):
    recorder = Recorder(io.BytesIO(pickle.dumps(estimator)))
    recorder.packages = set()
    recorder.load()
    return recorder.packages


@each_that_suits(
    {},
    {"solver": "sgd", "averaging": "polyak"},
    {**SNAPSHOTS, "batch_norm": True, "dropout": 0.2},
    {"early_stopping": True, "learning_rate": "cosine"},
    {"solver": "lbfgs"},
)
@pytest.mark.filterwarnings("ignore:lbfgs failed")
def test_pickled_state_is_plain_values_and_arrays(name, settings):
    data, target, _ = SAMPLES[name]
    if name in CLASSIFIERS:
        target = np.array(["a", "b", "c"], dtype=object)[y]
    estimator = make(name, **settings).fit(data, target)
    assert_plain(estimator.__getstate__(), name)
    assert packages_in(estimator) == {"sknets", "numpy"}


# -- repetition


@each
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True, "dropout": 0.3}])
def test_refit_equals_a_fresh_fit(name, settings):
    estimator = fitted_to(make(name, **settings), *other_sample(name))
    fitted_to(estimator)
    fresh = fitted_to(make(name, **settings))
    assert_same_outputs(estimator, fresh)
    assert vars(estimator).keys() == vars(fresh).keys()


@each
def test_same_random_state_gives_the_same_network(name):
    assert_same_outputs(fitted_to(make(name)), fitted_to(make(name)))
    other = fitted_to(make(name, random_state=1))
    assert not same_weights(other, fitted_to(make(name)))


@each
def test_random_state_instance_is_drawn_from_at_each_fit(name):
    instance = np.random.RandomState(3)
    estimator = make(name, random_state=instance)
    first, second = (copy.deepcopy(fitted_to(estimator)) for _ in range(2))
    again = fitted_to(make(name, random_state=np.random.RandomState(3)))
    assert_same_outputs(first, again)
    assert same_weights(first, again)
    assert not same_weights(first, second)


@pytest.mark.global_state("numpy random state")
@each
def test_without_random_state_the_seed_comes_from_numpys_global_state(name):
    python, torchs = random.getstate(), torch.get_rng_state()
    np.random.seed(5)
    first = fitted_to(make(name, random_state=None, dropout=0.2))
    second = fitted_to(make(name, random_state=None, dropout=0.2))
    np.random.seed(5)
    again = fitted_to(make(name, random_state=None, dropout=0.2))
    assert same_weights(again, first)
    for estimator in (first, again):  # some draw a seed when they score, too
        estimator.set_params(random_state=0)
    assert_same_outputs(again, first)
    assert not same_weights(first, second)
    assert random.getstate() == python
    assert torch.equal(torch.get_rng_state(), torchs)


@each
@pytest.mark.parametrize(
    "settings", [{"dropout": 0.3, "batch_norm": True}, {"early_stopping": True}]
)
def test_no_public_method_touches_global_state(name, settings):
    # The fixture `global_state` compares random states, dtype, threads, filters and more.
    estimator = fitted_to(make(name, **settings, activation="prelu"))
    data, target, asked = SAMPLES[name]
    if name not in RBMS:
        estimator.set_params(early_stopping=False)
    estimator.partial_fit(data, target)
    outputs(estimator)
    arguments = {
        "bits_per_character": (asked,),
        "fit_transform": (data, target),
        "forecast": (target, 3, asked[:3], data),
        "free_energy": (data,),
        "get_feature_names_out": (),
        "log_likelihood": (data,),
        "log_likelihood_bound": (data,),
        "log_partition": (),
        "reconstruct": (data,),
        "perplexity": (asked,),
        "predict_log_proba": (asked,),
        "score": (data, target),
        "summary": (),
        "token_accuracy": (data, target),
    }
    for method in arguments.keys() & set(dir(estimator)):
        getattr(estimator, method)(*arguments[method])
    if hasattr(estimator, "sample"):
        estimator.sample(random_state=0)
    if hasattr(estimator, "inverse_transform"):
        estimator.inverse_transform(estimator.transform(data))
    if hasattr(estimator, "gibbs"):
        estimator.gibbs(data)
    repr(estimator)
    pickle.loads(pickle.dumps(estimator))
    clone(estimator)


@each
def test_fits_in_two_threads_do_not_disturb_each_other(name):
    settings = [
        {"dropout": 0.3, "random_state": seed, "max_iter": 15, "solver": solver}
        for seed, solver in ((0, "adam"), (1, "sgd"), (2, "adam"))
    ]
    serial = [fitted_to(make(name, **s)) for s in settings]
    parallel = [make(name, **s) for s in settings]
    start = threading.Barrier(len(parallel))
    failures = []

    def fit(estimator):
        start.wait()
        try:
            fitted_to(estimator)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=fit, args=(estimator,)) for estimator in parallel]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for ours, expected in zip(parallel, serial, strict=True):
        assert_same_outputs(ours, expected)


@each
def test_predictions_in_threads_agree(name):
    estimator = fitted_to(make(name))
    expected = outputs(estimator)
    found = []

    def say():
        found.extend(outputs(estimator) for _ in range(5))

    threads = [threading.Thread(target=say) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    for said in found:
        for method, values in said.items():
            assert_array_equal(values, expected[method])


@each_supervised
def test_search_in_processes_gives_the_bits_of_a_search_in_one(name):
    grid = {"alpha": [0.0001, 0.1]}
    one, two = (
        GridSearchCV(make(name, dropout=0.2, max_iter=2), grid, cv=2, n_jobs=n_jobs).fit(X, y)
        for n_jobs in (1, 2)
    )
    assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert one.best_params_ == two.best_params_
    assert_same_outputs(one.best_estimator_, two.best_estimator_)
    fits = joblib.Parallel(n_jobs=2)(joblib.delayed(fitted)(name, seed) for seed in (0, 1))
    for seed, estimator in enumerate(fits):
        assert_same_outputs(estimator, fitted(name, seed))


def fitted(name, seed):
    """A fit that a worker process can do."""
    return make(name, random_state=seed, learning_rate="cosine", dropout=0.2).fit(X, y)


# -- in the company of scikit-learn


@pytest.mark.filterwarnings("ignore:Persisting input arguments")  # slowly, on a busy machine
@each_supervised
def test_pipeline_with_memory_scales_and_predicts(name, tmp_path):
    pipe = make_pipeline(StandardScaler(), learner(name), memory=str(tmp_path))
    for _ in range(2):
        assert pipe.fit(100 * X, y).score(100 * X, y) > 0.8
    direct = learner(name).fit(StandardScaler().fit_transform(100 * X), y)
    assert_array_equal(
        pipe.predict(100 * X), direct.predict(StandardScaler().fit_transform(100 * X))
    )


# Machines of binary units are given binary columns, and the layers of a network time to learn.
BINS = KBinsDiscretizer(4, encode="onehot-dense", quantile_method="averaged_inverted_cdf")
OF_BITS = {
    "BoltzmannMachine": {"n_components": 16},
    "DBM": {
        "hidden_layer_sizes": (64, 64),
        "rbm": BernoulliRBM(learning="cd", learning_rate=0.2, init_std=0.1, n_iter=60),
        "learning_rate_init": 0.005,
    },
    "DBN": {
        "hidden_layer_sizes": (64, 64),
        "rbm": BernoulliRBM(learning="cd", learning_rate=0.2, init_std=0.1, n_iter=60),
        "fine_tuning": None,
    },
    "MultimodalDBN": {
        "hidden_layer_sizes": ((64,), (64,)),
        "n_components": 64,
        "rbm": BernoulliRBM(learning="cd", learning_rate=0.2, init_std=0.1, n_iter=60),
        "fine_tuning": None,
    },
}


@each_transformer
def test_cached_transformer_of_a_pipeline_is_fitted_once(name, tmp_path):
    last = LogisticRegression() if name in CLASSIFIERS else Ridge()
    steps = [BINS, learner(name, **OF_BITS[name])] if name in OF_BITS else [learner(name)]
    pipe = make_pipeline(*steps, last, memory=str(tmp_path)).fit(X, y)
    first = pipe.predict(X)
    assert_array_equal(pipe.fit(X, y).predict(X), first)
    assert pipe.score(X, y) > 0.8


@each_supervised
def test_grid_search_tunes(name):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), learner(name)),
        {f"{name.lower()}__learning_rate_init": [1e-7, 0.02]},
        cv=3,
    ).fit(X, y)
    assert search.best_params_ == {f"{name.lower()}__learning_rate_init": 0.02}
    assert search.best_score_ > 0.7


@each_supervised
def test_halving_search_spends_epochs(name):
    search = HalvingGridSearchCV(
        make(name, learning_rate="cosine", batch_size=5),
        {"learning_rate_init": [1e-7, 1e-6, 0.05, 1e-5]},
        resource="max_iter",
        min_resources=2,
        max_resources=8,
        factor=2,
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert search.best_params_ == {"learning_rate_init": 0.05, "max_iter": 8}


@each_supervised
def test_cross_validation_and_learning_curve(name):
    estimator = learner(name)
    assert cross_val_score(estimator, X, y, cv=3).mean() > 0.7
    predicted = cross_val_predict(estimator, X, y, cv=3)
    assert predicted.shape == y.shape
    sizes, train, valid = learning_curve(
        estimator, X, y, train_sizes=[0.3, 1.0], cv=3, shuffle=True, random_state=0
    )
    assert sizes.tolist() == [18, 60]
    assert train.shape == valid.shape == (2, 3)
    if name in CLASSIFIERS:
        proba = cross_val_predict(estimator, X, y, cv=3, method="predict_proba")
        assert_allclose(proba.sum(1), 1)


@pytest.mark.global_state("numpy random state")  # some of them draw seeds for their members
@each_classifier
@pytest.mark.parametrize(
    "ensemble",
    [
        lambda e: VotingClassifier([("a", e), ("b", LogisticRegression())], voting="soft"),
        lambda e: StackingClassifier([("a", e), ("b", LogisticRegression())], cv=2),
        lambda e: BaggingClassifier(e, n_estimators=2, max_features=0.8, random_state=0),
        lambda e: CalibratedClassifierCV(e, cv=2),
        lambda e: CalibratedClassifierCV(e.set_params(loss="hinge"), cv=2, method="isotonic"),
        OneVsRestClassifier,
        lambda e: OneVsRestClassifier(e.set_params(loss="squared_hinge")),
    ],
    ids=["voting", "stacking", "bagging", "calibrated", "isotonic", "ovr", "ovr hinge"],
)
def test_classifier_is_a_member_of_ensembles(name, ensemble):
    assert ensemble(learner(name)).fit(X, y).score(X, y) > 0.8


@pytest.mark.global_state("numpy random state")
@pytest.mark.parametrize("name", [n for n in CLASSIFIERS if n in WEIGHTED])
def test_classifier_is_boosted(name):
    boosted = AdaBoostClassifier(learner(name), n_estimators=2, random_state=0)
    assert boosted.fit(X, y).score(X, y) > 0.8


@pytest.mark.global_state("numpy random state")
@each_regressor
@pytest.mark.parametrize(
    "ensemble",
    [
        lambda e: VotingRegressor([("a", e), ("b", Ridge())]),
        lambda e: StackingRegressor([("a", e), ("b", Ridge())], cv=2),
        lambda e: BaggingRegressor(e, n_estimators=2, max_features=0.8, random_state=0),
        lambda e: AdaBoostRegressor(e, n_estimators=2, random_state=0),
        lambda e: TransformedTargetRegressor(e, func=np.log1p, inverse_func=np.expm1),
        lambda e: TransformedTargetRegressor(e, transformer=StandardScaler()),
    ],
    ids=["voting", "stacking", "bagging", "adaboost", "log target", "scaled target"],
)
def test_regressor_is_a_member_of_ensembles(name, ensemble):
    assert ensemble(learner(name)).fit(X, y).score(X, y) > 0.6


@each_classifier
def test_calibration_of_a_frozen_classifier(name):
    frozen = FrozenEstimator(learner(name).fit(X[:60], y[:60]))
    before = outputs(frozen, X)
    calibrated = CalibratedClassifierCV(frozen).fit(X[60:], y[60:])
    assert calibrated.score(X, y) > 0.8
    for method, values in outputs(frozen, X).items():
        assert_array_equal(values, before[method])


@each_classifier
def test_chains_of_classifiers(name):
    labels = np.column_stack([y == 0, y == 2]).astype(int)
    chain = ClassifierChain(learner(name), order=[0, 1]).fit(X, labels)
    assert (chain.predict(X) == labels).mean() > 0.9


@each_regressor
def test_one_regressor_a_target(name):
    targets = np.column_stack([y, -y])
    assert MultiOutputRegressor(learner(name)).fit(X, targets).score(X, targets) > 0.7


@each_supervised
def test_permutation_importance_finds_what_matters(name):
    rng = np.random.default_rng(0)
    data = np.column_stack([X[:, 2], rng.normal(size=(90, 2))])
    estimator = learner(name).fit(data, y)
    importance = permutation_importance(estimator, data, y, n_repeats=5, random_state=0)
    assert importance.importances_mean.argmax() == 0
    assert importance.importances_mean[0] > 0.3


@each_classifier
def test_multilabel_and_multioutput_classification(name):
    labels = np.column_stack([y == 0, y == 1, X[:, 0] > 0]).astype(int)
    estimator = learner(name).fit(X, labels)
    assert estimator.score(X, labels) > 0.7
    assert estimator.predict_proba(X).shape == (90, 3)
    several = np.column_stack([y, y[::-1]])
    estimator.fit(X, several)
    assert estimator.predict(X).shape == (90, 2)
    assert [p.shape for p in estimator.predict_proba(X)] == [(90, 3), (90, 3)]


@each_regressor
def test_multioutput_regression(name):
    targets = np.column_stack([y, X[:, 0]])
    estimator = learner(name).fit(X, targets)
    assert estimator.predict(X).shape == (90, 2)
    assert estimator.score(X, targets) > 0.7


# -- names of features


@each_transformer
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_gives_data_frames_in_a_pipeline(name, library):
    frames = pytest.importorskip(library)
    pipe = make_pipeline(StandardScaler(), make(name)).set_output(transform=library).fit(X, y)
    out = pipe.transform(X)
    assert isinstance(out, frames.DataFrame)
    assert list(out.columns) == pipe.get_feature_names_out().tolist()
    assert out.columns[0] == f"{name.lower()}0"


@each_of_rows
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_feature_names_are_remembered_and_checked(name, library):
    frames = pytest.importorskip(library)
    columns = ["sepal length", "sepal width", "petal length", "petal width"]
    frame = frames.DataFrame(dict(zip(columns, X.T, strict=True)))
    estimator = make(name).fit(frame, y)
    assert estimator.feature_names_in_.tolist() == columns
    assert estimator.n_features_in_ == 4
    method = estimator.predict if hasattr(estimator, "predict") else estimator.transform
    with pytest.raises(ValueError, match="feature names"):
        method(frame[columns[::-1]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        method(X)
    assert not hasattr(estimator.fit(X, y), "feature_names_in_")


# -- routing of metadata


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


@each_weighted
def test_metadata_reaches_the_network_through_pipeline_and_search(name, routing):
    difficulty = np.arange(90.0)
    estimator = make(name, curriculum="linear")
    direct = clone(estimator).fit(X, y, sample_weight=WEIGHT, difficulty=difficulty)
    routed = clone(estimator).set_fit_request(sample_weight=True, difficulty="how_hard")
    routed.set_score_request(sample_weight=True)
    pipe = make_pipeline(StandardScaler(with_mean=False, with_std=False), routed)
    pipe.steps[0][1].set_fit_request(sample_weight=False)
    pipe.fit(X, y, sample_weight=WEIGHT, how_hard=difficulty)
    assert_array_equal(pipe.predict(X), direct.predict(X))
    search = GridSearchCV(pipe, {f"{name.lower()}__alpha": [0.0001]}, cv=2)
    search.fit(X, y, sample_weight=WEIGHT, how_hard=difficulty)
    assert_array_equal(search.predict(X), direct.predict(X))


@each_weighted
def test_metadata_that_was_not_asked_for_is_an_error(name, routing):
    with pytest.raises(ValueError, match="sample_weight"):
        make_pipeline(make(name)).fit(X, y, sample_weight=WEIGHT)


@each_supervised
def test_requests_cover_the_arguments_of_fit_and_partial_fit(name):
    requests = make(name).get_metadata_routing()
    weight = {"sample_weight"} if name in WEIGHTED else set()
    assert set(requests.fit.requests) == weight | {"difficulty"}
    classes = {"classes"} if name in CLASSIFIERS else set()
    assert set(requests.partial_fit.requests) == weight | classes


# -- representation


@each
def test_repr_shows_what_differs_from_the_defaults(name):
    assert repr(getattr(sknets, name)()) == f"{name}()"
    assert repr(getattr(sknets, name)(alpha=1.5)) == f"{name}(alpha=1.5)"


@each
def test_html_shows_parameters_and_links_to_the_documentation(name):
    for estimator in (make(name), fitted_to(make(name))):
        html = estimator_html_repr(make_pipeline(StandardScaler(), estimator))
        assert name in html
        assert ("learning_rate" if name in RBMS else "learning_rate_init") in html
    link = make(name)._get_doc_link()
    assert link.startswith("https://")
    assert f"sknets.{name}" in link
    assert link in html


# -- data of any kind

KINDS = {
    "list": lambda a: a.tolist(),
    "Fortran order": np.asfortranarray,
    "reversed strides": lambda a: a[::-1][::-1],
    "a view of every second": lambda a: np.repeat(a, 2, axis=0)[::2],
    "big endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
}


@each_of_rows
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_any_layout_are_the_same_data(name, kind):
    expected = outputs(make(name).fit(X, y))
    estimator = make(name).fit(KINDS[kind](X), KINDS[kind](y))
    for method, values in outputs(estimator, KINDS[kind](X)).items():
        assert_allclose(values, expected[method], rtol=1e-6, atol=1e-9)


@each_of_rows
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_are_the_same_data(name, library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame({f"f{i}": column for i, column in enumerate(X.T)})
    estimator = make(name).fit(frame, frames.Series(y))
    expected = outputs(make(name).fit(X, y))
    for method, values in outputs(estimator, frame).items():
        assert_allclose(values, expected[method], rtol=1e-9)


@each_classifier
def test_labels_in_a_categorical_series(name):
    frames = pytest.importorskip("pandas")
    labels = frames.Series(np.array(["a", "b", "c"])[y], dtype="category")
    assert set(make(name).fit(X, labels).predict(X)) <= {"a", "b", "c"}


@each_of_rows
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_are_the_same_data(name, dtype):
    tensor = torch.tensor(X, dtype=dtype)
    estimator = make(name).fit(tensor, torch.tensor(y))
    array = tensor.numpy()
    expected = outputs(make(name).fit(array, y), array)
    for method, values in outputs(estimator, tensor).items():
        assert isinstance(values, np.ndarray)
        assert_allclose(values, expected[method], rtol=1e-5, atol=1e-6)


@each_of_rows
def test_read_only_memory_maps_are_the_same_data(name, tmp_path):
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    mapped, labels = (np.load(tmp_path / f, mmap_mode="r") for f in ("X.npy", "y.npy"))
    estimator = make(name).fit(mapped, labels)
    assert_same_outputs(estimator, make(name).fit(X, y), mapped)


@each_of_rows
def test_fit_does_not_change_its_input(name):
    data, target, weight = X.copy(), y.copy(), WEIGHT.copy()
    weighted = {"sample_weight": weight} if name in WEIGHTED else {}
    estimator = make(name, early_stopping=True).fit(data, target, **weighted)
    outputs(estimator, data)
    for now, before in ((data, X), (target, y), (weight, WEIGHT)):
        assert_array_equal(now, before)


@each_of_rows
def test_fitted_estimator_does_not_see_later_changes_of_its_input(name):
    data = X.copy()
    estimator = make(name, batch_size="full").fit(data, y)
    before = outputs(estimator)
    data[:] = 0
    for method, values in outputs(estimator).items():
        assert_array_equal(values, before[method])


@each_supervised
def test_column_of_targets_warns_as_in_scikit_learn(name):
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        estimator = make(name).fit(X, y[:, None])
    assert_same_outputs(estimator, make(name).fit(X, y))


@each_weighted
def test_weights_may_be_lists_or_series(name):
    frames = pytest.importorskip("pandas")
    expected = make(name).fit(X, y, sample_weight=WEIGHT)
    for weight in (WEIGHT.tolist(), frames.Series(WEIGHT), torch.tensor(WEIGHT)):
        assert_same_outputs(make(name).fit(X, y, sample_weight=weight), expected)
    for weight in (None, 1.0, np.ones(90)):
        assert_same_outputs(make(name).fit(X, y, sample_weight=weight), make(name).fit(X, y))


# -- errors


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, p) for name in NAMES for p in inspect.signature(getattr(sknets, name)).parameters],
)
def test_wrong_parameter_is_an_error_that_names_it(name, parameter):
    nonsense = complex(1, 2)
    unfitted, fitted = make(name), fitted_to(make(name))
    for estimator in (unfitted, fitted):
        estimator.set_params(**{parameter: nonsense})
        before = dict(vars(estimator))
        expected = rf"The '{parameter}' parameter of {name} must be .*\. Got \(1\+2j\) instead\."
        with pytest.raises(ValueError, match=expected):
            fitted_to(estimator)
        assert vars(estimator).keys() == before.keys()
        assert all(value is before[key] for key, value in vars(estimator).items())


@pytest.mark.parametrize("name", [*OF_TEXTS, "BoltzmannMachine", "DBN"])
@pytest.mark.parametrize("settings", [*FULL_BATCH, SNAPSHOTS, {"curriculum": "linear"}], ids=str)
def test_settings_that_do_not_suit_are_errors(name, settings):
    parameter = next(iter(settings))
    assert not suits(name, settings) or parameter == "curriculum"
    with pytest.raises(ValueError, match=rf"A {name} .*{parameter}='{settings[parameter]}'"):
        fitted_to(make(name, **settings))


@each
def test_unknown_parameter_is_scikit_learns_error(name):
    with pytest.raises(ValueError, match=f"Invalid parameter 'epochs' for estimator {name}"):
        make(name).set_params(epochs=3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'lr'"):
        make(name, lr=0.1)


@each_of_rows
def test_bad_input_of_a_prediction_changes_nothing(name):
    estimator = make(name).fit(X, y)
    before = dict(vars(estimator))
    methods = [method for method in OUTPUTS if hasattr(estimator, method)]
    for bad, message in (
        (X[:, :3], f"X has 3 features, but {name} is expecting 4 features as input"),
        (np.full_like(X, np.nan), "contains NaN"),
        (X[0], "Expected 2D array, got 1D array instead"),
        (X[:0], "Found array with 0 sample"),
    ):
        for method in methods:
            with pytest.raises(ValueError, match=message):
                getattr(estimator, method)(bad)
    assert all(value is before[key] for key, value in vars(estimator).items())


# -- skorch's callbacks


class Watching(skorch_callbacks.Callback):
    """Keeps what it is shown of the data."""

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.seen = dataset_train, dataset_valid


@pytest.mark.parametrize("name", DESCENDING)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_callbacks_of_skorch_are_shown_the_data(name, early_stopping):
    watching = Watching()
    settings = {"early_stopping": early_stopping, "validation_fraction": 0.3}
    estimator = fitted_to(make(name, max_iter=1, callbacks=[watching], **settings))
    train, valid = watching.seen
    n = len(SAMPLES[name].X)
    if early_stopping and name not in (*OF_TEXTS, "RNNForecaster"):  # whose samples are pieces
        assert len(train) + len(valid) == n
    else:
        assert (len(train), valid) == (n, None)
    assert estimator.n_iter_ == 1


# -- gradients


@pytest.mark.parametrize("name", [n for n in DESCENDING if n not in (*MACHINES, *ADVERSARIAL)])
def test_gradients_are_those_of_finite_differences(name):
    data, target, _ = SAMPLES[name]
    estimator = fitted_to(make(name))
    assert check_gradients(estimator, data, target, n_weights=40) < 1e-5


# -- scikit-learn's callbacks


@each_supervised
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.filterwarnings("ignore:lbfgs failed")
def test_scoring_monitor_scores_every_epoch(name, solver):
    metric = "accuracy" if name in CLASSIFIERS else "r2"
    monitor = ScoringMonitor(scoring=metric)
    estimator = learner(name, solver=solver, max_iter=4).set_callbacks(monitor).fit(X, y)
    epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(epochs) == estimator.n_iter_
    assert epochs[-1][metric] == pytest.approx(estimator.score(X, y), abs=1e-5)
    assert epochs[0][metric] < epochs[-1][metric]


@each_supervised
def test_progress_bar_shows_the_epochs(name, capsys):
    make(name).set_callbacks(ProgressBar()).fit(X, y)
    out, _ = capsys.readouterr()
    assert f"{name} - fit" in out
    assert "100%" in out


class Tasks:
    """A callback that scikit-learn hands on to the estimators within a meta-estimator."""

    max_propagation_depth = None

    def __init__(self):
        self.ended = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.ended.append((type(estimator).__name__, context.task_name))


@each_supervised
def test_callbacks_reach_the_network_within_a_pipeline_and_a_search(name):
    tasks = Tasks()
    make_pipeline(StandardScaler(), make(name)).set_callbacks(tasks).fit(X, y)
    assert tasks.ended.count((name, "epoch")) == 4
    tasks = Tasks()
    search = GridSearchCV(make(name), {"alpha": [0.1, 0.2]}, cv=2).set_callbacks(tasks)
    search.fit(X, y)
    assert tasks.ended.count((name, "epoch")) == 4 * (2 * 2 + 1)
    assert not hasattr(search.best_estimator_, "_skl_callbacks")


@each_supervised
def test_progress_bar_of_a_pipeline_shows_the_epochs_of_the_network(name, capsys):
    pipe = make_pipeline(StandardScaler(), make(name)).set_callbacks(ProgressBar(None))
    pipe.fit(X, y)
    assert f"{name} - fit" in capsys.readouterr().out


# -- skorch's callbacks


@each_classifier
@pytest.mark.parametrize("settings", [{}, {"dropout": 0.5}, {"averaging": "polyak"}], ids=str)
def test_epoch_scoring_sees_classes_and_the_network_as_it_predicts(name, settings):
    names = np.array(["a", "b", "c"])[y]
    scoring = [
        skorch_callbacks.EpochScoring("accuracy", on_train=True, lower_is_better=False),
        skorch_callbacks.EpochScoring("neg_log_loss", on_train=True, lower_is_better=False),
    ]
    estimator = make(name, callbacks=scoring, **settings).fit(X, names)
    assert len(estimator.history_[:, "accuracy"]) == 4
    assert estimator.history_[-1, "accuracy"] == pytest.approx(estimator.score(X, names))
    loss = -np.log(estimator.predict_proba(X)[np.arange(90), y]).mean()
    assert estimator.history_[-1, "neg_log_loss"] == pytest.approx(-loss, rel=1e-5)


@each_supervised
@pytest.mark.parametrize("settings", [{"dropout": 0.5}, {"batch_norm": True}], ids=str)
def test_scoring_changes_nothing_that_is_learnt(name, settings):
    metric = "accuracy" if name in CLASSIFIERS else "r2"
    scoring = skorch_callbacks.EpochScoring(metric, on_train=True, lower_is_better=False)
    scored = make(name, callbacks=[scoring], **settings).fit(X, y)
    assert_same_outputs(scored, make(name, **settings).fit(X, y))


@each_supervised
def test_epoch_scoring_sees_the_held_out_samples(name):
    metric = "accuracy" if name in CLASSIFIERS else "r2"
    scoring = skorch_callbacks.EpochScoring(metric, lower_is_better=False)
    estimator = make(name, early_stopping=True, callbacks=[scoring]).fit(X, y)
    assert_allclose(estimator.history_[:, metric], estimator.validation_scores_, rtol=1e-4)


@each_classifier
@pytest.mark.parametrize("early_stopping", [False, True])
def test_epoch_scoring_takes_labels_in_a_sparse_matrix(name, early_stopping):
    labels = np.stack([y == 0, y > 0], axis=1).astype(int)
    scoring = skorch_callbacks.EpochScoring("f1_macro", lower_is_better=False, on_train=True)
    settings = {"callbacks": [scoring], "early_stopping": early_stopping}
    sparse = make(name, **settings).fit(X, csr_array(labels))
    dense = make(name, **settings).fit(X, labels)
    assert sparse.history_[:, "f1_macro"] == dense.history_[:, "f1_macro"]


@each_supervised
def test_early_stopping_of_skorch_stops(name, recwarn):
    stop = skorch_callbacks.EarlyStopping("train_loss", patience=2, threshold=1.0, sink=str)
    estimator = make(name, max_iter=50, callbacks=[stop]).fit(X, y)
    assert estimator.n_iter_ == 3
    assert not recwarn.list


@each_supervised
def test_schedules_of_skorch_set_the_rate(name):
    schedule = skorch_callbacks.LRScheduler("StepLR", step_size=1, gamma=0.5)
    estimator = make(name, callbacks=[schedule]).fit(X, y)
    assert_allclose(estimator.history_[:, "event_lr"], 0.01 * 0.5 ** np.arange(4))
    ours = make(name, learning_rate="step", decay_every=1, decay_rate=0.5).fit(X, y)
    assert_same_outputs(estimator, ours)


@each_supervised
def test_checkpoints_of_skorch_hold_the_networks_weights(name, tmp_path):
    checkpoint = skorch_callbacks.Checkpoint(monitor=None, dirname=tmp_path, f_params="net.pt")
    estimator = make(name, callbacks=[checkpoint]).fit(X, y)
    saved = torch.load(tmp_path / "net.pt", weights_only=True)
    for key, tensor in estimator.module_.state_dict().items():
        assert_allclose(saved[key], tensor, rtol=1e-6)


@each_supervised
def test_gradient_clipping_of_skorch_bounds_every_step(name):
    clip = skorch_callbacks.GradientNormClipping(1e-3)
    settings = {"solver": "sgd", "momentum": 0.0, "alpha": 0.0, "learning_rate_init": 1.0}
    clipped = make(name, callbacks=[clip], max_iter=1, **settings).fit(X, y)
    start = make(name, max_iter=1, **settings | {"learning_rate_init": 1e-300}).fit(X, y)
    pairs = zip(clipped.module_.parameters(), start.module_.parameters(), strict=True)
    moved = sum(((a - b) ** 2).sum().item() for a, b in pairs) ** 0.5
    assert 0 < moved <= 3 * 1e-3 * (1 + 1e-3)  # three steps


@each_supervised
def test_progress_bar_of_skorch_runs(name, capsys):
    make(name, callbacks=[skorch_callbacks.ProgressBar()]).fit(X, y)
    assert capsys.readouterr().err


@each_supervised
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_freezer_of_skorch_freezes(name, activation):
    settings = {"activation": activation, "alpha": 1.0, "max_norm": 0.2}
    trunk = "recurrent" if name.startswith("RNN") else "features"
    freeze = skorch_callbacks.Freezer(f"*{trunk}.*")
    frozen = make(name, callbacks=[freeze], **settings).fit(X, y)
    settings |= {"max_norm": None, "solver": "sgd", "learning_rate_init": 1e-300}
    start = make(name, max_iter=1, **settings).fit(X, y)
    first, *_ = before = weights(start)
    norms = np.linalg.norm(before[first].reshape(len(before[first]), -1), axis=1)
    assert norms.max() > 0.2
    for key, values in weights(frozen).items():
        assert np.array_equal(values, before[key]) == key.startswith(trunk)


@each_supervised
def test_initializer_of_skorch_initialises(name):
    def fill(parameter):
        torch.nn.init.constant_(parameter, 0.5)

    initialise = skorch_callbacks.Initializer("*head.weight", fn=fill)
    estimator = make(name, callbacks=[initialise], solver="sgd", learning_rate_init=1e-300)
    assert_allclose(weights(estimator.fit(X, y))["head.weight"], 0.5)


@each_supervised
def test_callbacks_of_skorch_survive_clone_refit_and_pickle(name):
    schedule = skorch_callbacks.LRScheduler("StepLR", step_size=1, gamma=0.5)
    estimator = make(name, callbacks=[schedule]).fit(X, y)
    before = outputs(estimator)
    for again in (clone(estimator).fit(X, y), estimator.fit(X, y), COPIES["deepcopy"](estimator)):
        for method, values in outputs(again).items():
            assert_array_equal(values, before[method])


# -- the package itself


def test_import_of_the_package_does_no_work():
    module = importlib.import_module("sknets")
    assert module.__version__
    assert {"MLPClassifier", "MLPRegressor"} <= set(dir(module))


@each_supervised
@pytest.mark.parametrize("early_stopping", [False, True])
def test_checkpoints_of_skorch_keep_the_best_epoch(name, early_stopping, tmp_path, capsys):
    watched = "valid_loss_best" if early_stopping else "train_loss_best"
    checkpoint = skorch_callbacks.Checkpoint(monitor=watched, dirname=tmp_path, f_history=None)
    estimator = make(name, callbacks=[checkpoint], early_stopping=early_stopping).fit(X, y)
    losses = np.array(estimator.history_[:, watched.removesuffix("_best")])
    assert estimator.history_[:, watched] == (losses <= np.minimum.accumulate(losses)).tolist()
    assert (tmp_path / "params.pt").exists()


@each_supervised
def test_print_log_of_skorch_prints(name, capsys):
    make(name, callbacks=[skorch_callbacks.PrintLog()]).fit(X, y)
    assert "train_loss" in capsys.readouterr().out
