"""Who may import whom: one direction, no cycle, heavy libraries only where they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("search", "spaces", "pipelines")
HOMES = {
    "optuna": {
        "search/engines/optuna.py",
        "search/report/importances.py",
        "search/samplers",
        "search/studies",
    },
    "mlflow": {
        "search/runs/child_runs.py",
        "search/runs/serving.py",
        "search/runs/store.py",
        "search/ui/pages.py",
    },
}


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path, *, typing: bool = False) -> set[str]:
    """Absolute names that a file imports, ours as `search.loop`.

    Args:
        typing: those too that only type checkers import.
    """
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found: set[str] = set()
    for node in _nodes(ast.parse(path.read_text(encoding="utf-8")), typing=typing):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*parent, *(node.module.split(".") if node.module else [])])
            module = module.removeprefix("occam.")
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return found


def _nodes(tree: ast.AST, *, typing: bool) -> list[ast.AST]:
    nodes: list[ast.AST] = []
    for child in ast.iter_child_nodes(tree):
        checked = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if typing or not checked:
            nodes += [child, *_nodes(child, typing=typing)]
    return nodes


def ours(path: Path, *, typing: bool = False) -> set[str]:
    """Our own files that a file imports."""
    names = {name for name in imported(path, typing=typing) if name.split(".")[0] in FOLDERS}
    modules = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts) for f in FOLDERS for p in files(f)
    }
    return {name.removesuffix(".__init__") for name in names & modules}


@pytest.mark.parametrize("path", files("search"), ids=str)
def test_search_imports_no_space_and_no_pipeline(path):
    assert not {name for name in ours(path) if not name.startswith("search")}


@pytest.mark.parametrize("path", files("spaces"), ids=str)
def test_spaces_import_only_spaces(path):
    assert not {name for name in ours(path) if not name.startswith("spaces")}


@pytest.mark.parametrize("path", files("pipelines"), ids=str)
def test_pipelines_know_of_search_only_its_types(path):
    allowed = {"search.pipeline", "search.errors"}
    allowed |= {f"search.data.{name}" for name in ("archives", "tables", "folders")}
    assert not {name for name in ours(path) if name.startswith("search")} - allowed


def imports() -> dict[str, set[str]]:
    """Our own files that each file imports, by their names, if only for their types."""

    def name(path: Path) -> str:
        return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")

    return {name(path): ours(path, typing=True) for folder in FOLDERS for path in files(folder)}


def folder_of(module: str) -> str | None:
    """The folder in `search` that a file is in; None of one right in `search`, or elsewhere."""
    folder = "/".join(module.split(".")[:2])
    return folder if folder != "search" and (ROOT / folder).is_dir() else None


def test_no_import_runs_in_a_circle():
    check_no_circle(imports())


def test_no_folder_imports_one_that_imports_it():
    graph: dict[str, set[str]] = {}
    for module, others in imports().items():
        if folder := folder_of(module):
            graph.setdefault(folder, set()).update(filter(None, map(folder_of, others)))
    check_no_circle({folder: others - {folder} for folder, others in graph.items()})


def check_no_circle(graph: dict[str, set[str]]) -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"import cycle: {' -> '.join([*path, module])}"
        if module not in done:
            for following in graph.get(module, ()):
                visit(following, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_only_where_it_is_at_home(library):
    for path in files("search"):
        name = str(path.relative_to(ROOT))
        if any(name == home or name.startswith(f"{home}/") for home in HOMES[library]):
            continue
        assert library not in {module.split(".")[0] for module in imported(path)}, name


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom occam.search.cli import main\n"
        "try:\n    main(['search', '--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'keras', 'keras_tuner', 'tensorflow', 'jax', 'torch', 'optuna', 'mlflow', "
        "'numpy', 'pandas', 'sklearn', 'scipy', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
