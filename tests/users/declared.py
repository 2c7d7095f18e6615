"""Hyperparameters that are declared beforehand and read by name while the model is built."""

import keras
import keras_tuner
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = rng.normal(size=(240, 4)).astype("float32") + 4.0 * y[:, None]


class Declared(keras_tuner.HyperModel):
    def __init__(self, outputs):
        super().__init__(name="declared")
        self.outputs = outputs

    def declare_hyperparameters(self, hp):
        hp.Int("units", 8, 32, step=8)
        hp.Float("learning_rate", 1e-3, 1e-1, sampling="log", default=0.03)

    def build(self, hp):
        model = keras.Sequential([keras.Input((4,))])
        model.add(layers.Dense(hp.get("units"), activation="relu"))
        if "depth" in hp:
            raise ValueError("nothing of that name was declared")
        model.add(layers.Dense(self.outputs, activation="softmax"))
        model.compile(
            keras.optimizers.Adam(hp["learning_rate"]), loss="sparse_categorical_crossentropy"
        )
        return model


pipeline = Pipeline(data=lambda: split(x, y), space=Declared(2), target=0.8, epochs=6)
