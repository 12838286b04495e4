"""The sknets command: what it prints and writes, and one line for what cannot be had."""

import gzip
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from sknets.cli import main, time_left
from sknets.model_selection._folds import Fold

FAST = ["--models", "linear,k_nearest_neighbors", "--cv", "3"]
FILES = ["comparison.csv", "comparison.png", "report.html", "scores.csv"]

# Comma and space, no header, "?" for a missing value, as in UCI's Adult.
CENSUS = "".join(
    f"{20 + i % 40}, {sector}, {i % 7}, {'>50K' if i % 40 > 20 else '<=50K'}\n"
    for i, sector in enumerate(["Private", "?", "State-gov", "Self-emp"] * 20)
)


@pytest.fixture
def census(tmp_path):
    path = tmp_path / "census.data.gz"
    path.write_bytes(gzip.compress(CENSUS.encode()))
    return str(path)


def run(capsys, *argv):
    """Exit status, stdout and stderr."""
    status = main([str(argument) for argument in argv])
    return status, *capsys.readouterr()


def test_compare_prints_a_table_and_writes_files(capsys, tmp_path):
    out = tmp_path / "new" / "folder"
    status, table, said = run(capsys, "compare", "iris", *FAST, "--out", out)
    assert status == 0
    assert table.splitlines()[0].split()[:2] == ["model", "accuracy"]
    assert "Best: k_nearest_neighbors" in table
    assert re.search(r"^linear +0\.\d{4}, ", said, re.MULTILINE)  # a line a model
    assert f"into {out}" in said
    assert sorted(path.name for path in out.iterdir()) == FILES
    ranking = pd.read_csv(out / "comparison.csv")
    scores = pd.read_csv(out / "scores.csv")
    assert list(ranking["model"]) == ["k_nearest_neighbors", "linear"]
    assert len(scores) == 6
    np.testing.assert_allclose(
        ranking.set_index("model")["mean"],
        scores.groupby("model")["score"].mean()[ranking["model"]],
    )


def test_report_stands_alone(capsys, tmp_path):
    run(capsys, "compare", "iris", *FAST, "--out", tmp_path)
    html = (tmp_path / "report.html").read_text()
    assert "sknets compare iris --models linear,k_nearest_neighbors --cv 3" in html
    assert "data:image/png;base64," in html
    assert "scikit-learn" in html
    assert not re.search(r"(src|href)=\"(?!data:)", html)


def test_compare_tunes_with_search(capsys, tmp_path):
    arguments = ["--search", "--candidates", "2", "--out", tmp_path, "--models", "linear"]
    status, *_ = run(capsys, "compare", "wine", "--cv", "2", *arguments)
    assert status == 0
    assert pd.read_csv(tmp_path / "scores.csv")["best_params"].str.startswith("{").all()
    assert "Chosen by the search" in (tmp_path / "report.html").read_text()


def test_compare_reads_gzipped_csv_without_header(capsys, tmp_path, census):
    arguments = ["--no-header", "--target", "-1", "--out", tmp_path / "out"]
    status, table, said = run(capsys, "compare", census, *arguments, *FAST)
    assert status == 0
    assert "80 rows, 3 columns, classification into 2 classes (1 is '>50K')" in said
    assert "k_nearest_neighbors" in table


def test_compare_takes_any_suitable_scoring(capsys, tmp_path):
    arguments = ["--scoring", "neg_log_loss", "--models", "svm,linear", "--cv", "2"]
    status, table, _ = run(capsys, "compare", "iris", *arguments, "--out", tmp_path)
    assert status == 0  # the SVM is calibrated
    assert "neg_log_loss" in table
    assert "Failed" not in table


def test_compare_regresses(capsys, tmp_path):
    status, table, _ = run(capsys, "compare", "diabetes", *FAST, "--out", tmp_path)
    assert status == 0
    assert table.split()[:2] == ["model", "r2"]


@pytest.mark.parametrize(
    ("models", "expected"), [("k_nearest_neighbors,linear", 0), ("k_nearest_neighbors", 1)]
)
def test_failing_models_are_reported(capsys, tmp_path, models, expected):
    path = tmp_path / "few.csv"
    path.write_text("a,b\n" + "".join(f"{i},{i % 2}\n" for i in range(8)))
    arguments = ["--target", "b", "--cv", "2", "--models", models, "--out", tmp_path / "out"]
    status, table, said = run(capsys, "compare", path, *arguments)
    assert status == expected
    assert "Failed: k_nearest_neighbors" in table or "No model finished." in table
    assert "k_nearest_neighbors: ValueError: Expected n_neighbors <= n_samples_fit" in table
    assert "failed in 2 of 2 folds" in said
    assert "Traceback" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("predict", "invalid choice: 'predict' (choose from 'compare')"),
        ("compare nothing.csv", "no file 'nothing.csv'; data is a CSV file or one of digits, iris"),
        ("compare iris --models network,oracle", "--models are among network,svm,"),
        ("compare iris --models ,", "--models are among network,svm,"),
        ("compare iris --scoring acuracy", "--scoring for this target is one of accuracy, "),
        ("compare iris --scoring r2", "--scoring for this target is one of accuracy, "),
        ("compare iris --scoring roc_auc", "--scoring for this target is one of accuracy, "),
        ("compare diabetes --scoring accuracy", "--scoring for this target is one of d2_absolute"),
        ("compare iris --cv 1", "--cv: must be a whole number, 2 or more; got '1'"),
        ("compare iris --cv few", "--cv: must be a whole number, 2 or more; got 'few'"),
        ("compare iris --cv 51", "--cv 51 does not suit this target"),
        ("compare iris --jobs 0", "--jobs: must be a whole number, 1 or more; got '0'"),
        ("compare iris --device tpu", "--device: "),
        ("compare iris --out {census}", "--out must be a folder that can be written to"),
        ("compare iris --target species", "--target is for CSV files"),
        ("compare {census} --no-header", "--target must say what to predict in census.data.gz"),
        ("compare {census} --no-header --target income", "columns column_0, column_1, column_2,"),
        ("compare {census} --no-header --target 4", "or a number from -4 to 3; got '4'"),
        ("compare {census} --no-header --target -1 --drop b", "--drop must be one of the columns"),
        ("compare {census} --no-header --target -1 --drop 3", "--drop takes away the target"),
        ("compare {census} --no-header --target -1 --task regression", "needs numbers; "),
        ("compare {census} --no-header --target -1 --encoding klingo", "unknown encoding"),
        ("compare {folder} --target a", "no file '"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_gets_one_line(capsys, tmp_path, monkeypatch, census, argv, message):
    monkeypatch.chdir(tmp_path)
    argv = [word.format(census=census, folder=tmp_path) for word in argv.split()]
    status, table, said = run(capsys, *argv)
    assert status == 2
    assert table == ""
    assert message in said
    assert said.startswith("sknets: error: ")
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["census.data.gz"]


def test_missing_extra_gets_one_line(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)  # as if it were not installed
    status, _, said = run(capsys, "compare", "iris")
    assert status == 2
    assert said == 'sknets: error: compare needs rich: pip install "sknets[compare]"\n'


def test_help_lists_commands_and_options(capsys):
    assert run(capsys)[0] == 0
    with pytest.raises(SystemExit) as ended:
        main(["compare", "--help"])
    assert ended.value.code == 0
    assert "--no-header" in capsys.readouterr().out


def test_time_left_counts_what_each_model_costs():
    def folds(model, n, seconds):
        return [Fold(model, i, 80, 20, wall_time=seconds) for i in range(n)]

    done = {"slow": folds("slow", 4, 10.0), "fast": folds("fast", 2, 1.0)}
    # 2 more fits of a second, and 4 of a model not seen yet, at the average of 5.5 seconds.
    left = time_left(done, ["slow", "fast", "unseen"], 4, elapsed=42.0)
    assert left == pytest.approx(24.0)
    # Two side by side take half as long.
    assert time_left(done, ["slow", "fast", "unseen"], 4, elapsed=21.0) == pytest.approx(12.0)


def test_module_runs_as_a_program(tmp_path):
    command = [sys.executable, "-m", "sknets", "compare", "iris", "--models", "linear", "--cv", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("model")
    assert sorted(p.name for p in (tmp_path / "sknets-compare-iris").iterdir()) == FILES


@pytest.mark.slow
def test_ctrl_c_ends_with_what_was_finished(tmp_path):
    models = ["--models", "linear,network,random_forest"]
    command = [sys.executable, "-m", "sknets", "compare", "digits", *models]
    program = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    next(line for line in program.stderr if line.startswith("linear"))
    os.kill(program.pid, signal.SIGINT)
    said = program.communicate(timeout=60)[1]
    assert program.returncode == 130
    assert "wrote comparison.csv" in said
    table = pd.read_csv(tmp_path / "sknets-compare-digits" / "comparison.csv")
    assert list(table["verdict"]) == ["best", "not finished", "not finished"]
