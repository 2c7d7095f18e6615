"""The churn pipeline: the course's preprocessing steps, and tables that lack something."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from occam.pipelines.churn import CODES, YES_NO, clean, pipeline
from occam.search.errors import InputError
from occam.search.pipeline import Data

FILE = "churn/Telco-Customer-Churn.csv"
HEADER = """customerID,gender,SeniorCitizen,Partner,Dependents,tenure,PhoneService,MultipleLines,\
InternetService,OnlineSecurity,OnlineBackup,DeviceProtection,TechSupport,StreamingTV,\
StreamingMovies,Contract,PaperlessBilling,PaymentMethod,MonthlyCharges,TotalCharges,Churn
"""
ROWS = """A,Female,0,Yes,No,1,No,No phone service,DSL,No,Yes,No,No,No,No,\
Month-to-month,Yes,Electronic check,29.85,29.85,No
B,Male,1,No,No,34,Yes,No,Fiber optic,Yes,No,Yes,No,No,Yes,\
One year,No,Mailed check,56.95,1889.5,No
C,Male,0,No,Yes,0,Yes,Yes,No,No internet service,No internet service,No internet service,\
No internet service,No internet service,No internet service,\
Two year,No,Bank transfer (automatic),20.25, ,Yes
D,Female,0,No,No,72,Yes,Yes,DSL,Yes,Yes,Yes,Yes,Yes,Yes,\
Two year,Yes,Credit card (automatic),90.05,6483.6,Yes
"""
TABLE = HEADER + ROWS


def customers() -> pd.DataFrame:
    return pd.read_csv(io.StringIO(TABLE))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OCCAM_DATA", str(tmp_path))
    path = tmp_path / FILE
    path.parent.mkdir()
    return path


def test_blanks_of_new_customers_are_nothing_paid():
    assert clean(customers())["TotalCharges"].tolist() == [29.85, 1889.5, 0, 6483.6]


def test_no_service_counts_as_no():
    third = clean(customers()).loc[2]
    assert third["OnlineSecurity"] == third["StreamingTV"] == 0
    assert clean(customers())["MultipleLines"].tolist() == [0, 0, 1, 1]
    assert set(CODES.values()) == {0, 1}


def test_the_id_and_other_columns_are_left_out():
    assert "customerID" not in clean(customers())
    assert "note" not in clean(customers().assign(note="x"))


def test_the_table_that_came_is_not_changed():
    table = customers()
    clean(table)
    assert table.equals(customers())


def test_there_are_26_inputs_between_0_and_1():
    table = customers()
    prepared = pipeline.preprocessing(Data(*[(table.drop(columns="Churn"), np.arange(4))] * 3))
    inputs = prepared.train[0]
    assert inputs.shape == (4, 26)
    assert (inputs.min(), inputs.max()) == (0, 1)
    assert (inputs[:, -len(YES_NO) :] == clean(table)[YES_NO]).all(axis=None)


def test_a_table_without_a_needed_column_is_refused():
    with pytest.raises(InputError, match=r"lacks the columns Contract, tenure\."):
        clean(customers().drop(columns=["tenure", "Contract"]))


def test_another_word_than_yes_or_no_is_refused():
    with pytest.raises(InputError, match="must say one of Yes, No, No internet service"):
        clean(customers().replace({"Partner": {"Yes": "Maybe"}}))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "a,b\n1,2\n",
        TABLE.replace(",Churn\n", ",Left\n"),
        TABLE[:-10],
        TABLE[:-2],
        TABLE.replace("29.85,No", "29.85,Maybe"),
        "a,b\n1,2\n1,2,3\n",
        b"\xff\xfe\x00\x81" * 50,
    ],
    ids=["empty", "other", "no-churn", "truncated", "truncated-yes", "maybe", "uneven", "binary"],
)
def test_a_damaged_table_is_refused_in_one_line(file, content):
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=file.name + " is damaged") as caught:
        pipeline.data()
    assert "\n" not in str(caught.value)


def test_the_raw_rows_are_the_columns_of_the_file_without_churn(file):
    file.write_text(HEADER + ROWS * 5)
    data = pipeline.data()
    assert [*data.train[0].columns] == [name for name in customers().columns if name != "Churn"]
    assert set(np.unique(data.train[1])) == {0, 1}
    assert [len(labels) for _, labels in (data.train, data.validation, data.test)] == [10, 6, 4]
