"""The loaders of series: the .ts format, unequal lengths, damaged files, known facts."""

import gzip

import numpy as np
import pytest

from sknets.datasets import load_airline_passengers, load_polyphonic_music, load_time_series

EQUAL = """\
#A remark
%Another

@problemName Equal
@timeStamps false
@univariate true
@equalLength true
@classLabel true up Down
@data
1.0,2.5,-3E-1:Down
?,0,1:up
"""
UNEQUAL = """\
@problemName Unequal
@timeStamps false
@classLabel true a b
@data
1,2,3:10,20,30:a
4,5:40,50:b
"""
REGRESSION = """\
@problemname Regression
@targetlabel true
@data
1,2:0.5
3,4:-1e3
"""


@pytest.fixture
def home(tmp_path):
    for name, text in (("Equal", EQUAL), ("Unequal", UNEQUAL), ("Regression", REGRESSION)):
        folder = tmp_path / "timeseries" / name
        folder.mkdir(parents=True)
        (folder / f"{name}_TRAIN.ts").write_text(text)
        (folder / f"{name}_TEST.ts.gz").write_bytes(gzip.compress(text.encode()))
    return tmp_path


@pytest.mark.parametrize("subset", ["train", "test"])
def test_one_channel_is_a_table(subset, home):
    found = load_time_series("Equal", subset=subset, data_home=home)
    np.testing.assert_array_equal(found.data, [[1.0, 2.5, -0.3], [np.nan, 0.0, 1.0]])
    assert found.target.tolist() == [1, 0]
    assert found.target_names.tolist() == ["up", "Down"]


def test_unequal_lengths_are_an_object_array(home):
    X, y = load_time_series("Unequal", return_X_y=True, data_home=home)
    assert X.dtype == object
    np.testing.assert_array_equal(X[0], [[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    assert [series.shape for series in X] == [(3, 2), (2, 2)]
    assert y.tolist() == [0, 1]


def test_channels_can_come_first(home):
    X, _ = load_time_series("Unequal", channels="first", return_X_y=True, data_home=home)
    np.testing.assert_array_equal(X[1], [[4.0, 5.0], [40.0, 50.0]])
    X, _ = load_time_series("Equal", channels="first", return_X_y=True, data_home=home)
    assert X.shape == (2, 3)


def test_regression_has_numbers_for_targets(home):
    found = load_time_series("Regression", subset="all", data_home=home)
    assert found.target.tolist() == [0.5, -1000.0, 0.5, -1000.0]
    assert found.target_names is None
    assert len(found.filename) == 2


def test_archive_folders_load_too(home):
    (home / "timeseries" / "Equal").rename(home / "Equal")
    assert load_time_series("Equal", data_home=home).data.shape == (2, 3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("@data\n", ""), "no line says '@data'"),
        (("@timeStamps false", "@timeStamps true"), "time stamps are not supported"),
        (("10,20,30:a", "10,20,30"), "case 2 has 2 channels"),
        ((":40,50:b", ":b"), "case 2 has 1 channels"),
        ((":40,50:b", ""), "case 2 has 0 channels"),
        (("40,50", "40"), ""),
        (("1,2,3", "1,x,3"), "could not convert string to float: 'x'"),
        ((UNEQUAL, ""), "no line says '@data'"),
    ],
)
def test_damaged_series_are_named(change, reason, home):
    file = home / "timeseries" / "Unequal" / "Unequal_TRAIN.ts"
    file.write_text(UNEQUAL.replace(*change))
    with pytest.raises(ValueError, match=rf"Unequal_TRAIN\.ts: damaged.*{reason}"):
        load_time_series("Unequal", data_home=home)


def test_unknown_series_names_the_file(home):
    with pytest.raises(FileNotFoundError, match=r"timeseries/Equl/Equl_TRAIN\.ts \(or \.gz\)"):
        load_time_series("Equl", data_home=home)


def test_music_unpacks_its_notes(tmp_path):
    (tmp_path / "polyphonic_music").mkdir()
    notes = np.random.default_rng(0).integers(2, size=(7, 88), dtype=np.uint8)
    parts = {part: np.packbits(notes, axis=1) for part in ("train", "valid", "test")}
    lengths = {f"{part}_len": np.array([3, 4], np.int32) for part in parts}
    np.savez(tmp_path / "polyphonic_music" / "Nottingham.npz", **parts, **lengths)
    found = load_polyphonic_music("Nottingham", subset="validation", data_home=tmp_path)
    np.testing.assert_array_equal(found.data[0], notes[:3], strict=True)
    np.testing.assert_array_equal(found.data[1], notes[3:], strict=True)
    assert len(load_polyphonic_music("Nottingham", subset="all", data_home=tmp_path).data) == 6


def test_damaged_months_are_named(tmp_path):
    (tmp_path / "forecasting").mkdir()
    (tmp_path / "forecasting" / "Airline.csv").write_text("Date,Passengers\n1949-01\n")
    with pytest.raises(ValueError, match=r"Airline\.csv: damaged"):
        load_airline_passengers(data_home=tmp_path)


FACTS = {
    # name: cases for training and testing, shape of a case (None: unequal), classes (0: numbers)
    "ArrowHead": (36, 175, (251,), 3),
    "BasicMotions": (40, 40, (100, 6), 4),
    "CardanoSentiment": (74, 33, (24, 2), 0),
    "Covid3Month": (140, 61, (84,), 0),
    "GunPoint": (50, 150, (150,), 2),
    "ItalyPowerDemand": (67, 1029, (24,), 2),
    "JapaneseVowels": (270, 370, None, 9),
    "OSULeaf": (200, 242, (427,), 6),
    "PLAID": (537, 537, None, 11),
    "PickupGestureWiimoteZ": (50, 50, None, 10),
    "Tecator": (172, 43, (100,), 0),
    "UnitTest": (20, 22, (24,), 2),
}


@pytest.mark.parametrize("name", FACTS)
def test_known_facts(name, data_home):
    n_train, n_test, shape, n_classes = FACTS[name]
    for part, n_cases in (("train", n_train), ("test", n_test)):
        found = load_time_series(name, subset=part, data_home=data_home)
        assert found.data.shape == ((n_cases, *shape) if shape else (n_cases,))
        assert found.target.shape == (n_cases,)
        if n_classes:
            assert found.target_names.shape == (n_classes,)
            assert np.unique(found.target).tolist() == list(range(n_classes))
        else:
            assert found.target.dtype == np.float64
            assert found.target_names is None


def test_known_facts_of_vowels(data_home):
    X, y = load_time_series("JapaneseVowels", subset="all", return_X_y=True, data_home=data_home)
    assert {series.shape[1] for series in X} == {12}
    assert (min(map(len, X)), max(map(len, X))) == (7, 29)
    assert np.bincount(y).shape == (9,)


@pytest.mark.parametrize(
    ("collection", "sizes"),
    [
        ("JSB_Chorales", (229, 76, 77)),
        ("Nottingham", (694, 173, 170)),
        ("Piano_midi", (87, 12, 25)),
        ("MuseData", (524, 135, 124)),
    ],
)
def test_known_facts_of_music(collection, sizes, data_home):
    for part, n_pieces in zip(("train", "validation", "test"), sizes, strict=True):
        pieces = load_polyphonic_music(collection, subset=part, data_home=data_home).data
        assert pieces.shape == (n_pieces,)
        assert {piece.shape[1] for piece in pieces} == {88}
        assert {piece.max() for piece in pieces} == {1}


def test_known_facts_of_passengers(data_home):
    found = load_airline_passengers(data_home=data_home)
    assert found.target.shape == (144,)
    assert (found.index[0], found.index[-1]) == ("1949-01", "1960-12")
    assert (found.target[0], found.target[-1], found.target.max()) == (112, 432, 622)
