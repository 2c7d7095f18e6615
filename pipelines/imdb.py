"""Film reviews, liked or not, from word indices: 85 % accuracy with an embedding one number wide.

50,000 reviews (Maas and others, 2011), half of them positive; `imdb/imdb.npz` in Keras's layout,
where 1 is the most frequent word. Rows are the last 400 words, 0 before shorter reviews; the few
that occur twice are left out. 20,000 train, 5,000 validate, and Keras's test half, 25,000.
Target: the course's 85 %.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from keras.src.datasets import npz_utils  # private: unpickles lists of numbers and nothing else
from occam.search.data.archives import UNREADABLE
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline, Split, data_file
from occam.spaces.text import text
from sklearn.model_selection import train_test_split

LENGTH = 400


def data() -> Data:
    (x, y), test = read()
    x_train, x_validation, y_train, y_validation = train_test_split(
        x, y, test_size=0.2, stratify=y, random_state=0
    )
    return Data((x_train, y_train), (x_validation, y_validation), test)


def read() -> tuple[Split, Split]:
    path = data_file("imdb/imdb.npz")
    try:
        arrays = npz_utils.load_npz(path)
        train, test = (rows(arrays[f"x_{part}"]) for part in ("train", "test"))
        labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
    except (*UNREADABLE, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is damaged or not Keras's imdb.npz: {error}.") from error
    both = np.concatenate([train, test])
    if len(both) != len(labels):
        raise InputError(f"{path} is damaged: {len(both)} reviews have {len(labels)} labels.")
    first = np.sort(np.unique(both, axis=0, return_index=True)[1])
    mine, others = first[first < len(train)], first[first >= len(train)]
    return (both[mine], labels[mine]), (both[others], labels[others])


def rows(reviews: Any) -> np.ndarray:
    """The last words of each review, as long as all others."""
    table = np.zeros((len(reviews), LENGTH), dtype="int32")
    for row, review in zip(table, reviews, strict=True):
        last = review[-LENGTH:]
        row[LENGTH - len(last) :] = last
    return table


def preprocessing(data: Data) -> Data:
    return data.transformed(as_indices)


def as_indices(reviews: Any) -> np.ndarray:
    indices = np.asarray(reviews)
    if indices.shape[1:] != (LENGTH,):
        raise InputError(f"Rows of {LENGTH} word indices are needed, received {indices.shape}.")
    return indices.astype("int32")


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=text(
        (LENGTH,),
        1,
        loss="binary_crossentropy",
        output_activation="sigmoid",
        optimizers=("adam", "nadam", "rmsprop"),
        learning_rate=(0.02, 0.3),  # an embedding's rows are seldom seen
        batch_sizes=(128, 256),
    ),
    target=0.85,
    epochs=15,
    classes=("negative", "positive"),
    smallest_known=1_054,
)
