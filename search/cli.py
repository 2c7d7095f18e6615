"""The command line: what each command of `options.parser` does, and its exit code."""

from __future__ import annotations

import argparse
import errno
import io
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError, OccamError, redacted
from .files import write
from .interrupts import Interrupts, ignore
from .options import WRONG_INPUT, parser

if TYPE_CHECKING:
    from . import report
    from .screen import Screen

HOLDS, FAILURE, NOT_HELD, INTERRUPTED = 0, 1, 3, 130
OWN_DATA = ("csv", "images", "npz")
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
TRACEBACK = "OCCAM_TRACEBACK"  # environment variable: show tracebacks of what should not happen


def entry() -> int:
    """What the command `occam` runs: once its exit code is known, no signal changes it."""
    _open_standard_streams()
    sys.path.append("")  # modules of the working directory, as `python -m` finds them
    code = main()
    ignore()
    return code


def _open_standard_streams() -> None:
    """Give those that came closed, as a daemon's may, to the null device.

    Else the next file that is opened takes their place: a library that complains would write into
    a database.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors of the user's are one line each."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # what a terminal's encoding has no character for
    try:
        options = parser().parse_args(arguments)
        return COMMANDS[options.run](options)
    except InputError as error:
        return _complain(error, WRONG_INPUT)
    except OccamError as error:
        return _complain(error, FAILURE)
    except KeyboardInterrupt:
        print(
            "\nInterrupted: all that finished is kept, the same command goes on.", file=sys.stderr
        )
        return INTERRUPTED
    except BrokenPipeError:  # whoever read what is printed has had enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return HOLDS
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        return _end_with(error, sys.argv[1:] if arguments is None else arguments)


def _end_with(error: Exception, arguments: Sequence[str]) -> int:
    """Say what nothing has foreseen."""
    if _is_closed(error, arguments):
        advice = "Give a path that you may use, or have this one opened to you."
        return _complain(InputError(f"{_problem(error)}. {advice}"), WRONG_INPUT)
    kept = f"What finished is kept; {TRACEBACK}=1 shows where it happened."
    return _complain(OccamError(f"{_problem(error)}. {kept}"), FAILURE)


def _is_closed(error: Exception, arguments: Sequence[str]) -> bool:
    """Whether a path that was given is closed to who gave it, wherever that was found out."""
    if not isinstance(error, PermissionError) or not error.filename:
        return False
    name, closed = str(error.filename), Path(str(error.filename)).resolve()
    ends = f"/{name}", f"={name}"  # of an address, and of an option with its value
    return any(Path(each).resolve() == closed or each.endswith(ends) for each in arguments)


def _problem(error: Exception) -> str:
    if isinstance(error, OSError) and (error.filename or error.errno in DISK):
        return f"{error.filename or 'a file'} cannot be read or written: {error.strerror or error}"
    return f"unexpected {type(error).__name__}: {str(error).rstrip('. ')}"


def _complain(error: Exception, code: int) -> int:
    print(f"occam: {redacted(' '.join(str(error).split()))}", file=sys.stderr)
    return code


def _search(options: argparse.Namespace) -> int:
    with Interrupts(patient=True).listening() as interrupts:
        from .backend import import_keras, installed, use_backend

        options.pipeline = _source(options)
        options.sampler = _sampler(options.engine, options.sampler)
        backend = options.backend or os.environ.get("KERAS_BACKEND") or installed()
        _check_json(options)
        use_backend(backend, gpus=options.gpus)
        import_keras()

        from . import report
        from .job import conduct
        from .settings import Settings

        screen = _screen(options.quiet)
        interrupts.check()

    given = {field.name: getattr(options, field.name) for field in fields(Settings)}
    settings = Settings(**given | {"backend": backend})
    summary = conduct(settings, screen).summary
    if options.json is not None:
        _write_json(options.json, summary)
    return HOLDS if report.holds(summary) else NOT_HELD


def _write_json(path: Path, summary: report.Summary) -> None:
    try:
        write(path, json.dumps(summary, indent=2) + "\n")
    except OSError as error:
        raise OccamError(
            f"--json {path} cannot be written: {error.strerror or error}. The search is kept: "
            "`occam results --format json` prints it."
        ) from error


def _source(options: argparse.Namespace) -> str:
    """What `load` finds the pipeline by: PIPELINE, or the user's own data in its place."""
    from .loading import find, own

    files = {name: getattr(options, name) for name in OWN_DATA if getattr(options, name)}
    given = [*([options.pipeline] if options.pipeline else []), *(f"--{name}" for name in files)]
    if not given:
        raise InputError(
            "the following arguments are required: PIPELINE, or --csv, --images or --npz in its "
            "place; see `occam search --help`."
        )
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} exclude each other: give one of them.")
    columns = {name: getattr(options, name) for name in ("label", "group", "time", "split")}
    size = options.size and str(options.size)
    model = str(Path(options.model).resolve()) if options.model else None
    if files:
        paths = {name: str(Path(path).resolve()) for name, path in files.items()}
        return own(**paths, **columns, size=size, metric=options.metric, model=model)
    if odd := [name for name, column in columns.items() if column]:
        raise InputError(f"--{odd[0]} is for --csv, not for PIPELINE.")
    if size:
        raise InputError("--size is for --images, not for PIPELINE.")
    find(options.pipeline)
    if model is None:
        return str(options.pipeline)
    script = options.pipeline.endswith(".py")
    path = str(Path(options.pipeline).resolve()) if script else options.pipeline
    return own(pipeline=path, model=model)


def _init(options: argparse.Namespace) -> int:
    from .loading import template

    path: Path = options.file
    refused = InputError(f"{path} cannot be written: give the name of a new file, as my_task.py.")
    if path.suffix != ".py" or path.exists() or not path.resolve().parent.is_dir():
        raise refused
    try:
        path.write_text(template(), encoding="utf-8")
    except OSError as error:
        raise refused from error
    print(f"Wrote {path}: `occam search {path}` searches it as it is; change it to your task.")
    return HOLDS


def _sampler(engine: str, name: str | None) -> str:
    """The sampler that was asked for, or the engine's own; what has a name is checked here."""
    from . import engines

    engines.check(engine)
    name = name or engines.samplers(engine)[0]
    if ":" not in name:  # a class is imported later, as it may import Keras
        engines.check(engine, name)
    return name


def _list(options: argparse.Namespace) -> int:
    from .listing import show

    show(_screen())
    return HOLDS


def _results(options: argparse.Namespace) -> int:
    from . import report
    from .report import showing

    uri, kind = _uri(options), options.format
    if not options.compare:
        found = showing.results(uri, options.pipeline, kind, _screen())
        return HOLDS if report.holds(found) else NOT_HELD
    if options.pipeline:
        raise InputError("--compare takes its two names itself: leave out PIPELINE.")
    showing.comparison(uri, options.compare, kind, _screen())
    return HOLDS


def _report(options: argparse.Namespace) -> int:
    from .report.showing import write

    write(_uri(options), options.pipeline, options.output)
    print(f"Wrote {options.output}: open it in a browser.")
    return HOLDS


def _champions(options: argparse.Namespace) -> int:
    from .champions.history import champions, show

    found = champions(_uri(options), options.pipeline)
    show(found, _screen())
    return HOLDS


def _dashboard(options: argparse.Namespace) -> int:
    from .ui.dashboard import dashboard

    dashboard(options.name, storage=options.storage, port=options.port)
    return HOLDS


def _promote(options: argparse.Namespace) -> int:
    from .promotion import promote

    promotion = promote(
        _uri(options),
        options.pipeline,
        run_id=options.run_id,
        alias=options.alias,
        force=options.force,
        dry_run=options.dry_run,
    )
    print(promotion.text)
    return HOLDS


def _rollback(options: argparse.Namespace) -> int:
    from .promotion import rollback

    print(rollback(_uri(options), options.pipeline).text)
    return HOLDS


def _predict(options: argparse.Namespace) -> int:
    from .champions.prediction import predict

    uri = _uri(options)
    print(f"Wrote {predict(uri, options.pipeline, options.input, options.output)}")
    return HOLDS


def _export(options: argparse.Namespace) -> int:
    from .backend import import_keras, installed, one_core, use_backend

    one_core()
    use_backend(installed(), gpus="none")
    import_keras()
    from .export import exported
    from .export.champion import export

    found = export(
        _uri(options),
        options.pipeline,
        formats=options.format or (),
        folder=options.output,
        alias=options.alias,
        run_id=options.run_id,
    )
    exported.show(found, _screen())
    print(f"Wrote {options.output}")
    return HOLDS


def _ui(options: argparse.Namespace) -> int:
    from .ui.review import review

    review(_uri(options), options.port)
    return HOLDS


def _screen(quiet: bool = False) -> Screen:
    from .screen import Screen

    return Screen(quiet=quiet)


def _check_json(options: argparse.Namespace) -> None:
    """Refuse a place that cannot be written, or where something is that the search reads."""
    if options.json is None:
        return
    there, end = options.json.exists(), options.json.resolve()  # of a link, what it points at
    task = options.pipeline if options.pipeline.endswith(".py") else None
    read = (task, *(getattr(options, name) for name in (*OWN_DATA, "model")))
    if there and any(end == Path(each).resolve() for each in read if each):
        raise InputError(f"--json {options.json} is what is to be searched: give another file.")
    try:
        if options.json.is_fifo() and os.access(options.json, os.W_OK):
            return  # whoever reads it would take the end of this for that of the result
        options.json.open("ab").close()
        if not there:
            end.unlink()
    except OSError as error:
        problem = error.strerror or error
        raise InputError(f"--json {options.json} cannot be written: {problem}.") from error


def _uri(options: argparse.Namespace) -> str:
    """The MLflow store that is meant."""
    from .runs.store import default_uri

    return options.tracking_uri or default_uri()


COMMANDS = {
    "search": _search,
    "list": _list,
    "init": _init,
    "results": _results,
    "report": _report,
    "promote": _promote,
    "rollback": _rollback,
    "champions": _champions,
    "predict": _predict,
    "export": _export,
    "ui": _ui,
    "dashboard": _dashboard,
}

if __name__ == "__main__":
    sys.exit(entry())
