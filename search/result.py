"""What a search from Python returns: the answer as values, tables, pictures and a model."""

from __future__ import annotations

import html
import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import report
from .errors import InputError
from .figures import figure
from .models.building import restore
from .report.description import headline
from .report.formats import ladder
from .report.words import advice, metric_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .plan import Plan
    from .trials import FinishedTrial


class Result:
    """The selected model, which holds the target if any does, and all that was tried.

    `holds` says whether it does. A notebook shows it.
    """

    def __init__(
        self, summary: report.Summary, trials: Sequence[FinishedTrial], plan: Plan
    ) -> None:
        self.summary = summary
        self._trials, self._plan, self._folder = list(trials), plan, Path.cwd()

    @property
    def holds(self) -> bool:
        """Whether a model was selected that holds the target on the test split."""
        return report.holds(self.summary)

    @property
    def parameter_count(self) -> int | None:
        """Of the selected model; None where there is none."""
        selected = self.summary["selected"]
        return None if selected is None else int(selected["parameter_count"])

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Of the selected model; empty where there is none."""
        selected = self.summary["selected"]
        return {} if selected is None else dict(selected["hyperparameters"])

    def best_model(self) -> keras.Model:
        """The selected model, trained, whether or not it holds the target: see `holds`.

        Raises InputError where no model reached the search target.
        """
        selected = self.summary["selected"]
        if selected is None:
            raise InputError(f"There is no model: {headline(self.summary)}.")
        trial = next(each for each in self._trials if each.number == selected["trial"])
        trial = replace(trial, model_path=str(self._folder / str(trial.model_path)))
        return restore(self._plan.pipeline, trial, self._plan.prepared.data.train[0])

    def trials(self) -> pd.DataFrame:
        """All trials, a row each, with their hyperparameters in the last columns.

        One that is called as another column follows the word `hyperparameter`.
        """
        import pandas as pd

        if not self._trials:
            return pd.DataFrame()
        frame = pd.DataFrame(
            {
                "trial": each.number,
                "state": each.state.value,
                "parameter_count": each.parameter_count,
                "score": each.score,
                "reached": each.reached,
                "epochs": each.epochs,
                "seconds": each.seconds,
                "reason": each.reason,
            }
            for each in self._trials
        )
        searched = pd.DataFrame([each.hyperparameters for each in self._trials], frame.index)
        called = {name: f"hyperparameter {name}" for name in searched if name in frame}
        return frame.join(searched.rename(columns=called)).set_index("trial")

    def ladder(self) -> pd.DataFrame:
        """The models that reached the search target, the smallest first.

        `test` and `verdict` are of those that saw the test split.
        """
        import pandas as pd

        kinds = {"trial": int, "parameter_count": int, "validation": float, "test": float}
        frame = pd.DataFrame(ladder(self.summary), columns=[*kinds, "verdict"])
        return frame.astype(kinds).set_index("trial")

    def plot(self) -> Figure:
        """Score against size of all trials, and how the smallest model fell over the epochs."""
        drawn = _empty_figure(figsize=(9, 3.4), layout="constrained")
        left, right = drawn.subplots(1, 2)
        self._plot_trials(left)
        self._plot_incumbents(right)
        return drawn

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {headline(self.summary)}>"

    def _repr_html_(self) -> str:
        title = f"{self.summary['pipeline']}: {headline(self.summary)}"
        return f"<b>{html.escape(title)}</b>{self._told()}{_svg(self.plot())}"

    def _told(self) -> str:
        """The ladder as a table, or what would help where it is empty."""
        if self.summary["ladder"]:
            shown = self.ladder().fillna({"verdict": ""})
            return str(shown.to_html(max_rows=10, border=0, na_rep="", float_format=figure))
        error = self._plan.standard_error
        record = {"best": report.best(self.summary, self._trials), "standard_error": error}
        return "".join(f"<br>{html.escape(line)}" for line in advice(self.summary, record)) + "<br>"

    def _plot_trials(self, axes: Axes) -> None:
        seen: tuple[int, ...] = ()
        for reached, colour, label in ((False, "0.6", "missed"), (True, "C0", "reached")):
            trained = [each for each in self._trials if each.epochs and each.reached is reached]
            shown = [
                (each.parameter_count, each.score) for each in trained if each.score is not None
            ]
            sizes, scores = zip(*shown, strict=True) if shown else ((), ())
            axes.scatter(sizes, scores, s=14, color=colour, label=label)
            seen += sizes
        axes.axhline(self.summary["target"], color="C1", linewidth=1, label="target")
        metric = metric_name(self.summary)
        axes.set(xscale="log", xlabel="parameters", ylabel=f"validation {metric}")
        axes.legend(fontsize="small")
        _mark_sizes(axes, seen)

    def _plot_incumbents(self, axes: Axes) -> None:
        steps = self.summary["incumbents"]
        if not steps:
            axes.set(xticks=[], yticks=[])
            axes.text(0.5, 0.5, "no model reached", ha="center", transform=axes.transAxes)
            return
        epochs = [each["epochs_trained"] for each in steps]
        sizes = [each["parameter_count"] for each in steps]
        epochs, sizes = [*epochs, self.summary["epochs_trained"]], [*sizes, sizes[-1]]
        axes.step(epochs, sizes, where="post", color="C0")
        axes.set(xlabel="epochs trained", ylabel="smallest parameter count")


def _mark_sizes(axes: Axes, sizes: Sequence[int]) -> None:
    """Four sizes below a logarithmic axis: powers of ten would run into each other."""
    low, high = (max(end(sizes, default=1), 1) for end in (min, max))
    marks = sorted({round(low * (high / low) ** (part / 3)) for part in range(4)})
    axes.set_xticks(marks, [f"{mark:,}" for mark in marks])
    axes.minorticks_off()


def _empty_figure(**options: Any) -> Figure:
    from matplotlib.figure import Figure

    class Shown(Figure):
        """A notebook shows it, whether or not pyplot has been imported there."""

        def _repr_svg_(self) -> str:
            return _svg(self)

    return Shown(**options)


def _svg(drawn: Figure) -> str:
    picture = io.StringIO()
    drawn.savefig(picture, format="svg")
    svg = picture.getvalue()
    return svg[svg.index("<svg") :]
