"""A regression with a target on its mean absolute error, and a loss that the pipeline gives."""

import keras
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
x = rng.normal(size=(240, 4)).astype("float32")
y = (x @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.05 * rng.normal(size=240)).astype("float32")


def build_model(hp):
    model = keras.Sequential([keras.Input((4,))])
    if hp.Boolean("hidden"):
        model.add(layers.Dense(hp.Int("units", 2, 8), activation="relu"))
    model.add(layers.Dense(1))
    hp.Float("learning_rate", 1e-2, 1e-1, sampling="log", default=0.05)
    return model  # not compiled


pipeline = Pipeline(
    data=lambda: split(x, y), space=build_model, target=1.0, metric="mae", loss="mse", epochs=8
)
