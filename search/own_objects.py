"""Functions and classes of the user's own that a configuration of Keras's names."""

from __future__ import annotations

import re
import sys
from typing import Any

import keras

from .errors import first_line

MAIN = "__main__"  # a script or a notebook, for whose classes Keras writes no module


def own_objects(config: Any) -> dict[str, Any]:
    """Those of a nested configuration by the names that Keras looks them up by."""
    if isinstance(config, list | tuple):
        config = dict(enumerate(config))
    if not isinstance(config, dict):
        return {}
    found = {name: each for part in config.values() for name, each in own_objects(part).items()}
    kind, name = config.get("class_name"), config.get("registered_name")
    if kind == "function":
        name = config.get("config")
        if isinstance(name, str) and (own := keras.saving.get_registered_object(name)) is not None:
            found[name] = own
        return found
    module = config.get("module") or MAIN
    if name and isinstance(kind, str) and module.partition(".")[0] != "keras":
        own = keras.saving.get_registered_object(name)
        found[name] = own or getattr(sys.modules.get(module), kind, None)
    return {name: each for name, each in found.items() if each is not None}


def unreadable(error: Exception) -> str:
    """What keeps Keras from reading a configuration, without the configuration itself."""
    if found := re.search(r"Could not locate (\w+ '[^']+')", str(error)):
        return f"{found[1]} is not registered"
    a_lambda = any(sign in str(error) for sign in ("__lambda__", "{'value':", "a Python lambda"))
    if found := re.search(r"Could not interpret (\w+)", str(error)):
        return f"its {found[1]} is {'a lambda' if a_lambda else 'not registered'}"
    if a_lambda:
        return "a lambda cannot be read again"
    return first_line(error)
