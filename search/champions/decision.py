"""Whether a model takes an alias, and what is written down about that."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..figures import sentence, times
from ..held_out import FILE, HeldOut
from ..metrics import metric
from ..runs.searches import quoted
from ..runs.store import FAILURES, mlflow
from . import registry
from .candidate import Candidate, not_better, unproven
from .comparison import Comparison, compare

UNKNOWN = "their answers on the same test rows are not known of both, so only scores were compared"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A candidate for an alias, what stands there now, and what speaks against the change."""

    candidate: Candidate
    alias: str
    registered: Any | None  # the version of this model, where it has one already
    present: Any | None  # the version that the alias points at
    champion: Any | None
    rows: Comparison | None  # against the champion
    objection: str  # empty: nothing speaks against it

    @property
    def standing(self) -> bool:
        """Whether the alias points at this model already."""
        return self.present is not None and _is_of(self.present, self.candidate)

    def reasons(self) -> list[str]:
        """Why, in sentences: what it holds, how small it is, how it does on the same rows."""
        reasons = [self.candidate.describe()]
        if self.champion is None:
            return [sentence(reasons[0]), "There was no champion to compare it with."]
        if self.champion.run_id == self.candidate.run_id:
            return [sentence(reasons[0]), "It is the champion."]
        count = registry.number(self.champion.tags, "parameter_count")
        if count is not None:
            name = f"the champion, version {self.champion.version}"
            reasons.append(times(int(count), self.candidate.parameter_count, name))
        reasons.append(self.rows.describe() if self.rows else UNKNOWN)
        return [sentence(each) for each in reasons]

    def changes(self) -> list[str]:
        """What would change in the registry, where the alias does not point at this model yet."""
        name = self.candidate.pipeline
        lines = [f"a new version of {name!r}"]
        if self.registered is not None:
            lines = [f"version {self.registered.version} of {name!r} is used again"]
        before = f"version {self.present.version}" if self.present else "nothing"
        lines.append(f"alias {self.alias}: {before} -> this version")
        if self.alias == registry.CHAMPION and self.present is not None:
            lines.append(f"alias {registry.PREVIOUS}: -> version {self.present.version}")
        return lines

    def markdown(self, forced: str = "") -> str:
        """The description of the version."""
        lines = self.reasons()  # the table of versions shows the beginning, as plain text
        if forced:
            lines.append(f"Promoted by force, though {forced}")
        lines.append(f"Made {self.alias} by {registry.user()} on {registry.timestamp()}.")
        return "\n\n".join(lines)


def decide(client: mlflow.MlflowClient, candidate: Candidate, alias: str) -> Decision:
    """Compare a candidate with the champion; only the alias `champion` asks for better ones."""
    name = candidate.pipeline
    champion = registry.version_at(client, name, registry.CHAMPION)
    present = champion if alias == registry.CHAMPION else registry.version_at(client, name, alias)
    rows = _compared(client, candidate, champion)
    objection = unproven(candidate)
    if not objection and champion is not None and alias == registry.CHAMPION:
        same = champion.run_id == candidate.run_id  # its files were lost
        objection = "" if same else not_better(candidate, champion.tags, rows)
    return Decision(
        candidate=candidate,
        alias=alias,
        registered=_registered(client, candidate),
        present=present,
        champion=champion,
        rows=rows,
        objection=objection,
    )


def _registered(client: mlflow.MlflowClient, candidate: Candidate) -> Any | None:
    known = client.search_model_versions(f"name = {quoted(candidate.pipeline)}")
    return next((each for each in known if _is_of(each, candidate)), None)


def _is_of(version: Any, candidate: Candidate) -> bool:
    """Whether a version is the candidate's model: one whose files were lost is logged anew."""
    source = str(version.source)
    same = source == candidate.model_uri or not source.startswith("models:/")
    return bool(version.run_id == candidate.run_id and same)


def _compared(
    client: mlflow.MlflowClient, candidate: Candidate, champion: Any | None
) -> Comparison | None:
    if champion is None or champion.run_id == candidate.run_id:
        return None
    old, new = _held_out(client, champion.run_id), _held_out(client, candidate.run_id)
    if old is None or new is None or champion.tags.get("metric") != candidate.metric:
        return None
    try:
        return compare(old, new, metric(candidate.metric))
    except InputError:  # a metric of the user's own that is not here
        return None


def _held_out(client: mlflow.MlflowClient, run_id: str) -> HeldOut | None:
    """What the search kept of a model's answers on the test split; None of an older search."""
    if not run_id:
        return None
    with tempfile.TemporaryDirectory() as folder:
        try:
            return HeldOut.load(Path(client.download_artifacts(run_id, FILE, folder)))
        except (*FAILURES, KeyError, ValueError):
            return None
