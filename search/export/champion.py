"""Exports the champion: files for other runtimes, each compared with the Keras model it is."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import fingerprint
from ..champions import registry
from ..champions.candidate import candidate
from ..data.preparation import Prepared, prepare
from ..errors import InputError, OccamError, first_line, reason
from ..files import takes_files
from ..loading import load, names
from ..metrics import metric
from ..models.evaluation import at_once
from ..nests import arrays, first_rows, in_chunks
from ..runs.packaging import FILES, unpacked
from ..runs.serving import activated
from ..runs.store import FAILURES, connect, loading, mlflow, quietly, reaching
from . import exported
from .agreement import Measured, largest_difference, seconds_a_row, tolerance
from .formats import FORMATS, Format, Run, Source, keras_run, obstacle, write

if TYPE_CHECKING:
    from ..champions.candidate import Candidate
    from ..runs.serving import ServedModel
    from .exported import Exported

ROWS = 10_000  # validation rows that an export is compared on, at most


def export(
    uri: str,
    pipeline: str,
    *,
    formats: Sequence[str],
    folder: Path,
    alias: str = "champion",
    run_id: str | None = None,
) -> Exported:
    """Write a registered model, or that of a run, in other formats, and compare each with Keras.

    The comparison is made on validation rows of the pipeline and recorded in MLflow.

    Args:
        formats: names of FORMATS; none: all that this model and this machine allow.
        folder: is made where it is missing; files of the same names are replaced.
        run_id: of a search, which stands for the model it selected, or of one trial.

    Raises InputError where there is no such model, its data cannot be read, or a format that was
    asked for cannot be made of it; OccamError where what it becomes there disagrees with Keras.
    """
    if not takes_files(folder):
        raise InputError(f"Output {str(folder)!r} cannot be written: give the name of a folder.")
    client = connect(uri)
    with reaching(uri):
        version = None if run_id else _version(client, pipeline, alias)
        if version is not None and not version.run_id:
            raise InputError(
                f"Version {version.version} of {pipeline!r} was not registered by Occam, of which "
                "trial it is the model is not known: give --run-id."
            )
        chosen = candidate(client, pipeline, version.run_id if version else run_id)
        search = client.get_run(chosen.search)
        place = _download(chosen)
    prepared = prepare(load(_source(search.data.params, pipeline)))
    with tempfile.TemporaryDirectory() as made:
        parts = Path(made)
        found = _Exporter(chosen, place, prepared).export(formats, parts)
        (parts / exported.SUMMARY).write_text(exported.as_json(found), encoding="utf-8")
        _move(parts, folder)
    try:
        exported.keep(client, found, version)
    except FAILURES as error:  # who may read a model need not be one who may write
        return replace(found, unrecorded=reason(error))
    return found


class _Exporter:
    """A model with the rows that it is compared on."""

    def __init__(self, chosen: Candidate, place: Path, prepared: Prepared) -> None:
        self.chosen, self.files = chosen, {name: place / file for name, file in FILES.items()}
        with loading(chosen.pipeline), quietly():
            self.served: ServedModel = unpacked(self.files)
        self.labels = np.asarray(prepared.data.validation[1])[:ROWS]
        self.changed = chosen.data not in ("", fingerprint.of_data(prepared.data))
        _, self.own = pickle.loads(self.files["preprocessing"].read_bytes())
        self.source = Source(
            model=self.served.model,
            file=self.files["model"],
            rows=self._inputs(prepared, "validation"),
            calibration=self._inputs(prepared, "train"),
            custom_objects=self.own,
        )

    def _inputs(self, prepared: Prepared, split: str) -> Any:
        """Some rows as this model takes them: its own preprocessing is not today's data's."""
        if not self.served.transform:
            return arrays(first_rows(getattr(prepared.data, split)[0], ROWS))
        try:
            rows = first_rows(getattr(prepared.raw, split)[0], ROWS)
            return arrays(self.served.transform(rows))
        except Exception as error:  # whatever the pipeline's own preprocessing raises
            raise InputError(
                f"The data of {self.chosen.pipeline!r} have changed since its search, the model "
                f"cannot use them: {first_line(error)}. Bring back the data of the search."
            ) from error

    def export(self, formats: Sequence[str], folder: Path) -> Exported:
        problems = {name: obstacle(name, self.source) for name in formats or FORMATS}
        if formats and (refused := [each for each in problems.values() if each]):
            raise InputError(refused[0])
        run = keras_run(self.source.model)
        count = at_once(self.source.model, self.source.rows)
        self.expected = in_chunks(run, self.source.rows, count)
        written: list[Measured] = []
        for name in (name for name, problem in problems.items() if not problem):
            try:
                written.append(self._write(name, folder))
            except OccamError as error:  # its converter failed, or what it made disagrees
                if formats:
                    raise
                problems[name] = str(error)
        return exported.Exported(
            candidate=self.chosen,
            rows=len(self.labels),
            inputs=exported.inputs(self.source.rows),
            transformed=self._preprocessing(folder),
            own=sorted(self.own),
            link=self.served.link,
            classes=list(self.served.classes),
            of=self._of(),
            keras=self._measured("Keras itself", (self.source.file,), run, count),
            formats=written,
            left_out=[problem for problem in problems.values() if problem],
            changed=self.changed,
        )

    def _of(self) -> str:
        columns = self.expected.shape[-1] if self.expected.ndim > 1 else 1
        names = self.served.classes
        return str(names[1]) if self.served.classifier and len(names) == 2 and columns == 1 else ""

    def _write(self, name: str, folder: Path) -> Measured:
        wanted: Format = FORMATS[name]
        with tempfile.TemporaryDirectory() as apart:
            run = write(name, self.source, Path(apart))
            files = tuple(Path(apart, file) for file in wanted.files)
            count = min(wanted.rows_at_once, at_once(self.source.model, self.source.rows))
            measured = self._measured(name, files, run, count)
            if wanted.exact and not measured.agrees(tolerance(self.source.model)):
                raise OccamError(
                    f"The outputs of {name} differ from Keras's by up to "
                    f"{measured.difference:.3g}, of outputs up to {measured.scale:.3g}: "
                    "it is not exported."
                )
            for file in files:
                shutil.move(file, folder)
        return measured

    def _measured(
        self, name: str, files: tuple[Path, ...], run: Run, rows_at_once: int
    ) -> Measured:
        found = in_chunks(run, self.source.rows, rows_at_once)
        measured = metric(self.chosen.metric)
        return Measured(
            format=name,
            files=tuple(file.name for file in files),
            size=sum(file.stat().st_size for file in files),
            difference=largest_difference(found, self.expected),
            scale=float(np.max(np.abs(self.expected), initial=0.0)),
            score=measured.measure(self.labels, activated(found, self.served.link)),
            seconds=seconds_a_row(run, self.source.rows),
        )

    def _preprocessing(self, folder: Path) -> str | None:
        """The pipeline's own function of raw rows and its own layers go with the files."""
        if self.served.transform or self.own:
            shutil.copy(self.files["preprocessing"], folder)
        return FILES["preprocessing"] if self.served.transform else None


def _source(parameters: Mapping[str, str], pipeline: str) -> str:
    """What a search loaded its pipeline by."""
    if "source" not in parameters and pipeline not in names():
        raise InputError(
            f"The search of {pipeline!r} was made in Python, so its rows cannot be read again to "
            "compare on: put `pipeline = Pipeline(...)` into a file and search that."
        )
    return parameters.get("source", pipeline)


def _version(client: mlflow.MlflowClient, pipeline: str, alias: str) -> Any:
    version = registry.version_at(client, pipeline, alias)
    if version is not None:
        return version
    if known := registry.aliases(client, pipeline):
        raise InputError(
            f"{pipeline!r} has no alias {alias!r}, only {', '.join(known)}: give one of these "
            "with --alias, or a run with --run-id."
        )
    raise InputError(
        f"{pipeline!r} has no {alias}: run `occam search {pipeline}`, "
        f"then `occam promote {pipeline}`, or give a run with --run-id."
    )


def _download(chosen: Candidate) -> Path:
    chosen.check_logged()
    with quietly():
        return Path(mlflow.artifacts.download_artifacts(chosen.model_uri), "artifacts")


def _move(parts: Path, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(parts.iterdir()):
            shutil.move(path, folder / path.name)
    except OSError as error:
        raise InputError(f"Cannot write to {folder}: {error.strerror or error}.") from error
