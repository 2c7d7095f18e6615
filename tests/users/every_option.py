"""Every kind of hyperparameter with every option that it has."""

import keras
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = rng.normal(size=(240, 4)).astype("float32") + 4.0 * y[:, None]


def build_model(hp):
    model = keras.Sequential([keras.Input((4,))])
    model.add(layers.Dense(hp.Int("wide", 8, 64, step=2, sampling="log", default=16), "relu"))
    model.add(layers.Dense(hp.Int("narrow", 2, 40, sampling="reverse_log", default=8), "relu"))
    model.add(layers.Dense(hp.Choice("ordered", [4, 8, 16], ordered=True, default=8)))
    model.add(layers.Activation(hp.Choice("unordered", ["relu", "gelu"], ordered=False)))
    model.add(layers.Dropout(hp.Float("dropout", 0.0, 0.4, step=0.1)))
    if hp.Boolean("normalize", default=True):
        model.add(layers.BatchNormalization(momentum=hp.Fixed("momentum", 0.5)))
    model.add(layers.Dense(2, activation="softmax"))
    rate = hp.Float("rate", 1e-3, 1e-1, step=10, sampling="log", default=1e-2)
    decay = hp.Float("decay", 1e-6, 1e-3, sampling="log")
    beta = hp.Float("beta", 0.8, 0.99, sampling="reverse_log", default=0.9)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=decay, beta_1=beta),
        loss="sparse_categorical_crossentropy",
    )
    hp.Int("batch_size", 16, 48, step=16)
    return model


pipeline = Pipeline(data=lambda: split(x, y), space=build_model, target=0.8, epochs=8)
