"""A user's own task, small enough to search in seconds: two blobs that a line tells apart."""

from __future__ import annotations

from pathlib import Path

BLOBS = '''"""Two blobs."""

import keras
import numpy as np

from occam.search.pipeline import Data, Pipeline


def data():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    inputs = rng.normal(size=(400, 4)).astype("float32") + 2.2 * labels[:, None]
    split = lambda a, b: (inputs[a:b], labels[a:b])
    return Data(split(0, 200), split(200, 300), split(300, 400))


def space(hp):
    model = keras.Sequential([keras.Input((4,))])
    for layer in range(hp.Int("layers", 0, 2, default=1)):
        units = hp.Int(f"units_{layer}", 1, 32, sampling="log", default=16)
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(2, activation="softmax"))
    rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log", default=0.03)
    model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    return model


pipeline = Pipeline(data=data, space=space, target=0.9, epochs=12)
'''


def blobs(folder: Path, *changes: tuple[str, str], name: str = "blobs.py") -> str:
    """Write the task into `folder`, each (old, new) of `changes` made; its path."""
    text = BLOBS
    for old, new in changes:
        if old not in text:
            raise ValueError(f"{old!r} is not in the task")
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


RINGS = (  # in place of the blobs: a hidden layer is needed
    """    labels = rng.integers(0, 2, 400)
    inputs = rng.normal(size=(400, 4)).astype("float32") + 2.2 * labels[:, None]
""",
    """    inputs = rng.normal(size=(400, 4)).astype("float32")
    labels = (np.hypot(inputs[:, 0], inputs[:, 1]) > 1.2).astype(int)
""",
)
