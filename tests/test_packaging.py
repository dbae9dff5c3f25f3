"""What would be published: the source archive and the wheel."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@dataclass(frozen=True)
class Built:
    """The two archives, and the names of the files in them."""

    folder: Path
    sdist: frozenset[str]
    wheel: frozenset[str]


def committed() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        pytest.skip("needs the git clone: which files are the project's is asked of git")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).exists()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in committed():  # building leaves its folders beside the sources
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    with tarfile.open(next(out.glob("*.tar.gz"))) as archive:
        sdist = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
        return Built(out, frozenset(sdist), frozenset(wheel.namelist()))


@pytest.mark.slow
def test_the_source_archive_is_the_project(built: Built) -> None:
    missing = {name for name in committed() if name not in built.sdist}
    assert missing <= {".gitignore"}


@pytest.mark.slow
def test_the_wheel_has_every_package_and_nothing_else(built: Built) -> None:
    packages = ("stabilize/", "gyro/", "metrics/", "localfiles/")
    wanted = {name for name in committed() if name.startswith(packages)}
    assert wanted == {name for name in built.wheel if ".dist-info/" not in name}


@pytest.mark.slow
def test_the_metadata_can_be_published(built: Built) -> None:
    with zipfile.ZipFile(next(built.folder.glob("*.whl"))) as wheel:
        text = wheel.read(next(name for name in built.wheel if name.endswith("/METADATA"))).decode()
    told = email.message_from_string(text)
    assert told["Name"] == "stabilize-video" and told["Author"] == "The stabilize developers"
    assert told["License-Expression"] == "MIT" and told["Keywords"] and told.get_all("Classifier")
    check = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built.folder.iterdir())]
    done = subprocess.run(check, capture_output=True, text=True, check=False, env=os.environ | {"NO_COLOR": "1"})
    assert done.returncode == 0 and done.stdout.count("PASSED") == 2, done.stdout + done.stderr


def test_the_readme_links_nothing_that_an_index_page_lacks() -> None:
    links = re.findall(r"\]\(([^)]*)\)", (ROOT / "README.md").read_text())
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_every_direct_dependency_is_bounded_and_pinned() -> None:
    """For use: no next major version by itself. For use and development: constraints.txt says what was tested."""

    def name_of(requirement: str) -> str:
        return re.split(r"[^A-Za-z0-9._-]", requirement)[0]

    pinned = {name_of(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert all("<" in wanted for wanted in PROJECT["dependencies"])
    direct = {name_of(wanted) for wanted in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"])}
    assert direct <= pinned
