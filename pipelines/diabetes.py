"""Progress of diabetes within a year, a number, from ten measurements: scikit-learn's copy.

442 patients (Efron and others, "Least Angle Regression", 2004); labels 25 to 346, mean 152.
40 % train, 40 % validate, 20 % test, each with the same mix of low and high labels.
Target: R squared of 0.25, a quarter of the variance explained.
"""

from __future__ import annotations

import numpy as np
from occam.search.pipeline import Data, Pipeline
from occam.spaces.dense import dense
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


def data() -> Data:
    x, y = load_diabetes(return_X_y=True, scaled=False)
    y = y.astype("float32")
    x, x_test, y, y_test = train_test_split(
        x, y, test_size=0.2, stratify=quarters(y), random_state=0
    )
    x_train, x_validation, y_train, y_validation = train_test_split(
        x, y, test_size=0.5, stratify=quarters(y), random_state=0
    )
    return Data((x_train, y_train), (x_validation, y_validation), (x_test, y_test))


def quarters(labels: np.ndarray) -> np.ndarray:
    """0 for the lowest quarter of the labels, to 3 for the highest."""
    return np.digitize(labels, np.quantile(labels, [0.25, 0.5, 0.75]))


def preprocessing(data: Data) -> Data:
    as_floats = FunctionTransformer(np.asarray, kw_args={"dtype": "float32"})  # tables too
    return data.transformed(make_pipeline(as_floats, StandardScaler()).fit(data.train[0]).transform)


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=dense(
        (10,),
        1,
        loss="mse",
        output_activation="linear",
        layers=(0, 2),
        units=(2, 32),
        label_mean=152.0,  # of the train labels, rounded
        label_scale=77.0,
    ),
    target=0.25,
    metric="r2",
    epochs=60,
    smallest_known=11,
)
