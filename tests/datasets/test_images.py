"""The loaders of images: every arrangement of files, damaged files, OpenML's rows, known facts."""

import gzip

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import Bunch

from sknets.datasets import (
    load_binarized_mnist,
    load_cifar10,
    load_fashion_mnist,
    load_flickr8k,
    load_mnist,
    load_olivetti_faces,
)

RNG = np.random.default_rng(0)
IMAGES = {"train": RNG.integers(256, size=(5, 28, 28), dtype=np.uint8)}
IMAGES["test"] = IMAGES["train"][:3] // 2
LABELS = {"train": np.array([3, 1, 4, 1, 9], np.uint8), "test": np.array([2, 0, 7], np.uint8)}


def as_idx(values):
    lengths = np.array(values.shape, dtype=">u4")
    return bytes([0, 0, 8, values.ndim]) + lengths.tobytes() + values.tobytes()


def write_idx(folder, suffix="", images=IMAGES, labels=LABELS):
    folder.mkdir(parents=True)
    for part, name in (("train", "train"), ("test", "t10k")):
        for kind, values in (("images-idx3", images[part]), ("labels-idx1", labels[part])):
            content = as_idx(values)
            if suffix == ".gz":
                content = gzip.compress(content)
            (folder / f"{name}-{kind}-ubyte{suffix}").write_bytes(content)


def as_records(images, labels):
    return np.column_stack([labels, images.reshape(len(labels), -1)]).astype(np.uint8).tobytes()


def as_differences(images):
    """The inverse of the reader's sums: (n, 3, height, width) -> (3, n, height, width)."""
    red, green, blue = np.moveaxis(images, 1, 0)
    planes = np.stack([green, red - green, blue - green])
    zero = np.uint8(0)
    return np.diff(np.diff(planes, axis=-1, prepend=zero), axis=-2, prepend=zero)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("load", "folder"),
    [
        (load_mnist, "mnist"),
        (load_mnist, "MNIST/raw"),
        (load_fashion_mnist, "fashion_mnist"),
        (load_fashion_mnist, "FashionMNIST/raw"),
        (load_fashion_mnist, "fashion-mnist"),
    ],
)
def test_idx_files_load_from_every_layout(load, folder, suffix, tmp_path):
    write_idx(tmp_path / folder, suffix)
    for part in ("train", "test"):
        found = load(subset=part, data_home=tmp_path)
        np.testing.assert_array_equal(found.images, IMAGES[part], strict=True)
        np.testing.assert_array_equal(found.data, IMAGES[part].reshape(-1, 784), strict=True)
        np.testing.assert_array_equal(found.target, LABELS[part].astype(np.int64), strict=True)
        name = {"train": "train", "test": "t10k"}[part]
        assert found.filename == [
            str(tmp_path / folder / f"{name}-{kind}-ubyte{suffix}")
            for kind in ("images-idx3", "labels-idx1")
        ]


@pytest.mark.parametrize("folder", ["", "mnist"])
def test_keras_archive_loads(folder, tmp_path):
    (tmp_path / folder).mkdir(exist_ok=True)
    parts = {f"x_{part}": IMAGES[part] for part in IMAGES}
    parts |= {f"y_{part}": LABELS[part] for part in LABELS}
    np.savez(tmp_path / folder / "mnist.npz", **parts)
    np.testing.assert_array_equal(load_mnist(data_home=tmp_path).images, IMAGES["train"])
    np.testing.assert_array_equal(
        load_mnist(subset="test", data_home=tmp_path).target, LABELS["test"]
    )


def test_all_joins_the_parts_in_order(tmp_path):
    write_idx(tmp_path / "mnist")
    found = load_mnist(subset="all", data_home=tmp_path)
    np.testing.assert_array_equal(found.images, [*IMAGES["train"], *IMAGES["test"]])
    assert found.target.tolist() == [3, 1, 4, 1, 9, 2, 0, 7]
    assert len(found.filename) == 4


def test_pair_and_bunch_agree(tmp_path):
    write_idx(tmp_path / "fashion_mnist")
    X, y = load_fashion_mnist(return_X_y=True, data_home=tmp_path)
    found = load_fashion_mnist(data_home=str(tmp_path))
    np.testing.assert_array_equal(X, found.data)
    np.testing.assert_array_equal(y, found.target)
    assert found.target_names[y].tolist() == [
        *("Dress", "Trouser", "Coat", "Trouser", "Ankle boot"),
    ]
    assert found.feature_names[:2] == ["pixel_0_0", "pixel_0_1"]
    assert len(found.feature_names) == 784
    assert "Xiao" in found.DESCR


def test_rows_and_images_are_one_writable_array(tmp_path):
    write_idx(tmp_path / "mnist")
    found = load_mnist(data_home=tmp_path)
    found.data[0, 1] = 17
    assert found.images[0, 0, 1] == 17


@pytest.mark.parametrize(
    "folder", ["cifar10", "cifar10/cifar-10-batches-bin", "cifar-10-batches-bin"]
)
def test_cifar_batches_load(folder, tmp_path):
    (tmp_path / folder).mkdir(parents=True)
    images = RNG.integers(256, size=(12, 3, 32, 32), dtype=np.uint8)
    labels = np.arange(12) % 10
    for i in range(5):
        rows = slice(2 * i, 2 * i + 2)
        batch = as_records(images[rows], labels[rows])
        (tmp_path / folder / f"data_batch_{i + 1}.bin").write_bytes(batch)
    (tmp_path / folder / "test_batch.bin").write_bytes(as_records(images[10:], labels[10:]))
    found = load_cifar10(subset="all", data_home=tmp_path)
    np.testing.assert_array_equal(found.images, images, strict=True)
    np.testing.assert_array_equal(found.target, labels)
    assert found.feature_names[1025] == "pixel_1_0_1"


def test_cifar_subset_loads_and_whole_set_goes_first(tmp_path):
    folder = tmp_path / "cifar10"
    folder.mkdir()
    images = RNG.integers(256, size=(4, 3, 32, 32), dtype=np.uint8)
    labels = np.array([1, 9, 0, 3], np.uint8)
    np.savez(
        folder / "cifar10_subset.npz",
        x_train_d=as_differences(images),
        y_train=labels,
        x_test_d=as_differences(images[:1]),
        y_test=labels[:1],
    )
    np.testing.assert_array_equal(load_cifar10(data_home=tmp_path).images, images)
    (folder / "test_batch.bin").write_bytes(as_records(images[2:], labels[2:]))
    assert load_cifar10(subset="test", data_home=tmp_path).target.tolist() == [0, 3]


def test_binarized_mnist_unpacks_its_bits(tmp_path):
    (tmp_path / "binarized_mnist").mkdir()
    bits = RNG.integers(2, size=(6, 784), dtype=np.uint8)
    parts = {"train": bits[:3], "valid": bits[3:5], "test": bits[5:]}
    packed = {part: np.packbits(rows, axis=1) for part, rows in parts.items()}
    np.savez(tmp_path / "binarized_mnist" / "binarized_mnist.npz", **packed)
    found = load_binarized_mnist(subset="validation", data_home=tmp_path)
    np.testing.assert_array_equal(found.data, bits[3:5], strict=True)
    assert found.images.shape == (2, 28, 28)
    assert "target" not in found
    np.testing.assert_array_equal(load_binarized_mnist(subset="all", data_home=tmp_path).data, bits)


def test_flickr_pairs_images_with_captions(tmp_path):
    folder = tmp_path / "flickr8k"
    folder.mkdir()
    images = RNG.integers(256, size=(3, 3, 64, 64), dtype=np.uint8)
    np.savez(
        folder / "flickr8k_1000_images64.npz",
        x_d=as_differences(images),
        file_name=np.array(["b.jpg", "a.jpg", "c.jpg"]),
    )
    (folder / "Flickr8k.token.txt").write_text("a.jpg#0\tA .\na.jpg#1\tAn a .\nb.jpg#0\tB .\n")
    (folder / "Flickr_8k.trainImages.txt").write_text("a.jpg\nb.jpg\nz.jpg\n")
    X, captions = load_flickr8k(return_X_y=True, data_home=tmp_path)
    np.testing.assert_array_equal(X, images[:2].reshape(2, -1))
    assert captions == [["B ."], ["A .", "An a ."]]


def test_faces_load(tmp_path):
    (tmp_path / "faces").mkdir()
    faces = RNG.integers(256, size=(2, 64, 64), dtype=np.uint8)
    np.savez(tmp_path / "faces" / "olivetti_faces.npz", x=faces, y=np.array([0, 39], np.uint8))
    found = load_olivetti_faces(data_home=tmp_path)
    np.testing.assert_array_equal(found.images, faces)
    assert found.target_names[found.target].tolist() == ["person 0", "person 39"]


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("train-images-idx3-ubyte", lambda content: content[:-1], "cannot reshape"),
        ("train-images-idx3-ubyte", lambda content: content[:9], ""),
        ("train-images-idx3-ubyte", lambda content: b"", "does not begin as an idx file"),
        ("train-images-idx3-ubyte", lambda content: b"<html>", "does not begin as an idx file"),
        ("train-labels-idx1-ubyte", lambda content: content[:-1], "cannot reshape"),
        ("train-labels-idx1-ubyte", lambda content: as_idx(LABELS["test"]), "cannot reshape"),
        ("train-labels-idx1-ubyte", lambda content: content[:-1] + b"\x0a", "label 10, but 10 cl"),
    ],
)
def test_damaged_idx_file_is_named(name, damage, reason, tmp_path):
    write_idx(tmp_path / "mnist")
    file = tmp_path / "mnist" / name
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=f"{name}.*: damaged, or not of the exp.*: .*{reason}"):
        load_mnist(data_home=tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-8],
        lambda content: content[:100] + bytes(100) + content[200:],
        lambda content: b"not gzip",
        lambda content: b"",
    ],
)
def test_damaged_gzip_file_is_named(damage, tmp_path):
    write_idx(tmp_path / "mnist", ".gz")
    file = tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte\.gz: damaged"):
        load_mnist(subset="test", data_home=tmp_path)


def test_damaged_batch_is_named(tmp_path):
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / "test_batch.bin").write_bytes(bytes(3074))
    with pytest.raises(ValueError, match=r"test_batch\.bin: damaged"):
        load_cifar10(subset="test", data_home=tmp_path)


@pytest.mark.parametrize("content", [b"PK", b"no archive", b""])
def test_damaged_archive_is_named(content, tmp_path):
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"mnist\.npz: damaged"):
        load_mnist(data_home=tmp_path)


def test_pickles_are_not_read(tmp_path):
    np.savez(tmp_path / "mnist.npz", x_train=np.array([print], dtype=object), y_train=[0])
    with pytest.raises(ValueError, match=r"mnist\.npz: damaged.*allow_pickle=False"):
        load_mnist(data_home=tmp_path)


def test_archive_without_the_part_is_named(tmp_path):
    np.savez(tmp_path / "mnist.npz", x_test=IMAGES["test"], y_test=LABELS["test"])
    with pytest.raises(ValueError, match=r"mnist\.npz: damaged.*x_train"):
        load_mnist(data_home=tmp_path)


def test_another_set_in_the_place_of_mnist_is_refused(tmp_path):
    images = {part: np.zeros((1000, 28, 28), np.uint8) for part in ("train", "test")}
    labels = {part: np.zeros(1000, np.uint8) for part in ("train", "test")}
    write_idx(tmp_path / "mnist", images=images, labels=labels)
    with pytest.raises(
        ValueError, match=r"train part .* not the data set that load_mnist promises"
    ):
        load_mnist(data_home=tmp_path)


def page_of(images, labels):
    """What fetch_openml(as_frame=True) returns of a set of images."""
    target = pd.Series(labels.astype(str), name="class", dtype="category")
    return Bunch(data=pd.DataFrame(images.reshape(len(images), -1)), target=target)


@pytest.mark.parametrize(
    ("load", "data_id"), [(load_mnist, 554), (load_fashion_mnist, 40996)], ids=["mnist", "fashion"]
)
def test_openml_gives_the_same_parts(load, data_id, data_home, tmp_path, monkeypatch):
    local = {part: load(subset=part, data_home=data_home) for part in ("train", "test")}
    asked = []

    def fetch_openml(**options):
        asked.append(options)
        images, labels = load(subset="all", return_X_y=True, data_home=data_home)
        return page_of(images, labels)

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch_openml)
    for part, expected in local.items():
        found = load(subset=part, data_home=tmp_path)
        np.testing.assert_array_equal(found.images, expected.images, strict=True)
        np.testing.assert_array_equal(found.target, expected.target, strict=True)
        assert found.filename == [f"https://www.openml.org/d/{data_id}"]
    assert [options["data_id"] for options in asked] == [data_id, data_id]


def test_openml_rows_in_another_order_are_refused(monkeypatch, tmp_path):
    images, labels = np.zeros((3000, 784), np.uint8), np.zeros(3000, np.uint8)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda **_: page_of(images, labels))
    with pytest.raises(ValueError, match=r"openml\.org/d/554: the train part does not begin"):
        load_mnist(data_home=tmp_path)


FACTS = [
    # loader, part, shape, first labels, examples of each class, mean of a pixel
    (load_mnist, "train", (60_000, 28, 28), "5041921314", None, 33.3184),
    (load_mnist, "test", (10_000, 28, 28), "7210414959", None, 33.7912),
    (load_fashion_mnist, "train", (60_000, 28, 28), "9003027255", 6000, 72.9404),
    (load_fashion_mnist, "test", (10_000, 28, 28), "9211614657", 1000, 73.1466),
    (load_cifar10, "train", (18_000, 3, 32, 32), "6994112783", None, None),
    (load_cifar10, "test", (3_000, 3, 32, 32), "3880661631", 300, None),
]


@pytest.mark.parametrize(
    ("load", "part", "shape", "first", "in_each_class", "mean"),
    FACTS,
    ids=[f"{fact[0].__name__}-{fact[1]}" for fact in FACTS],
)
def test_known_facts(load, part, shape, first, in_each_class, mean, data_home):
    found = load(subset=part, data_home=data_home)
    if load is load_cifar10 and len(found.images) in (50_000, 10_000):
        pytest.skip("the facts are those of the subset")
    assert found.images.shape == shape
    assert found.images.dtype == np.uint8
    assert found.target.dtype == np.int64
    assert "".join(map(str, found.target[:10])) == first
    if in_each_class:
        assert np.bincount(found.target).tolist() == [in_each_class] * 10
    if mean:
        assert found.data.mean() == pytest.approx(mean, abs=1e-4)


def test_known_facts_of_mnist_classes(data_home):
    y = load_mnist(subset="all", data_home=data_home).target
    counts = [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    assert np.bincount(y).tolist() == counts


def test_known_facts_of_binarized_mnist(data_home):
    """The pixels are drawn from the greys, so their mean is MNIST's."""
    shapes = {"train": 50_000, "validation": 10_000, "test": 10_000}
    for part, n_samples in shapes.items():
        found = load_binarized_mnist(subset=part, data_home=data_home)
        assert found.images.shape == (n_samples, 28, 28)
        assert found.data.max() == 1
        assert found.data.mean() == pytest.approx(33.3 / 255, abs=0.004)


def test_known_facts_of_faces(data_home):
    found = load_olivetti_faces(data_home=data_home)
    assert found.images.shape == (400, 64, 64)
    assert np.bincount(found.target).tolist() == [10] * 40


def test_known_facts_of_flickr(data_home):
    sizes = {}
    for part in ("train", "validation", "test"):
        found = load_flickr8k(subset=part, data_home=data_home)
        assert {len(captions) for captions in found.target} == {5}
        sizes[part] = len(found.images)
    assert sizes == {"train": 753, "validation": 113, "test": 125}
