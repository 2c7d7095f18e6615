"""Preprocessing layers as a part of what is searched: scaling, and noise as augmentation."""

import keras
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = (100 * rng.normal(size=(240, 8, 8, 1)) + 150 * y[:, None, None, None]).astype("float32")


def build_model(hp):
    inputs = keras.Input((8, 8, 1))
    if hp.Choice("scaling", ["normalization", "rescaling"]) == "normalization":
        outputs = layers.Normalization(axis=None, mean=float(x.mean()), variance=float(x.var()))(
            inputs
        )
    else:
        outputs = layers.Rescaling(1.0 / 255)(inputs)
    if hp.Boolean("augment"):
        outputs = layers.RandomFlip("horizontal")(outputs)
        outputs = layers.GaussianNoise(hp.Float("noise", 0.0, 0.1))(outputs)
    outputs = layers.Flatten()(outputs)
    outputs = layers.Dense(hp.Int("units", 4, 16), activation="relu")(outputs)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(outputs))
    model.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    return model


pipeline = Pipeline(data=lambda: split(x, y), space=build_model, target=0.8, epochs=6)
