"""A search whose space has changed goes on with those of its trials that still fit."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import written_whole
from ..trials import FinishedTrial

if TYPE_CHECKING:
    from ..models.building import Tried

FILE = "fingerprint.json"
Made = Callable[[Path], Any]  # an engine whose study is in a folder


@dataclass(frozen=True, kw_only=True)
class Depends:
    """Fingerprints of what a search depends on."""

    space: str
    rest: str

    def write(self, folder: Path) -> None:
        """Keep them with the study."""
        with written_whole(folder / FILE) as part:
            part.write_text(json.dumps(vars(self)) + "\n", encoding="utf-8")


def depends(folder: Path) -> Depends | None:
    """What the search in a folder was made with, where that is known."""
    path = folder / FILE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return Depends(**json.loads(text)) if text.strip("\0 \n") else None  # empty: a power cut


def resume(folder: Path) -> None:
    """Bring a change to its end that a killed process has not brought there."""
    ready = _next_to(folder) / FILE
    if not folder.exists() and ready.exists():
        ready.parent.rename(folder)


def set_aside(folder: Path) -> Path:
    """Move a study away, under a name that says when."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = folder.with_name(f"{folder.name}.{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = folder.with_name(f"{folder.name}.{stamp}-{number}")
    return folder.rename(aside)


def carry_over(
    folder: Path, finished: list[FinishedTrial], kept: Mapping[str, Any], make: Made, new: Depends
) -> str:
    """Make a study of what still fits the space, in place of the one that is there.

    All that the test split was shown to stays counted, whether its model still fits or not.

    Args:
        finished: the trials of the study, with what was kept beside them.

    Returns what was done, in words.
    """
    fresh = _next_to(folder)
    shutil.rmtree(fresh, ignore_errors=True)
    engine = make(fresh)
    worth_it = [each for each in finished if each.epochs]
    numbers: dict[int, int] = {}
    for each in worth_it:
        if _still_fits(each, engine.fitting(each.hyperparameters)):
            parent = None if each.parent is None else numbers.get(each.parent)
            moved = replace(_moved(each, fresh, folder), parent=parent)
            numbers[each.number] = engine.adopt(moved)
    engine.remember("test", _renumbered(kept.get("test", []), numbers))
    engine.remember("seconds", kept.get("seconds", 0.0))
    new.write(fresh)
    aside = set_aside(folder)
    fresh.rename(folder)
    return (
        f"The space has changed since the last run: {len(numbers)} of {len(worth_it)} trained "
        f"trials still fit and are kept, all of them are in {aside}."
    )


def _next_to(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.next")  # a name that no search can have


def _still_fits(finished: FinishedTrial, tried: Tried | None) -> bool:
    """A model with another size, activation, loss or optimizer is not the one that was trained."""
    if tried is None or tried.size.total != finished.parameter_count:
        return False
    if tried.architecture != finished.architecture:
        return False
    return finished.model_path is None or Path(finished.model_path).exists()


def _moved(finished: FinishedTrial, fresh: Path, folder: Path) -> FinishedTrial:
    """With its model in the new study's folder, under the name that it will have."""
    if finished.model_path is None:
        return finished
    kind = ".weights.h5" if finished.model_path.endswith(".weights.h5") else ".keras"
    name = f"carried-{finished.number}{kind}"
    models = fresh / "models"
    models.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(finished.model_path, models / name)
    return replace(finished, model_path=str(folder / "models" / name))


def _renumbered(
    records: Sequence[Mapping[str, Any]], numbers: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Trials that were shown the test split; what no longer fits has a number that no trial has."""
    return [
        {**record, "trial": numbers.get(record["trial"], -1 - index)}
        for index, record in enumerate(records)
    ]
