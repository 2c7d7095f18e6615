"""What a loss says of a model's labels and outputs: classes or numbers, probabilities or logits."""

from __future__ import annotations

from typing import Any

# Keras's losses for classes, in lower case and without underscores.
CLASSES = {"sparsecategoricalcrossentropy"}
ONE_HOT = {"categoricalcrossentropy", "categoricalfocalcrossentropy"}
BINARY = {"binarycrossentropy", "binaryfocalcrossentropy", "bce"}


def loss_names(loss: Any) -> set[str]:
    """What a loss is called, in lower case and without underscores: also by its parent classes."""
    loss = single(loss)
    function = getattr(loss, "func", loss)  # of a functools.partial
    found = [loss] if isinstance(loss, str) else [getattr(function, "__name__", "")]
    found += [each.__name__ for each in type(loss).__mro__]
    if isinstance(wrapped := getattr(loss, "loss", None), str):  # of the spaces' WeightedLoss
        found.append(wrapped)
    return {name.replace("_", "").lower() for name in found}


def link(loss: Any) -> str:
    """What makes probabilities of several logits, as their loss says; empty where they are none."""
    loss = single(loss)
    given = getattr(loss, "keywords", {})  # of a functools.partial
    if not (getattr(loss, "from_logits", False) or given.get("from_logits")):
        return ""
    return "sigmoid" if any("binary" in name for name in loss_names(loss)) else "softmax"


def single(loss: Any) -> Any:
    """The loss of the one output."""
    while isinstance(loss, list | tuple | dict) and len(loss) == 1:
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss))
    return loss


def is_of_keras(loss: Any) -> bool:
    """Whether it is one of Keras's own, by name, as a function or as an object."""
    own = loss if hasattr(loss, "__name__") else type(loss)  # a function, or an object's class
    return isinstance(loss, str) or own.__module__.partition(".")[0] == "keras"
