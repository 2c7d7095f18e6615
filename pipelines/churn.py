"""Customers who leave a telephone company: 80 % accuracy on IBM's Telco table.

7,043 customers, 19 columns and an id; 1,869 have left. `churn/Telco-Customer-Churn.csv`.
Half train, 30 % validate, as few rows ask for a wide margin, and 20 % test.
Target: the course's 80 %, there on validation rows, here on test rows as well. Hardly any model
passes 80.5 % on this table, so the default margin asks for too much: search with `--margin 0.5`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from occam.search.errors import InputError, first_line
from occam.search.pipeline import Data, Pipeline, data_file
from occam.spaces.dense import dense
from sklearn.compose import make_column_transformer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder

YES_NO = [
    *("Partner", "Dependents", "PhoneService", "MultipleLines", "OnlineSecurity", "OnlineBackup"),
    *("DeviceProtection", "TechSupport", "StreamingTV", "StreamingMovies", "PaperlessBilling"),
]
SEVERAL_VALUES = ["gender", "InternetService", "Contract", "PaymentMethod"]
NUMBERS = ["SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges"]
CODES = {"Yes": 1, "No": 0, "No internet service": 0, "No phone service": 0}


def data() -> Data:
    x = read()
    y = x.pop("Churn").map(CODES).to_numpy("int32")
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
    x_train, x_validation, y_train, y_validation = train_test_split(
        x, y, test_size=0.375, stratify=y, random_state=0
    )
    return Data((x_train, y_train), (x_validation, y_validation), (x_test, y_test))


def read() -> pd.DataFrame:
    path = data_file("churn/Telco-Customer-Churn.csv")
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is damaged or no table: {first_line(error)}.") from error
    if "Churn" not in table or not table["Churn"].isin(["Yes", "No"]).all():
        raise InputError(f"{path} is damaged: each row needs Yes or No in its Churn column.")
    return table


def preprocessing(data: Data) -> Data:
    one_hot = OneHotEncoder(drop="if_binary", sparse_output=False, handle_unknown="ignore")
    columns = make_column_transformer(
        (one_hot, SEVERAL_VALUES), (MinMaxScaler(), NUMBERS), ("passthrough", YES_NO)
    )
    as_floats = FunctionTransformer(np.asarray, kw_args={"dtype": "float32"})
    steps = make_pipeline(FunctionTransformer(clean), columns, as_floats)
    return data.transformed(steps.fit(data.train[0]).transform)


def clean(customers: pd.DataFrame) -> pd.DataFrame:
    """Numbers for yes, no and blanks; the columns not named above, such as the id, are left out."""
    columns = [*SEVERAL_VALUES, *NUMBERS, *YES_NO]
    missing = [column for column in columns if column not in customers]
    if missing:
        raise InputError(f"The table of customers lacks the columns {', '.join(missing)}.")
    table = customers[columns].copy()
    if not table[YES_NO].isin([*CODES]).all(axis=None):
        raise InputError(f"The columns {', '.join(YES_NO)} must say one of {', '.join(CODES)}.")
    table[YES_NO] = table[YES_NO].apply(lambda column: column.map(CODES))
    # Blank where the first month is not over: nothing has been paid yet.
    table["TotalCharges"] = pd.to_numeric(table["TotalCharges"], errors="coerce").fillna(0)
    return table


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=dense(
        (26,),
        1,
        loss="binary_crossentropy",
        output_activation="sigmoid",
        layers=(0, 2),
        units=(2, 32),
    ),
    target=0.80,
    epochs=30,
    classes=("No", "Yes"),
    smallest_known=57,
)
