"""Hyperparameters of the training: the batch size, shuffling and scaling of the data in `fit`."""

import keras
import keras_tuner
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = rng.normal(size=(240, 4)).astype("float32") + 4.0 * y[:, None]


class MyHyperModel(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((4,))])
        model.add(layers.Dense(units=hp.Int("units", 8, 32, step=8), activation="relu"))
        model.add(layers.Dense(2, activation="softmax"))
        model.compile(optimizer=keras.optimizers.Adam(0.03), loss="sparse_categorical_crossentropy")
        return model

    def fit(self, hp, model, x, y, validation_data, **kwargs):
        if hp.Boolean("scale"):
            x, validation_data = x / 4, (validation_data[0] / 4, validation_data[1])
        return model.fit(
            x,
            y,
            validation_data=validation_data,
            shuffle=hp.Boolean("shuffle"),
            batch_size=hp.Choice("batch_size", [16, 32]),
            **kwargs,
        )


pipeline = Pipeline(data=lambda: split(x, y), space=MyHyperModel(), target=0.8, epochs=6)
