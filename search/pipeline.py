"""A pipeline says what the data is, what may be built and which target must be reached."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import json
import os
import pkgutil
import re
import sys
import sysconfig
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .errors import InputError, MissingData, in_one_line

if TYPE_CHECKING:
    import keras
    import keras_tuner

    Space: TypeAlias = Callable[[keras_tuner.HyperParameters], keras.Model] | keras_tuner.HyperModel

Downloaded = TypeVar("Downloaded")
Split = tuple[Any, Any]  # (inputs, labels): arrays or data frames with one row an example

OWN = "own:"
PIPELINES = f"{__package__.rpartition('.')[0]}.pipelines"


@dataclass(frozen=True)
class Data:
    """Three splits and, once preprocessed, what turns raw inputs into the model's inputs.

    Each split is (inputs, labels), or batches of both: a tf.data.Dataset, a PyDataset or
    torch's DataLoader.
    """

    train: Split
    validation: Split
    test: Split
    transform: Callable[[Any], Any] | None = None

    def transformed(self, transform: Callable[[Any], Any]) -> Data:
        """The same splits with `transform` applied to all inputs; it travels with the model.

        `transform` must be picklable and must have learned from the train split alone:
        `data.transformed(MinMaxScaler().fit(data.train[0]).transform)`.
        """
        if self.transform is not None:
            raise InputError(
                "Data is transformed twice: chain the steps in one scikit-learn Pipeline."
            )
        train, validation, test = (
            (transform(x), y) for x, y in (self.train, self.validation, self.test)
        )
        return Data(train, validation, test, transform=transform)


def split(
    inputs: Any, labels: Any = None, *, validation: Split | None = None, test: Split | None = None
) -> Data:
    """Set rows aside for validation and for the test, where they are not given: 20 % of all each.

    Classes keep their shares. The same rows are set aside at every call.

    Args:
        inputs: an array or data frame, or a list, tuple or dictionary of them; without labels
            batches of (inputs, labels), as of `Data`.
    """
    from .data import batches, splits  # NumPy takes its time

    rest = batches.gathered(inputs) if labels is None else splits.checked(inputs, labels)
    share = 0.2
    if test is None:
        rest, test = splits.set_aside(rest, share)
        share = 0.25
    if validation is None:
        rest, validation = splits.set_aside(rest, share)
    return Data(rest, validation, test)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """One task: its data, what may be built for it, and the target to reach.

    Args:
        data: returns the raw splits, the same at every call.
        preprocessing: fitted on the train split only; see `Data.transformed`.
        space: a KerasTuner `build(hp)` or HyperModel, or a function of an Optuna `trial`, known by
            the name or the annotation of its parameter; returns a compiled model.
        target: to be reached on `metric`; not a number: what a linear model shows to be possible.
        metric: "accuracy", "balanced_accuracy", "f1", "auc", "r2", "mae", "mse" or "rmse"; or
            "package.module:function" of labels and the model's outputs, (rows, ...) each, that
            gives a share from 0 to 1, where more is better. An attribute `standard_error` of that
            function, of (target, labels), says how far chance moves it.
        epochs: the most that one trial may train.
        batch_size: where the space does not choose one as the hyperparameter `batch_size`.
        loss: one of Keras's by name, for a model that the space returns uncompiled.
        classes: names of the classes, in the order of the labels 0, 1, ...
        name: set by `load`.
        notes: what was found in the data, printed before a search.
        smallest_known: fewest parameters seen to hold the target, for `occam list`.
        chronological: rows are in the order of time, so that the last label is a forecast.
        groups: of each test row what it belongs to, where rows of one group are alike: the bound at
            the gate resamples whole groups.
        row_shape: of the inputs, where they are one array of numbers; set by a search.
    """

    data: Callable[[], Data]
    space: Space
    target: float
    preprocessing: Callable[[Data], Data] | None = None
    metric: str = "accuracy"
    epochs: int = 50
    batch_size: int = 32
    loss: str | None = None
    classes: Sequence[str] = ()
    name: str = ""
    smallest_known: int | None = None
    notes: tuple[str, ...] = ()
    chronological: bool = False
    groups: Any = None
    row_shape: tuple[int, ...] | None = None


def load(name: str) -> Pipeline:
    """The pipeline that `name` says: one of ours, a `.py` file, or an importable `package.module`.

    A name that starts with `OWN` stands for the user's own data.

    Raises InputError where there is none, or where its file cannot be run.
    """
    if name.startswith(OWN):
        return _load_own(json.loads(name.removeprefix(OWN)))
    find(name)
    try:
        module = _load_file(Path(name)) if name.endswith(".py") else _load_module(name)
    except InputError:
        raise
    except SystemExit as error:
        raise InputError(
            f"Pipeline {name!r} ends the program while it is loaded: put that below "
            '`if __name__ == "__main__":`.'
        ) from error
    except Exception as error:
        problem = in_one_line(error)
        raise InputError(f"Pipeline {name!r} cannot be loaded: {problem}.") from error
    pipeline = getattr(module, "pipeline", None)
    if not isinstance(pipeline, Pipeline):
        received = "no such name" if pipeline is None else type(pipeline).__name__
        raise InputError(
            f"Pipeline {name!r} must define `pipeline = Pipeline(...)` at its top level, "
            f"received {received}."
        )
    return replace(pipeline, name=pipeline.name or _short_name(name))


def find(name: str) -> None:
    """Refuse a name that no pipeline has, or a file that is no Python, without running anything."""
    if not name.endswith(".py"):
        return _find_module(name)
    if not Path(name).is_file():
        raise InputError(f"Pipeline file {name!r} does not exist.")
    if _is_known(Path(name).stem):
        raise InputError(
            f"Pipeline file {name!r} is called as a module of Python or of an installed package, "
            "which it would hide: rename it, as my_task.py."
        )
    try:
        ast.parse(Path(name).read_bytes())
    except (SyntaxError, ValueError) as error:
        where = f"{Path(name).name}, line {getattr(error, 'lineno', None) or 1}"
        problem = getattr(error, "msg", error)
        raise InputError(f"Pipeline {name!r} is not valid Python: {problem} ({where}).") from error
    return None


def _is_known(module: str) -> bool:
    """Whether Python or an installed package has a module of this name."""
    if module in sys.stdlib_module_names - {"test"}:  # which nothing imports
        return True
    with suppress(ImportError, ValueError):  # there is none, or it cannot be told
        spec = importlib.util.find_spec(module)
        installed = {sysconfig.get_path(each) for each in ("purelib", "platlib")}
        path = Path(spec.origin or "") if spec else Path()
        return any(path.is_relative_to(each) for each in installed)
    return False


def own(**options: str | None) -> str:
    """The name by which `load` makes a pipeline of the user's own data, here and in workers.

    Args:
        options: of the command line: csv, images or npz, a path; label, group, time, split,
            metric.
    """
    given = {name: value for name, value in options.items() if value is not None}
    return OWN + json.dumps(given, ensure_ascii=False)  # paths as they are


def task_name(given: str) -> str:
    """What a search of this file is called, which has said no other name; a name stays as it is."""
    path = Path(given)
    if path.suffix == ".py":
        return _short_name(given)
    if path.suffix.lower() in (".csv", ".tsv", ".txt", ".npz"):
        return _own_name(path.stem)
    folder = given.endswith("/") or (path.is_dir() and given not in names())
    return _own_name(path.name) if folder else given


def names() -> list[str]:
    """The pipelines that come with Occam."""
    modules = pkgutil.iter_modules(_folder())
    return sorted(module.name for module in modules if not module.ispkg)


def describe(name: str) -> str:
    """First line of the docstring of one of our pipelines, read without running it."""
    return (ast.get_docstring(_tree(name)) or "").partition("\n")[0]


def goal(name: str) -> tuple[str, int | None]:
    """Metric with target, and fewest parameters known, of one of our pipelines; it is not run."""
    calls = [node for node in ast.walk(_tree(name)) if isinstance(node, ast.Call)]
    made = next(call for call in calls if ast.unparse(call.func) == "Pipeline")
    given = {
        each.arg: each.value.value for each in made.keywords if isinstance(each.value, ast.Constant)
    }
    metric = str(given.get("metric", "accuracy")).rpartition(":")[2]
    known = given.get("smallest_known")
    return f"{metric} {given['target']!s}", known if isinstance(known, int) else None


def _tree(name: str) -> ast.Module:
    return ast.parse(Path(_folder()[0], f"{name}.py").read_bytes())


def template() -> str:
    """The text of a commented pipeline file to start from."""
    return Path(_folder()[0], "own", "template.py").read_text(encoding="utf-8")


def data_file(relative: str) -> Path:
    """A file under `OCCAM_DATA` (default `~/.keras/datasets`); MissingData where there is none."""
    folder = Path(os.environ.get("OCCAM_DATA") or "~/.keras/datasets").expanduser()
    path = folder / relative
    if not path.exists():
        raise MissingData(
            f"Missing data file {relative}: put it at {path}, "
            "or set OCCAM_DATA to the folder that holds it."
        )
    return path


def downloaded(missing: MissingData, load: Callable[[], Downloaded]) -> Downloaded:
    """What Keras downloads where OCCAM_DATA names no folder; raises `missing` where it does."""
    if os.environ.get("OCCAM_DATA"):
        raise missing
    try:
        return load()
    except Exception as error:  # Keras raises plain Exception where there is no network
        raise InputError(f"{missing} Downloading it failed: {error}.") from error


def _folder() -> list[str]:
    return list(importlib.import_module(PIPELINES).__path__)


def _find_module(name: str) -> None:
    if name in names():
        return
    path, (package, dot, _) = Path(name), name.partition(".")
    if path.exists() or path.with_name(f"{path.name}.py").is_file():
        raise InputError(f"{name!r} is no pipeline: {_given_as(path)}.")
    if dot and importlib.util.find_spec(package):
        return
    near = difflib.get_close_matches(name, names(), n=3, cutoff=0.5) or names()
    raise InputError(
        f"Unknown pipeline {name!r}. Did you mean: {', '.join(near)}? "
        "A file of your own ends in .py."
    )


def _given_as(path: Path) -> str:
    """How data, or a file whose ending was left out, are to be given."""
    if path.is_dir():
        return f"give a folder of images as --images {path}"
    if path.suffix.lower() == ".npz":
        return f"give arrays as --npz {path}"
    if path.exists():
        return f"give a table as --csv {path} --label COLUMN, and a task as a .py file"
    return f"did you mean {path}.py"


def _load_module(name: str) -> Any:
    return importlib.import_module(f"{PIPELINES}.{name}" if name in names() else name)


def _load_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError(f"Pipeline file {str(path)!r} cannot be read as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses and pickle look a class's module up by name
    sys.path.insert(0, str(path.resolve().parent))  # its own neighbours, as when Python runs it
    spec.loader.exec_module(module)
    return module


def _load_own(options: dict[str, str]) -> Pipeline:
    module = importlib.import_module(f"{PIPELINES}.own.task")
    pipeline: Pipeline = module.task(**options)
    return replace(pipeline, name=_own_name(pipeline.name))


def _own_name(stem: str) -> str:
    name = re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "data"
    return f"my-{name}" if name in names() else name


def _short_name(name: str) -> str:
    return Path(name).stem if name.endswith(".py") else name.rpartition(".")[2]
