"""What holds for every loader: arguments, folders, errors that help, docstrings that are true."""

import doctest
import inspect
import subprocess
import sys
from urllib.error import URLError

import pytest

import sknets.datasets
from sknets.datasets import load_mnist, load_penn_treebank, load_time_series

LOADERS = [
    getattr(sknets.datasets, name) for name in sknets.datasets.__all__ if name.startswith("load_")
]
POSITIONAL = {load_time_series: ["GunPoint"]}


@pytest.fixture
def no_home(monkeypatch):
    monkeypatch.setenv("SKNETS_DATA", "")


@pytest.fixture
def no_network(monkeypatch):
    def fetch_openml(**_):
        raise URLError("no route to host")

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch_openml)


def test_import_loads_no_library_and_does_no_work():
    """scikit-learn itself imports pandas where there is one."""
    code = """if True:
        import sys
        import sklearn.utils, sknets._params
        before = set(sys.modules)
        import sknets.datasets.images, sknets.datasets.tables
        heavy = {"matplotlib", "sklearn.datasets", "pandas", "polars", "PIL"}
        print(heavy & (set(sys.modules) - before))
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_wrong_choice_is_refused_by_name(load, tmp_path):
    parameters = inspect.signature(load).parameters.keys() - {"data_home", "name"}
    for parameter in parameters:
        message = (
            rf"The '{parameter}' parameter of {load.__name__} must be one of {{.*}}\. "
            r"Got 'neither' instead\."
        )
        with pytest.raises(ValueError, match=message):
            load(*POSITIONAL.get(load, []), data_home=tmp_path, **{parameter: "neither"})


def test_choices_are_those_of_the_set(tmp_path):
    with pytest.raises(ValueError, match=r"one of {'train', 'test', 'all'}\. Got 'validation'"):
        load_mnist(subset="validation", data_home=tmp_path)
    with pytest.raises(
        ValueError, match=r"'name' parameter of load_time_series must be a str\. Got 3"
    ):
        load_time_series(3, data_home=tmp_path)


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
@pytest.mark.parametrize("given", ["nowhere", 3])
def test_folder_that_is_none_is_refused(load, given):
    message = rf"The 'data_home' parameter of {load.__name__} must be an existing folder\. Got .*"
    with pytest.raises(ValueError, match=message):
        load(*POSITIONAL.get(load, []), data_home=given)


def test_variable_that_names_no_folder_is_refused(monkeypatch):
    monkeypatch.setenv("SKNETS_DATA", "nowhere")
    with pytest.raises(
        ValueError, match="environment variable SKNETS_DATA must be an existing fol"
    ):
        load_mnist()


def test_argument_goes_before_the_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("SKNETS_DATA", "nowhere")
    (tmp_path / "ptb").mkdir()
    (tmp_path / "ptb" / "ptb.test.txt").write_text("here\n")
    assert load_penn_treebank(subset="test", data_home=tmp_path).data == ["here"]
    monkeypatch.setenv("SKNETS_DATA", str(tmp_path))
    assert load_penn_treebank(subset="test").data == ["here"]


def test_home_of_the_user_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ptb").mkdir()
    (tmp_path / "ptb" / "ptb.test.txt").write_text("here\n")
    assert load_penn_treebank(subset="test", data_home="~").data == ["here"]


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_absent_files_are_named_with_the_way_to_give_them(load, tmp_path, no_network):
    with pytest.raises(OSError, match=r"found no .*/.* \(or \.gz\).*SKNETS_DATA") as caught:
        load(*POSITIONAL.get(load, []), data_home=tmp_path)
    message = str(caught.value)
    assert message.startswith(load.__name__)
    assert message.endswith(
        ("OpenML does not have this data set.", "failed: <urlopen error no route to host>")
    )


def test_absent_folder_is_said(no_home, no_network):
    with pytest.raises(FileNotFoundError, match=r"SKNETS_DATA names \(neither is given\)"):
        load_penn_treebank()
    with pytest.raises(OSError, match=r"d/554 instead failed: <urlopen error no route"):
        load_mnist()


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_description_tells_files_and_rights(load, data_home):
    found = load(*POSITIONAL.get(load, []), data_home=data_home)
    assert found.DESCR.startswith(load.__doc__.partition("\n")[0])
    assert "File" in found.DESCR
    assert "Parameters" not in found.DESCR
    assert all(str(data_home) in name for name in found.filename)


@pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)
def test_examples_are_true_of_the_files_at_hand(load, data_home, monkeypatch):
    """The suite skips them, for they need the files; here are the files."""
    monkeypatch.setenv("SKNETS_DATA", str(data_home))
    text = load.__doc__.replace("# doctest: +SKIP", "")
    options = doctest.NORMALIZE_WHITESPACE
    test = doctest.DocTestParser().get_doctest(text, {}, load.__name__, None, 0)
    assert test.examples
    said = []
    doctest.DocTestRunner(optionflags=options).run(test, out=said.append)
    assert not said, "".join(said)
