"""Which widths of a model are free, and which change together: found by calling its layers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import keras

from ..counting import unallocated
from .graphs import WIDTHS, functional, is_nested, settings, stays

KEPT = 5_000  # shapes that are remembered, and structures

Place = tuple[int, str]  # a layer, by identity, and what it calls a width
Shapes = tuple[tuple[int | None, ...], ...]
Copy = Callable[[Any, Mapping[Place, int]], Any]  # of a layer, with other widths


@dataclass(frozen=True, kw_only=True)
class Width:
    """Units of a layer, or of several that only change together.

    Args:
        step: what it must be a multiple of, as where channels are in groups.
    """

    value: int
    places: tuple[Place, ...]
    step: int = 1

    def set(self, value: int) -> dict[Place, int]:
        """The next lower multiple of the step, in all places."""
        return dict.fromkeys(self.places, max(value - value % self.step, self.step))


class UnfitError(Exception):
    """A layer does not take what it is given.

    Args:
        layer: its name; empty where a model's outputs are not what they were.
        call: which call it was.
        places: where what it is given is made, and its own.
        meeting: whether it is given more than one tensor.
    """

    def __init__(
        self, layer: str, call: float, places: Iterable[Place], meeting: bool = False
    ) -> None:
        super().__init__(layer)
        self.call, self.places, self.meeting = call, frozenset(places), meeting


@dataclass(frozen=True, kw_only=True)
class _Call:
    layer: int  # by identity
    given: Shapes


class Widths:
    """The free widths of a model, as it is or without some of its layers.

    Each width is given a value of its own, and shapes go through the model. At the first layer that
    does not take them those that meet there are tied, or must be multiples of something, or are
    not free; then it is tried again. What a layer gives for a shape is found out once.
    """

    def __init__(self, model: keras.Model, layers: Sequence[Any], copied: Copy) -> None:
        self.model = model
        self.own = {id(layer): settings(layer, WIDTHS) for layer in layers}
        places = [(layer, key) for layer, own in self.own.items() for key in own]
        self.order = {place: index for index, place in enumerate(places)}
        self._copied = copied
        self._functional: dict[int, keras.Model] = {}
        self._known: dict[Any, Any] = {}
        self._found: dict[frozenset[int], list[Width] | None] = {}
        self.taken: dict[int, list[Shapes]] = {}  # by each layer, in the order of its calls
        self._untraced: set[int] = set()  # layers that cannot be, even as they are
        self.first_pass = True
        self._whole = _Passage(self, {}, frozenset()).through()
        self.first_pass = False

    def fits(self, without: frozenset[int]) -> bool:
        """Whether the model has outputs of the same shapes without these layers."""
        return self._free(without) is not None

    def free(self, without: frozenset[int] = frozenset()) -> list[Width]:
        """The free widths of the model without these layers."""
        return self._free(without) or []

    def of(self, nested: keras.Model) -> keras.Model:
        """A nested model as a functional one."""
        if id(nested) not in self._functional:
            self._functional[id(nested)] = functional(nested)
        return self._functional[id(nested)]

    def given(self, layer: Any, widths: Mapping[str, int], inputs: Any, options: Any) -> Any:
        """What a layer of these widths gives: symbolic tensors, or an exception."""
        shapes = tuple((each.shape, each.dtype) for each in _tensors((inputs, options)))
        key = (id(layer), tuple(widths.items()), shapes)
        if key not in self._known:
            if len(self._known) > KEPT:
                self._known.clear()
            self._known[key] = self._tried(layer, widths, inputs, options)
        if (known := self._known[key]) is None:
            raise ValueError(f"{layer.name} does not take {shapes}.")
        return keras.tree.map_structure(_bare, known)

    def _tried(self, layer: Any, widths: Mapping[str, int], inputs: Any, options: Any) -> Any:
        def call() -> Any:
            if stays(layer):
                return layer.compute_output_spec(*inputs, **options)
            made = self._copied(layer, {(id(layer), key): each for key, each in widths.items()})
            outputs = made(*inputs, **options)
            if traced:
                self._trace(layer, made, inputs, options)
            return outputs

        # Attention, and a recurrent layer of its state, say a shape for what they refuse.
        traced = isinstance(layer, keras.Layer) and len(_tensors((inputs, options))) > 1
        if not traced:
            with suppress(Exception), unallocated():  # one that needs real values has them below
                return keras.tree.map_structure(_bare, call())
        with suppress(Exception):
            return keras.tree.map_structure(_bare, call())
        return None

    def _trace(self, layer: Any, made: Any, inputs: Any, options: Any) -> None:
        if id(layer) in self._untraced:
            return
        try:
            keras.Operation.compute_output_spec(made, *inputs, **options)
        except Exception:
            if not self.first_pass:
                raise
            self._untraced.add(id(layer))

    def _free(self, without: frozenset[int]) -> list[Width] | None:
        if without not in self._found:
            if len(self._found) > KEPT:
                self._found.clear()
            self._found[without] = self._search(without)
        return self._found[without]

    def _search(self, without: frozenset[int]) -> list[Width] | None:
        try:
            whole = _Passage(self, {}, without).through()
        except (UnfitError, ValueError):  # what is missing is one of several outputs, as states are
            return None
        if whole.outputs != self._whole.outputs:
            return None
        called = {call.layer for call in whole.calls}
        widths = [
            Width(value=self.own[layer][key], places=((layer, key),))
            for layer, key in self.order
            if layer in called and self.own[layer][key] > 1
        ]
        unfit = self._unfit(widths, whole)
        while unfit is not None:
            widths, unfit = self._mended(widths, unfit, whole)
        return widths

    def _unfit(self, widths: Sequence[Width], whole: _Passage) -> UnfitError | None:
        """What goes wrong where each width has a value of its own."""
        values: dict[Place, int] = {}
        for width in widths:  # wider, as one goes with whatever it meets; no multiples by chance
            values |= width.set(width.value + width.step * (31 + 30 * self.order[width.places[0]]))
        try:
            _Passage(self, values, whole.without, whole).through()
        except UnfitError as unfit:
            return unfit
        return None

    def _mended(
        self, widths: list[Width], unfit: UnfitError, whole: _Passage
    ) -> tuple[list[Width], UnfitError | None]:
        """Widths with which more calls go well, and what goes wrong then."""
        involved = [each for each in widths if not unfit.places.isdisjoint(each.places)]
        others = [each for each in widths if each not in involved]
        tied = list(_tied(involved)) if unfit.meeting else []
        fewer = ([each for each in involved if each is not one] for one in reversed(involved))
        possible = chain(tied, _stepped(involved), fewer) if unfit.call < math.inf else ()
        for changed in possible:
            changed = self._ordered(others + changed)
            left = self._unfit(changed, whole)
            if left is None or left.call > unfit.call:
                return changed, left
        changed = self._ordered(others + tied[0]) if tied else others
        return changed, self._unfit(changed, whole)

    def _ordered(self, widths: list[Width]) -> list[Width]:
        return sorted(widths, key=lambda each: self.order[each.places[0]])


class _Passage:
    """Shapes on their way through a model, and where those that differ from `whole` are made.

    Args:
        whole: the passage with the model's own widths.
    """

    def __init__(
        self,
        model: Widths,
        values: Mapping[Place, int],
        without: frozenset[int],
        whole: _Passage | None = None,
    ) -> None:
        self.calls: list[_Call] = []
        self.outputs: Shapes = ()
        self.without = without
        self._model, self._values, self._whole = model, values, whole
        self._makers: dict[int, frozenset[Place]] = {}  # of tensors, by identity
        self._kept: list[Any] = []  # else identities would be given away again
        self._earlier: dict[int, list[tuple[Shapes, frozenset[Place]]]] = {}  # calls of a layer

    def through(self) -> _Passage:
        """Go through; raises UnfitError."""
        base = self._model.model
        outputs = self._in(base, keras.tree.map_structure(_bare, base.input))
        self.outputs = _shapes(outputs)
        if self._whole is not None and self.outputs != self._whole.outputs:
            raise UnfitError("", math.inf, self._made(outputs))
        return self

    def _in(self, model: keras.Model, inputs: Any) -> Any:
        return model._run_through_graph(
            inputs, operation_fn=lambda layer: layer, call_fn=self._call
        )

    def _call(self, layer: Any, *inputs: Any, **options: Any) -> Any:
        if is_nested(layer):
            return self._in(self._model.of(layer), inputs[0])
        taken = _tensors((inputs, options))
        if id(layer) in self.without:
            return taken[0]
        full = self._model.own.get(id(layer), {})
        own = {key: self._values.get((id(layer), key), each) for key, each in full.items()}
        places = frozenset((id(layer), key) for key in own if own[key] != full[key])
        made = self._made(taken)
        self._check(layer, _shapes(taken), made)
        try:
            outputs = self._model.given(layer, own, inputs, options)
        except Exception as error:
            raise UnfitError(layer.name, len(self.calls), made | places, len(taken) > 1) from error
        makers = self._changed(layer, full, inputs, options, _shapes(outputs), made, places)
        self._kept += keras.tree.flatten(outputs)
        self._makers |= {id(each): makers for each in keras.tree.flatten(outputs)}
        self.calls.append(_Call(layer=id(layer), given=_shapes(outputs)))
        return outputs

    def _made(self, tensors: Any) -> frozenset[Place]:
        makers = [self._makers.get(id(each), frozenset()) for each in _tensors(tensors)]
        return frozenset().union(*makers)

    def _check(self, layer: Any, taken: Shapes, made: frozenset[Place]) -> None:
        """Weights that are there, or that an earlier call has made, take no other shapes."""
        calls = self._earlier.setdefault(id(layer), [])
        calls.append((taken, made))
        if self._model.first_pass:
            self._model.taken.setdefault(id(layer), []).append(taken)
        known = self._model.taken[id(layer)]
        has_weights = bool(getattr(layer, "weights", None))
        if has_weights and stays(layer) and taken != known[len(calls) - 1]:
            raise UnfitError(layer.name, len(self.calls), made)
        if _is_broadcast(taken) and not _is_broadcast(known[len(calls) - 1]):
            raise UnfitError(layer.name, len(self.calls), made)
        before = zip(_sizes(known[0]), _sizes(known[len(calls) - 1]), strict=False)
        now = zip(_sizes(calls[0][0]), _sizes(taken), strict=False)
        if any(one == other and a != b for (one, other), (a, b) in zip(before, now, strict=False)):
            raise UnfitError(layer.name, len(self.calls), made | calls[0][1], meeting=True)

    def _changed(
        self,
        layer: Any,
        full: Mapping[str, int],
        inputs: Any,
        options: Any,
        given: Shapes,
        made: frozenset[Place],
        places: frozenset[Place],
    ) -> frozenset[Place]:
        """The places that what a layer gives comes from, where it is not what it gave before."""
        if self._whole is None or given == self._whole.calls[len(self.calls)].given:
            return frozenset()
        if not places:
            return made
        try:
            with_own = _shapes(self._model.given(layer, full, inputs, options))
        except Exception:
            return made | places
        if with_own == given:
            return made
        return places if with_own == self._whole.calls[len(self.calls)].given else made | places


def _tied(widths: Sequence[Width]) -> Iterator[list[Width]]:
    """With those of one value made one, a value at a time."""
    for value, count in Counter(each.value for each in widths).items():
        if count > 1:
            same = [each for each in widths if each.value == value]
            places = tuple(place for each in same for place in each.places)
            step = math.lcm(*(each.step for each in same))
            tied = Width(value=value, places=places, step=step)
            yield [tied, *(each for each in widths if each.value != value)]


def _stepped(widths: Sequence[Width]) -> Iterator[list[Width]]:
    """Widths that are multiples of what divides them all."""
    common = math.gcd(*(each.value for each in widths))
    for step in range(2, common // 2 + 1):
        if common % step == 0:
            yield [replace(each, step=math.lcm(step, each.step)) for each in widths]


def _bare(tensor: Any) -> keras.KerasTensor:
    """A tensor of this shape that does not know where it comes from."""
    return keras.KerasTensor(tensor.shape, dtype=tensor.dtype)


def _tensors(nest: Any) -> list[Any]:
    return [each for each in keras.tree.flatten(nest) if isinstance(each, keras.KerasTensor)]


def _shapes(nest: Any) -> Shapes:
    return tuple(tuple(each.shape) for each in keras.tree.flatten(nest) if hasattr(each, "shape"))


def _is_broadcast(shapes: Shapes) -> bool:
    """Whether one size meets others that are not one."""
    ranks = {len(shape) for shape in shapes}
    axes = zip(*shapes, strict=True) if len(ranks) == 1 else ()
    return any(1 in sizes and len(set(sizes)) > 1 for sizes in axes)


def _sizes(shapes: Shapes) -> list[int | None]:
    return [size for shape in shapes for size in shape]
