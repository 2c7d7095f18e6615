"""A dense or a convolutional network, each with hyperparameters of its own."""

import keras
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = rng.normal(size=(240, 6, 6, 1)).astype("float32") + 1.5 * y[:, None, None, None]


def build_model(hp):
    model = keras.Sequential([keras.Input((6, 6, 1))])
    model_type = hp.Choice("model_type", ["mlp", "cnn"])
    with hp.conditional_scope("model_type", ["mlp"]):
        if model_type == "mlp":
            model.add(layers.Flatten())
            model.add(layers.Dense(units=hp.Int("units", 4, 32, step=4), activation="relu"))
    with hp.conditional_scope("model_type", ["cnn"]):
        if model_type == "cnn":
            with hp.name_scope("conv"):
                filters = hp.Int("filters", 4, 16, sampling="log", step=2)
                kernel = hp.Choice("kernel", [1, 3])
            model.add(layers.Conv2D(filters, kernel, activation="relu"))
            pooling = hp.Choice("pooling", ["max", "average"])
            with hp.conditional_scope("pooling", ["max"]):
                if pooling == "max":
                    model.add(layers.MaxPooling2D(hp.Int("pool", 2, 3)))
            model.add(layers.GlobalAveragePooling2D())
    optimizer = hp.Choice("optimizer", ["adam", "sgd"])
    hp.Float("momentum", 0.0, 0.9, step=0.3, parent_name="optimizer", parent_values=["sgd"])
    rate = hp.Choice("learning_rate", [0.03, 0.01])
    if optimizer == "sgd":
        chosen = keras.optimizers.SGD(rate, momentum=hp.get("momentum"))
    else:
        chosen = keras.optimizers.Adam(rate)
    model.add(layers.Dense(2, activation="softmax"))
    model.compile(chosen, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


pipeline = Pipeline(data=lambda: split(x, y), space=build_model, target=0.7, epochs=6)
