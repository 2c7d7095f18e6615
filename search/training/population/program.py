"""One compiled program that trains some members of a template for an epoch and predicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...arrays import Array
from . import losses, optimizers
from .dataset import Dataset
from .kinds import Call
from .layout import Layout, Place, Widths, masked_nodes
from .lowering import Member
from .nodes import kind_of
from .places import EVERYWHERE, LANES, lanes_mesh, placed
from .sizing import is_brief
from .stem import Stem

Shapes = tuple[tuple[int, ...], ...]
State = dict[str, Any]  # arrays of one member; stacked, of all lanes of a program
QUICKLY: dict[str, dict[str, Any]] = {  # compiled in half the time, but slower
    "cpu": {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False},
    "gpu": {"xla_gpu_autotune_level": 0},
}
AT_ONCE, AT_ONCE_ELSEWHERE = 2**22, 2**28  # predicted numbers of a layer, over all lanes


class Program:
    """A template at certain widths, for so many lanes: compiled when it first runs, or before.

    Args:
        lanes: a multiple of the devices, which train a part of them each.
        penalized: whether any member has a penalty on its weights.
    """

    def __init__(
        self, member: Member, widths: Widths, data: Dataset, lanes: int, penalized: bool = True
    ) -> None:
        self.template, self.widths, self.lanes = member.template, widths, lanes
        self._penalized = penalized
        self.rows = data.rows
        self.steps = math.ceil(data.rows / self.template.batch_size)
        self._masked = masked_nodes(self.template)
        layout = Layout.of(member, widths)
        self._shapes = tuple(place.shape for place in layout.places if place.weight.trainable)
        on_processor = jax.default_backend() == "cpu"
        at_once = (AT_ONCE if on_processor else AT_ONCE_ELSEWHERE) // (lanes * layout.row_size)
        self._validation_rows = data.validation_rows
        self._stem = Stem.of(member)
        rows_at_once = max(1, min(at_once, self._validation_rows))
        self._data = data.arrays(rows_at_once, self._stem, self.template)
        brief = is_brief(member, widths, lanes, data.rows)
        self._advance = jax.jit(
            jax.shard_map(
                jax.vmap(self._epoch, in_axes=(0, 0, 0, None)),
                mesh=lanes_mesh(),
                in_specs=(LANES, LANES, LANES, EVERYWHERE),
                out_specs=LANES,
                check_vma=False,
            ),
            donate_argnums=0,
            compiler_options=_quickly() if brief else {},
        )
        self._states = jax.tree.map(self._of_lanes, self.start(member, seed=0))
        self._compiled: jax.stages.Compiled | None = None

    def compile(self) -> jax.stages.Compiled:
        """Compile it, where that has not been done; in any thread."""
        if self._compiled is None:
            orders = np.empty((self.steps, self.template.batch_size), "int32")
            coefficients = np.empty((self.steps, len(optimizers.NAMES)), "float32")
            given = self._of_lanes(orders), self._of_lanes(coefficients), self._data
            with jax.default_matmul_precision("highest"):
                lowered = self._advance.lower(self._states, *given)
            self._compiled = lowered.compile()
        return self._compiled

    def start(self, member: Member, seed: int, begin: list[Array] | None = None) -> State:
        """A member's state before its first epoch: the same seed draws the same weights.

        Args:
            begin: its own weights, layer by layer, where they are not drawn.
        """
        layout = Layout.of(member, self.widths)
        if begin is None:
            weights = layout.initial(member, np.random.default_rng([seed, 1]))
        else:
            given = zip(layout.places, begin, strict=True)
            weights = [place.embed(values) for place, values in given]
        return self.state(member, layout, weights, seed)

    def state(self, member: Member, layout: Layout, weights: list[Array], seed: int) -> State:
        """A member's state with these padded weights."""
        trained: list[Array] = []
        fixed: list[Array] = []
        penalties: list[list[Array]] = []
        for place, values in zip(layout.places, weights, strict=True):
            (trained if place.weight.trainable else fixed).append(values)
            if place.weight.trainable and self._penalized:
                penalty = member.described[place.node].penalties[place.weight.name]
                penalties.append([_spread(place, each) for each in penalty])
        vector = np.concatenate([each.ravel() for each in trained])
        return {
            "trained": vector,
            "fixed": fixed,
            "optimizer": optimizers.start(vector, member.optimizer),
            "step": np.int32(0),
            "runtime": {
                "seed": np.uint32(seed % 2**32),
                "optimizer": optimizers.numbers(member.optimizer),
                "loss_weight": np.float32(member.loss_weight),
                "penalties": np.concatenate(penalties, axis=1) if self._penalized else (),
                "numbers": [_floats(each.numbers) for each in member.described],
                "masks": {str(index): np.float32(layout.masks[index]) for index in self._masked},
            },
        }

    def weights(self, member: Member, state: State) -> list[Array]:
        """A member's own weights, without padding, layer by layer in Keras's order."""
        layout = Layout.of(member, self.widths)
        trained = iter(_split(np.asarray(state["trained"]), self._shapes))
        fixed = iter(np.asarray(each) for each in state["fixed"])
        return layout.own(
            [next(trained if place.weight.trainable else fixed) for place in layout.places]
        )

    def advance(
        self,
        states: State,
        orders: Array,
        schedules: Sequence[optimizers.Schedule | None] = (),
    ) -> tuple[State, Any, Any]:
        """One epoch of every lane: new states, mean losses, predictions of the validation rows.

        It returns at once; who reads the numbers waits for them.

        Args:
            orders: the rows of each step, of shape (lanes, steps, batch size).
            schedules: of each lane's learning rate, where it has one.
        """
        numbers = np.asarray(states["runtime"]["optimizer"])
        done = np.asarray(states["step"])
        coefficients = optimizers.coefficients(numbers, done, self.steps, schedules)
        given = jax.device_put((states, orders, coefficients), placed(LANES))
        advanced: tuple[State, Any, Any] = self.compile()(*given, self._data)
        return advanced

    def _of_lanes(self, one: Any) -> jax.ShapeDtypeStruct:
        """What stacked arrays like this one are, of all lanes."""
        shape = (self.lanes, *one.shape)
        return jax.ShapeDtypeStruct(shape, one.dtype, sharding=placed(LANES))

    def _epoch(
        self, state: State, order: Any, coefficients: Any, data: Mapping[str, Any]
    ) -> tuple[State, Any, Any]:
        runtime = state["runtime"]
        moving = {key: value for key, value in state.items() if key != "runtime"}

        def step(moving: State, given: tuple[Any, Any]) -> tuple[State, Any]:
            chosen, numbers = given
            inputs = [_rows_last(each[chosen]) for each in data["inputs"]]
            labels = _rows_last(data["labels"][chosen])
            centre, *of_rows = data["moments"]
            moments = [centre, *(each[chosen] for each in of_rows)]
            known = runtime | {"moments": moments}
            moved: tuple[State, Any] = self._step(moving, known, inputs, labels, numbers)
            return moved

        moving, loss = jax.lax.scan(step, moving, (order, coefficients))
        weights = moving["trained"], moving["fixed"]

        def predict(inputs: list[Any]) -> Any:
            given = [_rows_last(each) for each in inputs]
            outputs = self._forward(weights, runtime, given, training=None)[0]
            return _rows_last(losses.probabilities(self.template.loss, outputs))

        predicted = jax.lax.map(predict, data["validation"])
        predicted = predicted.reshape(-1, *predicted.shape[2:])[: self._validation_rows]
        ended: State = {**moving, "runtime": runtime}
        return ended, jnp.mean(loss), predicted

    def _step(
        self, moving: State, runtime: Any, inputs: list[Any], labels: Any, coefficients: Any
    ) -> Any:
        step = moving["step"] + 1

        def objective(trained: Any) -> Any:
            weights = trained, moving["fixed"]
            predicted, logits, updates = self._forward(weights, runtime, inputs, training=step)
            loss = losses.LOSSES[self.template.loss](labels, predicted, logits)
            return loss * runtime["loss_weight"] + self._penalty(trained, runtime), updates

        (loss, fixed), gradients = jax.value_and_grad(objective, has_aux=True)(moving["trained"])
        trained, optimizer = optimizers.update(
            moving["trained"], gradients, moving["optimizer"], coefficients
        )
        return {"trained": trained, "fixed": fixed, "optimizer": optimizer, "step": step}, loss

    def _penalty(self, trained: Any, runtime: Any) -> Any:
        if not self._penalized:
            return 0.0
        l1, l2 = runtime["penalties"]
        size = trained * jax.lax.stop_gradient(jnp.sign(trained))  # without a slope at zero
        return (l1 * size + l2 * trained**2).sum()

    def _forward(
        self, weights: tuple[Any, list[Any]], runtime: Any, inputs: list[Any], training: Any
    ) -> Any:
        """Predictions, the logits behind them where the loss takes these, new fixed weights.

        Args:
            training: the number of the step; None where nothing is trained.
        """
        trained, fixed = iter(_parts(weights[0], self._shapes)), iter(weights[1])
        named = [
            {weight.name: next(trained if weight.trainable else fixed) for weight in node.weights}
            for node in self.template.nodes
        ]
        values: dict[int, Any] = {-1 - index: each for index, each in enumerate(inputs)}
        updates: list[dict[str, Any]] = []
        if self._stem is not None:
            moments = None if training is None else runtime["moments"]
            values[self._stem.last], updates = self._stem.apply(inputs[0], named, moments)
        for index, node in enumerate(self.template.nodes[len(updates) :], len(updates)):
            call = Call(
                static=dict(node.static),
                weights=named[index],
                numbers=runtime["numbers"][index],
                mask=runtime["masks"].get(str(index)),
                training=training is not None,
                key=partial(_key, runtime["seed"], training, index),
            )
            values[index] = kind_of(node).apply(call, [values[each] for each in node.inputs])
            updates.append(call.updates)
        moved = [
            updates[index].get(weight.name, named[index][weight.name])
            for index, node in enumerate(self.template.nodes)
            for weight in node.weights
            if not weight.trainable
        ]
        takes = losses.LOGITS_OF.get(self.template.loss)
        logits = call.logits if takes and call.static.get("activation") == takes else None
        return values[len(self.template.nodes) - 1], logits, moved


@cache
def _quickly() -> dict[str, Any]:
    """Of the options that make it compile quickly those that this version of XLA knows."""

    def known(name: str, value: Any) -> bool:
        try:
            jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
        except jax.errors.JaxRuntimeError:
            return False
        return True

    options = QUICKLY.get(jax.default_backend(), {})
    return {name: value for name, value in options.items() if known(name, value)}


def _spread(place: Place, value: float) -> Array:
    """A number for each entry of a weight, and zero for its padding."""
    return place.embed(np.full(place.own_shape, value, "float32")).ravel()


def _split(vector: Any, shapes: Shapes) -> list[Any]:
    """The weights that a vector is made of."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    parts = zip([0, *ends[:-1]], ends, shapes, strict=True)
    return [vector[start:end].reshape(shape) for start, end, shape in parts]


_parts = jax.custom_vjp(_split, nondiff_argnums=(1,))
_parts.defvjp(
    lambda vector, shapes: (_split(vector, shapes), None),
    lambda shapes, _, gradients: (jnp.concatenate([each.ravel() for each in gradients]),),
)  # else each part's gradient would be padded to the whole vector, and these be added up


def _key(seed: Any, step: Any, node: int) -> Any:
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), step), node)


def _rows_last(x: Any) -> Any:
    """(rows, ..., features) as (features, ..., rows), and back."""
    return jnp.swapaxes(x, 0, -1)


def _floats(numbers: Mapping[str, float]) -> dict[str, Any]:
    return {name: np.float32(value) for name, value in numbers.items()}
