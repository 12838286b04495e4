"""The same fits on a CUDA device: these run where there is one."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits

from sknets import (
    DBM,
    DBN,
    DCGAN,
    GAN,
    Autoencoder,
    AutoencoderOutlierDetector,
    BernoulliRBM,
    BoltzmannMachine,
    CNNClassifier,
    ConvAutoencoder,
    DBMClassifier,
    DBNClassifier,
    GaussianRBM,
    LanguageModel,
    MLPClassifier,
    MLPRegressor,
    MultimodalDBN,
    ProgressiveGAN,
    RecurrentAutoencoder,
    RNNClassifier,
    Seq2Seq,
    StyleGAN,
    VariationalAutoencoder,
    load,
    save,
)
from sknets._training.optimizers import FULL_BATCH, STOCHASTIC

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

X, y = (part[:200] for part in load_digits(return_X_y=True))
X = X / 16


@pytest.mark.parametrize("solver", [*STOCHASTIC, *FULL_BATCH])
def test_cuda_follows_the_cpu(solver):
    settings = dict(
        hidden_layer_sizes=(10,),
        activation="tanh",
        solver=solver,
        max_iter=3,
        batch_size=50,
        precision="float64",
        random_state=0,
    )
    cpu = MLPClassifier(**settings, device="cpu").fit(X, y)
    cuda = MLPClassifier(**settings, device="cuda").fit(X, y)
    assert next(cuda.module_.parameters()).device.type == "cuda"
    assert_allclose(cuda.predict_proba(X), cpu.predict_proba(X), atol=1e-6)
    assert_allclose(cuda.coefs_[0], cpu.coefs_[0], atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        dict(dropout=0.2, input_dropout=0.1, batch_norm=True, max_norm=3.0),
        dict(averaging="ema", early_stopping=True),
        dict(averaging="snapshots", n_snapshots=2),
        dict(learning_rate="one_cycle", learning_rate_init=0.01, class_weight="balanced"),
    ],
)
def test_everything_that_trains_does_so_on_cuda(settings):
    clf = MLPClassifier((30,), max_iter=40, random_state=0, device="cuda", **settings).fit(X, y)
    assert clf.score(X, y) > 0.9


def test_sparse_rows_are_taken_on_cuda():
    dense = MLPClassifier(5, max_iter=3, random_state=0, device="cuda").fit(X, y)
    sparse = MLPClassifier(5, max_iter=3, random_state=0, device="cuda").fit(sp.csr_array(X), y)
    assert_allclose(sparse.predict_proba(sp.csr_array(X)), dense.predict_proba(X), atol=1e-4)


def test_network_trained_on_cuda_predicts_on_a_cpu(tmp_path):
    reg = MLPRegressor("huber", 8, max_iter=5, random_state=0, device="cuda").fit(X, y)
    expected = reg.predict(X)
    reg.set_params(device="cpu")
    assert_allclose(pickle.loads(pickle.dumps(reg)).predict(X), expected, rtol=1e-4)
    save(reg, tmp_path / "net.sknets")
    loaded = load(tmp_path / "net.sknets")
    assert next(loaded.module_.parameters()).device.type == "cpu"
    assert_allclose(loaded.predict(X), expected, rtol=1e-4)


def test_fits_on_cuda_repeat():
    first, second = (
        MLPClassifier(9, max_iter=3, dropout=0.1, random_state=0, device="cuda").fit(X, y)
        for _ in range(2)
    )
    assert_allclose(first.coefs_[0], second.coefs_[0], atol=1e-6)


def test_cuda_leaves_its_random_state_alone():
    before = torch.cuda.get_rng_state()
    MLPClassifier(9, max_iter=3, dropout=0.1, random_state=0, device="cuda").fit(X, y)
    assert_array_equal(np.asarray(torch.cuda.get_rng_state()), np.asarray(before))


@pytest.mark.parametrize("architecture", ["convnet", "lenet5", "resnet20", "densenet40_12"])
def test_convolutions_on_cuda_follow_the_cpu(architecture):
    settings = dict(image_shape=(8, 8), max_iter=2, precision="float64", random_state=0)
    cpu = CNNClassifier(architecture, **settings, device="cpu").fit(X, y)
    cuda = CNNClassifier(architecture, **settings, device="cuda").fit(X, y)
    assert_allclose(cuda.predict_proba(X), cpu.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        dict(precision="bfloat16"),
        dict(precision="float32"),
        dict(augment=("translate", "rotate", "scale", "shear", "elastic", "cutout"), max_iter=60),
        dict(augment="mixup"),
        dict(tta=("scales", "five_crop")),
    ],
)
def test_images_are_learnt_on_cuda(settings):
    model = CNNClassifier(image_shape=(8, 8), random_state=0, device="cuda", batch_size=20)
    model.set_params(**dict(max_iter=30) | settings).fit(X, y)
    assert model.score(X, y) > 0.8
    assert_allclose(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


# -- recurrent networks

SEQUENCES = [row[: 16 + 8 * (i % 6)].reshape(-1, 8) for i, row in enumerate(X)]


@pytest.mark.parametrize(
    "settings",
    [
        dict(cell="rnn"),
        dict(cell="rnn", activation="relu", recurrent_init="identity"),
        dict(cell="lstm", bidirectional=True, pooling="attention"),
        dict(cell="gru", hidden_layer_sizes=(8, 6), pooling="max"),
        dict(cell="gru", reset_after=False, tbptt_steps=2),
    ],
)
def test_recurrent_layers_on_cuda_follow_the_cpu(settings):
    settings = dict(hidden_layer_sizes=(8,), max_iter=2, precision="float64") | settings
    cpu, cuda = (
        RNNClassifier(**settings, random_state=0, device=device).fit(SEQUENCES, y)
        for device in ("cpu", "cuda")
    )
    assert next(cuda.module_.parameters()).device.type == "cuda"
    assert_allclose(cuda.predict_proba(SEQUENCES), cpu.predict_proba(SEQUENCES), atol=1e-6)
    assert_array_equal(pickle.loads(pickle.dumps(cuda)).predict(SEQUENCES), cuda.predict(SEQUENCES))


@pytest.mark.parametrize("settings", [{}, {"feedback": True, "cell": "lstm"}], ids=str)
def test_recurrent_autoencoders_on_cuda_follow_the_cpu(settings):
    settings = dict(hidden_layer_sizes=(8,), max_iter=2, precision="float64") | settings
    cpu, cuda = (
        RecurrentAutoencoder(4, **settings, random_state=0, device=device).fit(SEQUENCES)
        for device in ("cpu", "cuda")
    )
    assert next(cuda.module_.parameters()).device.type == "cuda"
    codes = cpu.transform(SEQUENCES)
    assert_allclose(cuda.transform(SEQUENCES), codes, atol=1e-6)
    assert_allclose(cuda.inverse_transform(codes), cpu.inverse_transform(codes), atol=1e-6)
    assert_allclose(cuda.score_samples(SEQUENCES), cpu.score_samples(SEQUENCES), atol=1e-6)
    assert len(cuda.reconstruct(SEQUENCES)) == len(SEQUENCES)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_texts_are_learnt_on_cuda(cell, precision):
    settings = dict(
        cell=cell,
        precision=precision,
        hidden_layer_sizes=(32,),
        embedding_dim=32,
        learning_rate="one_cycle",
        learning_rate_init=0.02,
        random_state=0,
        device="cuda",
    )
    text = "the cat sat on the mat. " * 20
    model = LanguageModel(
        **settings, tie_weights=True, window=8, batch_size=4, max_iter=60, dropout=0.1
    ).fit(text)
    assert model.score(text) > -0.5
    assert len(model.sample(3, prompt="the", max_length=20, random_state=0)) == 3
    words = ["one two", "two one", "one", "two"] * 20
    turned = [" ".join(reversed(each.split())) for each in words]
    writer = Seq2Seq(**settings, batch_size=20, max_iter=40, beam_size=2).fit(words, turned)
    assert writer.score(words, turned) == 1


# -- Boltzmann machines

BINARY = (X > 0.5).astype(float)
RBM = BernoulliRBM(n_iter=20, batch_size=20, learning_rate=0.2, learning="cd")


@pytest.mark.parametrize(
    "settings",
    [
        dict(learning="cd"),
        dict(learning="cd", precision="bfloat16"),
        dict(learning="pcd", centring=True, visible_bias_init="data", learning_rate=0.3),
        dict(learning="fpcd"),
        dict(learning="tempering", n_temperatures=5),
        dict(learning="pcd", groups=[list(range(8)), list(range(8, 16))]),
        dict(learning="pcd", sparsity_target=0.1, momentum=0.5, alpha=1e-4),
    ],
)
def test_restricted_machines_learn_on_cuda(settings):
    rbm = BernoulliRBM(12, n_iter=1, batch_size=20, learning_rate=0.05, device="cuda")
    rbm.set_params(random_state=0, **settings).fit(BINARY)
    before = rbm.log_likelihood(BINARY).mean()
    rbm.set_params(n_iter=30).fit(BINARY)
    assert next(rbm.module_.parameters()).device.type == "cuda"
    assert rbm.log_likelihood(BINARY).mean() > before + 0.5
    assert rbm.sample(3, n_steps=10, random_state=0).shape == (3, 64)
    kept = pickle.loads(pickle.dumps(rbm))
    assert_allclose(kept.transform(BINARY), rbm.transform(BINARY), atol=1e-5)


def test_likelihoods_on_cuda_are_those_of_the_cpu():
    cuda = BernoulliRBM(12, n_iter=10, batch_size=20, random_state=0, device="cuda").fit(X)
    cpu = pickle.loads(pickle.dumps(cuda.set_params(device="cpu")))
    assert_allclose(cuda.free_energy(X), cpu.free_energy(X), rtol=1e-4)
    exact = cuda.log_partition("exact")
    assert_allclose(exact.value, cpu.log_partition("exact").value, rtol=1e-6)
    for method in ("ais", "reverse_ais"):
        found = cuda.log_partition(method, n_temperatures=2000, random_state=0)
        assert abs(found.value - exact.value) < 5 * found.std_error
    bound = cuda.log_likelihood_bound(X[:20], n_temperatures=500, random_state=0)
    assert bound.mean() < cuda.log_likelihood(X[:20], exact).mean() + 1


@pytest.mark.parametrize(
    "machine",
    [
        GaussianRBM(8, n_iter=20, batch_size=20),
        BoltzmannMachine(4, max_iter=2),
        BoltzmannMachine(4, max_iter=2, free="tempering", given_data="gibbs"),
        DBN((12, 8), rbm=RBM, fine_tuning="up_down", max_iter=2),
        DBM((12, 8), rbm=RBM, max_iter=2),
        DBM((12, 8), rbm=RBM, max_iter=2, precision="bfloat16", learning="cd"),
        MultimodalDBN(((8,), (8,)), modalities=(32, 32), n_components=8, rbm=RBM),
    ],
    ids=lambda machine: type(machine).__name__,
)
def test_machines_learn_on_cuda(machine):
    machine.set_params(device="cuda", random_state=0).fit(X)
    assert next(machine.module_.parameters()).device.type == "cuda"
    assert np.isfinite(machine.transform(X)).all()
    assert machine.sample(3, n_steps=10, random_state=0).shape == (3, 64)
    kept = pickle.loads(pickle.dumps(machine))
    assert_allclose(kept.transform(X), machine.transform(X), atol=1e-4)


@pytest.mark.parametrize(
    "classifier",
    [
        DBNClassifier((32,), rbm=RBM, max_iter=40, learning_rate_init=0.01),
        DBNClassifier((64,), rbm=RBM, head="associative", batch_size=20, learning_rate_init=0.01),
        DBMClassifier((32, 16), dbm=DBM(rbm=RBM, max_iter=2), max_iter=40, learning_rate_init=0.01),
    ],
    ids=["finetune", "associative", "deep"],
)
def test_machines_tell_classes_apart_on_cuda(classifier):
    classifier.set_params(device="cuda", random_state=0).fit(X, y)
    assert classifier.score(X, y) > 0.7
    if hasattr(classifier, "sample"):
        assert classifier.sample(2, y=[1, 2], n_steps=5, random_state=0).shape == (2, 64)


QUICK = {"max_iter": 20, "batch_size": 50, "learning_rate_init": 0.01}
CODE = {"code_activation": "logistic", "sparsity_target": 0.1, "contraction": 0.01, "code_l1": 0.01}


@pytest.mark.parametrize(
    "coder",
    [
        Autoencoder((32, 8)),
        Autoencoder((32, 8), tied_weights=True, noise="salt_pepper", noise_level=0.1),
        Autoencoder((32, 8), noise="masking", precision="bfloat16", pretrain="layerwise"),
        Autoencoder((32, 8), **CODE),
        Autoencoder(32, n_active=4, n_active_init=16),
        AutoencoderOutlierDetector((32, 8)),
        ConvAutoencoder(8, filters=(8, 16), image_shape=(8, 8)),
        VariationalAutoencoder(4, (32,), likelihood="bernoulli", dynamic_binarization=True),
        VariationalAutoencoder(4, (32,), variance="samples", n_importance_samples=3),
        VariationalAutoencoder(4, (32,), likelihood="mixed", categorical_features=[0, 3]),
        VariationalAutoencoder(4, (32,), filters=8, image_shape=(8, 8), conditional=True),
    ],
    ids=str,
)
def test_autoencoders_learn_on_cuda(coder):
    once = (
        clone(coder).set_params(**QUICK | {"max_iter": 1}, device="cuda", random_state=0).fit(X, y)
    )
    coder = clone(coder).set_params(**QUICK, device="cuda", random_state=0).fit(X, y)
    assert next(coder.module_.parameters()).device.type == "cuda"
    given = (X, y) if getattr(coder, "conditional", False) else (X,)
    assert coder.score(*given) > once.score(*given)
    kept = pickle.loads(pickle.dumps(coder)).set_params(device="cpu")
    kept.module_.to("cpu")
    assert_allclose(kept.transform(*given), coder.transform(*given), atol=1e-3)
    if hasattr(coder, "sample"):
        assert coder.sample(3, random_state=0).shape == (3, 64)
        assert np.isfinite(coder.log_likelihood(*given, n_samples=20)).all()


IMAGES = {"image_shape": (8, 8), "filters": (8, 8)}


@pytest.mark.parametrize(
    "gan",
    [
        GAN(4, (32,), r1=0.1, replay_size=50, instance_noise=0.1),
        GAN(4, (32,), loss="wasserstein", n_discriminator_steps=2, n_packed=2),
        GAN(4, (32,), minibatch_discrimination=4, spectral_norm=True, conditional=True),
        GAN(4, (32,), categorical_features=[0, 3], averaging="ema"),
        DCGAN(4, minibatch_std=True, precision="bfloat16", **IMAGES),
        ProgressiveGAN(4, conditional=True, **IMAGES),
        StyleGAN(4, **IMAGES),
    ],
    ids=str,
)
def test_adversarial_networks_learn_on_cuda(gan):
    gan = clone(gan).set_params(**QUICK | {"max_iter": 6}, device="cuda", random_state=0)
    gan.fit(X, y)
    assert next(gan.module_.parameters()).device.type == "cuda"
    assert np.isfinite(gan.score(X, y))
    assert gan.sample(3, random_state=0).shape == (3, 64)
    codes = np.random.default_rng(0).normal(size=(2, 4))
    of_class = {"y": [0, 1]} if gan.conditional else {}
    made = gan.generate(codes, **of_class)
    assert gan.invert(made, n_steps=5, n_starts=2, **of_class).shape == (2, 4)
    kept = pickle.loads(pickle.dumps(gan)).set_params(device="cpu")
    kept.module_.to("cpu")
    assert_allclose(kept.generate(codes, **of_class), made, atol=1e-3)
    assert_allclose(kept.transform(X), gan.transform(X), atol=1e-3)


@pytest.mark.parametrize("settings", [{}, {"loss": "log_loss"}, {"tied_weights": True}], ids=str)
def test_autoencoders_on_cuda_follow_the_cpu(settings):
    how = {"hidden_layer_sizes": (10, 4), "activation": "tanh", "precision": "float64"} | settings
    cpu, cuda = (
        Autoencoder(**how, **QUICK, random_state=0, device=device).fit(X)
        for device in ("cpu", "cuda")
    )
    assert_allclose(cuda.transform(X), cpu.transform(X), atol=1e-5)
