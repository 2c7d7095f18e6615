"""KerasTuner as an engine: its oracles, asked for trials and told what became of them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras_tuner

from ..journal import Event, Journal
from ..models.building import Builder, Tried
from ..models.configuration import GivenHyperParameters, read
from ..oracles.seeded import SeededOracle
from ..seeds import derived
from ..shortfall import WORST, value
from ..stopping import usual_exponent
from ..studies.sharing import Alone
from ..trials import (
    MOST_CUT_OFF,
    FinishedTrial,
    Trial,
    TrialState,
    cut_off,
    packed,
    same,
    unbuildable,
    unpacked,
)

if TYPE_CHECKING:
    from ..metrics import Metric
    from ..pipeline import Pipeline


class Engine:
    """KerasTuner's oracles through ask and tell; a journal is the one record of what finished.

    A search that is asked again with the same arguments goes on where it was: what the journal
    holds is told to a new oracle, and a trial that was under way is asked for again.

    Args:
        storage: a file for the journal; weights that a later trial may go on from lie beside it.
        inputs: a few rows that a model can be built on, where it does not know its input shape.
        fit_space: hyperparameters that a HyperModel's own `fit` reads.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        name: str,
        storage: Path,
        sampler: str,
        seed: int,
        metric: Metric,
        search_target: float,
        inputs: Any,
        fit_space: Sequence[Any] = (),
    ) -> None:
        self._pipeline, self._seed = pipeline, seed
        self._metric, self._search_target = metric, search_target
        self._builder = Builder(pipeline, inputs, fit_space)
        self.others = Alone()
        self.exhausted_because = "the oracle has proposed all there is"
        self._asked: dict[int, dict[str, Any]] = {}
        self._read: dict[int, GivenHyperParameters] = {}  # by trials under way
        self._finished: dict[int, FinishedTrial] = {}
        self._values: dict[str, float] = {}  # of what was trained, by hyperparameters
        self._kept: dict[str, Any] = {}
        self._cut: Counter[int] = Counter()  # how often the process ended while it was under way
        self._next = 0
        self._weights = storage.parent / "weights"
        space = self._builder.discover()
        self._oracle = SeededOracle(sampler, seed=seed, epochs=pipeline.epochs, space=space)
        self._journal = Journal(storage)
        for event in self._journal.read():
            self._replay(event)
        self._interrupted = [number for number in self._asked if number not in self._finished]

    @property
    def finished(self) -> list[FinishedTrial]:
        """All that was ever told, in the order of their numbers."""
        return [self._finished[number] for number in sorted(self._finished)]

    def ask(self, n: int) -> list[Trial]:
        """Up to `n` configurations with their sizes; fewer where nothing is left to propose."""
        asked: list[Trial] = []
        while len(asked) < n:
            number = self._again() if self._interrupted else self._create()
            if number is None:
                break
            asked.append(self._propose(number))
        return asked

    def leave(self) -> None:
        """Have what is under way come again as if it had not been begun: this is no crash of it."""
        for number in self._read:
            self._write({"cut": number, "by": -1})
        self._read = {}

    def tell(self, finished: FinishedTrial) -> None:
        """Record what became of a trial: first in the journal, then with the oracle."""
        hp = self._read.pop(finished.number)
        self._write({"told": packed(finished), "space": hp.get_config()["space"]})

    def fitting(self, hyperparameters: Mapping[str, Any]) -> Tried | None:
        """The model of a configuration of another study; None where it is none of this space."""
        return self._builder.fitting(GivenHyperParameters(hyperparameters), hyperparameters)

    def adopt(self, finished: FinishedTrial, *, imported: bool = False) -> int:
        """Take in a trial that another study has finished, under the next number of this one.

        Args:
            finished: `fitting` has said that it fits.
            imported: it only teaches the oracle; otherwise it counts as one of this search.
        """
        number, hp = self._next, GivenHyperParameters(finished.hyperparameters)
        self._builder.build(hp)
        record = packed(finished) | {"number": number}
        space = hp.get_config()["space"]
        self._write({"adopted": record, "imported": imported, "space": space})
        return number

    def suggest(self, hyperparameters: Mapping[str, Any]) -> None:
        """Propose this configuration before others, where the oracle draws any of itself."""
        self._write({"suggested": dict(hyperparameters)})

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value with the search."""
        self._write({"kept": key, "value": value})

    def recall(self, key: str, default: Any = None) -> Any:
        """A JSON value that was kept with the search."""
        return self._kept.get(key, default)

    def _write(self, event: Event) -> None:
        self._journal.append(event)
        self._replay(event)

    def _replay(self, event: Event) -> None:
        if "asked" in event:
            self._oracle.recreate(event["asked"], event["values"])
            self._note(event["asked"], event["values"])
        elif "told" in event:
            self._settle(unpacked(event["told"]), _space(event))
        elif "adopted" in event:
            self._adopt(unpacked(event["adopted"]), _space(event), imported=event["imported"])
        elif "cut" in event:
            self._cut[event["cut"]] += event["by"]
        elif "suggested" in event:
            self._oracle.suggest(event["suggested"])
        else:
            self._kept[event["kept"]] = event["value"]

    def _note(self, number: int, values: Mapping[str, Any]) -> None:
        self._asked[number] = dict(values)
        self._next = number + 1

    def _create(self) -> int | None:
        """Have the oracle make a trial; its number."""
        number = self._next
        values = self._oracle.create(number)
        if values is None:
            return None
        self._journal.append({"asked": number, "values": values}, safe=False)
        self._note(number, values)
        self._drop_weights()
        return number

    def _again(self) -> int:
        """A trial that was under way when the process ended."""
        number = self._interrupted.pop(0)
        self._write({"cut": number, "by": 1})
        return number

    def _propose(self, number: int) -> Trial:
        values = self._asked[number]
        hp = self._read[number] = GivenHyperParameters(values)
        times = self._cut[number]
        if times > MOST_CUT_OFF:  # to build it ends the process already
            return unbuildable(number, values, cut_off(times))
        tried = self._builder.tried(hp)
        return Trial(
            number=number,
            hyperparameters=read(hp),
            parameter_count=tried.size.total,
            trainable_parameter_count=tried.size.trainable,
            seed=derived(self._seed, number, 1),
            architecture=tried.architecture,
            error=cut_off(times) if times == MOST_CUT_OFF else tried.error,
            exponent=usual_exponent(scheduled=tried.scheduled),
            **self._rounds(number, values),
        )

    def _rounds(self, number: int, values: Mapping[str, Any]) -> dict[str, Any]:
        """How far a trial is to be trained, and from where: Hyperband goes on with the best."""
        most = self._pipeline.epochs
        if "tuner/epochs" not in values:
            return {"epochs": most}
        until, begun = int(values["tuner/epochs"]), int(values.get("tuner/initial_epoch", 0))
        earlier = self._oracle.continued(values)
        weights = self._weights_of(earlier) if earlier is not None else None
        if weights is None or not weights.exists():  # it was never trained
            weights, begun = None, 0
        return {
            "epochs": until - begun,
            "initial_epoch": begun,
            "initial_weights": str(weights) if weights else None,
            "horizon": most,
            "weights_path": str(self._weights_of(number)) if until < most else None,
        }

    def _weights_of(self, number: int) -> Path:
        return self._weights / f"trial-{number}.weights.h5"

    def _drop_weights(self) -> None:
        """Remove those that no later trial can go on from."""
        wanted = {self._weights_of(number) for number in self._oracle.open()}
        for path in self._weights.glob("*.h5"):
            if path not in wanted:
                path.unlink()

    def _settle(self, finished: FinishedTrial, space: keras_tuner.HyperParameters) -> None:
        worth, rejected = self._worth(finished), finished.state is TrialState.REJECTED
        self._values[same(finished)] = worth
        self._finished[finished.number] = finished
        self._oracle.end(finished.number, space, worth, rejected=rejected)

    def _worth(self, finished: FinishedTrial) -> float:
        """What was rejected as the same as an earlier trial is worth the same; else nothing.

        Hyperband would train the same anew: there it is worth nothing, too.
        """
        if finished.state is not TrialState.REJECTED:
            return value(finished, self._metric, self._search_target)
        rounds = "tuner/epochs" in self._asked[finished.number]
        return WORST if rounds else self._values.get(same(finished), WORST)

    def _adopt(
        self, finished: FinishedTrial, space: keras_tuner.HyperParameters, *, imported: bool
    ) -> None:
        number, values = finished.number, finished.hyperparameters
        self._next = number + 1
        if not imported:
            self._finished[number] = finished
        worth = self._values[same(finished)] = value(finished, self._metric, self._search_target)
        self._oracle.add(number, values, space, worth)


def records(storage: Path, name: str) -> tuple[list[FinishedTrial], dict[str, Any]]:
    """What a journal holds, without an oracle: the finished trials and what was remembered."""
    events = Journal(storage).read()
    told = [event.get("told") or event["adopted"] for event in events if _counts(event)]
    finished = sorted((unpacked(record) for record in told), key=lambda each: each.number)
    return finished, {event["kept"]: event["value"] for event in events if "kept" in event}


def _counts(event: Event) -> bool:
    return "told" in event or ("adopted" in event and not event["imported"])


def _space(event: Event) -> keras_tuner.HyperParameters:
    """The hyperparameters that a trial's build has read."""
    config = copy.deepcopy({"space": event["space"], "values": {}})  # KerasTuner changes it
    return keras_tuner.HyperParameters.from_config(config)
