"""The import arrows of the design hold.

errors, core, parallel, spool <- fields, video, nets <- motion, path, rendering, fuse, gyroscope <- artifacts, config
<- pipeline <- cli.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import stabilize

ROOT = Path(__file__).parents[1]
LAYERS = [
    {"errors", "core", "parallel", "spool"},
    {"fields", "video", "nets"},
    {"motion", "path", "rendering", "fuse", "gyroscope", "gyro_settings"},
    {"artifacts", "config"},
    {"pipeline"},
    {"cli", "__main__"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
APART = {"motion", "path", "rendering"}


def _imports(file: Path) -> Iterator[tuple[str, bool]]:
    """Absolute names of the modules that a file imports, and whether at import time of the file."""
    tree = ast.parse(file.read_text())
    package = file.relative_to(ROOT).with_suffix("").parts[:-1]
    top_level = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top_level
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:  # `from stabilize import path` is an import of stabilize.path
                yield f"{module}.{alias.name}", id(node) in top_level


def _files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("file", _files("stabilize"), ids=lambda f: str(f.relative_to(ROOT)))
def test_stabilize_depends_downwards_only(file: Path) -> None:
    parts = file.relative_to(ROOT / "stabilize").with_suffix("").parts
    own = parts[0]
    if own == "__init__":
        return
    for name, _ in _imports(file):
        if not name.startswith("stabilize."):
            continue
        target = name.split(".")[1]
        if target == own:
            continue
        assert RANK[target] <= RANK[own], f"{file.name} imports {name}"
        assert not (own in APART and target in APART), f"{own} and {target} must not know each other"


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
        for name, _ in _imports(file):
            assert name.split(".")[0] not in forbidden, f"{file.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("package", ["stabilize", "gyro", "metrics"])
def test_torch_is_never_imported_at_the_top_of_a_module(package: str) -> None:
    for file in _files(package):
        if "nets" in file.parts:
            continue
        eager = {name.split(".")[0] for name, at_top in _imports(file) if at_top}
        assert not eager & {"torch", "kornia"}, f"{file.relative_to(ROOT)} imports torch at import time"
