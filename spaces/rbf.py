"""Radial-basis networks: units that answer to points near their centre, then a linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from .hyperparameters import Bounds, Build, Labels, check_output, compile, width

if TYPE_CHECKING:
    from keras_tuner import HyperParameters


def rbf(
    input_shape: Sequence[int],
    outputs: int,
    *,
    loss: str = "sparse_categorical_crossentropy",
    output_activation: str = "softmax",
    units: Bounds = (1, 32),
    label_mean: float = 0.0,
    label_scale: float = 1.0,
    **training: Any,
) -> Build:
    """A space of networks with one layer of Gaussian units, for inputs of about unit variance.

    Args:
        input_shape: of one row; more than one axis is flattened.
        outputs: classes, or numbers to predict; 1 with "sigmoid" where there are two classes.
        loss: one of Keras's, by name.
        units: fewest and most Gaussian units.
        label_mean, label_scale: of a regression, as in `hyperparameters.Labels`.
        training: as `hyperparameters.compile` takes it: `optimizers`, `learning_rate` and more.
    """
    check_output(outputs, output_activation)
    labels = Labels(mean=label_mean, scale=label_scale)

    def build(hp: HyperParameters) -> keras.Model:
        stack = [keras.Input(tuple(input_shape))]
        stack += [keras.layers.Flatten()] if len(input_shape) > 1 else []
        shared = bool(hp.Boolean("one_width", default=True))
        stack.append(RadialBasis(width(hp, "units", units), one_width=shared))
        stack += [keras.layers.Dense(outputs, output_activation), *labels.layers()]
        model, weight = keras.Sequential(stack), labels.loss_weight(loss)
        return compile(model, hp, loss=loss, loss_weight=weight, **training)

    return build


@keras.saving.register_keras_serializable("occam")
class RadialBasis(keras.layers.Layer):  # type: ignore[misc]  # keras is untyped
    """Gaussian units exp(-s |x - c|^2), after Broomhead and Lowe, Complex Systems 2 (1988).

    Args:
        units: how many centres c are learned.
        one_width: learn one s for all units, else one a unit.
    """

    def __init__(self, units: int, one_width: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.one_width = units, one_width

    def build(self, input_shape: Sequence[int]) -> None:
        features = input_shape[-1]
        self.centres = self.add_weight(
            shape=(self.units, features),
            initializer=keras.initializers.RandomNormal(stddev=0.5),
            name="centres",
        )
        # So wide that each unit answers to all points of unit variance at the start.
        start = keras.initializers.Constant(1 / (2 * features))
        shape = (1 if self.one_width else self.units,)
        self.sharpness = self.add_weight(shape=shape, initializer=start, name="sharpness")
        self.built = True

    def call(self, inputs: Any) -> Any:
        """(rows, features) to (rows, units)."""
        difference = keras.ops.expand_dims(inputs, 1) - self.centres
        distance = keras.ops.sum(keras.ops.square(difference), axis=-1)
        return keras.ops.exp(-keras.ops.abs(self.sharpness) * distance)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "one_width": self.one_width}
