"""How many layers, and the units of each: hyperparameters that only some models have."""

import keras
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 3, 240)
x = rng.normal(size=(240, 4)).astype("float32") + 4.0 * np.eye(4, dtype="float32")[y]


def build_model(hp):
    model = keras.Sequential([keras.Input((4,))])
    for i in range(hp.Int("num_layers", 1, 3)):
        model.add(
            layers.Dense(
                units=hp.Int(f"units_{i}", min_value=8, max_value=64, step=8),
                activation=hp.Choice("activation", ["relu", "tanh"]),
            )
        )
    if hp.Boolean("dropout"):
        model.add(layers.Dropout(rate=0.25))
    model.add(layers.Dense(3, activation="softmax"))
    learning_rate = hp.Float("lr", min_value=1e-3, max_value=1e-1, sampling="log", default=0.03)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


pipeline = Pipeline(data=lambda: split(x, y), space=build_model, target=0.7, epochs=6)
