"""Finds pipelines: ours by name, the user's by file or module, or data alone; and what they say."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import json
import pkgutil
import re
import sys
import sysconfig
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from .errors import InputError, in_one_line
from .pipeline import Pipeline

OWN = "own:"
PIPELINES = f"{__package__.rpartition('.')[0]}.pipelines"


def load(name: str) -> Pipeline:
    """The pipeline that `name` says: one of ours, a `.py` file, or an importable `package.module`.

    A name that starts with `OWN` stands for the user's own data or model.

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
            size, metric; model, a path; pipeline, where only the model is the user's own.
    """
    given = {name: value for name, value in options.items() if value is not None}
    return OWN + json.dumps(given, ensure_ascii=False)  # paths as they are


def task_name(given: str) -> str:
    """What a search of this file or module is called, read without running it; a name stays."""
    path = Path(given)
    if path.suffix == ".py":
        return _name_in(path) or _short_name(given)
    if path.suffix.lower() in (".csv", ".tsv", ".txt", ".npz"):
        return _own_name(path.stem)
    folder = given.endswith("/") or (path.is_dir() and given not in names())
    if folder:
        return _own_name(path.name)
    file = _file_of(given) if "." in given else None
    return given if file is None else _name_in(file) or _short_name(given)


def _file_of(module: str) -> Path | None:
    """Where a module's text is; None where there is no such module."""
    with suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(module)
        return Path(spec.origin) if spec and spec.has_location and spec.origin else None
    return None


def _name_in(file: Path) -> str:
    """What a file calls its pipeline, if it says so; empty where it cannot be read."""
    with suppress(OSError, SyntaxError, ValueError):
        return str(_said(ast.parse(file.read_bytes())).get("name") or "")
    return ""


def names() -> list[str]:
    """The pipelines that come with Occam."""
    modules = pkgutil.iter_modules(_folder())
    return sorted(module.name for module in modules if not module.ispkg)


def describe(name: str) -> str:
    """First line of the docstring of one of our pipelines, read without running it."""
    return (ast.get_docstring(_tree(name)) or "").partition("\n")[0]


def goal(name: str) -> tuple[str, int | None]:
    """Metric with target, and fewest parameters known, of one of our pipelines; it is not run."""
    given = _said(_tree(name))
    metric = str(given.get("metric", "accuracy")).rpartition(":")[2]
    known = given.get("smallest_known")
    return f"{metric} {given['target']:g}", known if isinstance(known, int) else None


def _said(tree: ast.Module) -> dict[str, Any]:
    """The plain values that the `Pipeline` of a file is made with, by name."""
    made = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _makes_one(node)]
    return {
        str(each.arg): each.value.value
        for call in made[:1]
        for each in call.keywords
        if isinstance(each.value, ast.Constant)
    }


def _makes_one(call: ast.Call) -> bool:
    return ast.unparse(call.func).rpartition(".")[2] == "Pipeline"


def _tree(name: str) -> ast.Module:
    return ast.parse(Path(_folder()[0], f"{name}.py").read_bytes())


def template() -> str:
    """The text of a commented pipeline file to start from."""
    return Path(_folder()[0], "own", "template.py").read_text(encoding="utf-8")


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
    file, pipeline = options.pop("model", None), options.pop("pipeline", None)
    if file is None:
        return _own_task(options)
    from .models.copies import model_in  # Keras takes its time

    model = model_in(Path(file))
    given = options | ({"shape": _image_shape(model)} if "images" in options else {})
    return replace(load(pipeline) if pipeline else _own_task(given), space=model)


def _image_shape(model: Any) -> tuple[int, ...] | None:
    """The shape of the images that a model takes; None where it takes any, or something else."""
    shapes = [tuple(each.shape[1:]) for each in getattr(model, "inputs", None) or ()]
    known = len(shapes) == 1 and len(shapes[0]) == 3 and None not in shapes[0]
    return shapes[0] if known and shapes[0][2] in (1, 3) else None


def _own_task(options: dict[str, Any]) -> Pipeline:
    module = importlib.import_module(f"{PIPELINES}.own.task")
    pipeline: Pipeline = module.task(**options)
    return replace(pipeline, name=_own_name(pipeline.name))


def _own_name(stem: str) -> str:
    name = re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "data"
    return f"my-{name}" if name in names() else name


def _short_name(name: str) -> str:
    return Path(name).stem if name.endswith(".py") else name.rpartition(".")[2]
