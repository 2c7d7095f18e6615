"""Resident memory of one process over many trials of random digits configurations.

python benchmarks/memory.py [--trials 200] [--epochs 2] [--backend tensorflow|jax|torch]

The project's goal is at most 200 MiB more after 200 trials on TensorFlow than after the first ten.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from occam.search.backend import import_keras, use_backend

if TYPE_CHECKING:
    import keras
    import keras_tuner
    from occam.search.pipeline import Split

WARM_UP = 10  # trials: libraries load code and fill pools


def main() -> None:
    options = _options()
    use_backend(options.backend)
    import_keras()
    from occam.search.training.fit import release

    train, validation = _digits()
    start = 0.0
    began = time.perf_counter()
    print("trials  resident MiB  growth MiB  MiB/trial  s/trial")
    for number in range(1, options.trials + 1):
        _run_trial(number, options.epochs, train, validation)
        release()
        if number == WARM_UP:
            start = _resident()
        if number % 20 == 0:
            growth, seconds = _resident() - start, (time.perf_counter() - began) / number
            slope = growth / (number - WARM_UP)
            print(f"{number:6} {_resident():13.0f} {growth:11.0f} {slope:10.2f} {seconds:8.2f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--backend", default="tensorflow")
    return parser.parse_args()


def _digits() -> tuple[Split, Split]:
    from sklearn.datasets import load_digits

    inputs, labels = load_digits(return_X_y=True)
    inputs = inputs / 16
    return (inputs[:1000], labels[:1000]), (inputs[1000:1360], labels[1000:1360])


def _run_trial(number: int, epochs: int, train: Split, validation: Split) -> None:
    """Half of them dense, half convolutional: new widths each."""
    from occam.search.metrics import metric
    from occam.search.pipeline import Pipeline
    from occam.search.stopping import Stops
    from occam.search.training.fit import fit

    rng = random.Random(number)
    fit(
        Pipeline(data=_no_data, space=_space, target=0.95),
        {"convolution": number % 2 == 0, "first": rng.randint(4, 64), "second": rng.randint(4, 64)},
        train=train,
        validation=validation,
        epochs=epochs,
        seed=number,
        stops=Stops(metric=metric("accuracy"), search_target=0.999, epochs=100),
    )


def _space(hp: keras_tuner.HyperParameters) -> keras.Model:
    import keras

    first, second = hp.Int("first", 4, 64), hp.Int("second", 4, 64)
    body = _convolution(first, second) if hp.Boolean("convolution") else _dense(first, second)
    model = keras.Sequential(
        [keras.Input((64,)), *body, keras.layers.Dense(10, activation="softmax")]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _dense(first: int, second: int) -> list[Any]:
    from keras import layers

    return [
        layers.Dense(first, activation="relu"),
        layers.Dropout(0.1),
        layers.Dense(second, activation="relu"),
    ]


def _convolution(first: int, second: int) -> list[Any]:
    from keras import layers

    return [
        layers.Reshape((8, 8, 1)),
        layers.Conv2D(first // 4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Conv2D(second // 4, 3, activation="silu"),
        layers.GlobalAveragePooling2D(),
    ]


def _no_data() -> Any:
    raise NotImplementedError("The splits are given to `fit` directly.")


def _resident() -> float:
    """Mebibytes now on Linux; the highest so far elsewhere."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize() / 2**20
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


if __name__ == "__main__":
    main()
