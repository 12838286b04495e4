"""The loaders of tables: columns and their kinds, damaged files, OpenML's rows, known facts."""

import gzip
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets.tests.test_openml import _monkey_patch_webbased_functions
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import Bunch

from sknets.datasets import (
    load_adult,
    load_bank_marketing,
    load_california_housing,
    load_covertype,
    load_titanic,
)
from sknets.datasets.tables import TABLES

ADULT = """\
39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, \
2174, 0, 40, United-States, <=50K
54, ?, 180211, Some-college, 10, Married-civ-spouse, ?, Husband, Asian-Pac-Islander, Male, \
0, 0, 60, South, >50K

"""
ADULT_TEST = "|1x3 Cross validator\n" + ADULT.replace("50K", "50K.")
HOUSES = """\
longitude,latitude,housing_median_age,total_rooms,total_bedrooms,population,households,\
median_income,median_house_value
-122.23,37.88,41,880,129,322,126,8.3252,452600
-122.22,37.86,21,7099,1106,2401,1138,8.3014,358500.5
"""


@pytest.fixture
def home(tmp_path):
    """Adult gzipped, houses plain."""
    (tmp_path / "adult").mkdir()
    (tmp_path / "adult" / "adult.data.gz").write_bytes(gzip.compress(ADULT.encode()))
    (tmp_path / "adult" / "adult.test").write_text(ADULT_TEST)
    (tmp_path / "california_housing").mkdir()
    (tmp_path / "california_housing" / "cal_housing.csv").write_text(HOUSES)
    return tmp_path


@pytest.fixture
def openml_offline(tmp_path, monkeypatch):
    """Let fetch_openml read what scikit-learn's tests have of openml.org, and cache it apart."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("SKNETS_DATA", "")
    return lambda data_id: _monkey_patch_webbased_functions(monkeypatch, data_id, True)


def test_table_of_numbers_is_a_float_array(home):
    found = load_california_housing(data_home=home)
    np.testing.assert_array_equal(found.data[1, :3], [-122.22, 37.86, 21.0])
    assert found.data.dtype == np.float64
    assert found.target.tolist() == [452600.0, 358500.5]
    assert found.target_names.tolist() == ["median_house_value"]
    assert found.feature_names[-1] == "median_income"
    assert found.categorical_features == []
    assert found.frame is None


@pytest.mark.parametrize("subset", ["train", "test"])
def test_mixed_table_is_an_object_array(subset, home):
    found = load_adult(subset=subset, data_home=home)
    assert found.data.dtype == object
    assert found.data[0, :4].tolist() == [39.0, "State-gov", 77516.0, "Bachelors"]
    assert np.isnan(found.data[1, found.feature_names.index("occupation")])
    assert found.target.tolist() == [0, 1]
    assert found.target_names.tolist() == ["<=50K", ">50K"]
    assert found.categorical_features[0] == "workclass"
    assert len(found.categorical_features) == 8


def test_frame_has_kinds_and_target(home):
    found = load_adult(as_frame=True, data_home=home)
    X, y = load_adult(as_frame=True, return_X_y=True, data_home=home)
    pd.testing.assert_frame_equal(X, found.data)
    pd.testing.assert_series_equal(y, found.target)
    categorical = [name for name in X if isinstance(X[name].dtype, pd.CategoricalDtype)]
    assert categorical == found.categorical_features
    assert {str(dtype) for dtype in X.drop(columns=categorical).dtypes} == {"float64"}
    assert X["workclass"].isna().tolist() == [False, True]
    assert found.frame.columns.tolist() == [*found.feature_names, "income"]


def test_missing_pandas_is_named(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"load_adult with as_frame=True needs pandas"):
        load_adult(as_frame=True, data_home=home)
    assert load_adult(data_home=home).data.shape == (2, 14)


def test_all_joins_the_parts(home):
    assert load_adult(subset="all", data_home=home).target.tolist() == [0, 1, 0, 1]


def test_frame_goes_through_a_pipeline(home):
    X, y = load_adult(subset="all", as_frame=True, return_X_y=True, data_home=home)
    encode = make_column_transformer(
        (OneHotEncoder(), make_column_selector(dtype_include="category")),
        (SimpleImputer(), make_column_selector(dtype_include=float)),
    )
    assert make_pipeline(encode, LogisticRegression(max_iter=10_000)).fit(X, y).score(X, y) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("39, ", ""), "row 1 has 14 fields instead of 15"),
        (("77516", "many"), "could not convert string to float: 'many'"),
        (("<=50K", "unknown"), "'unknown' is none of the classes"),
        ((ADULT, ""), ""),
    ],
)
def test_damaged_row_is_named(change, reason, home):
    (home / "adult" / "adult.data").write_text(ADULT.replace(*change))
    with pytest.raises(ValueError, match=rf"adult\.data: damaged, or not .* format: .*{reason}"):
        load_adult(data_home=home)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("latitude", "breadth"), "'latitude'"),
        (("358500.5", "dear"), "'dear'"),
        ((HOUSES, ""), ""),
    ],
)
def test_damaged_column_is_named(change, reason, home):
    file = home / "california_housing" / "cal_housing.csv"
    file.write_text(HOUSES.replace(*change))
    with pytest.raises(ValueError, match=rf"cal_housing\.csv: damaged.*{reason}"):
        load_california_housing(data_home=home)


def test_whole_covertype_goes_before_its_beginning(tmp_path):
    (tmp_path / "covertype").mkdir()
    table = TABLES["covertype"]
    head = ",".join([*table.kinds, table.target])
    for file, label in (("covtype_first10k.csv", 5), ("covtype.csv", 7)):
        row = ",".join(["1"] * 54 + [str(label)])
        (tmp_path / "covertype" / file).write_text(f"{head}\n{row}\n")
        found = load_covertype(data_home=tmp_path)
        assert found.target.tolist() == [label - 1]
        assert found.data.shape == (1, 54)


def test_openml_titanic_is_the_local_one(openml_offline, data_home):
    openml_offline(40945)
    found, local = load_titanic(as_frame=True), load_titanic(as_frame=True, data_home=data_home)
    pd.testing.assert_frame_equal(found.frame, local.frame)
    assert found.filename == ["https://www.openml.org/d/40945"]


def test_openml_adult_begins_with_the_test_part(openml_offline, data_home):
    """scikit-learn keeps the first ten rows of the page."""
    openml_offline(1590)
    X, y = load_adult(subset="test", return_X_y=True)
    X_local, y_local = load_adult(subset="test", return_X_y=True, data_home=data_home)
    pd.testing.assert_frame_equal(pd.DataFrame(X), pd.DataFrame(X_local[:10]))
    np.testing.assert_array_equal(y, y_local[:10])


def adult_page(data_home):
    """Adult as OpenML has it, test rows first."""
    parts = [load_adult(subset=s, as_frame=True, data_home=data_home) for s in ("test", "train")]
    target = pd.concat([part.target for part in parts]).map({0: "<=50K", 1: ">50K"})
    return Bunch(data=pd.concat([part.data for part in parts]), target=target)


def test_openml_adult_has_the_published_parts(data_home, tmp_path, monkeypatch):
    page = adult_page(data_home)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda **_: page)
    for part in ("train", "test"):
        found = load_adult(subset=part, as_frame=True, data_home=tmp_path)
        local = load_adult(subset=part, as_frame=True, data_home=data_home)
        pd.testing.assert_frame_equal(found.frame, local.frame)


def test_openml_adult_in_another_order_is_refused(data_home, tmp_path, monkeypatch):
    page = adult_page(data_home)
    page.data = page.data[::-1]
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda **_: page)
    with pytest.raises(ValueError, match=r"d/1590: the train part does not begin"):
        load_adult(data_home=tmp_path)


def test_openml_page_with_other_columns_is_named(tmp_path, monkeypatch):
    page = Bunch(data=pd.DataFrame({"age": [1.0]}), target=pd.Series([1.0]))
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda **_: page)
    with pytest.raises(ValueError, match=r"openml\.org/d/537: damaged.*'longitude'"):
        load_california_housing(data_home=tmp_path)


FACTS = [
    # loader, options, shape, categories, examples of each class
    (load_adult, {"subset": "train"}, (32_561, 14), 8, [24_720, 7_841]),
    (load_adult, {"subset": "test"}, (16_281, 14), 8, [12_435, 3_846]),
    (load_bank_marketing, {}, (41_188, 20), 10, [36_548, 4_640]),
    (load_covertype, {}, (10_000, 54), 0, None),
    (load_titanic, {}, (1_309, 13), 2, [809, 500]),
]


@pytest.mark.parametrize(
    ("load", "options", "shape", "n_categorical", "counts"),
    FACTS,
    ids=[load.__name__ + options.get("subset", "") for load, options, *_ in FACTS],
)
def test_known_facts(load, options, shape, n_categorical, counts, data_home):
    found = load(**options, data_home=data_home)
    assert found.data.shape == shape
    assert len(found.categorical_features) == n_categorical
    if counts:
        assert np.bincount(found.target).tolist() == counts


def test_known_facts_of_missing_values(data_home):
    people = load_adult(as_frame=True, data_home=data_home).data
    missing = people.isna().sum()
    assert missing[missing > 0].to_dict() == {
        "workclass": 1836,
        "occupation": 1843,
        "native-country": 583,
    }
    passengers = load_titanic(as_frame=True, data_home=data_home).data
    assert passengers["age"].isna().sum() == 263
    assert passengers["cabin"].isna().sum() == 1014


def test_known_facts_of_houses(data_home):
    X, y = load_california_housing(return_X_y=True, data_home=data_home)
    assert X.shape == (20_640, 8)
    assert (y.min(), y.max()) == (14_999.0, 500_001.0)
    assert y.mean() == pytest.approx(206_855.8169, abs=1e-3)
    assert not np.isnan(X).any()
