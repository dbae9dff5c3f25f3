"""What `import stabilize` offers, before any of it is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import stabilize

ROOT = Path(__file__).parents[2]
FUNCTIONS = {"analyse", "render", "rotation_of", "solve", "stabilize_video"}


def said(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout


def test_dir_lists_the_public_names_and_loads_nothing() -> None:
    script = "import sys, stabilize; print(*dir(stabilize), '|', *{'numpy', 'cv2', 'av', 'scipy'} & set(sys.modules))"
    names, _, loaded = said(script).partition("|")
    assert {*FUNCTIONS, "Config", "Report", "__version__"} == set(names.split())
    assert not loaded.strip()


def test_help_describes_the_public_functions() -> None:
    text = said("import stabilize; help(stabilize)")
    functions = text.split("\nFUNCTIONS\n")[1]
    assert all(f"\n    {name}(" in f"\n{functions}" for name in FUNCTIONS)
    assert stabilize.__version__ in text.split("\nVERSION\n")[1]


def test_the_command_and_the_package_name_one_version() -> None:
    done = subprocess.run([sys.executable, "-m", "stabilize", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"stabilize {stabilize.__version__}\n"
