"""One name for other ranges in each branch, no shape of the input, labels from 1 to 3."""

import keras
import numpy as np
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(1, 4, 240)
x = (rng.normal(size=(240, 4)) + 4.0 * np.eye(4)[y]).reshape(-1, 2, 2).astype("float32")


def build_model(hp):
    model = keras.Sequential()
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(hp.Int("units", 8, 32, step=8), activation="relu"))
    model.add(keras.layers.Dense(4, activation="softmax"))
    if hp.Choice("optimizer", ["adam", "sgd"]) == "adam":
        optimizer = keras.optimizers.Adam(hp.Float("rate", 0.03, 0.1, sampling="log"))
    else:
        optimizer = keras.optimizers.SGD(hp.Float("rate", 0.05, 0.2))
    model.compile(optimizer, loss="sparse_categorical_crossentropy")
    return model


pipeline = Pipeline(data=lambda: split(x, y), space=build_model, target=0.8, epochs=15)
