"""A `fit` with callbacks of its own that searches the number of epochs as well."""

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
        model.add(layers.Dense(hp.Int("units", 8, 32, step=8), activation="relu"))
        model.add(layers.Dense(2, activation="softmax"))
        model.compile(
            keras.optimizers.Adam(hp.Float("lr", 1e-2, 1e-1, sampling="log", default=0.03)),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        return model

    def fit(self, hp, model, *args, callbacks=None, **kwargs):
        stopping = keras.callbacks.EarlyStopping(monitor="val_loss", patience=3)
        kwargs["verbose"] = 0
        return model.fit(
            *args, epochs=hp.Int("epochs", 4, 6), callbacks=[*callbacks, stopping], **kwargs
        )


pipeline = Pipeline(data=lambda: split(x, y), space=MyHyperModel(), target=0.8, epochs=6)
