"""Raw inputs of a file, in the form that a champion's signature asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from mlflow.types import ColSpec, Schema, TensorSpec
from occam.search.data.inputs import RawRows, read
from occam.search.errors import InputError
from PIL import Image

PAIR = {"a": np.zeros((3, 2)), "b": np.zeros((3, 1), dtype="uint8")}


def taken(sample: Any) -> Schema:
    """What a champion takes that learned from rows like these."""
    return infer_signature(sample).inputs


def test_of_several_inputs_each_says_which_rows_it_cannot_hold(tmp_path):
    path = tmp_path / "rows.npz"
    np.savez(path, a=[[1.0, 2.0], [np.inf, 0.0], [3.0, 4.0]], b=[[1.0], [2.0], [300.0]])
    rows = read(path, taken(PAIR))
    assert {name: (part.dtype, part.shape) for name, part in rows.inputs.items()} == {
        "a": (np.float64, (3, 2)),
        "b": (np.uint8, (3, 1)),
    }
    assert rows.unusable.tolist() == [False, True, True]
    np.savez(path, **{name: part[:0] for name, part in PAIR.items()})
    with pytest.raises(InputError, match="rows.npz' has no rows"):
        read(path, taken(PAIR))


@pytest.mark.parametrize(
    "inputs",
    [
        np.array([[1.0, 2.0], [np.nan, 3.0], [4.0, 5.0]]),
        pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", None, "z"]}),
        {"a": np.ones((3, 2)), "b": np.array([[1.0], [np.nan], [2.0]])},
    ],
    ids=["array", "table", "several"],
)
def test_rows_in_which_a_number_is_missing_can_be_left_out(inputs):
    rows = RawRows(inputs=inputs)
    assert rows.incomplete().tolist() == [False, True, False]
    kept = RawRows(inputs=rows.some(~rows.incomplete()))
    assert kept.incomplete().tolist() == [False, False]


def test_a_column_that_need_not_be_there_may_be_left_out(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("age\n4\n")
    schema = Schema([ColSpec("double", "age"), ColSpec("double", "height", required=False)])
    assert read(path, schema).inputs.to_dict("list") == {"age": [4.0]}


def test_a_first_line_that_is_taken_for_a_name_is_said_where_it_could_be_a_text(tmp_path, capsys):
    path, texts = tmp_path / "rows.csv", taken(np.array([["good"], ["bad"]], dtype=object))
    path.write_text("7\na good film\n")
    assert read(path, texts).inputs.tolist() == [["7"], ["a good film"]]
    path.write_text("review\n7\n")
    assert read(path, taken(np.zeros((3, 1)))).inputs.tolist() == [[7.0]]
    assert not capsys.readouterr().err
    assert read(path, texts).inputs.tolist() == [["7"]]
    said = capsys.readouterr().err
    assert said == f"occam: the first line of {path} is taken for names: 'review'.\n"


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 3), (4, 6, 4)])
def test_images_come_with_the_channels_and_of_the_size_that_the_champion_takes(tmp_path, shape):
    Image.new("RGB", (12, 8), (255, 0, 0)).save(tmp_path / "red.png")
    rows = read(tmp_path, taken(np.zeros((2, *shape), dtype="uint8")))
    assert rows.files == ["red.png"]
    assert rows.inputs.shape == (1, *shape)
    colour = {1: [76], 3: [255, 0, 0], 4: [255, 0, 0, 255]}[(*shape, 1)[2]]
    assert rows.inputs.reshape(-1, len(colour)).tolist() == [colour] * 24


@pytest.mark.parametrize("shape", [(-1, -1, 3), (4, 6, 2), (4,), (2, 2, 4, 3)])
def test_a_champion_of_other_rows_than_images_of_one_size_takes_no_folder(tmp_path, shape):
    Image.new("RGB", (12, 8)).save(tmp_path / "red.png")
    schema = Schema([TensorSpec(np.dtype("uint8"), (-1, *shape))])
    with pytest.raises(InputError, match="This champion takes no images: give it a CSV"):
        read(tmp_path, schema)
