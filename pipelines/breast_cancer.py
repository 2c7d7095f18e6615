"""Breast cancer, benign or malignant, from 30 measurements of cell nuclei: scikit-learn's copy.

569 rows (UCI Breast Cancer Wisconsin, Diagnostic): 357 benign, 212 malignant. 40 % train, 40 %
validate, as the margin on fewer rows would ask for a nearly perfect model, and 20 % test.
Target: 93 % accuracy.
"""

from __future__ import annotations

import numpy as np
from occam.search.pipeline import Data, Pipeline
from occam.spaces.dense import dense
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


def data() -> Data:
    x, y = load_breast_cancer(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
    x_train, x_validation, y_train, y_validation = train_test_split(
        x, y, test_size=0.5, stratify=y, random_state=0
    )
    return Data((x_train, y_train), (x_validation, y_validation), (x_test, y_test))


def preprocessing(data: Data) -> Data:
    as_floats = FunctionTransformer(np.asarray, kw_args={"dtype": "float32"})  # tables too
    return data.transformed(make_pipeline(as_floats, StandardScaler()).fit(data.train[0]).transform)


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=dense(
        (30,),
        1,
        loss="binary_crossentropy",
        output_activation="sigmoid",
        layers=(0, 2),
        units=(2, 32),
    ),
    target=0.93,
    epochs=50,
    classes=("malignant", "benign"),
    smallest_known=31,
)
