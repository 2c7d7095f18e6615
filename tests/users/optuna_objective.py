"""An Optuna user's function: it suggests on a trial and returns a compiled model."""

import keras
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = rng.normal(size=(240, 4)).astype("float32") + 4.0 * y[:, None]


def create_model(trial):
    model = keras.Sequential([keras.Input((4,))])
    for i in range(trial.suggest_int("n_layers", 1, 2)):
        model.add(layers.Dense(trial.suggest_int(f"n_units_l{i}", 4, 32, log=True), "relu"))
        if trial.suggest_categorical("normalize", [False, True]):
            model.add(layers.BatchNormalization(momentum=0.5))
    model.add(layers.Dense(2, activation=trial.suggest_categorical("head", ["softmax"])))
    rate = trial.suggest_float("lr", 1e-2, 1e-1, log=True)
    model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    return model


pipeline = Pipeline(data=lambda: split(x, y), space=create_model, target=0.8, epochs=6)
