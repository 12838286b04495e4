"""Tables with numbers, categories and texts."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import Bunch

from sknets._optional import require
from sknets.datasets._files import blaming, lines
from sknets.datasets._loaders import bunch, check, codes, documented
from sknets.datasets._sources import Examples, OpenML, Source, layout, load_parts

NUMBER, CATEGORY, TEXT = "number", "category", "text"
MISSING = ("?", "")


class Table(NamedTuple):
    """The columns of a table, and what its target may be.

    Of the features those with a star are categories, those with an apostrophe free text, the others
    numbers. ``classes`` has, in the order of the codes 0, 1, ..., what the file says and the class
    that it means; it is empty for a regression.
    """

    features: str
    target: str
    classes: dict[str, str]
    header: bool = True
    delimiter: str = ","

    @property
    def kinds(self) -> dict[str, str]:
        """Each feature, and whether it is a NUMBER, a CATEGORY or a TEXT."""
        marks = {"*": CATEGORY, "'": TEXT}
        return {name.rstrip("*'"): marks.get(name[-1], NUMBER) for name in self.features.split()}


TABLES = {
    "adult": Table(
        "age workclass* fnlwgt education* education-num marital-status* occupation* relationship* "
        "race* sex* capital-gain capital-loss hours-per-week native-country*",
        target="income",
        classes={"<=50K": "<=50K", ">50K": ">50K"},
        header=False,
    ),
    "bank_marketing": Table(
        "age job* marital* education* default* housing* loan* contact* month* day_of_week* "
        "duration campaign pdays previous poutcome* "
        "emp.var.rate cons.price.idx cons.conf.idx euribor3m nr.employed",
        target="y",
        classes={"no": "no", "yes": "yes"},
        delimiter=";",
    ),
    "california_housing": Table(
        "longitude latitude housing_median_age total_rooms total_bedrooms population households "
        "median_income",
        target="median_house_value",
        classes={},
    ),
    "covertype": Table(
        " ".join(
            [
                "Elevation Aspect Slope",
                "Horizontal_Distance_To_Hydrology Vertical_Distance_To_Hydrology",
                "Horizontal_Distance_To_Roadways Hillshade_9am Hillshade_Noon Hillshade_3pm",
                "Horizontal_Distance_To_Fire_Points",
                *(f"Wilderness_Area{i}" for i in range(1, 5)),
                *(f"Soil_Type{i}" for i in range(1, 41)),
            ]
        ),
        target="Cover_Type",
        classes={
            "1": "Spruce/Fir",
            "2": "Lodgepole Pine",
            "3": "Ponderosa Pine",
            "4": "Cottonwood/Willow",
            "5": "Aspen",
            "6": "Douglas-fir",
            "7": "Krummholz",
        },
    ),
    "titanic": Table(
        "pclass name' sex* age sibsp parch ticket' fare cabin' embarked* boat' body home.dest'",
        target="survived",
        classes={"0": "died", "1": "survived"},
    ),
}

# ---- Readers -------------------------------------------------------------------------------------


def read_csv(part: str, paths: list[Path], table: Table) -> Examples:
    """A file of separated values."""
    [path] = paths
    text = lines(path)
    with blaming(path):
        rows = list(csv.reader(text, delimiter=table.delimiter, skipinitialspace=True))
        rows = [row for row in rows if row and not row[0].startswith("|")]  # UCI's remarks
        names = rows.pop(0) if table.header else [*table.kinds, table.target]
        for number, row in enumerate(rows, start=1):
            if len(row) != len(names):
                raise ValueError(f"row {number} has {len(row)} fields instead of {len(names)}")
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        data = {name: column(columns[name], kind) for name, kind in table.kinds.items()}
        target = [value.rstrip(".") for value in columns[table.target]]  # as Adult's test part has
    return Examples(data, target)


def column(values: Iterable[str], kind: str) -> np.ndarray:
    """Floats or strings, nan where a value is missing."""
    known = [np.nan if value in MISSING else value for value in values]
    return np.array(known, dtype=float if kind == NUMBER else object)


def read_openml(page: Bunch, rows: slice, table: Table) -> Examples:
    """The columns of a page, as the files have them."""
    frame, data = page.data.iloc[rows], {}
    for name, kind in table.kinds.items():
        values = frame[name].astype(float if kind == NUMBER else object)
        data[name] = values.where(frame[name].notna(), np.nan).to_numpy()
    return Examples(data, page.target.iloc[rows].astype(str).tolist())


# ---- The sets ------------------------------------------------------------------------------------


def source(name: str, *files: str, data_id: int | None = None) -> Source:
    """A table in one part, in the first of the files that is there."""
    table = TABLES[name]
    return Source(
        tuple(layout(partial(read_csv, table=table), name, all=file) for file in files),
        OpenML(data_id, {"all": slice(None)}, partial(read_openml, table=table))
        if data_id
        else None,
    )


SOURCES = {
    "adult": Source(
        (
            layout(
                partial(read_csv, table=TABLES["adult"]),
                "adult",
                train="adult.data",
                test="adult.test",
            ),
        ),
        OpenML(  # adult, version 2: its first rows are those for testing
            1590,
            {"train": slice(16_281, None), "test": slice(16_281)},
            partial(read_openml, table=TABLES["adult"]),
        ),
        {
            "train": "533dc2da54315ecccca71295f9529758fb01fe859d31cd368eb9aa73882f408c",
            "test": "e86642091e48e7b3b742dd1397b2ac009d780c59f87ee207f3edf3d59ae7ee1b",
        },
    ),
    # bank-marketing at openml.org is an older table of 16 features.
    "bank_marketing": source("bank_marketing", "bank-additional-full.csv"),
    "california_housing": source(  # houses, version 1
        "california_housing", "cal_housing.csv", data_id=537
    ),
    "covertype": source(  # covertype, version 4
        "covertype", "covtype.csv", "covtype_first10k.csv", data_id=1596
    ),
    "titanic": source("titanic", "titanic.csv", data_id=40945),  # Titanic, version 1
}

ATTRIBUTES = """\
data : {ndarray, DataFrame} of shape (n_samples, n_features)
    The features. Numbers are float64; an array with other columns as well has dtype object. What is
    missing is nan.
target : {ndarray, Series} of shape (n_samples,)
    The class of each row, a position in `target_names`; in a regression the number.
frame : DataFrame of shape (n_samples, n_features + 1)
    Features and target; None unless `as_frame=True`.
feature_names : list of str
    The names of the features.
categorical_features : list of str
    Those of them that are categories.
target_names : ndarray of str
    The names of the classes; in a regression the name of the target."""
FEATURES_AND_TARGET = "The features and the target."


def load_table(loader: str, subset: str, return_X_y: bool, as_frame: bool, data_home: Any) -> Any:
    """What the loader of any table does."""
    check(loader, SOURCES[loader], subset=subset, return_X_y=return_X_y, as_frame=as_frame)
    parts, origins = load_parts(loader, SOURCES[loader], subset, data_home)
    table = TABLES[loader]
    columns = {name: np.concatenate([part.data[name] for part in parts]) for name in table.kinds}
    labels = [label for part in parts for label in part.target]
    if table.classes:
        target = codes(labels, list(table.classes), origins)
    else:
        with blaming(*origins):
            target = column(labels, NUMBER)
    categorical = [name for name, kind in table.kinds.items() if kind == CATEGORY]
    if as_frame:
        pd = require("pandas", extra="compare", feature=f"load_{loader} with as_frame=True")
        data = pd.DataFrame(columns).astype(dict.fromkeys(categorical, "category"))
        target = pd.Series(target, name=table.target)
    else:
        data = np.column_stack(list(columns.values()))
    return bunch(
        loader,
        return_X_y,
        data=data,
        target=target,
        frame=data.join(target) if as_frame else None,
        feature_names=list(columns),
        categorical_features=categorical,
        target_names=np.array(list(table.classes.values()) or [table.target]),
        filename=origins,
    )


# ---- The loaders ---------------------------------------------------------------------------------


@documented(ATTRIBUTES, FEATURES_AND_TARGET)
def load_adult(*, subset="train", return_X_y=False, as_frame=False, data_home=None):
    """Adult: who earns more than 50,000 dollars a year, from the census of 1994.

    32,561 people for training, 16,281 for testing, with 6 numbers and 8 categories; 2 classes, of
    which 24 % earn more. Some work classes, occupations and countries are missing.

    See Also
    --------
    load_bank_marketing : Another table with numbers and categories.

    Notes
    -----
    Files: ``adult.data`` and ``adult.test`` as UCI has them, plain or with ``.gz``, in ``adult``.
    Without them, data set 1590 of OpenML. Licence: CC BY 4.0 (UCI).

    References
    ----------
    .. [1] R. Kohavi. Scaling up the accuracy of naive-Bayes classifiers: a decision-tree hybrid.
       KDD 1996. Data: doi:10.24432/C5XW20

    Examples
    --------
    With the files at hand, or a network:

    >>> from sknets.datasets import load_adult
    >>> X, y = load_adult(return_X_y=True, as_frame=True)  # doctest: +SKIP
    >>> X.shape, X["workclass"].dtype.name, float(y.mean().round(3))  # doctest: +SKIP
    ((32561, 14), 'category', 0.241)
    """
    return load_table("adult", subset, return_X_y, as_frame, data_home)


@documented(ATTRIBUTES, FEATURES_AND_TARGET)
def load_bank_marketing(*, return_X_y=False, as_frame=False, data_home=None):
    """Bank marketing: who opens a deposit after a telephone call.

    41,188 calls of a Portuguese bank from 2008 to 2010, in the order of time, with 10 numbers and
    10 categories; 2 classes, of which 11 % yes. ``duration``, the seconds of the call, is known
    only when the answer is: a model that is to be used should do without.

    See Also
    --------
    load_adult : Another table with numbers and categories.

    Notes
    -----
    File: ``bank_marketing/bank-additional-full.csv``, plain or with ``.gz``. (OpenML's
    bank-marketing is an older table of 16 features.) What is not known is a category of its own,
    and 999 in ``pdays``. Licence: CC BY 4.0 (UCI).

    References
    ----------
    .. [1] S. Moro, P. Cortez, P. Rita. A data-driven approach to predict the success of bank
       telemarketing. Decision Support Systems 62, 2014. doi:10.1016/j.dss.2014.03.001

    Examples
    --------
    With the files at hand:

    >>> from sknets.datasets import load_bank_marketing
    >>> bank = load_bank_marketing()  # doctest: +SKIP
    >>> bank.data.shape, int(bank.target.sum())  # doctest: +SKIP
    ((41188, 20), 4640)
    """
    return load_table("bank_marketing", "all", return_X_y, as_frame, data_home)


@documented(ATTRIBUTES, FEATURES_AND_TARGET)
def load_california_housing(*, return_X_y=False, as_frame=False, data_home=None):
    """California housing: the median price of a house in each of 20,640 blocks in 1990.

    8 numbers; the target is in dollars and ends at 500,001. Rooms, bedrooms, people and households
    are totals of the block, incomes are in tens of thousands of dollars.

    See Also
    --------
    sklearn.datasets.fetch_california_housing : Averages per household, 100,000 dollars the unit.

    Notes
    -----
    File: ``california_housing/cal_housing.csv``, plain or with ``.gz``. Without it, data set 537 of
    OpenML. No licence is stated (StatLib).

    References
    ----------
    .. [1] R. K. Pace, R. Barry. Sparse spatial autoregressions. Statistics and Probability Letters
       33, 1997. doi:10.1016/S0167-7152(96)00140-X

    Examples
    --------
    With the files at hand, or a network:

    >>> from sknets.datasets import load_california_housing
    >>> X, y = load_california_housing(return_X_y=True)  # doctest: +SKIP
    >>> X.shape, y[:2]  # doctest: +SKIP
    ((20640, 8), array([452600., 358500.]))
    """
    return load_table("california_housing", "all", return_X_y, as_frame, data_home)


@documented(ATTRIBUTES, FEATURES_AND_TARGET)
def load_covertype(*, return_X_y=False, as_frame=False, data_home=None):
    """Covertype: which of 7 kinds of trees covers a square of 30 m in Colorado.

    54 numbers: 10 measures (in metres, degrees, and shades from 0 to 255), then indicators of 4
    wilderness areas and 40 soils. 581,012 rows, in the first 15,120 of which the classes are equal.

    See Also
    --------
    sklearn.datasets.fetch_covtype : The whole set over a network, classes from 1 to 7.

    Notes
    -----
    File: ``covertype/covtype.csv`` or, without it, the beginning of it,
    ``covertype/covtype_first10k.csv``; plain or with ``.gz``, the columns named. Without either,
    data set 1596 of OpenML. Licence: CC BY 4.0 (UCI).

    References
    ----------
    .. [1] J. A. Blackard, D. J. Dean. Comparative accuracies of artificial neural networks and
       discriminant analysis in predicting forest cover types from cartographic variables. Computers
       and Electronics in Agriculture 24, 1999. doi:10.1016/S0168-1699(99)00046-0

    Examples
    --------
    With the files at hand, or a network:

    >>> from sknets.datasets import load_covertype
    >>> cover = load_covertype()  # doctest: +SKIP
    >>> cover.target_names[cover.target[:3]].tolist()  # doctest: +SKIP
    ['Aspen', 'Aspen', 'Lodgepole Pine']
    """
    return load_table("covertype", "all", return_X_y, as_frame, data_home)


@documented(ATTRIBUTES, FEATURES_AND_TARGET)
def load_titanic(*, return_X_y=False, as_frame=False, data_home=None):
    """Titanic: which of 1,309 passengers survived.

    6 numbers, 2 categories and 5 texts; 2 classes, of which 38 % survived. Much is missing.
    ``boat`` and ``body``, the lifeboat and the number of the body, give the answer away.

    See Also
    --------
    load_adult : Another table with numbers and categories.

    Notes
    -----
    File: ``titanic/titanic.csv``, plain or with ``.gz``. Without it, data set 40945 of OpenML. No
    licence is stated. Collected by F. E. Harrell Jr. and T. Cason.

    Examples
    --------
    With the files at hand, or a network:

    >>> from sknets.datasets import load_titanic
    >>> X, y = load_titanic(return_X_y=True, as_frame=True)  # doctest: +SKIP
    >>> X = X.drop(columns=["boat", "body"])  # doctest: +SKIP
    >>> X.shape, int(y.sum())  # doctest: +SKIP
    ((1309, 11), 500)
    """
    return load_table("titanic", "all", return_X_y, as_frame, data_home)
