"""Packs a trained model with its preprocessing: it is served where Occam is not installed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pickle
import pickletools
import shutil
import site
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import cloudpickle
import keras
import numpy as np
import pandas as pd

from ..counting import undrawn
from ..errors import InputError
from ..losses import BINARY, CLASSES, ONE_HOT, link, loss_names
from ..models.evaluation import on_processor
from ..nests import first_rows
from ..own_objects import own_objects, unreadable
from .provenance import distribution, version
from .store import mlflow, quietly

if TYPE_CHECKING:
    from .serving import ServedModel

SAMPLE = 200  # raw rows that show a model's signature, missing values among them
SERVING = Path(__file__).with_name("serving.py")
FILES = {"model": "model.keras", "facts": "facts.json", "preprocessing": "preprocessing.pkl"}
TEXTS = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")  # names among them, in a pickle
REQUIRED = ("mlflow", "keras", "numpy", "pandas", "cloudpickle", "scikit-learn", "h5py")


def log_model(
    client: mlflow.MlflowClient,
    run: mlflow.entities.Run,
    keras_file: Path,
    *,
    transform: Callable[[Any], Any] | None,
    raw: Any,
    classes: Sequence[str],
    loss: Any,
    classifier: bool,
) -> str:
    """Log a model of raw inputs under a run and return its `models:/` address.

    Raises InputError, with nothing logged, where it could not be served.

    Args:
        raw: rows as they come in, which the signature shows.
        loss: as the model was compiled with: it says what the outputs are.
        classifier: the metric is one of classes.
    """
    with tempfile.TemporaryDirectory() as folder, quietly():
        sample, inputs = _named(_some(raw))
        facts = {"classes": list(classes), "inputs": inputs, "backend": keras.backend.backend()}
        facts |= _outputs(loss, classifier=classifier or bool(classes))
        packed = _pickled((transform, own := _own(keras_file)))
        if transform or own:
            facts["python"] = list(sys.version_info[:2])  # it holds code of that Python
        files = _files(Path(folder), keras_file, packed, facts)
        signature = mlflow.models.infer_signature(sample, _predicted(files, sample))
        model = client.create_logged_model(
            run.info.experiment_id, name="model", source_run_id=run.info.run_id
        )
        mlflow.models.Model.log(
            artifact_path=None,
            flavor=mlflow.pyfunc,
            model_id=model.model_id,
            run_id=run.info.run_id,
            python_model=str(SERVING),
            artifacts={name: str(path) for name, path in files.items()},
            signature=signature,
            pip_requirements=requirements(packed),
        )
    return f"models:/{model.model_id}"


def unpacked(files: Mapping[str, Path]) -> ServedModel:
    """The model as it is served, from the files that it was packed in, by their names in FILES."""
    from .serving import ServedModel

    paths = {name: str(path) for name, path in files.items()}
    served = ServedModel()
    with undrawn():
        served.load_context(mlflow.pyfunc.PythonModelContext(artifacts=paths, model_config=None))
    return served


def requirements(packed: bytes) -> list[str]:
    """What a served model needs, at the versions that it was trained with.

    Without what tells builds of one version apart, which no index may have.

    Args:
        packed: its preprocessing, which needs the packages of all modules that it names.
    """
    texts = {text for code, text, _ in pickletools.genops(packed) if code.name in TEXTS}
    named = {text.partition(".")[0] for text in texts if text in sys.modules}
    named -= {module.__name__.partition(".")[0] for module in _own_modules()}
    also = _providers(frozenset(named))
    packages = dict.fromkeys((*REQUIRED, distribution(keras.backend.backend()), *also))
    return [f"{name}=={version(name).partition('+')[0]}" for name in packages]


@cache  # all models of a search name the same
def _providers(modules: frozenset[str]) -> list[str]:
    """The packages that modules come with, of those that are installed."""
    installed = importlib.metadata.packages_distributions()
    return sorted({each for name in modules for each in installed.get(name, ())})


def _some(raw: Any) -> Any:
    """The first raw rows; whole numbers of which any is missing are such as can say so."""
    sample = first_rows(raw, SAMPLE)
    if not isinstance(raw, pd.DataFrame):
        return sample
    holed = [name for name, each in raw.items() if each.dtype.kind in "iu" and each.hasnans]
    return sample.astype(dict.fromkeys(holed, "float64"))


def _named(sample: Any) -> tuple[Any, list[str]]:
    """Several inputs by name, and their names in order: a signature knows no lists of arrays."""
    if not isinstance(sample, list | tuple) or not all(np.ndim(each) for each in sample):
        return sample, []
    named = {f"input_{number}": np.asarray(each) for number, each in enumerate(sample)}
    return named, list(named)


def _files(
    folder: Path,
    keras_file: Path,
    packed: bytes,
    facts: Mapping[str, Any],
) -> dict[str, Path]:
    """The artifacts that `serving.ServedModel` loads."""
    files = {name: folder / file for name, file in FILES.items()}
    shutil.copyfile(keras_file, files["model"])
    files["facts"].write_text(json.dumps(facts, indent=2), encoding="utf-8")
    files["preprocessing"].write_bytes(packed)
    return files


def _own(keras_file: Path) -> dict[str, Any]:
    """The layers and functions of a model that are not Keras's; it is served without a loss."""
    with zipfile.ZipFile(keras_file) as archive:
        config = json.loads(archive.read("config.json"))
    return own_objects({**config, "compile_config": None})


def _outputs(loss: Any, *, classifier: bool) -> dict[str, Any]:
    """What the outputs of a model with this loss are, for who serves them."""
    names = loss_names(loss)
    classifier = classifier or bool(names & (CLASSES | ONE_HOT))  # one's own metric is of either
    return {
        "classifier": classifier,
        "binary": bool(names & BINARY),
        "link": link(loss) or ("probabilities" if classifier else "none"),
    }


def _pickled(values: Any) -> bytes:
    """A pickle that holds the code of ours and of the user's files, not only their names."""
    with _by_value(_own_modules()):
        try:
            return bytes(cloudpickle.dumps(values))
        except (TypeError, AttributeError, pickle.PicklingError) as error:
            raise InputError(
                f"The preprocessing of this pipeline cannot travel with its model: {error}. "
                "Its transform must be picklable: keep open files, locks and sessions out of it."
            ) from error


def _own_modules() -> Iterator[ModuleType]:
    """Modules that a serving machine lacks: Occam's, and those of no installed package."""
    installed = _installation_folders()
    own = {__name__.partition(".")[0]: True}
    for name, module in list(sys.modules.items()):
        package, file = name.partition(".")[0], getattr(module, "__file__", None)
        if package not in own and file:
            own[package] = not f"{Path(file).resolve()}".startswith(installed)
        listed = isinstance(module, ModuleType) and module.__name__ == name != "__main__"
        if own.get(package) and listed:
            yield module


def _installation_folders() -> tuple[str, ...]:
    paths = [sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple(f"{Path(path).resolve()}{os.sep}" for path in paths)


@contextmanager
def _by_value(modules: Iterator[ModuleType]) -> Iterator[None]:
    known = cloudpickle.list_registry_pickle_by_value()
    registered = [module for module in modules if module.__name__ not in known]
    for module in registered:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in registered:
            cloudpickle.unregister_pickle_by_value(module)


@contextmanager
def _nothing_registered() -> Iterator[None]:
    """As in a process that has seen none of the user's code."""
    registered = keras.saving.get_custom_objects()
    known = dict(registered)
    registered.clear()
    try:
        yield
    finally:
        registered.update(known)


def _predicted(files: Mapping[str, Path], sample: Any) -> pd.DataFrame:
    """The table that the packed model makes of the sample: what cannot be served fails here."""
    try:
        with on_processor(), _nothing_registered():
            return unpacked(files).predict(None, sample)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"This model cannot be served: {unreadable(error)}. Build it of Keras's own layers or "
            "of classes and functions registered by @keras.saving.register_keras_serializable()."
        ) from error
