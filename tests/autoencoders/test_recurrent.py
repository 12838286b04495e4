"""Recurrent autoencoders: equations, padding, all forms of sequences, and what starts there."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch.utils.data import TensorDataset

from sknets import LanguageModel, RecurrentAutoencoder, RNNClassifier, RNNTagger, load, save
from sknets._sequences import Sequences
from sknets.inspection import check_gradients
from sknets.preprocessing import SequenceScaler, SequenceTokenizer

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # few epochs on purpose

RNG = np.random.default_rng(0)
RAGGED = [RNG.normal(size=(n, 2)) for n in RNG.integers(1, 8, 40)]
SERIES = [x[:, 0] for x in RAGGED]
ARRAY = RNG.normal(size=(40, 5, 2))
TABLE = RNG.normal(size=(40, 6))
LABELS = np.arange(40) % 2
IDS = [RNG.integers(0, 4, n) for n in RNG.integers(1, 7, 40)]
TIME = np.arange(15)
SINES = np.sin(RNG.uniform(0.3, 0.9, (200, 1)) * TIME + RNG.uniform(0, 6.3, (200, 1)))
QUICK = {"learning_rate": "one_cycle", "learning_rate_init": 0.02, "batch_size": 20}


def option(value):
    """Settings as they are written, and nothing of data."""
    return str(value) if isinstance(value, dict) else ""


def small(**settings):
    small = {"n_components": 3, "hidden_layer_sizes": 6, "max_iter": 2, "batch_size": 20}
    return RecurrentAutoencoder(**small | {"random_state": 0} | settings)


def learner(**settings):
    return small(**QUICK | {"hidden_layer_sizes": 24, "max_iter": 60} | settings)


def assert_same_sequences(a, b, **tolerance):
    assert [np.shape(x) for x in a] == [np.shape(x) for x in b]
    for x, y in zip(a, b, strict=True):
        assert_allclose(x, y, **tolerance)


def padded(sequences, filling):
    """Sequences side by side in an array."""
    longest = max(map(len, sequences))
    kind = np.result_type(*sequences, type(filling))
    made = np.full((len(sequences), longest, *sequences[0].shape[1:]), filling, dtype=kind)
    for row, x in zip(made, sequences, strict=True):
        row[: len(x)] = x
    return made


# -- the equations


def weights_of(coder):
    return {name: p.detach().numpy() for name, p in coder.module_.named_parameters()}


def run(W, layer, inputs, state):
    """A plain recurrent layer over the inputs of one sequence, or one by one."""
    outputs = []
    for x in inputs:
        given = W[f"{layer}.weight_ih"] @ x + W[f"{layer}.bias_ih"] + W[f"{layer}.bias_hh"]
        state = np.tanh(given + W[f"{layer}.weight_hh"] @ state)
        outputs.append(state)
    return outputs


def worked_by_hand(coder, x, taught):
    """The code of a sequence, and what the decoder says of its steps."""
    W = weights_of(coder)
    last = run(W, "recurrent.layers.0", x, np.zeros(6))[-1]
    code = W["code.weight"] @ last + W["code.bias"]
    state = np.tanh(W["bridge.weight"] @ code + W["bridge.bias"])
    before, made = np.zeros(2), []
    right = x[::-1] if coder.reverse else x
    for step in right:
        inputs = np.append(code, before) if coder.feedback else code
        (state,) = run(W, "decoder.layers.0", [inputs], state)
        made.append(W["head.weight"] @ state + W["head.bias"])
        before = step if taught else made[-1]
    return code, np.array(made[::-1] if coder.reverse else made)


@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("feedback", [True, False])
def test_codes_and_steps_are_those_of_the_equations(reverse, feedback):
    coder = small(cell="rnn", reverse=reverse, feedback=feedback).fit(RAGGED)
    by_hand = [worked_by_hand(coder, x, taught=False) for x in RAGGED]
    codes, restored = zip(*by_hand, strict=True)
    lengths = [len(x) for x in RAGGED]
    assert_allclose(coder.transform(RAGGED), codes, atol=1e-6)
    assert_same_sequences(coder.reconstruct(RAGGED), restored, atol=1e-6)
    assert_same_sequences(coder.inverse_transform(codes, lengths), restored, atol=1e-6)
    errors = [np.square(x - y).sum() / 2 for x, y in zip(RAGGED, restored, strict=True)]
    assert_allclose(coder.score_samples(RAGGED), -np.array(errors), rtol=1e-5)
    assert coder.score(RAGGED) == pytest.approx(-np.mean(errors), rel=1e-5)


@pytest.mark.parametrize("feedback", [True, False])
def test_in_training_the_decoder_reads_what_it_should_have_written(feedback):
    coder = small(cell="rnn", feedback=feedback).fit(ARRAY)
    raw = coder.module_(torch.tensor(ARRAY)).detach()
    expected = [worked_by_hand(coder, x, taught=True)[1] for x in ARRAY]
    assert_allclose(raw, np.concatenate(expected), atol=1e-6)
    coder = small(cell="rnn", feedback=feedback, alpha=0, solver="lbfgs", max_iter=3)
    with pytest.warns(match="lbfgs failed to converge"):
        coder.fit(ARRAY)
    made = [worked_by_hand(coder, x, taught=True)[1] for x in ARRAY]
    assert coder.loss_ == pytest.approx(np.square(ARRAY - made).sum((1, 2)).mean() / 2)
    assert (coder.score(ARRAY) == pytest.approx(-coder.loss_)) is not feedback


def test_losses_of_shares_and_of_tokens_are_cross_entropies():
    rolls = [(x > 0).astype(float) for x in RAGGED]
    coder = small(loss="log_loss").fit(rolls)
    for x, p, score in zip(
        rolls, coder.reconstruct(rolls), coder.score_samples(rolls), strict=True
    ):
        assert 0 < p.min() < p.max() < 1
        assert score == pytest.approx((x * np.log(p) + (1 - x) * np.log(1 - p)).sum(), rel=1e-5)
    before = coder.reconstruct(rolls)
    assert_same_sequences(coder.set_params(loss="squared_error").reconstruct(rolls), before)
    coder = small(vocabulary_size=5, loss="log_loss").fit(IDS)
    ids = torch.tensor(IDS[0][None])
    assert coder.vocabulary_size_ == coder.n_outputs_ == 5
    log_p = log_softmax(coder.module_(Sequences(ids)).detach().numpy(), 1)
    expected = log_p[np.arange(len(IDS[0])), IDS[0]].sum()
    assert coder.score_samples(IDS)[0] == pytest.approx(expected, rel=1e-5)
    assert_array_equal(coder.reconstruct(IDS)[0], log_p.argmax(1))


@pytest.mark.filterwarnings("ignore:newton-cg failed")
@pytest.mark.parametrize(
    ("X", "settings"),
    [
        (RAGGED, {}),
        (RAGGED, {"feedback": True, "cell": "lstm"}),
        (ARRAY, {"bidirectional": True, "hidden_layer_sizes": (5, 4)}),
        (TABLE, {"reverse": False, "cell": "rnn"}),
        (RAGGED, {"reset_after": False, "feedback": True}),
        (IDS, {"vocabulary_size": 4, "feedback": True}),
        (IDS, {"embedding_dim": 3}),
        (RAGGED, {"solver": "newton-cg"}),
    ],
    ids=option,
)
def test_gradients_are_those_of_differences(X, settings):
    coder = small(**settings).fit(X)
    weight = RNG.uniform(0.5, 2, len(X))
    assert check_gradients(coder, X, None, sample_weight=weight) < 1e-5


# -- padding


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"cell": "lstm", "hidden_layer_sizes": (5, 4), "feedback": True},
        {"bidirectional": True, "reverse": False},
        {"cell": "rnn", "feedback": True, "reverse": False},
    ],
    ids=str,
)
def test_a_sequence_is_alone_what_it_is_among_others(settings):
    coder = small(**settings).fit(RAGGED)
    code, score = coder.transform(RAGGED), coder.score_samples(RAGGED)
    restored = coder.reconstruct(RAGGED)
    for i, x in enumerate(RAGGED[:9]):
        assert_allclose(coder.transform([x])[0], code[i], atol=1e-12)
        assert_allclose(coder.score_samples([x])[0], score[i], atol=1e-12)
        assert_allclose(coder.reconstruct([x])[0], restored[i], atol=1e-12)
        made = coder.inverse_transform(code[[i]], lengths=len(x))
        assert_allclose(made[0], restored[i], atol=1e-12)


def test_what_fills_up_an_array_reaches_nothing_and_stays():
    coder = small().fit(RAGGED)
    for filling, settings in ((np.nan, {}), (-9.0, {"padding_value": -9})):
        coder.set_params(**settings)
        X = padded(RAGGED, filling)
        same = clone(coder).fit(X)
        assert_allclose(same.transform(RAGGED), coder.transform(RAGGED), atol=1e-12)
        assert_allclose(coder.transform(X), coder.transform(RAGGED), atol=1e-12)
        assert_allclose(coder.reconstruct(X), padded(list(coder.reconstruct(RAGGED)), filling))
    tokens = small(vocabulary_size="auto").fit(IDS)
    made = tokens.reconstruct(padded(IDS, -1))
    assert made.dtype.kind == "i"
    assert_array_equal(made, padded(list(tokens.reconstruct(IDS)), -1))
    assert_array_equal(tokens.reconstruct(padded(IDS, np.nan)), made)


# -- forms


class Plain(torch.utils.data.Dataset):
    """The items of a list."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


@pytest.mark.parametrize(
    ("X", "settings", "shape"),
    [
        (TABLE, {}, (40, 6)),
        (TABLE, {"sequence_shape": (3, 2)}, (40, 6)),
        (ARRAY, {}, (40, 5, 2)),
        (ARRAY[:, :, None], {}, (40, 5, 1, 2)),
        (TABLE.tolist(), {}, (40, 6)),
        (pd.DataFrame(TABLE), {}, (40, 6)),
        (csr_array(TABLE), {}, (40, 6)),
        (torch.tensor(ARRAY), {}, (40, 5, 2)),
        (TensorDataset(torch.tensor(ARRAY)), {}, (40, 5, 2)),
        (RAGGED, {}, (40,)),
        (Plain(RAGGED), {}, (40,)),
        (SERIES, {}, (40,)),
        (IDS, {"vocabulary_size": 4}, (40,)),
        (padded(IDS, -1), {"vocabulary_size": 4}, (40, 6)),
    ],
    ids=option,
)
def test_sequences_come_back_in_the_form_that_they_had(X, settings, shape):
    coder = small(**settings).fit(X)
    codes, restored = coder.transform(X), coder.reconstruct(X)
    assert codes.shape == (40, 3)
    assert restored.shape == shape
    if len(shape) == 1:
        assert [np.shape(x) for x in restored] == [np.shape(x) for x in X]
    again = coder.inverse_transform(codes)
    assert len(again) == 40
    if len(shape) > 1:
        assert again.shape == shape
        assert coder.sequence_shape_[0] in (None, coder.max_length_)
    if coder.sequence_shape_[0] is not None:
        assert_allclose(again, restored, atol=1e-12)


def test_codes_are_decoded_to_lengths_that_are_asked_for():
    for X, step in ((RAGGED, (2,)), (ARRAY, (2,)), (SERIES, ()), (TABLE, ())):
        coder = small().fit(X)
        codes = coder.transform(X)
        assert coder.max_length_ == max(map(len, X))
        assert coder.inverse_transform(codes).shape == (40, coder.max_length_, *step)
        assert coder.inverse_transform(codes, lengths=9).shape == (40, 9, *step)
        lengths = RNG.integers(1, 12, 40)
        made = coder.inverse_transform(codes, lengths)
        assert [x.shape for x in made] == [(n, *step) for n in lengths]
        for n, code, x in zip(lengths[:5], codes, made, strict=False):
            assert_allclose(coder.inverse_transform(code[None], int(n))[0], x, atol=1e-12)
    rows = small(sequence_shape=(3, 2)).fit(TABLE)
    assert rows.inverse_transform(rows.transform(TABLE), 4).shape == (40, 8)
    assert rows.inverse_transform(rows.transform(TABLE[:1]), [4])[0].shape == (4, 2)


@pytest.mark.parametrize("lengths", [0, 2.5, [1, 2], [3] * 39 + [0], "long", [True] * 40])
def test_lengths_are_whole_numbers_one_for_each_code(lengths):
    coder = small().fit(RAGGED)
    with pytest.raises(ValueError, match="lengths must be a whole number > 0, or one for each of"):
        coder.inverse_transform(coder.transform(RAGGED), lengths)
    with pytest.raises(
        ValueError, match=r"X has 2 columns, but .* RecurrentAutoencoder has 3 units"
    ):
        coder.inverse_transform(np.ones((4, 2)))


def test_sequences_of_other_lengths_than_in_the_fit():
    coder = small().fit(ARRAY)
    assert coder.reconstruct(ARRAY[:, :3]).shape == (40, 3, 2)
    assert_same_sequences(coder.reconstruct(list(ARRAY[:, :3])), coder.reconstruct(ARRAY[:, :3]))
    assert [x.shape for x in coder.reconstruct(RAGGED)] == [x.shape for x in RAGGED]
    assert_allclose(coder.transform(list(ARRAY)), coder.transform(ARRAY), atol=1e-12)
    coder.partial_fit(RAGGED).partial_fit(ARRAY)
    assert coder.sequence_shape_ == (5, 2)


def test_weights_of_sequences_count_as_repetitions():
    weight = RNG.integers(0, 4, 40)
    how = {"batch_size": "full", "max_iter": 10, "early_stopping": False}
    weighted = small(**how).fit(RAGGED, sample_weight=weight)
    repeated = small(**how).fit([x for x, n in zip(RAGGED, weight, strict=True) for _ in range(n)])
    assert_allclose(weighted.transform(RAGGED), repeated.transform(RAGGED), atol=1e-6)


# -- what is learnt


def test_sines_are_restored_better_than_by_principal_components():
    train, test = SINES[:150], SINES[150:]
    coder = learner(max_iter=150).fit(train)
    pca = PCA(3).fit(train)
    theirs = np.square(pca.inverse_transform(pca.transform(test)) - test).sum(1).mean()
    assert -2 * coder.score(test) < 0.5 * theirs


def test_sines_of_unequal_length_are_restored():
    cut = [x[: 8 + i % 8] for i, x in enumerate(SINES)]
    train, test = cut[:150], cut[150:]
    made = learner(max_iter=100).fit(train).reconstruct(test)
    errors = np.concatenate([x - y for x, y in zip(test, made, strict=True)])
    assert np.square(errors).mean() < 0.2 * SINES.var()


@pytest.mark.parametrize("settings", [{}, {"feedback": True}, {"bidirectional": True}], ids=str)
def test_tokens_are_restored_exactly(settings):
    of_tokens = {"n_components": 8, "vocabulary_size": "auto", "embedding_dim": 4}
    coder = learner(**of_tokens, max_iter=100, **settings).fit(IDS)
    assert all(map(np.array_equal, coder.reconstruct(IDS), IDS))


def test_texts_are_coded_in_a_pipeline():
    texts = ["one", "two", "three", "four"] * 10
    pipe = make_pipeline(
        SequenceTokenizer("character"),
        learner(n_components=2, embedding_dim=8, hidden_layer_sizes=16),
    ).fit(texts)
    codes = pipe.transform(texts)
    assert codes.shape == (40, 2)
    names = [f"recurrentautoencoder{i}" for i in range(2)]
    assert list(pipe[1].get_feature_names_out()) == names
    assert pipe[0].inverse_transform(pipe[1].inverse_transform(codes, [*map(len, texts)])) == texts
    # As long as the longest text; the last token is written first.
    assert [
        made[-len(t) :] for made, t in zip(pipe.inverse_transform(codes), texts, strict=True)
    ] == (texts)
    search = GridSearchCV(pipe, {"recurrentautoencoder__n_components": [1, 4]}, cv=2).fit(texts)
    assert search.best_params_ == {"recurrentautoencoder__n_components": 4}


def test_series_are_scaled_back_in_a_pipeline():
    pipe = make_pipeline(SequenceScaler(), small()).fit(ARRAY)
    assert pipe.inverse_transform(pipe.transform(ARRAY)).shape == ARRAY.shape


# -- going on, and what is kept


def test_early_stopping_goes_by_held_out_sequences():
    coder = learner(early_stopping=True, learning_rate="constant", max_iter=15).fit(RAGGED)
    assert len(coder.validation_scores_) == coder.n_iter_
    assert coder.validation_scores_[0] < coder.best_validation_score_ < 0


@pytest.mark.parametrize(("X", "settings"), [(RAGGED, {}), (IDS, {"embedding_dim": 3})], ids=option)
def test_saved_and_pickled_ones_say_the_same(tmp_path, X, settings):
    coder = small(feedback=True, **settings).fit(X)
    save(coder, tmp_path / "coder.sknets")
    for other in (load(tmp_path / "coder.sknets"), pickle.loads(pickle.dumps(coder))):
        assert_allclose(other.transform(X), coder.transform(X), atol=1e-14)
        assert_same_sequences(other.reconstruct(X), coder.reconstruct(X), atol=1e-14)
        codes = coder.transform(X)
        assert_allclose(other.inverse_transform(codes), coder.inverse_transform(codes), atol=1e-14)


@pytest.mark.parametrize(
    "settings", [{"reverse": False}, {"feedback": True}, {"n_components": 4}], ids=str
)
def test_training_does_not_go_on_with_another_network(settings):
    coder = small(warm_start=True).fit(RAGGED)
    (name,) = settings
    with pytest.raises(ValueError, match=f"'{name}' parameter .* cannot change when training"):
        coder.set_params(**settings).fit(RAGGED)


def test_training_goes_on_where_it_was():
    coder = small(warm_start=True, max_iter=20).fit(RAGGED)
    before = coder.score(RAGGED)
    assert coder.fit(RAGGED).partial_fit(RAGGED).score(RAGGED) > before
    assert len(coder.loss_curve_) == 41


def test_gradients_are_cut_in_the_encoder_alone():
    coder = small(tbptt_steps=2).fit(ARRAY)
    assert coder.module_.recurrent.layers[0].tbptt_steps == 2
    assert coder.module_.decoder.layers[0].tbptt_steps is None
    assert not np.array_equal(coder.transform(ARRAY), small().fit(ARRAY).transform(ARRAY))


def test_decoder_has_the_layers_in_reverse_order():
    coder = small(hidden_layer_sizes=(7, 4), bidirectional=True).fit(RAGGED)
    frame = coder.summary().to_frame()
    assert [layer.n_units for layer in coder.module_.decoder.layers] == [4, 7]
    assert frame.loc["code", "parameters"] == 8 * 3 + 3
    assert frame.loc["decoder.layers.1", "parameters"] == 3 * 7 * (4 + 7 + 2)
    assert frame["parameters"].sum() == sum(p.numel() for p in coder.module_.parameters())


# -- others start from it


@pytest.mark.parametrize(
    ("X", "settings"),
    [
        (RAGGED, {"bidirectional": True, "hidden_layer_sizes": (6, 5)}),
        (IDS, {"vocabulary_size": 4, "embedding_dim": 3, "cell": "lstm"}),
    ],
    ids=option,
)
def test_others_start_from_exactly_its_recurrent_layers(X, settings):
    coder = small(**settings).fit(X)
    ours = coder.module_.state_dict()
    still = {"learning_rate_init": 1e-12, "max_iter": 1, "hidden_layer_sizes": 6, "random_state": 1}
    labels_of_steps = [np.full(len(x), label) for x, label in zip(X, LABELS, strict=True)]
    others = [
        RNNClassifier(**still | settings, pretrain=coder).fit(X, LABELS),
        RNNTagger(**still | settings, pretrain=coder).fit(X, labels_of_steps),
        small(**still | settings, pretrain=coder).fit(X),
    ]
    for other in others:
        for name, value in other.module_.state_dict().items():
            if name.startswith(("reader.", "recurrent.")):
                assert torch.allclose(value, ours[name].to(value), atol=1e-9)


def test_it_starts_from_a_language_model():
    texts = ["abcab", "bcaa", "cab"] * 10
    sizes = {"hidden_layer_sizes": 6, "embedding_dim": 3}
    model = LanguageModel(**sizes, max_iter=2, window=4, random_state=0).fit(texts)
    ids = model.tokenizer_.transform(texts)
    coder = small(embedding_dim=3, pretrain=model, learning_rate_init=1e-12).fit(ids)
    assert coder.vocabulary_size_ == len(model.tokens_)
    ours, theirs = (of.module_.reader.embedding.weight for of in (coder, model))
    assert torch.allclose(ours, theirs, atol=1e-9)


def test_few_labels_are_enough_after_learning_without_any():
    alone, started = [], []
    for draw in range(4):
        random = np.random.default_rng(draw)
        speed = random.uniform(0.2, 0.9, 160)
        X = np.sin(speed[:, None] * TIME + random.uniform(0, 6.3, (160, 1)))
        X, y = X + 0.3 * random.normal(size=X.shape), speed > 0.55
        coder = learner(n_components=4, max_iter=80).fit(X)
        clf = RNNClassifier(
            hidden_layer_sizes=24, **QUICK | {"batch_size": 5}, max_iter=20, random_state=0
        )
        alone.append(clf.fit(X[:20], y[:20]).score(X[20:], y[20:]))
        started.append(clf.set_params(pretrain=coder).fit(X[:20], y[:20]).score(X[20:], y[20:]))
    assert np.mean(started) > np.mean(alone)
    assert np.mean(started) > 0.85


# -- errors


@pytest.mark.parametrize(
    ("X", "settings", "message"),
    [
        (TABLE, {"loss": "log_loss"}, "'log_loss' of RecurrentAutoencoder needs values between 0"),
        (RAGGED, {"loss": "log_loss"}, "'log_loss' of RecurrentAutoencoder needs values between 0"),
        (TABLE, {"loss": "poisson"}, "'loss' parameter of RecurrentAutoencoder must be"),
        (TABLE, {"n_components": 0}, "'n_components' parameter of RecurrentAutoencoder must be"),
        (TABLE, {"sequence_shape": (4, 2)}, "as many values as X has columns, 6"),
        (abs(TABLE), {"embedding_dim": 3}, "Ids of tokens must be whole numbers"),
        (abs(ARRAY) // 1, {"embedding_dim": 3}, "takes ids of tokens, one a step"),
        (IDS, {"vocabulary_size": 3}, "X holds the id 3, but RecurrentAutoencoder knows tokens"),
        ([*RAGGED, []], {}, "must have one shape|is empty"),
        (["abc"], {}, "is a text. Put a sknets.preprocessing.SequenceTokenizer before"),
        (RAGGED, {"pretrain": RNNClassifier()}, "RNNClassifier that is not fitted"),
        (RAGGED, {"dropout": 0.5, "solver": "lbfgs"}, "dropout=0.5 needs a stochastic solver"),
    ],
    ids=option,
)
def test_errors_come_first_and_leave_the_estimator_alone(X, settings, message):
    coder = small().fit(RAGGED)
    before = coder.transform(RAGGED)
    with pytest.raises(ValueError, match=message):
        coder.set_params(**settings).fit(X)
    assert_array_equal(coder.transform(RAGGED), before)


def test_other_layers_are_refused_by_name():
    coder = small().fit(RAGGED)
    with pytest.raises(ValueError, match=r"weight_ih' has shape \(24, 2\), it has one of .*18, 2"):
        RNNClassifier(hidden_layer_sizes=8, pretrain=coder, random_state=0).fit(RAGGED, LABELS)


def test_cells_of_other_equations_are_no_start():
    X = np.random.default_rng(0).normal(size=(20, 6, 2))
    small = {"hidden_layer_sizes": (5,), "max_iter": 1, "random_state": 0}
    coder = RecurrentAutoencoder(2, **small, reset_after=False).fit(X)
    clf = RNNClassifier(**small, pretrain=coder)
    with pytest.raises(ValueError, match="the same recurrent layers"):
        clf.fit(X, np.arange(20) % 2)
    clf.set_params(reset_after=False).fit(X, np.arange(20) % 2)


@pytest.mark.parametrize("ragged", [False, True])
def test_values_that_the_loss_does_not_know_have_no_score(ragged):
    X = np.random.default_rng(0).random((12, 6))
    X = [row[: 3 + i % 4] for i, row in enumerate(X)] if ragged else X
    coder = RecurrentAutoencoder(2, hidden_layer_sizes=(5,), loss="log_loss", max_iter=1)
    coder.set_params(random_state=0).fit(X)
    with pytest.raises(ValueError, match="needs values between 0 and 1"):
        coder.score([5 * row for row in X] if ragged else 5 * X)
