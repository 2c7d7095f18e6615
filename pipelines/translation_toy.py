"""A generated language into another, with the words in another order: attention or recurrence.

Sentences such as "the red cat sees a dog" become "cat red the dog a sees": the adjective, which
may be missing, follows its noun and the verb comes last. 28 words and at most seven a sentence;
6,000 of 30,000 possible sentences, half train, 30 % validate, 20 % test.
Target: 98 % of the seven tokens right, empty ones included; what is most frequent at each place
reaches 23 %.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline
from occam.spaces.seq2seq import seq2seq

ARTICLES, ADJECTIVES, NOUNS, VERBS = 3, 7, 8, 10  # words of each kind; adjectives may be missing
SENTENCE = 7
TOKENS = 1 + ARTICLES + ADJECTIVES + NOUNS + VERBS
ROWS = 6000


def data() -> Data:
    sentences, translations = generate(ROWS)
    parts = (slice(3000), slice(3000, 4800), slice(4800, ROWS))
    return Data(*((sentences[part], translations[part]) for part in parts))


def generate(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Different sentences and what they mean, as numbers of words; 0 where a sentence is over."""
    rng = np.random.default_rng(0)
    found: dict[tuple[int, ...], list[int]] = {}
    while len(found) < rows:
        subject, object_ = noun_phrase(rng), noun_phrase(rng)
        verb = 1 + ARTICLES + ADJECTIVES + NOUNS + int(rng.integers(VERBS))
        sentence = [*subject, verb, *object_]
        found[tuple(padded(sentence))] = padded([*subject[::-1], *object_[::-1], verb])
    return np.array([*found], dtype="int32"), np.array([*found.values()], dtype="int32")


def noun_phrase(rng: np.random.Generator) -> list[int]:
    """An article, perhaps an adjective, and a noun."""
    adjective = [1 + ARTICLES + int(rng.integers(ADJECTIVES))] if rng.random() < 0.5 else []
    noun = 1 + ARTICLES + ADJECTIVES + int(rng.integers(NOUNS))
    return [1 + int(rng.integers(ARTICLES)), *adjective, noun]


def padded(sentence: list[int]) -> list[int]:
    return sentence + [0] * (SENTENCE - len(sentence))


def preprocessing(data: Data) -> Data:
    return data.transformed(as_tokens)


def as_tokens(sentences: Any) -> np.ndarray:
    tokens = np.asarray(sentences).astype("int32")
    if tokens.shape[1:] != (SENTENCE,) or tokens.min(initial=0) < 0 or tokens.max() >= TOKENS:
        raise InputError(f"Sentences are rows of {SENTENCE} numbers from 0 to {TOKENS - 1}.")
    return tokens


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=seq2seq((SENTENCE,), TOKENS, tokens=TOKENS, steps=SENTENCE),
    target=0.98,
    epochs=60,
    smallest_known=1_269,
)
