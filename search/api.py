"""A search from Python, for notebooks and scripts: `occam.search.run`."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import engines
from .backend import import_keras, installed, use_backend
from .data.batches import comes_in_batches, counted
from .errors import InputError
from .pipeline import Data, Pipeline, split
from .references import resolved

if TYPE_CHECKING:
    from .measures import Measure
    from .pipeline import Space, Split
    from .result import Result

OPTIONS = (  # of the command line, and `all_epochs`, which is --epochs there
    *("trials", "all_epochs", "timeout", "engine", "sampler", "trainer", "workers"),
    *("trials_per_gpu", "trial_timeout", "executor", "storage", "margin", "seed", "warm_start"),
    *("fresh", "tracking_uri", "quiet"),
)


ELSEWHERE = {  # what KerasTuner, Keras and Optuna call it: what it is here
    "max_trials": "`trials`",
    "n_trials": "`trials`",
    "validation_data": "`validation`",
    "validation_split": "`validation`",
    "project_name": "`name`",
    "overwrite": "`fresh`",
    "objective": "`metric` and `target`",
    "direction": "`metric` and `target`",
    "hyperparameters": "`warm_start`",
    "callbacks": "`fit` of a HyperModel as the space, which may give them to `model.fit`",
    "class_weight": "`fit` of a HyperModel as the space, which may give it to `model.fit`",
    "sample_weight": "`fit` of a HyperModel as the space, which may give it to `model.fit`",
}


def run(
    space: Space | Pipeline | str,
    *,
    data: Split | Data | Callable[[], Data] | None = None,
    target: float | None = None,
    validation: Split | None = None,
    test: Split | None = None,
    preprocessing: Callable[[Data], Data] | None = None,
    metric: str | Measure = "accuracy",
    epochs: int = 50,
    batch_size: int = 32,
    loss: str | None = None,
    classes: Sequence[str] | None = None,
    name: str | None = None,
    **options: Any,
) -> Result:
    """Find the smallest model that holds the target: `occam search` from Python.

    Args:
        space: a KerasTuner `build(hp)` or HyperModel, a function of an Optuna `trial`, or a Keras
            model, whose smaller copies are searched. A whole Pipeline, or what `occam search` takes
            for one, stands for the arguments down to `name`, but for `target`.
        data: (inputs, labels), or batches of them as a tf.data.Dataset, of which validation and
            test rows are set aside where they are not given; or Data, or what returns it.
        metric: as of a Pipeline; a function of one's own may be given itself.
        epochs: the most that one trial may train.
        name: of the pipeline, and so of the experiment in MLflow; default: the space's own.
        options: `trials`, `all_epochs` and `timeout` in seconds limit the search, by 100 trials
            where none is given; `engine`, `sampler`, `trainer`, `margin` (2 standard errors),
            `seed`, `warm_start`, `fresh`, `storage`, `tracking_uri`, `workers`, `trials_per_gpu`,
            `trial_timeout`, `executor` and `quiet` are those of the command line. Keras's backend
            is the one that is imported, or that KERAS_BACKEND names.

    Raises InputError, before anything is trained, where any of these cannot be used.
    """
    _silence_tqdm()
    options = _checked(options)
    use_backend(backend := _backend())
    import_keras()
    if isinstance(space, Pipeline | str):
        _check_left_out(
            data=data,
            validation=validation,
            test=test,
            preprocessing=preprocessing,
            metric=metric,
            epochs=epochs,
            batch_size=batch_size,
            loss=loss,
            classes=classes,
            name=name,
        )
        pipeline: Pipeline | str = space
    else:
        pipeline = Pipeline(
            data=_data(data, validation, test),
            space=space,
            target=_given(target, "target=0.95, which is to be reached on `metric`"),
            preprocessing=preprocessing,
            metric=_reference(metric),
            epochs=epochs,
            batch_size=batch_size,
            loss=loss,
            classes=getattr(data, "class_names", ()) if classes is None else classes,
            name=name or _name(space),
        )
    return _searched(pipeline, target, backend, options)


def _reference(metric: Any) -> Any:
    """The name of a function that is given itself."""
    if not callable(metric):
        return metric
    name = f"{metric.__module__}:{getattr(metric, '__qualname__', '')}"
    with suppress(InputError):
        if resolved(name, "Metric") is metric:
            return name
    raise InputError(
        f"Metric {metric!r} cannot be found again by its name: define it at the top level of a "
        "module or of a notebook."
    )


def _check_left_out(**own: Any) -> None:
    defaults = inspect.signature(run).parameters
    given = [name for name, value in own.items() if value is not defaults[name].default]
    if given:
        raise InputError(
            f"A pipeline has its own {' and '.join(given)}: leave that out, or change the pipeline."
        )


def _searched(
    pipeline: Pipeline | str, target: float | None, backend: str, options: dict[str, Any]
) -> Result:
    from .job import conduct
    from .result import Result
    from .runs.store import users_store_kept
    from .screen import Screen
    from .settings import Settings

    screen = Screen(quiet=bool(options.pop("quiet", False)))
    options = {"target": target, **options}
    plain = {name: _plain(value) for name, value in options.items()}
    settings = Settings(pipeline=pipeline, backend=backend, **plain)
    with users_store_kept():
        return Result(*conduct(settings, screen))


def _plain(value: Any) -> Any:
    """A number of NumPy's as Python's, a path as text."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if hasattr(value, "item") else value


def _silence_tqdm() -> None:
    """Imported first by Optuna, it warns in a notebook without widgets; Occam has its own bar."""
    with warnings.catch_warnings(action="ignore"), suppress(ImportError):
        importlib.import_module("tqdm.auto")


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    """The options as Settings calls them, without those that are None."""
    unknown = sorted(options.keys() - set(OPTIONS))
    if unknown:
        own = (name for name in inspect.signature(run).parameters if name != "options")
        here = ELSEWHERE.get(unknown[0])
        raise InputError(
            f"Unknown option {unknown[0]!r}{f': here it is {here}' if here else ''}. "
            f"Available options: {', '.join((*own, *OPTIONS))}."
        )
    options = {name: value for name, value in options.items() if value is not None}
    engine = options.get("engine", "optuna")
    engines.check(engine)
    epochs = options.pop("all_epochs", None)
    return {"sampler": engines.samplers(engine)[0], "epochs": epochs, **options}


def _backend() -> str:
    """The backend that Keras runs on in this process already, or would run on."""
    if "keras" in sys.modules:
        name: str = sys.modules["keras"].config.backend()
        return name
    return os.environ.get("KERAS_BACKEND") or installed()


def _data(data: Any, validation: Split | None, test: Split | None) -> Callable[[], Data]:
    if callable(data):
        made: Callable[[], Data] = data
        return made
    if isinstance(data, Data):
        return lambda: data
    parts = _parts(_given(data, "data=(inputs, labels)"))
    return lambda: split(*parts, validation=validation, test=test)


def _parts(data: Any) -> tuple[Any, ...]:
    """Inputs and labels, or what gives batches of both."""
    if isinstance(data, tuple | list) and len(data) == 2:
        return tuple(data)
    if comes_in_batches(data):
        return (data,)
    raise InputError(
        f"data must be (inputs, labels) or a dataset of both, received {counted(data)}."
    )


def _given(value: Any, wanted: str) -> Any:
    if value is None:
        raise InputError(f"A space needs {wanted}.")
    return value


def _name(space: Any) -> str:
    if "keras" in sys.modules and isinstance(space, sys.modules["keras"].Model):
        return re.sub(r"_\d+$", "", space.name)  # which Keras counts up in each process
    name = getattr(space, "__name__", type(space).__name__)
    return "search" if name == "<lambda>" else str(name)
