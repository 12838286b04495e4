"""The loaders of texts: encodings, labels, translations, damaged files, known facts."""

import gzip
import zipfile

import numpy as np
import pytest

from sknets.datasets import (
    load_multi30k,
    load_penn_treebank,
    load_rotten_tomatoes,
    load_sms_spam,
    load_sst2,
    load_tatoeba,
    load_tiny_shakespeare,
)


@pytest.fixture
def write(tmp_path):
    """Write a text below the folder of data sets, whose path is returned."""

    def write(name, text, encoding="utf-8"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        content = text.encode(encoding)
        file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return tmp_path

    return write


@pytest.mark.parametrize("folder", ["rt_polarity", "rt-polaritydata"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_polarity_has_a_file_for_each_class(folder, encoding, write):
    write(f"{folder}/rt-polarity.pos", "what a film ! \n", encoding)
    home = write(f"{folder}/rt-polarity.neg", "a cliché . \r\nno\n", encoding)
    found = load_rotten_tomatoes(data_home=home)
    assert found.data == ["a cliché .", "no", "what a film !"]
    assert found.target.tolist() == [0, 0, 1]
    assert found.target_names.tolist() == ["negative", "positive"]


def test_label_stands_before_or_after_the_tab(write):
    write("sms_spam/SMSSpamCollection", "ham\tOk lar...\nspam\tWIN\tnow\n")
    home = write("sst2/dev.tsv", "a fine film\t1\nnot so\t0\n")
    texts, y = load_sms_spam(return_X_y=True, data_home=home)
    assert texts == ["Ok lar...", "WIN\tnow"]
    assert y.tolist() == [0, 1]
    found = load_sst2(subset="validation", data_home=home)
    assert found.data == ["a fine film", "not so"]
    assert found.target.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ham\tOk\nspam WIN\n", ""),
        ("ham\tOk\neggs\tWIN\n", "'eggs' is none of the classes"),
        ("", ""),
    ],
)
def test_damaged_line_is_named(text, reason, write):
    home = write("sms_spam/SMSSpamCollection", text)
    with pytest.raises(ValueError, match=f"SMSSpamCollection: damaged.*{reason}"):
        load_sms_spam(data_home=home)


def test_play_is_cut_at_nine_tenths(write):
    home = write("tinyshakespeare/input.txt", "0123456789\nabcdefgh\n")
    text = {
        part: load_tiny_shakespeare(subset=part, data_home=home).data for part in ("train", "test")
    }
    assert text == {"train": ["0123456789\nabcdefg"], "test": ["h\n"]}
    assert load_tiny_shakespeare(subset="all", data_home=home).data == ["0123456789\nabcdefgh\n"]


def test_sentences_lose_their_outer_blanks(write):
    write("ptb/ptb.valid.txt.gz", " a <unk> N \n b \n")
    home = write("ptb/ptb.test.txt", " c \n")
    assert load_penn_treebank(subset="validation", data_home=home).data == ["a <unk> N", "b"]
    assert load_penn_treebank(subset="test", data_home=home).data == ["c"]


def test_translations_are_parallel(write):
    write("translation/multi30k/val.en", "A man.\nTwo.\n")
    write("translation/multi30k/val.fr.gz", "Un homme.\nDeux.\n")
    home = write("translation/multi30k/val.de", "Ein Mann.\n")
    found = load_multi30k(subset="validation", data_home=home)
    assert (found.data, found.target) == (["A man.", "Two."], ["Un homme.", "Deux."])
    found = load_multi30k(languages=("fr", "en"), subset="validation", data_home=home)
    assert found.target == ["A man.", "Two."]
    with pytest.raises(ValueError, match=r"val\.de: damaged.* 2 lines are not translated by 1"):
        load_multi30k(languages=("en", "de"), subset="validation", data_home=home)


def test_pairs_come_from_the_archive(tmp_path):
    (tmp_path / "translation").mkdir()
    with zipfile.ZipFile(tmp_path / "translation" / "fra-eng.zip", "w") as archive:
        archive.writestr("fra.txt", "Go.\tVa !\tCC-BY 2.0\nHi.\tSalut !\n")
    found = load_tatoeba(data_home=tmp_path)
    assert (found.data, found.target) == (["Go.", "Hi."], ["Va !", "Salut !"])


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive"])
def test_damaged_archive_is_named(content, tmp_path):
    (tmp_path / "translation").mkdir()
    (tmp_path / "translation" / "fra-eng.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"fra-eng\.zip: damaged"):
        load_tatoeba(data_home=tmp_path)


def test_known_facts_of_classified_texts(data_home):
    counts = {
        load_rotten_tomatoes: [5331, 5331],
        load_sms_spam: [4827, 747],
    }
    for load, expected in counts.items():
        texts, y = load(return_X_y=True, data_home=data_home)
        assert np.bincount(y).tolist() == expected
        assert len(texts) == len(y)
        assert all(texts)
    sizes = [
        len(load_sst2(subset=s, data_home=data_home).data) for s in ("train", "validation", "test")
    ]
    assert sizes == [6920, 872, 1821]


def test_known_facts_of_plays(data_home):
    [text] = load_tiny_shakespeare(subset="all", data_home=data_home).data
    assert (len(text), len(set(text))) == (1_115_394, 65)


def test_known_facts_of_penn_treebank(data_home):
    words = {"train": 929_589, "validation": 73_760, "test": 82_430}
    for part, expected in words.items():
        sentences = load_penn_treebank(subset=part, data_home=data_home).data
        assert sum(len(sentence.split()) + 1 for sentence in sentences) == expected
    vocabulary = set(" ".join(load_penn_treebank(data_home=data_home).data).split())
    assert len(vocabulary | {"<eos>"}) == 10_000


def test_known_facts_of_translations(data_home):
    for part, expected in {"train": 29_000, "validation": 1_014, "test": 1_000}.items():
        found = load_multi30k(languages=("en", "de"), subset=part, data_home=data_home)
        assert len(found.data) == len(found.target) == expected
    assert len(load_tatoeba(data_home=data_home).data) == 142_787
