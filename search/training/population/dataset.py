"""Training and validation rows as the compiled programs take them, on the device once."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import keras
import numpy as np

from ...arrays import Array
from . import losses
from .errors import Unsupported
from .lowering import Member, Template
from .places import everywhere
from .signature import Signature
from .stem import Stem

KEPT = 8  # kinds of inputs: a search mostly has one, or one for each backbone


class Dataset:
    """Rows for all programs of a search.

    Args:
        train: (inputs, labels); inputs may be an array or a structure of arrays, as the model's.
        validation: inputs only.
        features: what a backbone, by its identity, makes of either's inputs.
    """

    def __init__(
        self,
        train: tuple[Any, Any],
        validation: Any,
        features: Callable[[str], tuple[Any, Any]] | None = None,
    ) -> None:
        def given(signature: Signature) -> tuple[Any, Any]:
            if signature.backbone and features is not None:
                return features(signature.backbone)
            return train[0], validation

        kept = lru_cache(maxsize=KEPT)
        self._labels = _numbers(train[1])
        self._rows = kept(lambda signature: signature.rows(given(signature)[0]))
        self._validated = kept(lambda signature: signature.rows(given(signature)[1]))
        self._inputs = kept(lambda signature: [everywhere(x) for x in self._rows(signature)])
        self._labelled = kept(lambda rank: everywhere(_of_rank(self._labels, rank)))
        self._chunked = kept(self._in_chunks)
        self._moments = kept(
            lambda signature, stem: everywhere(stem.moments(self._rows(signature)[0]))
        )
        self.rows = len(self._labels)
        self.validation_rows = len(keras.tree.flatten(validation)[0])

    def check(self, member: Member) -> None:
        """Raise Unsupported where these rows are not what the member's model takes."""
        template, signature = member.template, member.template.signature
        train, validation = self._rows(signature), self._validated(signature)
        losses.check_labels(template.loss, self._labels.shape[1:], signature.output)
        for node, widths in zip(template.nodes, member.widths, strict=True):
            if node.layer == "Embedding":
                source = -1 - node.inputs[0]
                if source < 0:
                    raise Unsupported("an Embedding of what is computed")
                _check_words((train[source], validation[source]), widths["vocabulary"])

    def arrays(self, at_once: int, stem: Stem | None, template: Template) -> dict[str, Any]:
        """What a program is given; validation rows in chunks of equal size, the last one padded."""
        signature = template.signature
        chunks = 2 ** math.ceil(math.log2(self.validation_rows / at_once))  # so there are few sizes
        return {
            "inputs": self._inputs(signature),
            "labels": self._labelled(1 + len(signature.output)),
            "validation": self._chunked(signature, chunks),
            "moments": (0.0,) if stem is None else self._moments(signature, stem),
        }

    def _in_chunks(self, signature: Signature, chunks: int) -> list[Any]:
        """The validation rows of a model's inputs, (chunks, rows, ...)."""
        at_once = math.ceil(self.validation_rows / chunks)
        return [everywhere(_chunks(each, chunks, at_once)) for each in self._validated(signature)]


def _check_words(splits: tuple[Array, ...], vocabulary: int) -> None:
    lowest, highest = (
        min(int(each.min()) for each in splits),
        max(int(each.max()) for each in splits),
    )
    if lowest < 0 or highest >= vocabulary:
        raise Unsupported(f"an Embedding of {vocabulary} words, for {lowest} to {highest}")


def _of_rank(labels: Array, rank: int) -> Array:
    """Labels with an axis of outputs, where they have none."""
    return labels[..., None] if labels.ndim == rank - 1 else labels


def _chunks(values: Any, chunks: int, at_once: int) -> Any:
    missing = chunks * at_once - len(values)
    padded = np.concatenate([values, np.repeat(values[-1:], missing, axis=0)])
    return padded.reshape(chunks, at_once, *values.shape[1:])


def _numbers(values: Any) -> Any:
    values = np.asarray(values)
    if values.dtype.kind not in "fiub":
        raise Unsupported(f"inputs of type {values.dtype}")
    whole = values.dtype.kind != "f" and np.abs(values.astype("float64")).max(initial=0) < 2**31
    return values.astype("int32" if whole else "float32")
