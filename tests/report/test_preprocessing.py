"""What a pipeline does to raw rows is named where the model is described."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from occam.search.cli import main as occam
from occam.search.report.preprocessing import steps
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder
from tasks import blobs

SCALED = """def scaled(data):
    return data.transformed(MinMaxScaler().fit(data.train[0]).transform)


"""


def halved(rows: np.ndarray, by: float = 2.0) -> np.ndarray:
    return rows / by


COLUMNS = make_column_transformer((OneHotEncoder(), [0]), (MinMaxScaler(), [1]), ("drop", [2]))


@pytest.mark.parametrize(
    ("transform", "named"),
    [
        (None, []),
        (halved, ["halved"]),
        (partial(halved, by=3), ["halved"]),
        (MinMaxScaler().transform, ["MinMaxScaler"]),
        (
            make_pipeline(FunctionTransformer(halved), COLUMNS, FunctionTransformer()).transform,
            ["halved", "OneHotEncoder", "MinMaxScaler", "FunctionTransformer"],
        ),
    ],
)
def test_each_step_is_named(transform, named):
    assert list(steps(transform)) == named


def test_the_report_names_what_travels_with_the_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = blobs(
        tmp_path,
        ("import keras\n", "import keras\nfrom sklearn.preprocessing import MinMaxScaler\n"),
        ("pipeline = Pipeline(", f"{SCALED}pipeline = Pipeline(preprocessing=scaled, "),
    )
    assert occam(["search", task, "--trials", "2", "--quiet", "--target", "0.7"]) == 0
    assert occam(["report"]) == 0
    assert "Its preprocessing travels with it: MinMaxScaler." in Path("report.html").read_text()
