"""The dimensions that all families share: optimizer, learning rate, batch size, widths and more.

Wherever a choice is given, its first value is the default: the search tries the defaults first.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

OPTIMIZERS = ("adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "sgd")
ACTIVATIONS = ("relu", "elu", "silu", "gelu", "tanh")
LEARNING_RATE = (1e-4, 0.3)
BATCH_SIZES = (32, 64, 128)

Build = Callable[["HyperParameters"], keras.Model]
Bounds = tuple[int, int]  # both included
Range = tuple[float, float]


def compile(
    model: keras.Model,
    hp: HyperParameters,
    *,
    loss: str | keras.Loss,
    loss_weight: float = 1.0,
    optimizers: Sequence[str] = OPTIMIZERS,
    learning_rate: Range = LEARNING_RATE,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    class_weights: Sequence[float] = (),
    decays: Sequence[float] = (),
    annealing: int = 0,
    rows: int = 0,
) -> keras.Model:
    """Compile `model`, with optimizer, learning rate and batch size as dimensions of the search.

    The batch size is for the trainer to read: Keras takes it in `fit`.

    Args:
        class_weights: of the loss of each class; whether they are used is searched as well.
        decays: what may be left of the learning rate after an epoch, smoothly; 1.0 is all of it.
        annealing: epochs over which it falls to nothing, as a cosine, in place of a decay.
        rows: that train; both need to know how many steps an epoch has.
    """
    steps = math.ceil(rows / batch_size(hp, batch_sizes))
    if isinstance(loss, str):
        check_name("loss", loss)
    if class_weights and hp.Boolean("class_weights", default=True):
        loss = WeightedLoss(loss=loss, weights=list(class_weights))
    model.compile(
        optimizer=optimizer(hp, optimizers, learning_rate, decays, steps, annealing),
        loss=loss,
        loss_weights=None if loss_weight == 1.0 else loss_weight,
    )
    return model


def optimizer(
    hp: HyperParameters,
    choices: Sequence[str] = OPTIMIZERS,
    learning_rate: Range = LEARNING_RATE,
    decays: Sequence[float] = (),
    steps: int = 0,
    annealing: int = 0,
) -> keras.Optimizer:
    """Any of Keras's optimizers, by name; momentum is a dimension of its own for SGD.

    Args:
        decays: what may be left of the learning rate after so many `steps`, those of an epoch.
        annealing: epochs over which it falls to nothing, in place of a decay.
    """
    if (decays or annealing) and not steps:
        raise ValueError(
            "`decays` and `annealing` are per epoch: give the number of `rows` that train as well."
        )
    if decays and annealing:
        raise ValueError("A learning rate falls by `decays` or by `annealing`: give one of them.")
    for each in choices:
        check_name("optimizer", each)
    name = hp.Choice("optimizer", list(choices))
    low, high = learning_rate
    # 1e-2 suits networks of a few thousand weights better than Keras's 1e-3, made for large ones.
    rate = hp.Float("learning_rate", low, high, sampling="log", default=_within(1e-2, low, high))
    left = float(hp.Choice("decay", list(decays))) if decays else 1.0
    rates: Any = float(rate)
    if left != 1.0:
        rates = keras.optimizers.schedules.ExponentialDecay(rates, steps, left)
    if annealing:
        rates = keras.optimizers.schedules.CosineDecay(rates, annealing * steps)
    if name == "sgd":
        momentum = float(hp.Float("momentum", 0.0, 0.99, default=0.9))
        return keras.optimizers.SGD(rates, momentum=momentum, nesterov=True)
    return keras.optimizers.get({"class_name": name, "config": {"learning_rate": rates}})


@functools.cache
def check_name(kind: str, name: str) -> None:
    """Refuse a name that Keras does not have, before anything is trained with it.

    Args:
        kind: "optimizer", "activation" or "loss".
    """
    homes = {"optimizer": "optimizers", "activation": "activations", "loss": "losses"}
    try:
        getattr(keras, homes[kind]).get(name)
    except ValueError as error:
        raise ValueError(
            f"Keras has no {kind} {name!r}: see https://keras.io/api for their names."
        ) from error


def batch_size(hp: HyperParameters, choices: Sequence[int] = BATCH_SIZES) -> int:
    """Rows a step: the trainer reads the hyperparameter of this name."""
    return int(hp.Choice("batch_size", list(choices)))


def depth(hp: HyperParameters, name: str, bounds: Bounds, default: int) -> int:
    """How many layers or blocks there are."""
    low, high = bounds
    return int(hp.Int(name, low, high, default=int(_within(default, low, high))))


def width(hp: HyperParameters, name: str, bounds: Bounds, default: int | None = None) -> int:
    """Units or filters, on a log scale: from 4 to 8 matters as much as from 64 to 128."""
    low, high = bounds
    middle = round(math.sqrt(low * high)) if default is None else default
    value = hp.Int(name, low, high, sampling="log", default=int(_within(middle, low, high)))
    return int(value)


def activation(hp: HyperParameters, choices: Sequence[str] = ACTIVATIONS) -> str:
    """Name of the activation of all hidden layers, any that Keras has."""
    for each in choices:
        check_name("activation", each)
    return str(hp.Choice("activation", list(choices)))


def batch_normalization(hp: HyperParameters, default: bool = False) -> bool:
    """Whether hidden layers are normalized: four parameters a unit in place of the bias."""
    return bool(hp.Boolean("batch_normalization", default=default))


def dropout(hp: HyperParameters, highest: float = 0.5) -> float:
    """Share of units dropped, in four steps, so that none at all is as likely as any other."""
    return float(hp.Float("dropout", 0.0, highest, step=highest / 4))


def l2(
    hp: HyperParameters, choices: Sequence[float] = (0.0, 1e-5, 1e-4, 1e-3)
) -> keras.Regularizer | None:
    """Penalty on the kernels; small networks mostly need none."""
    strength = float(hp.Choice("l2", list(choices)))
    return keras.regularizers.L2(strength) if strength else None


@keras.saving.register_keras_serializable("occam")
class WeightedLoss(keras.losses.Loss):  # type: ignore[misc]  # keras is untyped
    """A loss of class labels, that of each row weighted by its class.

    Args:
        loss: name of a Keras loss of whole numbers as labels.
        weights: of the classes 0, 1, ...
    """

    def __init__(self, loss: str, weights: Sequence[float], **options: Any) -> None:
        super().__init__(**options)
        self.loss, self.weights = loss, list(weights)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        classes = keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32")
        shaped = keras.ops.reshape(y_true, (-1, 1))
        losses = keras.losses.get(self.loss)(shaped, y_pred)
        return losses * keras.ops.take(keras.ops.convert_to_tensor(self.weights), classes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "loss": self.loss, "weights": self.weights}


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """What all hidden layers of a network have in common."""

    activation: str
    normalized: bool
    penalty: keras.Regularizer | None

    @classmethod
    def searched(
        cls, hp: HyperParameters, *, penalty: keras.Regularizer | None, normalized: bool = False
    ) -> Hidden:
        """One that the search chooses, `normalized` or not by default."""
        return cls(
            activation=activation(hp),
            normalized=batch_normalization(hp, default=normalized),
            penalty=penalty,
        )

    def dense(self, units: int) -> list[keras.Layer]:
        layer = keras.layers.Dense(
            units, use_bias=not self.normalized, kernel_regularizer=self.penalty
        )
        return [layer, *self.nonlinearity()]

    def nonlinearity(self) -> list[keras.Layer]:
        """Batch normalization, where asked for, and the activation.

        Keras's momentum, 0.99, takes hundreds of steps to settle; small data has ten an epoch.
        """
        activate = keras.layers.Activation(self.activation)
        if not self.normalized:
            return [activate]
        return [keras.layers.BatchNormalization(momentum=0.9), activate]


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Mean and standard deviation of the train labels of a regression; 0 and 1: as they are.

    A network works in standard units inside and predicts in the labels' own, at no parameter;
    without them training is spent on finding the mean.
    """

    mean: float = 0.0
    scale: float = 1.0

    def layers(self) -> list[keras.Layer]:
        """What follows the output layer."""
        standard = (self.mean, self.scale) == (0.0, 1.0)
        return [] if standard else [keras.layers.Rescaling(self.scale, offset=self.mean)]

    def loss_weight(self, loss: str | keras.Loss) -> float:
        """The loss in standard units too: else good learning rates depend on the labels' unit."""
        return float(self.scale ** (-2 if loss in ("mse", "mean_squared_error") else -1))


def check_images(input_shape: Sequence[int]) -> None:
    """Refuse what is not (height, width, channels) before a convolution does."""
    if len(input_shape) != 3:
        raise ValueError(
            "Convolutions need inputs of (height, width, channels), received "
            f"{tuple(input_shape)}: give grey images one channel, as in (28, 28, 1)."
        )


def check_output(outputs: int, output_activation: str) -> None:
    """Refuse softmax over one output, which no training can move."""
    if outputs == 1 and output_activation == "softmax":
        raise ValueError(
            "Softmax over one output is always 1: give output_activation='sigmoid' and "
            "loss='binary_crossentropy', or 'linear' and 'mse' for a regression."
        )


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
