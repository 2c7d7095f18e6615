"""Film reviews, liked or not, from raw text: the vocabulary is part of the model that is searched.

50,000 reviews (Maas and others, 2011), half of them positive, in `imdb/imdb_reviews.csv.xz` with
the columns split, sentiment and review; the few that occur twice are left out. 20,000 train, 5,000
validate, the official test half, 25,000. Vocabulary and length of a review are searched; Keras's
TextVectorization reads the text inside the model, so TensorFlow's backend is needed.
Target: the course's 85 %.
"""

from __future__ import annotations

import functools
import re
import string
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from occam.search.errors import InputError, first_line
from occam.search.pipeline import Data, Pipeline, Split, data_file
from occam.spaces.text import text
from sklearn.model_selection import train_test_split

MOST_WORDS = 5000
PUNCTUATION = str.maketrans("", "", string.punctuation)  # as TextVectorization leaves it out


def data() -> Data:
    reviews = read()
    reviews["label"] = (reviews["sentiment"] == "positive").astype("int32")
    train, test = (reviews[reviews["split"] == part] for part in ("train", "test"))
    train, validation = train_test_split(
        train, test_size=0.2, stratify=train["label"], random_state=0
    )
    return Data(rows(train), rows(validation), rows(test))


def rows(reviews: pd.DataFrame) -> Split:
    return reviews["review"].to_numpy(object), reviews["label"].to_numpy()


def read() -> pd.DataFrame:
    path = data_file("imdb/imdb_reviews.csv.xz")
    try:
        reviews = pd.read_csv(path, usecols=["split", "sentiment", "review"])
    except Exception as error:  # of pandas and of lzma, which share no class
        raise InputError(f"{path} is damaged or no table: {first_line(error)}.") from error
    reviews = reviews.dropna().drop_duplicates("review")
    if set(reviews["split"]) != {"train", "test"} or reviews["sentiment"].nunique() != 2:
        raise InputError(f"{path} is damaged: reviews of two splits and two sentiments are needed.")
    return reviews


@functools.cache
def words() -> list[str]:
    """The known words by falling frequency, of the train split alone."""
    counts: Counter[str] = Counter()
    for review in clean(data().train[0]):
        counts.update(review.lower().translate(PUNCTUATION).split())
    return [word for word, _ in counts.most_common(MOST_WORDS)]


def preprocessing(data: Data) -> Data:
    return data.transformed(clean)


def clean(reviews: Any) -> np.ndarray:
    """Without marks of the web page that they were on; one text a row."""
    texts = np.asarray(reviews, dtype=object).reshape(-1)
    return np.array([re.sub(r"<[^>]*>", " ", str(each)) for each in texts], dtype=object)


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=text(
        (),
        1,
        words=words,
        loss="binary_crossentropy",
        output_activation="sigmoid",
        readers=("bag", "convolution", "attention"),
        optimizers=("adam", "nadam", "rmsprop"),
        learning_rate=(0.02, 0.3),  # an embedding's rows are seldom seen
        batch_sizes=(128, 256),
    ),
    target=0.85,
    epochs=15,
    classes=("negative", "positive"),
    smallest_known=947,
)
