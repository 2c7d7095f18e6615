"""The command line: `occam search | list | results | promote | rollback | predict`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError, OccamError

if TYPE_CHECKING:
    from rich.console import Console

HOLDS, FAILURE, WRONG_INPUT, NOT_HELD, INTERRUPTED = 0, 1, 2, 3, 130
BACKENDS = ("tensorflow", "jax", "torch")
TRIALS = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors of the user's are one line each."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except InputError as error:
        return _complain(error, WRONG_INPUT)
    except OccamError as error:
        return _complain(error, FAILURE)
    except KeyboardInterrupt:
        print(
            "\nInterrupted: all that finished is kept, the same command goes on.", file=sys.stderr
        )
        return INTERRUPTED
    return code


def _complain(error: Exception, code: int) -> int:
    print(f"occam: {' '.join(str(error).split())}", file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    """argparse that says a usage error in one line."""

    def error(self, message: str) -> Any:
        self.exit(WRONG_INPUT, f"occam: {message}; see `{self.prog} --help`.\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="occam", description="Finds the smallest Keras model that is accurate enough."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    _add_search(commands)
    _add_list(commands)
    _add_results(commands)
    _add_promote(commands)
    _add_rollback(commands)
    _add_predict(commands)
    _add_ui(commands)
    return parser


def _add_search(commands: Any) -> None:
    command = commands.add_parser("search", help="find the smallest model that holds the target")
    command.add_argument(
        "pipeline", metavar="PIPELINE", help="a name, a .py file or a package.module"
    )
    add = command.add_argument
    add("--target", type=float, metavar="T", help="to reach; default: the pipeline's")
    add("--trials", type=_positive(int), metavar="N", help=f"at most (default {TRIALS})")
    add("--epochs", type=_positive(int), metavar="N", help="of all trials together, at most")
    add("--timeout", type=_positive(float), metavar="SECONDS", help="at most")
    add("--engine", default="optuna", help="optuna (default)")
    add(
        "--sampler",
        default="level-set",
        help="level-set (default), tpe, gp, nsga2, cmaes, random, grid, qmc or MODULE:CLASS",
    )
    add("--trainer", choices=("auto", "fit"), default="auto", help="default: auto")
    add("--backend", choices=BACKENDS, help="default: KERAS_BACKEND, or tensorflow")
    add("--workers", type=_positive(int), default=1, metavar="N", help="processes (default 1)")
    add("--gpus", default="all", metavar="all|none|0,1", help="GPUs to use (default all)")
    add("--executor", choices=("local",), default="local", help="default: local")
    add("--storage", metavar="URL", help="of an Optuna storage; default: a journal in mlruns/")
    add(
        "--margin",
        type=_margin,
        default=2.0,
        metavar="Z",
        help="standard errors asked for beyond the target (default 2.0)",
    )
    add("--seed", type=_seed, default=0, metavar="S", help="default 0")
    add("--name", metavar="NAME", help="of the search; the same name goes on with it")
    add("--fresh", action="store_true", help="start anew, keep the earlier search aside")
    add("--tracking-uri", metavar="URI", help="default: sqlite:///mlruns/mlflow.db")
    add("--json", type=Path, metavar="FILE", help="write the result there as well")
    add("--quiet", action="store_true", help="print nothing but errors")
    command.set_defaults(run=_search)


def _add_list(commands: Any) -> None:
    command = commands.add_parser("list", help="pipelines, spaces, engines, samplers")
    command.set_defaults(run=_list)


def _add_results(commands: Any) -> None:
    command = commands.add_parser("results", help="the ladder and the verdict of the last search")
    command.add_argument("pipeline", nargs="?", metavar="PIPELINE")
    command.add_argument("--tracking-uri", metavar="URI")
    command.set_defaults(run=_results)


def _add_promote(commands: Any) -> None:
    command = commands.add_parser("promote", help="register the selected model as champion")
    command.add_argument("pipeline", nargs="?", metavar="PIPELINE")
    command.add_argument("--run-id", metavar="ID", help="of a search or of one of its trials")
    command.add_argument("--alias", default="champion")
    command.add_argument("--force", action="store_true", help="whatever the verdict; is recorded")
    command.add_argument("--tracking-uri", metavar="URI")
    command.set_defaults(run=_promote)


def _add_rollback(commands: Any) -> None:
    command = commands.add_parser("rollback", help="champion back to the version before")
    command.add_argument("pipeline", metavar="PIPELINE")
    command.add_argument("--tracking-uri", metavar="URI")
    command.set_defaults(run=_rollback)


def _add_predict(commands: Any) -> None:
    command = commands.add_parser("predict", help="predictions of the champion for new data")
    command.add_argument("pipeline", metavar="PIPELINE")
    command.add_argument("input", type=Path, metavar="INPUT", help="CSV, .npz or image folder")
    command.add_argument("--output", type=Path, metavar="FILE", help="default: INPUT's name + CSV")
    command.add_argument("--tracking-uri", metavar="URI")
    command.set_defaults(run=_predict)


def _add_ui(commands: Any) -> None:
    command = commands.add_parser("ui", help="review in MLflow")
    command.add_argument("--port", type=_positive(int), default=5000)
    command.add_argument("--tracking-uri", metavar="URI")
    command.set_defaults(run=_ui)


def _search(options: argparse.Namespace) -> int:
    from .backend import import_keras, use_backend
    from .pipeline import find
    from .samplers import LEVEL_SET, sampler_factory

    find(options.pipeline)
    _check_choice("engine", options.engine, _engines())
    if options.sampler != LEVEL_SET:
        sampler_factory(options.sampler)
    backend = options.backend or os.environ.get("KERAS_BACKEND") or "tensorflow"
    _check_json(options.json)
    use_backend(backend, gpus=options.gpus)
    import_keras()

    from . import report
    from .job import search
    from .plan import Settings

    given = {field.name: getattr(options, field.name) for field in fields(Settings)}
    if options.trials is None and options.epochs is None and options.timeout is None:
        given["trials"] = TRIALS
    settings = Settings(**given | {"backend": backend, "trainer": "fit"})
    summary = search(settings, _console(options.quiet))
    if options.json is not None:
        options.json.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return HOLDS if report.holds(summary) else NOT_HELD


def _list(options: argparse.Namespace) -> int:
    from rich.table import Table

    from .pipeline import describe, names
    from .samplers import names as samplers

    table = Table(box=None, show_header=False, pad_edge=False)
    for number, name in enumerate(names()):
        table.add_row("" if number else "pipelines", f"[bold]{name}[/bold]", describe(name))
    for kind, listed in (
        ("spaces", _spaces()),
        ("engines", _engines()),
        ("samplers", [*samplers(), "MODULE:CLASS"]),
    ):
        table.add_row(kind, "", ", ".join(listed))
    _console().print(table)
    return HOLDS


def _results(options: argparse.Namespace) -> int:
    from . import report
    from .tracking import default_uri, last_search

    summary = last_search(options.tracking_uri or default_uri(), options.pipeline)
    report.show(summary, _console())
    return HOLDS if report.holds(summary) else NOT_HELD


def _promote(options: argparse.Namespace) -> int:
    from .promotion import promote
    from .tracking import default_uri

    promotion = promote(
        options.tracking_uri or default_uri(),
        options.pipeline,
        run_id=options.run_id,
        alias=options.alias,
        force=options.force,
    )
    print(promotion.text)
    return HOLDS


def _rollback(options: argparse.Namespace) -> int:
    from .promotion import rollback
    from .tracking import default_uri

    print(rollback(options.tracking_uri or default_uri(), options.pipeline).text)
    return HOLDS


def _predict(options: argparse.Namespace) -> int:
    from .prediction import predict
    from .tracking import default_uri

    uri = options.tracking_uri or default_uri()
    print(f"Wrote {predict(uri, options.pipeline, options.input, options.output)}")
    return HOLDS


def _ui(options: argparse.Namespace) -> int:
    from .review import review
    from .tracking import default_uri

    review(options.tracking_uri or default_uri(), options.port)
    return HOLDS


def _console(quiet: bool = False) -> Console:
    from rich.console import Console

    return Console(quiet=quiet, soft_wrap=False)


def _engines() -> list[str]:
    return [name.replace("_", "-") for name in _modules("search.engines")]


def _spaces() -> list[str]:
    """The architecture families: files that define a function of their own name."""
    import ast
    import importlib

    folder = importlib.import_module(f"{_root()}.spaces").__path__[0]
    trees = {
        name: ast.parse(Path(folder, f"{name}.py").read_bytes()) for name in _modules("spaces")
    }
    return [
        name
        for name, tree in trees.items()
        if any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body)
    ]


def _modules(folder: str) -> list[str]:
    import importlib
    import pkgutil

    package = importlib.import_module(f"{_root()}.{folder}")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def _root() -> str:
    return (__package__ or "").rpartition(".")[0]


def _check_choice(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise InputError(f"Unknown {kind} {name!r}. Available {kind}s: {', '.join(known)}.")


def _check_json(path: Path | None) -> None:
    if path is not None and not path.resolve().parent.is_dir():
        raise InputError(f"--json {path}: folder {path.resolve().parent} does not exist.")


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
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2^32 - 1")
    return int(text)


def _margin(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
