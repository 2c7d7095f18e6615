"""House prices from eight facts about a house and its place, made up after the Boston table.

2,000 generated houses: rooms, age, distance to the centre and so on, with prices in thousands that
rise and fall with them, partly in products and squares, and noise of 2 that nobody can explain.
50 % train, 30 % validate, 20 % test.
Target: R squared 0.80, which a linear model of 9 parameters does not reach.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline
from occam.spaces.dense import dense
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

COLUMNS = ["rooms", "age", "distance", "crime", "pupils", "tax", "poverty", "river"]


def data() -> Data:
    houses, prices = generate(2000)
    parts = (slice(1000), slice(1000, 1600), slice(1600, 2000))
    return Data(*((houses[part].reset_index(drop=True), prices[part]) for part in parts))


def generate(rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "rooms": rng.normal(6.3, 0.7, rows).clip(3.5, 9),
            "age": rng.uniform(2, 100, rows),
            "distance": rng.gamma(3, 1.3, rows) + 1,
            "crime": rng.gamma(0.5, 5, rows),
            "pupils": rng.normal(18.5, 2, rows),
            "tax": rng.uniform(190, 710, rows),
            "poverty": rng.gamma(3, 4, rows).clip(2, 38),
            "river": (rng.random(rows) < 0.1).astype(float),
        }
    ).round(2)
    rooms, distance = table["rooms"] - 6.3, table["distance"].clip(upper=8)
    prices = 24 + 5 * rooms + 2.5 * rooms**2 + 3.5 * table["river"] - 0.9 * (table["pupils"] - 18.5)
    prices += 22 * np.exp(-table["poverty"] / 6) - 0.02 * (table["tax"] - 400)
    prices -= 4 * np.log(distance) * (1 - table["age"] / 100) + 0.25 * table["crime"].clip(upper=20)
    prices += rng.normal(0, 2, rows)
    return table, prices.clip(lower=2).to_numpy("float32")


def preprocessing(data: Data) -> Data:
    steps = make_pipeline(
        FunctionTransformer(needed), StandardScaler(), FunctionTransformer(as_floats)
    )
    return data.transformed(steps.fit(data.train[0]).transform)


def needed(houses: pd.DataFrame) -> np.ndarray:
    missing = [column for column in COLUMNS if column not in houses]
    if missing:
        raise InputError(f"The table of houses lacks the columns {', '.join(missing)}.")
    return houses[COLUMNS].to_numpy("float64")


def as_floats(rows: np.ndarray) -> np.ndarray:
    return rows.astype("float32")


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=dense(
        (8,),
        1,
        loss="mse",
        output_activation="linear",
        layers=(0, 2),
        units=(2, 32),
        label_mean=26.0,  # of the train labels, rounded
        label_scale=9.0,
    ),
    target=0.80,
    metric="r2",
    epochs=80,
    smallest_known=31,
)
