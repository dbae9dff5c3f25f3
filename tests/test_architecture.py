"""The import arrows of the design hold, whichever way a module is imported.

errors, core, parallel, progress, spool, settings <- fields, video, nets <- motion, path, rendering, fuse, gyroscope
<- archive, artifacts, path_file, config <- pipeline <- cli.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import stabilize

ROOT = Path(__file__).parents[1]
LAYERS = [
    {"errors", "checks", "matches", "core", "parallel", "progress", "spool", "settings"},
    {"fields", "video", "nets"},
    {"motion", "path", "rendering", "fuse", "gyroscope", "gyro_lens"},
    {"archive", "artifacts", "path_file", "config"},
    {"pipeline"},
    {"cli", "__main__"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
APART = {"motion", "path", "rendering"}
IMPORTERS = {"import_module", "__import__"}  # functions that import by name
COMPUTED = "?"  # a module whose name is not written where it is imported
MAY_COMPUTE = {"__init__", "cli"}  # they load late, from tables of their own
Package = tuple[str, ...]


def _imports(source: str, package: Package) -> Iterator[tuple[str, bool]]:
    """What a module of `package` imports, by absolute dotted names that go on to the imported names themselves, and
    whether at import time.
    """
    tree = ast.parse(source)
    aliases = {alias.asname or alias.name for node in ast.walk(tree) for alias in _importers_in(node)}
    for node, eager in _walk(tree, True):
        for name in _named(node, package, IMPORTERS | aliases):
            yield name, eager


def _importers_in(node: ast.AST) -> list[ast.alias]:
    return [alias for alias in node.names if alias.name in IMPORTERS] if isinstance(node, ast.ImportFrom) else []


def _walk(node: ast.AST, eager: bool) -> Iterator[tuple[ast.AST, bool]]:
    """All nodes below, and whether they run when the module is imported."""
    late: list[ast.AST] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        late = list(ast.iter_child_nodes(node))
    elif isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
        late = list(node.body)
    for child in ast.iter_child_nodes(node):
        now = eager and child not in late
        yield child, now
        yield from _walk(child, now)


def _named(node: ast.AST, package: Package, importers: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute("." * node.level + (node.module or ""), package)
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and _called(node.func) in importers:
        yield _by_name(node, package)
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.keyword) and node.value and _called(node.value) in importers:
        yield COMPUTED  # the function itself is handed on
    elif isinstance(node, ast.Call) and any(_called(value) in importers for value in node.args):
        yield COMPUTED


def _called(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _by_name(call: ast.Call, package: Package) -> str:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    words = [word.value if isinstance(word, ast.Constant) and isinstance(word.value, str) else None for word in given]
    if not words or words[0] is None:
        return COMPUTED
    from_package = words[1].split(".") if len(words) > 1 and words[1] else package
    return _absolute(words[0], tuple(from_package))


def _absolute(name: str, package: Package) -> str:
    module = name.lstrip(".")
    level = len(name) - len(module)
    return ".".join([*(package[: len(package) - level + 1] if level else ()), *filter(None, [module])])


def _imports_of(file: Path) -> Iterator[tuple[str, bool]]:
    return _imports(file.read_text(), file.relative_to(ROOT).parts[:-1])


def _files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def _fault(own: str, name: str) -> str | None:
    """What is wrong with a module of `stabilize.<own>` that imports `name`; None where nothing is."""
    if name == COMPUTED:
        return None if own in MAY_COMPUTE else "imports a module that is not named there"
    words = name.split(".")
    if words[0] != "stabilize" or own == "__init__":
        return None
    target = words[1] if len(words) > 1 else ""
    if target == "__version__":
        return None
    if target not in RANK:
        return f"imports {name}, which names no module of a layer"
    if RANK[target] > RANK[own]:
        return f"imports {name} from a layer above"
    return f"{own} and {target} must not know each other" if target != own and {own, target} <= APART else None


@pytest.mark.parametrize("file", _files("stabilize"), ids=lambda f: str(f.relative_to(ROOT)))
def test_stabilize_depends_downwards_only(file: Path) -> None:
    own = file.relative_to(ROOT / "stabilize").with_suffix("").parts[0]
    assert [fault for name, _ in _imports_of(file) if (fault := _fault(own, name))] == []


@pytest.mark.parametrize("name", stabilize.__all__)
def test_no_module_hides_a_public_name(name: str) -> None:
    """Importing `stabilize.NAME` would put the module in the place of the function of that name."""
    assert not (ROOT / "stabilize" / name).exists() and not (ROOT / "stabilize" / f"{name}.py").exists()


@pytest.mark.parametrize(
    "package, forbidden",
    [
        ("gyro", ("stabilize", "metrics")),
        ("metrics", ("stabilize", "gyro")),
        ("samples", ("stabilize", "metrics")),
        ("localfiles", ("stabilize", "metrics", "gyro")),
    ],
)
def test_packages_stand_alone(package: str, forbidden: tuple[str, ...]) -> None:
    for file in _files(package):
        for name, _ in _imports_of(file):
            assert name.split(".")[0] not in forbidden, f"{file.relative_to(ROOT)} imports {name}"
            assert name != COMPUTED or file.stem in MAY_COMPUTE, f"{file.relative_to(ROOT)} hides what it imports"


@pytest.mark.parametrize("package", ["stabilize", "gyro", "metrics"])
def test_torch_is_never_imported_at_the_top_of_a_module(package: str) -> None:
    for file in _files(package):
        if "nets" in file.parts:
            continue
        eager = {name.split(".")[0] for name, at_import in _imports_of(file) if at_import}
        assert not eager & {"torch", "kornia"}, f"{file.relative_to(ROOT)} imports torch at import time"


@pytest.mark.parametrize(
    "source, found",
    [
        ("import stabilize.pipeline", "stabilize.pipeline"),
        ("import numpy, stabilize.cli.app as app", "stabilize.cli.app"),
        ("import stabilize", "stabilize"),
        ("from stabilize import pipeline", "stabilize.pipeline"),
        ("from stabilize import core, pipeline as story", "stabilize.pipeline"),
        ("from stabilize import *", "stabilize.*"),
        ("from stabilize.pipeline import run", "stabilize.pipeline.run"),
        ("from .. import pipeline", "stabilize.pipeline"),
        ("from ..pipeline import run", "stabilize.pipeline.run"),
        ("from . import crop", "stabilize.path.crop"),
        ("from .crop import place", "stabilize.path.crop.place"),
        ("if TYPE_CHECKING:\n    from stabilize import pipeline", "stabilize.pipeline"),
        ("def late():\n    from stabilize.pipeline import run", "stabilize.pipeline.run"),
        (
            "class A:\n    try:\n        import stabilize.pipeline\n    except ImportError:\n        pass",
            "stabilize.pipeline",
        ),
        ("import importlib\nimportlib.import_module('stabilize.pipeline')", "stabilize.pipeline"),
        ("import importlib as i\nx = i.import_module(name='stabilize.pipeline')", "stabilize.pipeline"),
        ("from importlib import import_module\nimport_module('..pipeline', __package__)", "stabilize.pipeline"),
        ("from importlib import import_module as load\nload('..pipeline', 'stabilize.path')", "stabilize.pipeline"),
        ("__import__('stabilize.pipeline')", "stabilize.pipeline"),
        ("import builtins\nbuiltins.__import__('stabilize.pipeline')", "stabilize.pipeline"),
        ("import importlib\nimportlib.import_module('stabilize' + '.pipeline')", COMPUTED),
        ("import importlib\nload = importlib.import_module", COMPUTED),
        ("import importlib\nfound = map(importlib.import_module, names)", COMPUTED),
    ],
)
def test_this_test_sees_every_form_of_import(source: str, found: str) -> None:
    assert found in {name for name, _ in _imports(source, ("stabilize", "path"))}


@pytest.mark.parametrize(
    "own, name, wrong",
    [
        ("path", "stabilize.pipeline", True),
        ("path", "stabilize.motion.mesh", True),
        ("path", "stabilize", True),
        ("path", "stabilize.*", True),
        ("path", "stabilize.Config", True),
        ("path", COMPUTED, True),
        ("path", "stabilize.core.Motion", False),
        ("path", "stabilize.path.crop", False),
        ("path", "localfiles", False),
        ("cli", COMPUTED, False),
        ("cli", "stabilize.pipeline", False),
    ],
)
def test_this_test_knows_which_arrows_are_wrong(own: str, name: str, wrong: bool) -> None:
    assert (_fault(own, name) is not None) == wrong


@pytest.mark.parametrize(
    "source, at_import",
    [
        ("import torch", True),
        ("try:\n    import torch\nexcept ImportError:\n    torch = None", True),
        ("class A:\n    import torch", True),
        ("if TYPE_CHECKING:\n    import torch", False),
        ("if typing.TYPE_CHECKING:\n    pass\nelse:\n    import torch", True),
        ("def late():\n    import torch", False),
        ("async def late():\n    import torch", False),
    ],
)
def test_this_test_knows_what_runs_at_import_time(source: str, at_import: bool) -> None:
    assert [eager for name, eager in _imports(source, ("stabilize",)) if name == "torch"] == [at_import]
