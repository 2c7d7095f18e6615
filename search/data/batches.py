"""Reads data that comes in batches, as Keras's `fit` takes it, into arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import GeneratorType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, in_one_line

if TYPE_CHECKING:
    from ..arrays import Array
    from . import Data, Split

ROWS = (str, bytes, Mapping, tuple, list)  # or the rows themselves, as arrays and tables are


def comes_in_batches(data: Any) -> bool:
    """Whether this is a tf.data.Dataset, a PyDataset, torch's DataLoader or the like."""
    return isinstance(data, Iterable) and not hasattr(data, "shape") and not isinstance(data, ROWS)


def in_arrays(data: Data, *, ordered: bool) -> Data:
    """The same splits, those that come in batches read into arrays, and labels in lists.

    Args:
        ordered: the order of the rows means something.
    """

    def read(split: Any) -> Any:
        if comes_in_batches(split):
            return gathered(split, ordered=ordered)
        if not (isinstance(split, tuple | list) and len(split) == 2):
            return split
        return split[0], one_output(split[1])

    train, validation, test = map(read, (data.train, data.validation, data.test))
    return replace(data, train=train, validation=validation, test=test)


def one_output(labels: Any) -> Any:
    """Labels of a single output, out of a dictionary or a list that holds nothing else.

    Those that are listed come in an array. Raises InputError where there are several outputs.
    """
    several = isinstance(labels, list | tuple) and not are_numbers(labels)
    if several or isinstance(labels, Mapping):
        parts = list(labels.values()) if isinstance(labels, Mapping) else labels
        if len(parts) != 1:
            raise InputError(
                "There are labels of several outputs, and a metric is measured on one: search a "
                "model for each, or lay numbers side by side in one array."
            )
        (labels,) = parts
    return np.asarray(labels) if isinstance(labels, list | tuple) else labels


def are_numbers(labels: Any) -> bool:
    """Whether labels in a list are one a row, not arrays of several outputs."""
    return all(getattr(label, "shape", ()) == () for label in labels)


def _each(batches: Any) -> Iterable[Any]:
    """Once each: Keras's datasets of a known length may begin anew for ever when iterated."""
    if hasattr(batches, "__len__") and hasattr(batches, "__getitem__"):
        return (batches[number] for number in range(len(batches)))
    return batches  # type: ignore[no-any-return]


def gathered(batches: Iterable[Any], *, ordered: bool = False) -> Split:
    """All rows of some batches: (inputs, labels), of which the inputs may be nested.

    Unless `ordered`, rows are sorted by what they hold: a dataset that is shuffled anew whenever
    it is read is always the same search.

    Raises InputError where it never ends, cannot be read or has other batches than
    (inputs, labels).
    """
    import keras

    _check_ends(batches)
    try:
        pairs = [keras.tree.map_structure(_array, _pair(batch)) for batch in _each(batches)]
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"A dataset cannot be read: {in_one_line(error)}.") from error
    if not pairs:
        raise InputError("A dataset is empty: every split needs rows of inputs.")
    for leaf in keras.tree.flatten(pairs[0]):
        if not leaf.ndim:
            raise InputError("A dataset gives single rows: give it in batches, as .batch(32) does.")
    try:
        rows = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *pairs)
    except ValueError as error:
        raise InputError(
            f"The batches of a dataset differ in shape: pad them alike ({in_one_line(error)})."
        ) from error
    del pairs  # the rows are in memory twice as it is
    if not ordered:
        order = _order(keras.tree.flatten(rows))
        rows = keras.tree.map_structure(lambda leaf: leaf[order], rows)
    inputs, labels = rows
    return inputs, one_output(labels)


def _check_ends(batches: Any) -> None:
    if isinstance(batches, GeneratorType):
        raise InputError(
            "Data cannot be a generator, which may never end: give a dataset or arrays."
        )
    try:
        len(batches)
    except (TypeError, NotImplementedError) as error:  # the latter, too, where it is not known
        if "infinite" in str(error):
            raise InputError("A dataset never ends: leave out its .repeat().") from error
    if getattr(batches, "num_batches", 1) is None:
        raise InputError("A PyDataset never ends: it needs num_batches.")


def _pair(batch: Any) -> Split:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        many = counted(batch)
        raise InputError(f"The batches of a dataset must be (inputs, labels), received {many}.")
    return batch[0], batch[1]


def counted(parts: Any) -> str:
    """What was given for (inputs, labels); what to do with a third part, weights of rows."""
    if not isinstance(parts, tuple | list):
        return type(parts).__name__
    hint = "; weights of rows belong in the loss, or in the `fit` of a HyperModel"
    return f"{len(parts)} parts{hint if len(parts) == 3 else ''}"


def _array(values: Any) -> Array:
    """TensorFlow keeps texts as bytes."""
    array = np.asarray(values)
    if array.dtype.kind == "O" and array.size and isinstance(array.flat[0], bytes):
        texts = [each.decode() for each in array.flat]
        array = np.array(texts, dtype=object).reshape(array.shape)
    return array


def digests(leaves: list[Array]) -> list[bytes]:
    """Of each row what tells it from others: the same for rows that hold the same."""

    def content(row: int) -> bytes:
        return b"".join(_content(leaf[row]) for leaf in leaves)

    rows = range(min(len(leaf) for leaf in leaves))
    return [hashlib.blake2b(content(row)).digest() for row in rows]


def _content(part: Any) -> bytes:
    if getattr(part, "dtype", None) in (None, object):
        return repr(part.tolist() if hasattr(part, "tolist") else part).encode()
    return bytes(part.tobytes())


def _order(leaves: list[Array]) -> list[int]:
    found = digests(leaves)
    return sorted(range(len(found)), key=found.__getitem__)
