"""Transfer learning: the first blocks of a network trained on ImageNet, and a head."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from .augmentation import augment
from .hyperparameters import Bounds, Build, check_output, compile, dropout, width

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

WIDTHS = ("0.35", "0.5", "0.75", "1.0")  # of MobileNetV2, as Keras has weights for
BLOCKS = (3, 1, 6, 10, 13, 16)  # of its 16, after which it may be cut off


def transfer(
    input_shape: Sequence[int],
    classes: int,
    *,
    weights: str | Path | None = "cache",
    widths: Sequence[str] = WIDTHS[:2],
    blocks: Sequence[int] = BLOCKS,
    loss: str = "sparse_categorical_crossentropy",
    output_activation: str = "softmax",
    head_units: Bounds = (4, 64),
    **training: Any,
) -> Build:
    """A space of MobileNetV2s cut off early, frozen or fine-tuned, for images of values 0 to 255.

    Frozen weights are deployed as well, so they count: 410,208 of the narrowest network, but 6,128
    of its first three blocks.

    Args:
        input_shape: (height, width, 3).
        classes: outputs of the model.
        loss: one of Keras's, by name.
        weights: "cache" for the file that Keras keeps in its cache, the path of such a file, or
            None for random ones. Nothing is ever downloaded.
        widths: multipliers of all channels; a file of weights is for one of them.
        blocks: after how many of the network's 16 blocks it may be cut off.
        head_units: fewest and most units of the dense layer behind it, where a trial has one.
        training: as `hyperparameters.compile` takes it: `optimizers`, `learning_rate` and more.
    """
    check_output(classes, output_activation)
    shape = tuple(input_shape)

    def build(hp: HyperParameters) -> keras.Model:
        alpha = str(hp.Choice("width", list(widths)))
        cut, file = int(hp.Choice("blocks", list(blocks))), weights_file(alpha, weights)
        fine_tuned = bool(hp.Boolean("fine_tuned"))
        base = (_base if fine_tuned or file is None else _kept)(shape, alpha, cut, file)
        base.trainable = fine_tuned
        stack = [keras.Input(shape), *augment(hp, value_range=(0, 255))]
        stack += [keras.layers.Rescaling(1 / 127.5, offset=-1), base]
        stack.append(keras.layers.GlobalAveragePooling2D())
        if hp.Boolean("head_hidden_layer"):
            stack.append(keras.layers.Dense(width(hp, "head_units", head_units), "relu"))
        rate = dropout(hp)
        stack += [keras.layers.Dropout(rate)] if rate else []
        output = keras.layers.Dense(classes, output_activation)
        return compile(keras.Sequential([*stack, output]), hp, loss=loss, **training)

    return build


def weights_file(width: str, weights: str | Path | None = "cache") -> Path | None:
    """The file of MobileNetV2's weights without its top; None for random ones.

    Raises FileNotFoundError, with where to put it, where there is none.
    """
    if weights is None:
        return None
    name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{width}_224_no_top.h5"
    cache = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
    path = cache / name if weights == "cache" else Path(weights).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"Missing weights {path.name}: put them at {path}, or give weights=None to train "
            "from random ones. They are never downloaded."
        )
    return path


@lru_cache(maxsize=8)
def _kept(shape: tuple[int, ...], width: str, blocks: int, file: Path) -> keras.Model:
    """One that stays frozen is made once: a search builds hundreds of models to count them."""
    return _base(shape, width, blocks, file)


def _base(shape: tuple[int, ...], width: str, blocks: int, file: Path | None) -> keras.Model:
    whole = keras.applications.MobileNetV2(
        shape, alpha=float(width), include_top=False, weights=file and str(file)
    )
    return keras.Model(whole.input, whole.get_layer(f"block_{blocks}_project_BN").output)
