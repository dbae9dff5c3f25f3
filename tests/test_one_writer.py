"""Only `localfiles` writes to a path: it refuses the inputs, leaves nothing half written and replaces nothing unasked.

Looked for in the source itself, so that a new writer is noticed on the day it is written.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("stabilize", "gyro", "metrics")
ALLOWED = {  # (file, what it calls): why that reaches no path of a user
    ("metrics/report/media.py", "av.open"): "an MP4 in memory, to be embedded in the page",
    ("stabilize/artifacts.py", "archive.open"): "a member of an archive, to be read",
    ("stabilize/artifacts.py", "pending.open"): "the temporary file of localfiles.pending_file",
    ("stabilize/artifacts.py", "np.savez_compressed"): "the same",
    ("stabilize/motion/stream.py", "source.open"): "makes a motion source ready on a device",
    ("stabilize/motion/stream.py", "self._source.open"): "the same",
    ("stabilize/pipeline.py", "VideoWriter"): "ours, which writes into a pending file",
    ("stabilize/rendering/run.py", "VideoWriter"): "the same",
    ("stabilize/spool.py", "np.memmap"): "a temporary file without a name",
    ("stabilize/video/matroska.py", "path.open"): "the pending file of a VideoWriter",
    ("stabilize/video/output.py", "av.open"): "the same",
}
WRITERS = {  # functions and methods that write to the path they are given, whatever module they are of
    *("write_text", "write_bytes", "tofile", "touch", "truncate", "mkstemp", "NamedTemporaryFile"),
    *("save", "savez", "savez_compressed", "savetxt", "savefig", "memmap"),
    *("imwrite", "imwritemulti", "VideoWriter", "FileStorage"),
    *("copyfile", "copy2", "copytree", "move", "rename", "fdopen"),
}
MODULES = {"av", "io", "os", "gzip", "bz2", "lzma", "codecs", "tarfile"}  # with a function `open`


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def _mode(call: ast.Call) -> ast.expr | None:
    """The mode of a call of `open`: of the function after the path, of a path's method first."""
    for keyword in call.keywords:
        if keyword.arg == "mode":
            return keyword.value
    is_method = isinstance(call.func, ast.Attribute) and not _is_module(call.func.value)
    position = 0 if is_method else 1
    return call.args[position] if len(call.args) > position else None


def _is_module(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in MODULES


def _only_reads(mode: ast.expr | None) -> bool:
    if mode is None:
        return True
    return isinstance(mode, ast.Constant) and isinstance(mode.value, str) and not set(mode.value) & set("wax+")


def _writes(call: ast.Call) -> bool:
    is_method = isinstance(call.func, ast.Attribute)
    last = _name(call).rpartition(".")[2]
    if last == "open":
        return _name(call) == "os.open" or not _only_reads(_mode(call))
    if last == "replace":  # of a path or of `os`; a string's takes two arguments, and `dataclasses` gives a name
        return is_method and (_name(call) == "os.replace" or len(call.args) + len(call.keywords) == 1)
    ours = {"write_text", "write_bytes"}  # as plain names, those of localfiles
    return last in WRITERS and (is_method or last not in ours)


def writers(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of every call that may write to a path."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _writes(node):
            yield node.lineno, _name(node)


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_else_writes_to_a_path(package: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: {name}"
        for file in sorted((ROOT / package).rglob("*.py"))
        for line, name in writers(file.read_text())
        if (file.relative_to(ROOT).as_posix(), name) not in ALLOWED
    ]
    assert found == [], "write through localfiles.write_text, write_bytes or pending_file"


@pytest.mark.parametrize(
    "source",
    [
        "open(p, 'w')",
        "open(p, mode='ab')",
        "open(p, how)",
        "p.open('x')",
        "Path(p).open('r+')",
        "folder.joinpath(n).open(mode='wb')",
        "io.open(p, 'wt')",
        "os.open(p, flags)",
        "gzip.open(p, 'wb')",
        "av.open(p, 'w')",
        "p.write_text(t)",
        "Path(p).write_bytes(b)",
        "np.savetxt(p, a)",
        "numpy.savez(p, a=a)",
        "a.tofile(p)",
        "cv2.imwrite(p, a)",
        "shutil.move(p, q)",
        "os.replace(p, q)",
        "p.replace(q)",
        "p.rename(q)",
        "tempfile.mkstemp(dir=d)",
        "os.fdopen(h, 'w')",
    ],
)
def test_every_way_to_write_is_noticed(source: str) -> None:
    assert len(list(writers(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "open(p)",
        "open(p, 'rb')",
        "p.open()",
        "p.open('rb')",
        "av.open(p)",
        "write_text(p, t, inputs)",
        "localfiles",
        "text.replace('a', 'b')",
        "replace(config, crf=20)",
        "stream.write(t)",
    ],
)
def test_reading_is_left_alone(source: str) -> None:
    assert list(writers(source)) == []
