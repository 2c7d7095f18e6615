"""A `fit` that knows no callbacks and returns a dictionary of what it measured."""

import keras
import keras_tuner
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = rng.normal(size=(240, 4)).astype("float32") + 4.0 * y[:, None]


class Measured(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((4,))])
        model.add(layers.Dense(hp.Int("units", 8, 32, step=8), activation="relu"))
        model.add(layers.Dense(1, activation="sigmoid"))
        model.compile(keras.optimizers.Adam(0.03), loss="binary_crossentropy")
        return model

    def fit(self, hp, model, x, y, validation_data):
        size = hp.Int("batch_size", 16, 48, step=16)
        for _ in range(5):
            for start in range(0, len(x), size):
                loss = model.train_on_batch(x[start : start + size], y[start : start + size])
        x_val, y_val = validation_data
        accuracy = float(np.mean((model.predict_on_batch(x_val)[:, 0] > 0.5) == y_val))
        return {"loss": float(np.asarray(loss)), "val_accuracy": accuracy}


pipeline = Pipeline(data=lambda: split(x, y), space=Measured(), target=0.8, epochs=5)
