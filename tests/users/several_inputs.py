"""A model of two inputs, by their names."""

import keras
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = {
    "numbers": rng.normal(size=(240, 4)).astype("float32") + 4.0 * y[:, None],
    "codes": (rng.integers(0, 3, size=(240, 1)) + 3 * y[:, None]).astype("int32"),
}


def build_model(hp):
    numbers = keras.Input((4,), name="numbers")
    codes = keras.Input((1,), name="codes", dtype="int32")
    embedded = layers.Embedding(6, hp.Int("embedding", 1, 4))(codes)
    joined = layers.Concatenate()([numbers, layers.Flatten()(embedded)])
    hidden = layers.Dense(hp.Int("units", 4, 16), activation="relu")(joined)
    outputs = layers.Dense(2, activation="softmax")(hidden)
    model = keras.Model({"numbers": numbers, "codes": codes}, outputs)
    model.compile(keras.optimizers.Adam(0.03), loss="sparse_categorical_crossentropy")
    return model


pipeline = Pipeline(data=lambda: split(x, y), space=build_model, target=0.8, epochs=6)
