"""A subclassed model, which knows its shapes only once it has seen data."""

import keras
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = rng.normal(size=(240, 4)).astype("float32") + 4.0 * y[:, None]


class Net(keras.Model):
    def __init__(self, units, rate):
        super().__init__()
        self.hidden = [layers.Dense(each, activation="relu") for each in units]
        self.dropout = layers.Dropout(rate)
        self.head = layers.Dense(2, activation="softmax")

    def call(self, inputs, training=False):
        for layer in self.hidden:
            inputs = layer(inputs)
        return self.head(self.dropout(inputs, training=training))


def build_model(hp):
    units = [hp.Int(f"units_{i}", 4, 16) for i in range(hp.Int("depth", 1, 2))]
    model = Net(units, hp.Float("dropout", 0.0, 0.3))
    model.compile(keras.optimizers.Adam(0.03), loss="sparse_categorical_crossentropy")
    return model


pipeline = Pipeline(data=lambda: split(x, y), space=build_model, target=0.8, epochs=6)
