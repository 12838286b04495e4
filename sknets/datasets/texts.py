"""Texts, to classify, to write, to translate."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sknets.datasets._files import blaming, lines
from sknets.datasets._loaders import SUBSET_OF_THREE, bunch, check, codes, documented
from sknets.datasets._sources import Examples, Source, load_parts, local

# ---- Readers -------------------------------------------------------------------------------------


def read_lines(part: str, paths: list[Path]) -> Examples:
    """A sentence a line."""
    return Examples([line.strip() for line in lines(paths[0])])


def read_nine_tenths(part: str, paths: list[Path]) -> Examples:
    """One text, the last tenth of which is for testing."""
    text = "\n".join([*lines(paths[0]), ""])
    end = len(text) * 9 // 10
    return Examples([text[:end] if part == "train" else text[end:]])


def read_polarity(part: str, paths: list[Path]) -> Examples:
    """A file of sentences for each class."""
    negative, positive = (read_lines(part, [path]).data for path in paths)
    return Examples(negative + positive, ["neg"] * len(negative) + ["pos"] * len(positive))


def read_tabbed(part: str, paths: list[Path], label: int) -> Examples:
    """A text and its label on each line, a tab between them; the label comes in place 0 or 1."""
    rows = [line.split("\t", 1) for line in lines(paths[0])]
    with blaming(paths[0]):
        columns = list(zip(*rows, strict=True))
        return Examples(list(columns[1 - label]), list(columns[label]))


def read_parallel(part: str, paths: list[Path]) -> Examples:
    """Two files, each line of the second the translation of that of the first."""
    source, target = map(lines, paths)
    with blaming(*paths):
        if len(source) != len(target):
            raise ValueError(f"{len(source)} lines are not translated by {len(target)}")
    return Examples(source, target)


def read_tatoeba(part: str, paths: list[Path]) -> Examples:
    """A text in an archive: a sentence and its translation on each line, and a tab after each."""
    with blaming(paths[0]), zipfile.ZipFile(paths[0]) as archive:
        rows = archive.read("fra.txt").decode().strip("\n").split("\n")
        english, french = zip(*(row.split("\t")[:2] for row in rows), strict=True)
    return Examples(list(english), list(french))


# ---- The sets ------------------------------------------------------------------------------------


class TextSet(NamedTuple):
    """What the file says of each class and the name of the class, in the order of the codes."""

    classes: dict[str, str]
    source: Source


TEXT_SETS = {
    "rotten_tomatoes": TextSet(
        {"neg": "negative", "pos": "positive"},
        local(
            read_polarity,
            *("rt_polarity", "rt-polaritydata"),
            all="rt-polarity.neg rt-polarity.pos",
        ),
    ),
    "sst2": TextSet(
        {"0": "negative", "1": "positive"},
        local(
            partial(read_tabbed, label=1),
            "sst2",
            train="train.tsv",
            validation="dev.tsv",
            test="test.tsv",
        ),
    ),
    "sms_spam": TextSet(
        {"ham": "ham", "spam": "spam"},
        local(partial(read_tabbed, label=0), "sms_spam", all="SMSSpamCollection"),
    ),
}

TINY_SHAKESPEARE = local(read_nine_tenths, "tinyshakespeare", train="input.txt", test="input.txt")
PENN_TREEBANK = local(
    read_lines,
    "ptb",
    train="ptb.train.txt",
    validation="ptb.valid.txt",
    test="ptb.test.txt",
)
MULTI30K = local(
    read_parallel,
    *("translation/multi30k", "multi30k"),
    train="train.{first} train.{second}",
    validation="val.{first} val.{second}",
    test="test_2016_flickr.{first} test_2016_flickr.{second}",
)
TATOEBA = local(read_tatoeba, "translation", all="fra-eng.zip")

TEXTS_AND_CLASSES = """\
data : list of str
    The texts.
target : ndarray of shape (n_samples,), dtype int64
    The class of each text, a position in `target_names`.
target_names : ndarray of shape (n_classes,), dtype str
    The names of the classes."""
TRANSLATIONS = """\
data : list of str
    The sentences to translate.
target : list of str
    Their translations."""


def load_texts(loader: str, subset: str, return_X_y: bool, data_home: Any) -> Any:
    """What the loader of any set in ``TEXT_SETS`` does."""
    classes, source = TEXT_SETS[loader]
    check(loader, source, subset=subset, return_X_y=return_X_y)
    parts, origins = load_parts(loader, source, subset, data_home)
    labels = [label for part in parts for label in part.target]
    return bunch(
        loader,
        return_X_y,
        data=[text for part in parts for text in part.data],
        target=codes(labels, list(classes), origins),
        target_names=np.array(list(classes.values())),
        filename=origins,
    )


# ---- The loaders ---------------------------------------------------------------------------------


@documented(TEXTS_AND_CLASSES, "The texts and their classes.")
def load_rotten_tomatoes(*, return_X_y=False, data_home=None):
    """Rotten Tomatoes: sentences from reviews of films, 5,331 that damn and 5,331 that praise.

    Words and punctuation in lower case, blanks between them. All that damn come first, so shuffle
    before you split.

    See Also
    --------
    load_sst2 : Sentences of the same reviews, with a published split.

    Notes
    -----
    Files: ``rt-polarity.neg`` and ``rt-polarity.pos`` in ``rt_polarity`` or ``rt-polaritydata``.
    For research; the authors ask to be cited.

    References
    ----------
    .. [1] B. Pang, L. Lee. Seeing stars: exploiting class relationships for sentiment
       categorization with respect to rating scales. ACL 2005. doi:10.3115/1219840.1219855

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_rotten_tomatoes
    >>> reviews = load_rotten_tomatoes()  # doctest: +SKIP
    >>> reviews.data[0], reviews.target_names[reviews.target[0]].item()  # doctest: +SKIP
    ('simplistic , silly and tedious .', 'negative')
    """
    return load_texts("rotten_tomatoes", "all", return_X_y, data_home)


@documented(TEXTS_AND_CLASSES, "The texts and their classes.", subset=SUBSET_OF_THREE)
def load_sst2(*, subset="train", return_X_y=False, data_home=None):
    """SST-2, of the Stanford Sentiment Treebank: sentences that damn or praise a film.

    6,920 sentences for training, 872 for validation and 1,821 for testing; lower case, 2 classes.

    See Also
    --------
    load_rotten_tomatoes : More sentences of the same reviews, without a split.

    Notes
    -----
    Files: ``train.tsv``, ``dev.tsv`` and ``test.tsv`` in ``sst2``. No licence is stated.

    References
    ----------
    .. [1] R. Socher et al. Recursive deep models for semantic compositionality over a sentiment
       treebank. EMNLP 2013. https://aclanthology.org/D13-1170

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_sst2
    >>> reviews = load_sst2(subset="test")  # doctest: +SKIP
    >>> len(reviews.data), reviews.target_names.tolist()  # doctest: +SKIP
    (1821, ['negative', 'positive'])
    """
    return load_texts("sst2", subset, return_X_y, data_home)


@documented(TEXTS_AND_CLASSES, "The texts and their classes.")
def load_sms_spam(*, return_X_y=False, data_home=None):
    """SMS spam: 5,574 text messages, 747 of them spam.

    See Also
    --------
    load_sst2 : Sentences with a sentiment.

    Notes
    -----
    File: ``sms_spam/SMSSpamCollection``. Licence: CC BY 4.0 (UCI).

    References
    ----------
    .. [1] T. A. Almeida, J. M. Gomez Hidalgo, A. Yamakami. Contributions to the study of SMS spam
       filtering: new collection and results. DocEng 2011. doi:10.1145/2034691.2034742

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_sms_spam
    >>> messages = load_sms_spam()  # doctest: +SKIP
    >>> messages.data[1], messages.target_names[messages.target[1]].item()  # doctest: +SKIP
    ('Ok lar... Joking wif u oni...', 'ham')
    """
    return load_texts("sms_spam", "all", return_X_y, data_home)


@documented(
    """\
data : list of one str
    The text.""",
)
def load_tiny_shakespeare(*, subset="train", data_home=None):
    """Tiny Shakespeare: 1,115,394 characters of plays, to learn to write them.

    65 distinct characters. The first nine tenths are for training, the last is for testing.

    See Also
    --------
    load_penn_treebank : A text to model word by word.

    Notes
    -----
    File: ``tinyshakespeare/input.txt``. The text is in the public domain.

    References
    ----------
    .. [1] A. Karpathy. The unreasonable effectiveness of recurrent neural networks, 2015.
       https://karpathy.github.io/2015/05/21/rnn-effectiveness/

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_tiny_shakespeare
    >>> [text] = load_tiny_shakespeare().data  # doctest: +SKIP
    >>> len(text), text[:14]  # doctest: +SKIP
    (1003854, 'First Citizen:')
    """
    check("tiny_shakespeare", TINY_SHAKESPEARE, subset=subset)
    parts, origins = load_parts("tiny_shakespeare", TINY_SHAKESPEARE, subset, data_home)
    text = "".join(part.data[0] for part in parts)
    return bunch("tiny_shakespeare", data=[text], filename=origins)


@documented(
    """\
data : list of str
    The sentences in the order of the text, blanks between the words.""",
    subset=SUBSET_OF_THREE,
)
def load_penn_treebank(*, subset="train", data_home=None):
    """Penn Treebank as Mikolov prepared it: newspaper sentences, to model word by word.

    42,068 sentences for training, 3,370 for validation and 3,761 for testing: with an end of
    sentence after each 929,589, 73,760 and 82,430 words. Lower case, 10,000 distinct words; the
    others are written ``<unk>``, numbers ``N``.

    See Also
    --------
    load_tiny_shakespeare : A text to model letter by letter.

    Notes
    -----
    Files: ``ptb.train.txt``, ``ptb.valid.txt`` and ``ptb.test.txt``, plain or with ``.gz``, in
    ``ptb``. The text is from the Wall Street Journal, distributed by the Linguistic Data
    Consortium: use it for research, and do not publish it.

    References
    ----------
    .. [1] M. Marcus, B. Santorini, M. A. Marcinkiewicz. Building a large annotated corpus of
       English: the Penn Treebank. Computational Linguistics 19, 1993.
       https://aclanthology.org/J93-2004
    .. [2] T. Mikolov et al. Recurrent neural network based language model. Interspeech 2010.
       doi:10.21437/Interspeech.2010-343

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_penn_treebank
    >>> sentences = load_penn_treebank(subset="test").data  # doctest: +SKIP
    >>> len(sentences), sentences[0]  # doctest: +SKIP
    (3761, "no it was n't black monday")
    """
    check("penn_treebank", PENN_TREEBANK, subset=subset)
    parts, origins = load_parts("penn_treebank", PENN_TREEBANK, subset, data_home)
    sentences = [sentence for part in parts for sentence in part.data]
    return bunch("penn_treebank", data=sentences, filename=origins)


@documented(
    TRANSLATIONS,
    "The sentences and their translations.",
    languages="""\
languages : tuple of two of {'de', 'en', 'fr'}, default=('en', 'fr')
    The language to translate from, and the one to translate to.""",
    subset=SUBSET_OF_THREE,
)
def load_multi30k(*, languages=("en", "fr"), subset="train", return_X_y=False, data_home=None):
    """Multi30k: captions of photographs in English, German and French.

    29,000 sentences for training, 1,014 for validation and 1,000 for testing (of 2016).

    See Also
    --------
    load_tatoeba : More and shorter sentences, English and French.

    Notes
    -----
    Files: ``train.en``, ``val.en``, ``test_2016_flickr.en`` and those of the other languages, plain
    or with ``.gz``, in ``translation/multi30k`` or ``multi30k``. For research and education only,
    not for commerce.

    References
    ----------
    .. [1] D. Elliott, S. Frank, K. Sima'an, L. Specia. Multi30K: multilingual English-German image
       descriptions. Workshop on Vision and Language, 2016. doi:10.18653/v1/W16-3210

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_multi30k
    >>> captions = load_multi30k(languages=("en", "fr"))  # doctest: +SKIP
    >>> captions.data[0]  # doctest: +SKIP
    'Two young, White males are outside near many bushes.'
    >>> captions.target[0]  # doctest: +SKIP
    'Deux jeunes hommes blancs sont dehors près de buissons.'
    """
    check("multi30k", MULTI30K, languages=languages, subset=subset, return_X_y=return_X_y)
    first, second = languages
    parts, origins = load_parts("multi30k", MULTI30K, subset, data_home, first=first, second=second)
    return bunch(
        "multi30k",
        return_X_y,
        data=[sentence for part in parts for sentence in part.data],
        target=[sentence for part in parts for sentence in part.target],
        filename=origins,
    )


@documented(TRANSLATIONS, "The sentences and their translations.")
def load_tatoeba(*, return_X_y=False, data_home=None):
    """Tatoeba: 142,787 English sentences and their translations into French.

    The shortest come first, and a sentence comes as often as it has translations: split by
    sentence, not by pair.

    See Also
    --------
    load_multi30k : Captions in three languages, with a published split.

    Notes
    -----
    File: ``translation/fra-eng.zip``, as it comes from https://www.manythings.org/anki. Licence: CC
    BY 2.0, attribution to tatoeba.org and manythings.org.

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_tatoeba
    >>> english, french = load_tatoeba(return_X_y=True)  # doctest: +SKIP
    >>> english[0], french[0]  # doctest: +SKIP
    ('Go.', 'Va !')
    """
    check("tatoeba", TATOEBA, return_X_y=return_X_y)
    [pairs], origins = load_parts("tatoeba", TATOEBA, "all", data_home)
    return bunch("tatoeba", return_X_y, data=pairs.data, target=pairs.target, filename=origins)
