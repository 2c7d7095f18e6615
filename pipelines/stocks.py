"""Tomorrow's price of a share from the last 30 days: is a recurrent network better than no change?

2,768 daily closing prices of Apple, 2013 to 2023, in `stocks/AAPL.csv`, as windows of 30 days in
the order of time: the first 60 % train, 20 % validate, the last 20 % test, 30 days apart so that
no price is in two splits. Labels are the next day's change in per cent, so the last-value forecast
of no change has R squared 0. Target: R squared 0.01, one hundredth of the variance explained.
The honest answer is no: what reaches it by luck on validation rows is not held on the test rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from occam.search.errors import InputError, first_line
from occam.search.pipeline import Data, Pipeline, data_file
from occam.spaces.recurrent import recurrent
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

DAYS = 30


def data() -> Data:
    prices = read()
    windows = np.lib.stride_tricks.sliding_window_view(prices, DAYS + 1)
    inputs, labels = windows[:, :DAYS], 100 * (windows[:, DAYS] / windows[:, DAYS - 1] - 1)
    one, two = int(0.6 * len(windows)), int(0.8 * len(windows))
    parts = (slice(one - DAYS), slice(one, two - DAYS), slice(two, len(windows)))
    return Data(*((inputs[part], labels[part].astype("float32")) for part in parts))


def read() -> np.ndarray:
    path = data_file("stocks/AAPL.csv")
    try:
        table = pd.read_csv(path)
        order = pd.to_datetime(table["Date"]).argsort()
        prices = table["Close"].to_numpy(float)[order]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is damaged or lacks Date and Close: {first_line(error)}."
        ) from error
    if len(prices) < 10 * DAYS or not (np.isfinite(prices) & (prices > 0)).all():
        raise InputError(f"{path} is damaged: {10 * DAYS} prices above 0 are needed.")
    return prices


def preprocessing(data: Data) -> Data:
    steps = make_pipeline(FunctionTransformer(changes), StandardScaler())
    steps.fit(data.train[0])
    return data.transformed(make_pipeline(steps, FunctionTransformer(as_sequences)).transform)


def changes(prices: Any) -> np.ndarray:
    """Each day's change in per cent, from rows of prices."""
    prices = np.asarray(prices, dtype="float64")
    if prices.shape[1:] != (DAYS,):
        raise InputError(f"Rows of {DAYS} closing prices are needed, received {prices.shape}.")
    return 100 * np.diff(np.log(prices), axis=1)


def as_sequences(rows: np.ndarray) -> np.ndarray:
    return rows.astype("float32")[..., None]


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=recurrent((DAYS - 1, 1), 1, units=(1, 16), layers=(1, 2), label_scale=1.6),
    target=0.01,
    metric="r2",
    epochs=30,
)
