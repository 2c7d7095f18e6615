"""A subclassed model that is given `hp` itself: what it was made with cannot be written down."""

import keras
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = rng.normal(size=(240, 4)).astype("float32") + 4.0 * y[:, None]


class Net(keras.Model):
    def __init__(self, hp):
        super().__init__()
        self.hidden = layers.Dense(hp.Int("units", 8, 16), activation="relu")
        self.head = layers.Dense(2, activation="softmax")

    def call(self, inputs):
        return self.head(self.hidden(inputs))


def build_model(hp):
    model = Net(hp)
    model.compile(keras.optimizers.Adam(0.03), loss="sparse_categorical_crossentropy")
    return model


pipeline = Pipeline(data=lambda: split(x, y), space=build_model, target=0.8, epochs=6)
