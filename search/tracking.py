"""Records a search in MLflow: one parent run a search, one child run a trial, one writer."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .champions import registry
from .errors import InputError, first_line, redacted
from .report import description, outcome
from .runs import child_runs, provenance
from .runs.child_runs import MODEL, ChildRun, child_run, key, text
from .runs.experiments import experiment
from .runs.searches import ACTIVE, CONCLUDED, SEARCH, STUDY, concluded, newest_search, now, quoted
from .runs.store import FAILURES, answers, connect, mlflow, reaching
from .studies.sharing import Alone, Sharing

if TYPE_CHECKING:
    from .pipeline import Data
    from .trials import FinishedTrial

SECONDS_BETWEEN_WRITES = 1.0  # trials that end faster share a transaction
SECONDS_BETWEEN_ATTEMPTS = 5.0  # while the store cannot be reached

WAITING = "MLflow failed, training goes on; trials that wait for it, safe in the study: %d (%s)."

logger = logging.getLogger("occam")


class Tracker:
    """The MLflow records of one search, which goes on with the run that it has.

    Args:
        uri: MLflow's tracking URI; a SQLite store is made where it is missing.
        pipeline: name of the experiment.
        search: name of the search.
        study: identity of its study, which numbers the trials: another study has another run.
        others: that may be writing runs under the same parent.
    """

    def __init__(
        self,
        uri: str,
        *,
        pipeline: str,
        search: str,
        study: str,
        others: Alone | Sharing | None = None,
    ) -> None:
        self.uri, self._others = uri, others or Alone()
        self._client = connect(uri, create=True)
        with reaching(uri):
            self._experiment = experiment(self._client, uri, pipeline)
            self.experiment_id: str = self._experiment.experiment_id
            self._origin = mlflow.tracking.context.registry.resolve_tags()
            self.run_id = self._parent(search, study)
            self._runs = self._read(mend=not self._others.shared)
        self._pending: list[ChildRun] = []
        self._failing = False
        self._next_write = 0.0

    def start(self, settings: Mapping[str, object], *, data: Data | None) -> None:
        """Record what the search was asked for, with which versions and on which data.

        Args:
            settings: `metric` and `target` at least. MLflow never changes a parameter: where a
                search goes on with another value, a tag `resumed.<name>` says so.
        """
        values = {key(name): text(value) for name, value in provenance.flat(settings)}
        tags = provenance.facts(values.get("backend"))
        tags |= {name: values[name] for name in ("metric", "target")}
        with reaching(self.uri):
            tags[ACTIVE] = now(self._client)
            run = self._client.get_run(self.run_id)
            known = run.data.params
            if ended := concluded(run):  # also of an older version: it stays what is found
                tags[CONCLUDED] = ended
            changed = {name: new for name, new in values.items() if known.get(name, new) != new}
            tags |= {f"resumed.{name}": new for name, new in changed.items()}
            new = [mlflow.entities.Param(*each) for each in values.items() if each[0] not in known]
            self._client.log_batch(self.run_id, params=new, tags=child_runs.run_tags(tags))
            if data is not None and not run.inputs.dataset_inputs:
                self._log_data(data)
            self._client.update_run(self.run_id, status="RUNNING")
            self._client.set_experiment_tag(self.experiment_id, *description.view_tag(self.run_id))

    def log(self, finished: FinishedTrial) -> None:
        """Record a trial that has ended; one that is recorded already is skipped.

        While the store cannot be reached, trials wait, here and in the study, which is said once;
        `finish` raises if they still do.
        """
        if finished.number in {*self._runs, *(run.number for run in self._pending)}:
            return
        tags = {"mlflow.user": self._origin.get("mlflow.user", "unknown")}
        self._pending.append(child_run(finished, parent=self.run_id, tags=tags))
        if time.monotonic() < self._next_write:
            return
        if self._failing and not answers(self.uri):
            self._next_write = time.monotonic() + SECONDS_BETWEEN_ATTEMPTS
            return
        try:
            self._write()
        except FAILURES as error:
            self._next_write = time.monotonic() + SECONDS_BETWEEN_ATTEMPTS
            logger.debug("MLflow failed: %s", first_line(error))

    @property
    def waiting(self) -> bool:
        """Whether there are trials that MLflow does not have yet."""
        return bool(self._pending)

    def deliver(self) -> None:
        """Record the trials that wait."""
        with reaching(self.uri):
            self._write()

    def run_ids(self, *, anew: bool = False, mend: bool = False) -> dict[int, str]:
        """The child run of each trial, also of those that have waited.

        Args:
            anew: ask the store itself.
            mend: remove runs that were cut off while being written: nobody is writing any.
        """
        self.deliver()
        if anew:
            with reaching(self.uri):
                self._runs = self._read(mend=mend)
        return dict(self._runs)

    def drop(self) -> None:
        """Forget what waits: it can be logged again."""
        self._pending = []

    def model_uri(self, number: int) -> str | None:
        """Address of a trial's logged model, whose files are there."""
        run_id = self.run_ids().get(number)
        if run_id is None:
            return None
        with reaching(self.uri):
            uri = self._client.get_run(run_id).data.tags.get(MODEL)
            with contextlib.suppress(InputError):
                if uri is not None:
                    registry.check_files(uri, f"trial {number}")
                    return str(uri)
        return None

    def log_model(self, finished: FinishedTrial, **packed: Any) -> str:
        """Log a trial's model into its child run; its address.

        Args:
            packed: what travels with it, as `packaging.log_model` takes it.
        """
        from .runs.packaging import log_model  # imports Keras, which nothing else here needs

        run_id = self.run_ids().get(finished.number)
        if run_id is None or finished.model_path is None:
            raise InputError(f"Trial {finished.number} has no trained model that could be logged.")
        with reaching(self.uri):
            run = self._client.get_run(run_id)
            uri = log_model(self._client, run, Path(finished.model_path), **packed)
            self._client.set_tag(run_id, MODEL, uri)
        return uri

    def log_file(self, run_id: str, path: Path) -> None:
        """Keep a file among the artifacts of a trial's run."""
        with reaching(self.uri):
            self._client.log_artifact(run_id, str(path))

    def champion(self) -> dict[str, Any] | None:
        """Version, size and test score of the pipeline's present champion."""
        with reaching(self.uri):
            return registry.champion(self._client, self._experiment.name)

    def finish(
        self,
        summary: Mapping[str, Any],
        record: Mapping[str, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        """Record the answer of the search where a reviewer looks for it.

        Args:
            record: what the report shows beside the summary.
            files: by name, for the artifacts of the search's run.
        """
        with reaching(self.uri):
            self._write()
            outcome.keep(self._client, self.run_id, files or {})
            outcome.write(self._client, self.experiment_id, self.run_id, summary, record or {})
            time_of_answer = now(self._client)
            for tag in (ACTIVE, CONCLUDED):
                self._client.set_tag(self.run_id, tag, time_of_answer)
            self._client.set_terminated(self.run_id)

    def opened_elsewhere(self, test_rows: str) -> int:
        """Models of other searches, of whatever pipeline, that have seen the same test rows.

        Args:
            test_rows: their fingerprint, before any preprocessing.
        """
        condition = f"params.test_rows = {quoted(test_rows)} AND tags.`{outcome.OPENED}` LIKE '%'"
        with reaching(self.uri):
            everywhere = [each.experiment_id for each in self._client.search_experiments()]
            runs = self._client.search_runs(everywhere, condition)
        others = (run for run in runs if run.info.run_id != self.run_id)
        return sum(int(run.data.tags[outcome.OPENED]) for run in others)

    def interrupt(self) -> None:
        """Record that the search was cut off; it can go on later."""
        with contextlib.suppress(*FAILURES):
            self._write()
            self._client.set_terminated(self.run_id, "KILLED")

    def _parent(self, search: str, study: str) -> str:
        condition = f"tags.`{STUDY}` = {quoted(study)}"
        run = newest_search(self._client, self._experiment.name, condition=condition)
        if run is None:
            tags = {**self._origin, SEARCH: search, STUDY: study, ACTIVE: now(self._client)}
            run = self._client.create_run(self.experiment_id, tags=tags, run_name=search)
        return str(run.info.run_id)

    def _log_data(self, data: Data) -> None:
        from .runs.datasets import datasets  # imports pandas

        self._client.log_inputs(self.run_id, datasets(data, name=self._experiment.name))

    def _read(self, *, mend: bool) -> dict[int, str]:
        return child_runs.read(self._client, self.experiment_id, self.run_id, mend=mend)

    def _write(self) -> None:
        """Deliver all that waits, in the order in which it ended."""
        waiting = len(self._pending)
        try:
            if self._failing:  # what seemed to fail may have come through, or half of it
                self._runs |= self._read(mend=not self._others.shared)
            self._pending = [
                run
                for run in self._pending
                if run.number not in self._runs and self._others.holds(run.number)
            ]
            while self._pending:
                written = child_runs.write(self._client, self._experiment, self._pending)
                self._runs |= written
                self._pending = [run for run in self._pending if run.number not in written]
        except FAILURES as error:
            if not self._failing:
                logger.warning(WAITING, len(self._pending), redacted(first_line(error))[:160])
            self._failing = True
            raise
        if self._failing:
            logger.warning("MLflow is back: %d trials were delivered.", waiting)
        self._failing = False
        self._next_write = time.monotonic() + SECONDS_BETWEEN_WRITES
