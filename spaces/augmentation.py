"""Images changed at random in training: flipped, turned, zoomed, moved, lighter or darker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

STRENGTHS = {"none": 0.0, "weak": 0.05, "strong": 0.15}


def augment(hp: HyperParameters, *, value_range: tuple[float, float]) -> list[keras.Layer]:
    """Layers without weights, none of which acts on an image that is predicted.

    Args:
        value_range: darkest and lightest pixel that there can be.
    """
    strength = STRENGTHS[hp.Choice("augmentation", list(STRENGTHS))]
    if not strength:
        return []
    return [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(strength),
        keras.layers.RandomZoom(strength),
        keras.layers.RandomTranslation(strength, strength),
        keras.layers.RandomBrightness(strength, value_range=value_range),
    ]
