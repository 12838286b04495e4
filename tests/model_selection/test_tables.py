"""Data sets by name, and CSV files as people write them."""

import gzip

import numpy as np
import pandas as pd
import pytest

from sknets.model_selection._tables import DATASETS, InputError, load_table, read_table


def table(tmp_path, text, target, **options):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return read_table(path, target, **options)


@pytest.mark.parametrize(
    ("name", "shape", "n_classes"),
    [
        ("digits", (1797, 64), 10),
        ("iris", (150, 4), 3),
        ("wine", (178, 13), 3),
        ("breast_cancer", (569, 30), 2),
        ("diabetes", (442, 10), 0),
    ],
)
def test_load_table_knows_the_task(name, shape, n_classes):
    data = load_table(name)
    assert name in DATASETS
    assert data.X.shape == shape
    assert len(data.classes) == n_classes
    assert data.task == ("classification" if n_classes else "regression")


@pytest.mark.parametrize(
    "text",
    [
        "size,name,class\n1.5,red,a\n2.5,blue,b\n",
        "size , name, class\n1.5 , red , a\n2.5, blue , b \n",
        "size;name;class\n1.5;red;a\n2.5;blue;b\n",
        "size\tname\tclass\n1.5\tred\ta\n2.5\tblue\tb\n",
        "size|name|class\n1.5|red|a\n2.5|blue|b\n",
        "size  name class\n1.5   red a\n2.5  blue b\n",
        'size,name,class\n1.5,"red","a"\n2.5,"blue","b"\n',
        "\ufeffsize,name,class\n1.5,red,a\n2.5,blue,b\n",
    ],
    ids=["comma", "blanks", "semicolon", "tab", "pipe", "spaces", "quotes", "byte order mark"],
)
def test_separator_is_told_and_blanks_are_stripped(tmp_path, text):
    data = table(tmp_path, text, "class")
    expected = pd.DataFrame({"size": [1.5, 2.5], "name": ["red", "blue"]}).astype({"name": object})
    pd.testing.assert_frame_equal(data.X, expected)
    assert data.classes == ["a", "b"]
    np.testing.assert_array_equal(data.y, [0, 1])


@pytest.mark.parametrize(
    ("separator", "text"),
    [
        ("::", "a::b\n1::2\n3::4\n"),
        ("tab", "a\tb\n1\t2\n3\t4\n"),
        (r"\t", "a\tb\n1\t2\n3\t4\n"),
        (":", "a:b\n1:2\n3:4\n"),
    ],
)
def test_separator_may_be_given(tmp_path, separator, text):
    assert list(table(tmp_path, text, "b", separator=separator).X.columns) == ["a"]


@pytest.mark.parametrize("field", ["?", " ? ", "", " ", "NA", "inf"])
def test_missing_values(tmp_path, field):
    data = table(tmp_path, f"a,b,c\n1,x,0\n{field},{field},1\n", "c")
    assert np.isnan(data.X["a"][1])
    if field not in ("inf", "NA"):  # which may well be words
        assert np.isnan(data.X["b"][1])


def test_a_class_may_have_the_name_of_nothing(tmp_path):
    data = table(tmp_path, "a,b\n1,None\n2,yes\n3,None\nnull,yes\n", "b")
    assert data.classes == ["None", "yes"]
    assert np.isnan(data.X["a"][3])


@pytest.mark.parametrize("target", ["b", "c"])
def test_lines_may_end_in_a_separator(tmp_path, target):
    data = table(tmp_path, "a,b,c\n1,x,u,\n2,y,v,\n", target)
    assert data.X["a"].tolist() == [1, 2]
    assert data.classes == (["x", "y"] if target == "b" else ["u", "v"])


def test_decimal_commas_are_numbers_where_they_do_not_separate(tmp_path):
    data = table(tmp_path, "a;b;c\n1,5;1,5kg;x\n-2;2;y\n+3,25;NA;x\n", "c")
    assert data.X["a"].tolist() == [1.5, -2, 3.25]
    assert data.X["b"].tolist() == ["1,5kg", "2", "NA"]


def test_names_that_differ_by_blanks_are_numbered(tmp_path):
    assert list(table(tmp_path, "a,a ,c\n1,2,x\n3,4,y\n", "c").X) == ["a", "a.1"]


def test_a_first_line_of_numbers_is_remarked_on(tmp_path):
    data = table(tmp_path, "1,2\n3,4\n5,6\n", "-1")
    assert data.notes == ["took the first line for names; --no-header takes it for data"]


def test_rows_without_target_and_columns_without_values_are_left_out_and_said(tmp_path):
    data = table(tmp_path, "a,b,c\n1,,x\n2,,?\n3,,y\n", "c")
    assert data.X["a"].tolist() == [1, 3]
    assert data.notes == ["left out 1 rows without 'c'", "left out columns without values: b"]


@pytest.mark.parametrize(
    ("target", "left"),
    [("b", ["a", "0"]), ("1", ["a", "0"]), ("-1", ["a", "b"]), ("0", ["a", "b"])],
)
def test_target_is_a_name_or_else_an_index(tmp_path, target, left):
    data = table(tmp_path, "a,b,0\n1,2,3\n4,5,6\n", target)
    assert list(data.X.columns) == left


def test_columns_without_header_are_numbered(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"1, 2, x\n3, 4, y\n5, 6, x\n"))
    data = read_table(path, "-1", header=False, drop=["0"])
    assert list(data.X.columns) == ["column_1"]
    assert data.classes == ["x", "y"]


@pytest.mark.parametrize(
    ("values", "task", "expected", "classes"),
    [
        (["no", "yes"] * 15, "auto", "classification", ["no", "yes"]),
        ([True, False] * 15, "auto", "classification", ["False", "True"]),
        ([1, 2, 10] * 10, "auto", "classification", ["1", "2", "10"]),
        ([1.0, 2.0] * 15, "auto", "classification", ["1", "2"]),
        (range(30), "auto", "regression", []),
        ([0.5, 1.0] * 15, "auto", "regression", []),
        ([1, 2, 3] * 10, "regression", "regression", []),
        ([0.5, 1.0] * 15, "classification", "classification", ["0.5", "1.0"]),
    ],
)
def test_task_is_told_from_the_target(tmp_path, values, task, expected, classes):
    text = "a,b\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values))
    data = table(tmp_path, text, "b", task=task)
    assert (data.task, list(data.classes)) == (expected, classes)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", {}, "as CSV: No columns to parse"),
        (b"\x1f\x8b\x08 not gzip", {}, "as utf-8 text"),
        (b"name,b\n\xe9t\xe9,1\n", {}, "as utf-8 text.*see --encoding"),
        (b'a,b\n"1,2\n', {}, "as CSV"),
        (b"a,b\n", {}, "has no rows or no columns"),
        (b"b\n1\n2\n", {}, "has no rows or no columns"),
        (b"a,b\n1,x\n2,x\n", {}, "'b' holds nothing but 'x'"),
        (b"a,b\n1,x\n2,y\n", {"task": "regression"}, "needs numbers; 'b' holds 'x'"),
    ],
)
def test_unusable_file_is_refused_in_words(tmp_path, content, options, message):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_table(path, "b", **options)


def test_damaged_gzip_file_is_refused(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n" * 99)[:-20])
    with pytest.raises(InputError, match="as CSV"):
        read_table(path, "b")


def test_other_encodings_are_read(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("name,b\nété,1\nhiver,0\n".encode("latin-1"))
    assert read_table(path, "b", encoding="latin-1").X["name"][0] == "été"
