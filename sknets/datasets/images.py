"""Sets of images: digits, clothes, photographs, faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import Bunch

from sknets.datasets._files import arrays, blaming, contents, lines
from sknets.datasets._loaders import SUBSET_OF_THREE, bunch, check, documented
from sknets.datasets._sources import Examples, Layout, OpenML, Source, layout, load_parts, local

# ---- Readers -------------------------------------------------------------------------------------


def read_idx(part: str, paths: list[Path]) -> Examples:
    """LeCun's files, one of images and one of labels."""
    images, labels = map(idx, paths)
    return Examples(images, labels)


def idx(path: Path) -> np.ndarray:
    """The format: 0, 0, 8 for bytes, the number of axes; their lengths, big-endian; the values."""
    content = contents(path)
    with blaming(path):
        if content[:3] != b"\0\0\x08":
            raise ValueError("it does not begin as an idx file of bytes does")
        header = 4 + 4 * int.from_bytes(content[3:4], "big")
        shape = np.frombuffer(content[4:header], dtype=">u4").tolist()
        return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_keras(part: str, paths: list[Path]) -> Examples:
    """Keras' archive of all parts."""
    images, labels = arrays(paths[0], f"x_{part}", f"y_{part}")
    return Examples(images, labels)


def read_cifar(part: str, paths: list[Path]) -> Examples:
    """The binary version: records of a label and a red, a green and a blue plane."""
    batches = []
    for path in paths:
        content = np.frombuffer(contents(path), np.uint8)
        with blaming(path):
            batches.append(content.reshape(-1, 1 + 3 * 32 * 32))
    records = np.concatenate(batches)
    return Examples(records[:, 1:], records[:, 0])


def read_cifar_subset(part: str, paths: list[Path]) -> Examples:
    """An archive that is packed tighter than the binary version."""
    planes, labels = arrays(paths[0], f"x_{part}_d", f"y_{part}")
    with blaming(paths[0]):
        return Examples(colours(planes), labels)


def colours(planes: np.ndarray) -> np.ndarray:
    """(3, n, height, width) -> (n, 3, height, width), modulo 256.

    The planes are green, red minus green and blue minus green, each stored as differences along
    both of its axes.
    """
    green, red, blue = planes.cumsum(-1, dtype=np.uint8).cumsum(-2, dtype=np.uint8)
    return np.stack([red + green, green, blue + green], axis=1)


def read_faces(part: str, paths: list[Path]) -> Examples:
    """An archive of images and labels."""
    images, labels = arrays(paths[0], "x", "y")
    return Examples(images, labels)


def read_bits(part: str, paths: list[Path]) -> Examples:
    """An archive of all parts, eight pixels to a byte."""
    [bits] = arrays(paths[0], part.replace("validation", "valid"))
    with blaming(paths[0]):
        return Examples(np.unpackbits(bits, axis=1))


def read_flickr(part: str, paths: list[Path]) -> Examples:
    """Of all images those that the part's list names, and the captions of each."""
    archive, tokens, members = paths
    planes, names = arrays(archive, "x_d", "file_name")
    chosen = np.isin(names, lines(members))
    captions: dict[str, list[str]] = {}
    sentences = lines(tokens)  # 1000268201_693b08cb0e.jpg#0<TAB>A child in a pink dress ...
    with blaming(tokens):
        for key, sentence in (line.split("\t") for line in sentences):
            captions.setdefault(key.partition("#")[0], []).append(sentence)
        return Examples(colours(planes[:, chosen]), [captions[name] for name in names[chosen]])


def read_openml(page: Bunch, rows: slice) -> Examples:
    """Pixels and digits."""
    labels = page.target.iloc[rows].astype(int)
    return Examples(page.data.iloc[rows].to_numpy(np.uint8), labels.to_numpy(np.uint8))


# ---- The sets ------------------------------------------------------------------------------------


class ImageSet(NamedTuple):
    """The shape of an image, the names of the classes in the order of their codes, the source."""

    shape: tuple[int, ...]
    target_names: tuple[str, ...]
    source: Source


def idx_layout(*folders: str) -> Layout:
    """LeCun's four files."""
    return layout(
        read_idx,
        *folders,
        train="train-images-idx3-ubyte train-labels-idx1-ubyte",
        test="t10k-images-idx3-ubyte t10k-labels-idx1-ubyte",
    )


def openml(data_id: int, n_train: int) -> OpenML:
    """A set at openml.org whose test images follow its training images."""
    return OpenML(data_id, {"train": slice(n_train), "test": slice(n_train, None)}, read_openml)


IMAGE_SETS = {
    "mnist": ImageSet(
        (28, 28),
        tuple("0123456789"),
        Source(
            (
                idx_layout("mnist", "MNIST/raw"),
                layout(read_keras, "mnist", "", train="mnist.npz", test="mnist.npz"),
            ),
            openml(554, n_train=60_000),  # mnist_784, version 1
            {
                "train": "95d85e11b2d2a0c8dbe9c4d58cb7ed30815729bec83b36c769d57aad68214912",
                "test": "433b45373ea5854af220ecaa5779542557e32a893fbaf90aa26d1e31123335de",
            },
        ),
    ),
    "fashion_mnist": ImageSet(
        (28, 28),
        (
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        Source(
            (idx_layout("fashion_mnist", "FashionMNIST/raw", "fashion-mnist"),),
            openml(40996, n_train=60_000),  # Fashion-MNIST, version 1
            {
                "train": "fea39f38d1420bcab5f93772f2fcb12530d4fb1f7c3399e1ef8669f496c3e336",
                "test": "99324003f90225ff171e1aec72f674b69ec6865868cc89648a79ce554830d86d",
            },
        ),
    ),
    "cifar10": ImageSet(
        (3, 32, 32),
        (
            *("airplane", "automobile", "bird", "cat", "deer"),
            *("dog", "frog", "horse", "ship", "truck"),
        ),
        Source(
            (
                layout(
                    read_cifar,
                    *("cifar10", "cifar10/cifar-10-batches-bin", "cifar-10-batches-bin"),
                    train=" ".join(f"data_batch_{i}.bin" for i in range(1, 6)),
                    test="test_batch.bin",
                ),
                layout(
                    read_cifar_subset,
                    "cifar10",
                    train="cifar10_subset.npz",
                    test="cifar10_subset.npz",
                ),
            ),
            openml(40927, n_train=50_000),  # CIFAR_10, version 1
            {
                "train": "0f266ad90f33ac092b7adf871ffe3430c013b340bd2b47a7aa342cf17bb5210d",
                "test": "2c7f1e2769a741f695dfd5f74aa4a4ef08a7d20b9ec8576214dabab76c75c784",
            },
        ),
    ),
    "olivetti_faces": ImageSet(
        (64, 64),
        tuple(f"person {i}" for i in range(40)),
        local(read_faces, "faces", all="olivetti_faces.npz"),
    ),
}

BINARIZED_MNIST = local(
    read_bits,
    "binarized_mnist",
    train="binarized_mnist.npz",
    validation="binarized_mnist.npz",
    test="binarized_mnist.npz",
)
FLICKR8K = local(
    read_flickr,
    "flickr8k",
    train="flickr8k_1000_images64.npz Flickr8k.token.txt Flickr_8k.trainImages.txt",
    validation="flickr8k_1000_images64.npz Flickr8k.token.txt Flickr_8k.devImages.txt",
    test="flickr8k_1000_images64.npz Flickr8k.token.txt Flickr_8k.testImages.txt",
)

ATTRIBUTES = """\
data : ndarray of shape (n_samples, n_pixels), dtype uint8
    The images as rows, each value from 0 to 255; n_pixels counts every channel.
images : ndarray of shape (n_samples, [channels,] height, width), dtype uint8
    The same values, not flattened.
target : ndarray of shape (n_samples,), dtype int64
    The class of each image, a position in `target_names`.
target_names : ndarray of shape (n_classes,), dtype str
    The names of the classes.
feature_names : list of str
    The place in the image of each value of a row."""
ROWS_AND_CLASSES = "The images as rows, and their classes."


def load_images(loader: str, subset: str, return_X_y: bool, data_home: Any) -> Any:
    """What the loader of any set in ``IMAGE_SETS`` does."""
    shape, names, source = IMAGE_SETS[loader]
    check(loader, source, subset=subset, return_X_y=return_X_y)
    parts, origins = load_parts(loader, source, subset, data_home)
    with blaming(*origins):
        images = np.concatenate([part.data.reshape(len(part.target), *shape) for part in parts])
        target = np.concatenate([part.target for part in parts]).astype(np.int64)
        if target.max() >= len(names):
            raise ValueError(f"there is a label {target.max()}, but {len(names)} classes")
    return bunch(
        loader,
        return_X_y,
        **pictures(images),
        target=target,
        target_names=np.array(names),
        filename=origins,
    )


def pictures(images: np.ndarray) -> dict[str, Any]:
    """The entries of a Bunch that come from images."""
    places = np.ndindex(images.shape[1:])
    return {
        "data": images.reshape(len(images), -1),
        "images": images,
        "feature_names": ["pixel_" + "_".join(map(str, place)) for place in places],
    }


# ---- The loaders ---------------------------------------------------------------------------------


@documented(ATTRIBUTES, ROWS_AND_CLASSES)
def load_mnist(*, subset="train", return_X_y=False, data_home=None):
    """MNIST: handwritten digits, 28 x 28 pixels, 10 classes.

    60,000 images for training, 10,000 for testing, by other writers. 0 is paper, 255 ink.

    See Also
    --------
    load_fashion_mnist : As many images of the same size, harder to tell apart.
    load_binarized_mnist : The digits in black and white, for density models.

    Notes
    -----
    Files: ``train-images-idx3-ubyte`` and its three companions, each plain or with ``.gz``, in
    ``mnist`` or in torchvision's ``MNIST/raw``; or Keras' ``mnist.npz``. Without them, data set 554
    of OpenML. The authors make the data freely available; no licence is stated.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. Gradient-based learning applied to document
       recognition. Proceedings of the IEEE 86, 1998. doi:10.1109/5.726791

    Examples
    --------
    With the files at hand, or a network:

    >>> from sknets.datasets import load_mnist
    >>> mnist = load_mnist(subset="test")  # doctest: +SKIP
    >>> mnist.images.shape  # doctest: +SKIP
    (10000, 28, 28)
    >>> X, y = load_mnist(return_X_y=True)  # doctest: +SKIP
    >>> X.shape, y[:3]  # doctest: +SKIP
    ((60000, 784), array([5, 0, 4]))
    """
    return load_images("mnist", subset, return_X_y, data_home)


@documented(ATTRIBUTES, ROWS_AND_CLASSES)
def load_fashion_mnist(*, subset="train", return_X_y=False, data_home=None):
    """Fashion-MNIST: articles of clothing, 28 x 28 pixels, 10 classes.

    60,000 images for training, 10,000 for testing: MNIST's sizes and files, harder to tell apart.

    See Also
    --------
    load_mnist : The digits it was made to replace.

    Notes
    -----
    Files: ``train-images-idx3-ubyte`` and its three companions, each plain or with ``.gz``, in
    ``fashion_mnist``, in torchvision's ``FashionMNIST/raw`` or in Keras' ``fashion-mnist``. Without
    them, data set 40996 of OpenML. Licence: MIT.

    References
    ----------
    .. [1] H. Xiao, K. Rasul, R. Vollgraf. Fashion-MNIST: a novel image dataset for benchmarking
       machine learning algorithms. 2017. arXiv:1708.07747

    Examples
    --------
    With the files at hand, or a network:

    >>> from sknets.datasets import load_fashion_mnist
    >>> fashion = load_fashion_mnist(subset="test")  # doctest: +SKIP
    >>> fashion.target_names[fashion.target[:3]].tolist()  # doctest: +SKIP
    ['Ankle boot', 'Pullover', 'Trouser']
    """
    return load_images("fashion_mnist", subset, return_X_y, data_home)


@documented(ATTRIBUTES, ROWS_AND_CLASSES)
def load_cifar10(*, subset="train", return_X_y=False, data_home=None):
    """CIFAR-10: colour photographs of animals and vehicles, 3 x 32 x 32 pixels, 10 classes.

    50,000 images for training, 10,000 for testing. The red plane comes first, then the green, then
    the blue.

    See Also
    --------
    load_fashion_mnist : Smaller images without colour.

    Notes
    -----
    Files: those of the binary version, ``data_batch_1.bin`` to ``data_batch_5.bin`` and
    ``test_batch.bin``, in ``cifar10`` or ``cifar-10-batches-bin``. (The Python version, which
    torchvision and Keras keep, is made of pickles: it is not read.) Without them, a subset of
    18,000 and 3,000 images, ``cifar10/cifar10_subset.npz``, on which accuracies do not compare with
    published ones. Without that, data set 40927 of OpenML, a large download. No licence is stated;
    the author asks to be cited.

    References
    ----------
    .. [1] A. Krizhevsky. Learning multiple layers of features from tiny images. Technical report,
       University of Toronto, 2009.

    Examples
    --------
    With the files at hand, or a network:

    >>> from sknets.datasets import load_cifar10
    >>> cifar = load_cifar10(subset="test")  # doctest: +SKIP
    >>> cifar.images.shape[1:]  # doctest: +SKIP
    (3, 32, 32)
    >>> cifar.target_names[cifar.target[:3]].tolist()  # doctest: +SKIP
    ['cat', 'ship', 'ship']
    """
    return load_images("cifar10", subset, return_X_y, data_home)


@documented(ATTRIBUTES, ROWS_AND_CLASSES)
def load_olivetti_faces(*, return_X_y=False, data_home=None):
    """Olivetti faces: 40 people, 10 photographs of each, 64 x 64 grey pixels.

    The photographs of a person stand together, so shuffle before you split.

    See Also
    --------
    sklearn.datasets.fetch_olivetti_faces : The same faces over a network, as floats.

    Notes
    -----
    File: ``faces/olivetti_faces.npz`` with the arrays ``x`` and ``y``. No licence is stated; AT&T
    Laboratories Cambridge ask to be acknowledged.

    References
    ----------
    .. [1] F. Samaria, A. Harter. Parameterisation of a stochastic model for human face
       identification. IEEE Workshop on Applications of Computer Vision, 1994.
       doi:10.1109/ACV.1994.341300

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_olivetti_faces
    >>> load_olivetti_faces().images.shape  # doctest: +SKIP
    (400, 64, 64)
    """
    return load_images("olivetti_faces", "all", return_X_y, data_home)


@documented(
    """\
data : ndarray of shape (n_samples, 784), dtype uint8
    The images as rows of zeros and ones.
images : ndarray of shape (n_samples, 28, 28), dtype uint8
    The same values, not flattened.
feature_names : list of str
    The place in the image of each value of a row.""",
    subset=SUBSET_OF_THREE,
)
def load_binarized_mnist(*, subset="train", data_home=None):
    """MNIST in black and white, drawn once and for all: 50,000, 10,000 and 10,000 images.

    Each pixel is 1 with the probability of its grey. There are no classes. Log-likelihoods on these
    images compare with one another, not with those on digits that are thresholded, or drawn anew in
    each epoch.

    See Also
    --------
    load_mnist : The grey digits, with their classes.

    Notes
    -----
    File: ``binarized_mnist/binarized_mnist.npz`` with the arrays ``train``, ``valid`` and ``test``,
    eight pixels to a byte. Licence: MIT, of the repository that they were taken from.

    References
    ----------
    .. [1] R. Salakhutdinov, I. Murray. On the quantitative analysis of deep belief networks. ICML
       2008. doi:10.1145/1390156.1390266
    .. [2] H. Larochelle, I. Murray. The neural autoregressive distribution estimator. AISTATS 2011.

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_binarized_mnist
    >>> load_binarized_mnist(subset="validation").data.shape  # doctest: +SKIP
    (10000, 784)
    """
    check("binarized_mnist", BINARIZED_MNIST, subset=subset)
    parts, origins = load_parts("binarized_mnist", BINARIZED_MNIST, subset, data_home)
    with blaming(*origins):
        images = np.concatenate([part.data.reshape(-1, 28, 28) for part in parts])
    return bunch("binarized_mnist", **pictures(images), filename=origins)


@documented(
    """\
data : ndarray of shape (n_samples, 12288), dtype uint8
    The images as rows, each value from 0 to 255.
images : ndarray of shape (n_samples, 3, 64, 64), dtype uint8
    The same values, not flattened.
target : list of n_samples lists of five str
    The captions: words and punctuation, blanks between them.
feature_names : list of str
    The place in the image of each value of a row.""",
    "The images as rows, and their captions.",
    subset=SUBSET_OF_THREE,
)
def load_flickr8k(*, subset="train", return_X_y=False, data_home=None):
    """Flickr8k: photographs with five captions each, here 991 of the 8,000.

    Squares from the middle of the photographs, 3 x 64 x 64 pixels; 753 of the published training
    part, 113 for validation and 125 for testing.

    See Also
    --------
    load_cifar10 : Photographs with a class each.

    Notes
    -----
    Files: ``flickr8k_1000_images64.npz``, ``Flickr8k.token.txt`` and the lists
    ``Flickr_8k.trainImages.txt``, ``Flickr_8k.devImages.txt`` and ``Flickr_8k.testImages.txt``, in
    ``flickr8k``. For research and education only, not for commerce; the photographs belong to those
    who took them.

    References
    ----------
    .. [1] M. Hodosh, P. Young, J. Hockenmaier. Framing image description as a ranking task. Journal
       of Artificial Intelligence Research 47, 2013. doi:10.1613/jair.3994

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_flickr8k
    >>> photos = load_flickr8k()  # doctest: +SKIP
    >>> photos.images.shape, photos.target[0][2]  # doctest: +SKIP
    ((753, 3, 64, 64), 'A little girl climbing into a wooden playhouse .')
    """
    check("flickr8k", FLICKR8K, subset=subset, return_X_y=return_X_y)
    parts, origins = load_parts("flickr8k", FLICKR8K, subset, data_home)
    return bunch(
        "flickr8k",
        return_X_y,
        **pictures(np.concatenate([part.data for part in parts])),
        target=[captions for part in parts for captions in part.target],
        filename=origins,
    )
