"""The options of each command, and what may be given for them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

WRONG_INPUT = 2  # exit code, here and for all that is wrong with what was given
BACKENDS = ("tensorflow", "jax", "torch")
TRIALS = 100
MOST_ERRORS = 1000  # standard errors: a margin beyond is a slip
TRAINERS = ("auto", "fit", "population")
EXECUTORS = ("local", "ray")
FORMATS = ("csv", "json", "markdown")
STORE = "default: MLFLOW_TRACKING_URI, or sqlite:///mlruns/mlflow.db"
SEARCH = "of a task, or the name of a search or its run ID; default: the last search"


def parser() -> argparse.ArgumentParser:
    """The command line; `run` of what it parses is the name of the command."""
    top = _Parser(
        prog="occam", description="Finds the smallest Keras model that is accurate enough."
    )
    commands = top.add_subparsers(
        dest="run", metavar="COMMAND", required=True, parser_class=_Parser
    )
    _add_search(commands)
    _add_list(commands)
    _add_init(commands)
    _add_results(commands)
    _add_report(commands)
    _add_promote(commands)
    _add_rollback(commands)
    _add_champions(commands)
    _add_predict(commands)
    _add_export(commands)
    _add_ui(commands)
    _add_dashboard(commands)
    return top


class _Parser(argparse.ArgumentParser):
    """argparse that says a usage error in one line."""

    def error(self, message: str) -> Any:
        self.exit(WRONG_INPUT, f"occam: {' '.join(message.split())}; see `{self.prog} --help`.\n")


def _add_search(commands: Any) -> None:
    command = commands.add_parser("search", help="find the smallest model that holds the target")
    command.add_argument(
        "pipeline", nargs="?", metavar="PIPELINE", help="a name, a .py file or a package.module"
    )
    add = command.add_argument
    add("--csv", metavar="FILE", help="your own table, in place of PIPELINE; needs --label")
    add("--label", metavar="COLUMN", help="of --csv: what is to be predicted")
    add("--group", metavar="COLUMN", help="of --csv: rows of one value stay in one split")
    add("--time", metavar="COLUMN", help="of --csv: split in this order, the newest rows test")
    add("--split", metavar="COLUMN", help="of --csv: each row's: train, validation or test")
    add("--images", metavar="FOLDER", help="your own images, one folder a class")
    add(
        "--size",
        type=_positive(int),
        metavar="PIXELS",
        help="of --images: a side of what is read; default: as they are, at most 64",
    )
    add("--npz", metavar="FILE", help="your own arrays: inputs x and labels y")
    add("--model", metavar="FILE", help="your own Keras model: its smaller copies are searched")
    add(
        "--metric",
        metavar="NAME",
        help="accuracy, balanced_accuracy, f1, auc, r2, mae, mse, rmse, or package.module:function",
    )
    add("--target", type=_number, metavar="T", help="to reach; default: the pipeline's")
    add(
        "--trials",
        type=_positive(int),
        metavar="N",
        help=f"at most; default {TRIALS}, where neither --epochs nor --timeout is given",
    )
    add("--epochs", type=_positive(int), metavar="N", help="of all trials together, at most")
    add("--timeout", type=_positive(float), metavar="SECONDS", help="at most")
    add("--engine", default="optuna", help="optuna (default) or keras-tuner")
    add(
        "--sampler",
        type=_given,
        help="of optuna: level-set (default), tpe, gp, nsga2, cmaes, random, grid, qmc; "
        "of keras-tuner: bayesian (default), random, hyperband, grid; or MODULE:CLASS",
    )
    add("--trainer", choices=TRAINERS, default="auto", help="default: auto")
    add("--backend", choices=BACKENDS, help="default: KERAS_BACKEND, or tensorflow where installed")
    _add_workers(add)
    add(
        "--storage",
        type=_given,
        metavar="URL",
        help="of an Optuna storage; default: a journal in mlruns/",
    )
    add(
        "--margin",
        type=_margin,
        default=2.0,
        metavar="Z",
        help="standard errors asked for beyond the target (default 2.0)",
    )
    add("--seed", type=_seed, default=0, metavar="S", help="default 0")
    add("--name", type=_given, metavar="NAME", help="of the search; the same name goes on with it")
    add(
        "--warm-start",
        type=_given,
        metavar="PATH_OR_URL",
        help="start with what a KerasTuner project or an Optuna study knows",
    )
    add("--fresh", action="store_true", help="start anew, keep the earlier search aside")
    add("--tracking-uri", type=_given, metavar="URI", help=STORE)
    add("--json", type=Path, metavar="FILE", help="write the result there as well")
    add("--quiet", action="store_true", help="print nothing but errors")


def _add_workers(add: Callable[..., Any]) -> None:
    add("--workers", type=_positive(int), metavar="N", help="processes (default 1: in this one)")
    add("--gpus", default="all", metavar="all|none|0,1", help="GPUs to use (default all)")
    add(
        "--trials-per-gpu",
        type=_positive(int),
        metavar="K",
        help="workers that share a GPU; without --workers all such places are used",
    )
    add("--trial-timeout", type=_positive(float), metavar="SECONDS", help="of one trial, at most")
    add(
        "--executor",
        choices=EXECUTORS,
        default="local",
        help="where workers run: this machine (default), or the Ray cluster of RAY_ADDRESS",
    )


def _add_list(commands: Any) -> None:
    commands.add_parser("list", help="pipelines, spaces, engines, samplers")


def _add_init(commands: Any) -> None:
    command = commands.add_parser("init", help="write a pipeline file to start from")
    command.add_argument("file", type=Path, metavar="FILE", help="that does not exist yet, .py")


def _add_results(commands: Any) -> None:
    command = commands.add_parser("results", help="the ladder and the verdict of the last search")
    command.add_argument("pipeline", nargs="?", type=_task, metavar="PIPELINE", help=SEARCH)
    command.add_argument(
        "--compare",
        nargs=2,
        type=_task,
        metavar=("NAME", "NAME"),
        help="two searches beside each other",
    )
    command.add_argument("--format", choices=FORMATS, help="for other programs")
    command.add_argument("--tracking-uri", type=_given, metavar="URI", help=STORE)


def _add_report(commands: Any) -> None:
    command = commands.add_parser("report", help="write the report of a search as one HTML file")
    command.add_argument("pipeline", nargs="?", type=_task, metavar="PIPELINE", help=SEARCH)
    command.add_argument(
        "--output",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="default: %(default)s",
    )
    command.add_argument("--tracking-uri", type=_given, metavar="URI", help=STORE)


def _add_promote(commands: Any) -> None:
    command = commands.add_parser("promote", help="register the selected model as champion")
    command.add_argument("pipeline", nargs="?", type=_task, metavar="PIPELINE", help=SEARCH)
    command.add_argument("--run-id", metavar="ID", help="of a search or of one of its trials")
    command.add_argument("--alias", default="champion", help="default %(default)s")
    command.add_argument("--force", action="store_true", help="whatever the verdict; is recorded")
    command.add_argument("--dry-run", action="store_true", help="only say what would change, why")
    command.add_argument("--tracking-uri", type=_given, metavar="URI", help=STORE)


def _add_rollback(commands: Any) -> None:
    command = commands.add_parser("rollback", help="champion back to the version before")
    command.add_argument("pipeline", type=_task, metavar="PIPELINE", help="that has a champion")
    command.add_argument("--tracking-uri", type=_given, metavar="URI", help=STORE)


def _add_champions(commands: Any) -> None:
    command = commands.add_parser("champions", help="who is and was champion, since when and why")
    command.add_argument("pipeline", nargs="?", type=_task, metavar="PIPELINE", help="default: all")
    command.add_argument("--tracking-uri", type=_given, metavar="URI", help=STORE)


def _add_dashboard(commands: Any) -> None:
    command = commands.add_parser("dashboard", help="Optuna's dashboard on the study of a search")
    command.add_argument("name", nargs="?", metavar="NAME", help="of the search; default: the last")
    command.add_argument("--storage", metavar="URL", help="that the search was given, if any")
    command.add_argument("--port", type=_positive(int), default=8080, help="default %(default)s")


def _add_predict(commands: Any) -> None:
    command = commands.add_parser("predict", help="predictions of the champion for new data")
    command.add_argument("pipeline", type=_task, metavar="PIPELINE", help="that has a champion")
    command.add_argument("input", type=Path, metavar="INPUT", help="CSV, .npz or image folder")
    command.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="default: INPUT's name with .predictions.csv, here",
    )
    command.add_argument("--tracking-uri", type=_given, metavar="URI", help=STORE)


def _add_export(commands: Any) -> None:
    command = commands.add_parser("export", help="the champion for other runtimes")
    command.add_argument(
        "pipeline", type=_task, metavar="PIPELINE", help="of the champion or --run-id"
    )
    command.add_argument(
        "--format",
        action="append",
        choices=("keras", "json", "onnx", "tflite", "tflite-int8"),
        help="may be given several times; default: all that the model and this machine allow",
    )
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="a folder")
    command.add_argument("--run-id", metavar="ID", help="of a search or of one of its trials")
    command.add_argument("--alias", default="champion", help="default %(default)s")
    command.add_argument("--tracking-uri", type=_given, metavar="URI", help=STORE)


def _add_ui(commands: Any) -> None:
    command = commands.add_parser("ui", help="review in MLflow")
    command.add_argument("--port", type=_positive(int), default=5000, help="default %(default)s")
    command.add_argument("--tracking-uri", type=_given, metavar="URI", help=STORE)


def _task(text: str) -> str:
    """The name of a task or of a search; of a file that was searched, what it is called by."""
    from .loading import task_name

    return task_name(text)


def _positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not 0 < value < float("inf"):
            wanted = "a whole number above 0" if kind is int else "a number above 0"
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
        return value

    return parse


def _seed(text: str) -> int:
    if not (text.isdecimal() and len(text) <= 10 and int(text) < 2**32):
        shown = repr(text if len(text) < 20 else f"{text[:20]}...")
        raise argparse.ArgumentTypeError(f"{shown} is not a whole number from 0 to 2^32 - 1")
    return int(text)


def _margin(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    if not value <= MOST_ERRORS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number up to {MOST_ERRORS}")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _given(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: give a value, or leave it out")
    if not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} has characters that cannot be printed")
    return text
