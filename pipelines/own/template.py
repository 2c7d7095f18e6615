"""My task: what is predicted from what, in one line.

Where the data come from, how many rows there are, and why the target is what it is.
"""

from __future__ import annotations

import keras
import numpy as np
from keras_tuner import HyperParameters
from occam.search.pipeline import Data, Pipeline
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


# 1. The data: three splits, the same at every call. No search ever sees the test split.
#    The more rows validate, the smaller the margin that a search must leave above the target.
#    A table of your own: `pandas.read_csv("my.csv")`, and its columns in place of `x` and `y`.
def data() -> Data:
    x, y = load_wine(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
    x_train, x_validation, y_train, y_validation = train_test_split(
        x, y, test_size=0.5, stratify=y, random_state=0
    )
    return Data((x_train, y_train), (x_validation, y_validation), (x_test, y_test))


# 2. The preprocessing, fitted on the train split alone. It travels with the model, so that
#    `occam predict` takes rows as `data` gives them.
def preprocessing(data: Data) -> Data:
    as_floats = FunctionTransformer(np.asarray, kw_args={"dtype": "float32"})
    return data.transformed(make_pipeline(as_floats, StandardScaler()).fit(data.train[0]).transform)


# 3. What may be built: KerasTuner's `build(hp)`. Let it begin small, as the smallest model that
#    reaches the target wins; `hp.Int("layers", 0, 2)` has a linear model in it.
#    `occam.spaces` has families to choose from: `from occam.spaces.dense import dense`.
def space(hp: HyperParameters) -> keras.Model:
    model = keras.Sequential([keras.Input((13,))])
    for layer in range(hp.Int("layers", 0, 2)):
        units = hp.Int(f"units_{layer}", 2, 32, sampling="log")
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(3, activation="softmax"))
    rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log", default=1e-2)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=rate),
        loss="sparse_categorical_crossentropy",
    )
    return model


# 4. The target, on `metric`: accuracy, balanced_accuracy, f1, auc, r2, mae, mse or rmse.
#    `epochs` is the most that one model may train.
pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=space,
    target=0.9,
    metric="accuracy",
    epochs=40,
    classes=("first", "second", "third"),
)
