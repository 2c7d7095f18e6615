"""Lets a subclassed model tell what it was made with, so that it can be saved and served."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from ..counting import PLAIN


@contextmanager
def remembered_arguments() -> Iterator[None]:
    """Models made in here can be saved where their classes were given plain values alone.

    Keras remembers the arguments of its layers; of models it asks for a `get_config`, which those
    that people write seldom have.
    """
    original = keras.Model.__new__

    def make(cls: type, *args: Any, **kwargs: Any) -> Any:
        model = original(cls, *args, **kwargs)
        if type(model) is cls and cls.get_config is keras.Model.get_config:
            arguments = _plain_arguments(cls, args, kwargs)
            if arguments is not None:
                vars(model)["get_config"] = lambda: dict(arguments)
        return model

    keras.Model.__new__ = make
    try:
        yield
    finally:
        keras.Model.__new__ = original


def _plain_arguments(cls: Any, args: Any, kwargs: Any) -> dict[str, Any] | None:
    """By name; None where one could not be written down, or could not be given again."""
    signature = inspect.signature(cls.__init__)
    kinds = {each.kind for each in signature.parameters.values()}
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError:  # Python says so itself when it calls `__init__`
        return None
    if inspect.Parameter.VAR_POSITIONAL in kinds or inspect.Parameter.POSITIONAL_ONLY in kinds:
        return None
    arguments = dict(list(bound.arguments.items())[1:])
    for name, each in signature.parameters.items():
        if each.kind is each.VAR_KEYWORD:
            arguments |= arguments.pop(name, {})
    plain = all(isinstance(value, PLAIN) for value in keras.tree.flatten(arguments))
    return arguments if plain else None
