"""Which version a run says it is: two commits that may compute otherwise never share a UID."""

import shutil
import subprocess
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest

from unmetal import software
from unmetal.__main__ import main

SOURCE = Path(software.__file__).parent

UID = """
from unmetal.files import Derivation
from unmetal.files.dicom.provenance import derived_uid
from unmetal.software import software
print(software(), derived_uid("1.2.3", Derivation("ADN")))
"""


def git(folder: Path, *arguments: str) -> None:
    author = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    subprocess.run(["git", *author, *arguments], cwd=folder, check=True, capture_output=True)


def said(folder: Path) -> str:
    """Version and UID that the copy of unmetal in a folder states."""
    environment = {"PYTHONPATH": str(folder / "src"), "PATH": str(Path(sys.executable).parent)}
    environment["PATH"] += ":/usr/local/bin:/usr/bin:/bin"
    command = [sys.executable, "-c", UID]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with this code in it."""
    if shutil.which("git") is None:
        pytest.skip("no git")
    folder = tmp_path_factory.mktemp("checkout")
    only_code = shutil.ignore_patterns("*.safetensors", "__pycache__")
    shutil.copytree(SOURCE, folder / "src" / "unmetal", ignore=only_code)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


def test_another_commit_makes_another_uid_and_the_same_one_the_same(checkout):
    first = said(checkout)
    assert said(checkout) == first
    git(checkout, "commit", "-qm", "two", "--allow-empty")
    second = said(checkout)
    assert second.split()[1:] != first.split()[1:]
    assert second.split()[2] != first.split()[2]
    git(checkout, "checkout", "-q", "HEAD~1")
    assert said(checkout) == first


def test_changes_that_are_not_committed_show(checkout):
    clean = said(checkout)
    with (checkout / "src" / "unmetal" / "units.py").open("a") as file:
        file.write("# changed")
    changed = said(checkout)
    git(checkout, "checkout", "-q", ".")
    assert changed.split()[1] == clean.split()[1] + "-dirty"
    assert changed.split()[2] != clean.split()[2]


def test_a_repository_around_an_installed_package_is_not_its_own(checkout):
    """A virtual environment often lies in a repository of the user's."""
    inside = checkout / "lib" / "site-packages" / "src"
    shutil.copytree(checkout / "src" / "unmetal", inside / "unmetal")
    stated = said(inside.parent).split()[1]
    shutil.rmtree(inside)
    assert stated == installed_version("unmetal")


def test_outside_of_a_checkout_the_installed_version_counts(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(software, "CHECKOUT", tmp_path)
    software.version.cache_clear()
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"unmetal {installed_version('unmetal')}\n"
    assert software.commit() == "unknown"
    software.version.cache_clear()
