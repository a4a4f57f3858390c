"""Which software this is: version, commit, command, and the libraries it stands on."""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
"""The root of the repository, where this runs from one."""


@cache
def version() -> str:
    """Tag, commits since and commit of a checkout, with `-dirty` where something is not committed
    (`0.1.0-12-g1a2b3c4d5e6f`); else the installed version."""
    # The metadata of an editable install has the version of the day it was installed: git first.
    described = _git("describe", "--always", "--tags", "--dirty", "--abbrev=12")
    return described or installed("unmetal")


def software() -> str:
    """Name and version, as headers state them."""
    return f"unmetal {version()}"


def commit() -> str:
    """The commit of the checkout this runs from, `unknown` outside of one."""
    return _git("rev-parse", "HEAD") or "unknown"


def versions() -> dict[str, str]:
    """Version of Python, of unmetal and of the libraries that compute."""
    libraries = {name: installed(name) for name in ("torch", "numpy", "scipy")}
    return {"python": platform.python_version(), "unmetal": version(), **libraries}


def provenance() -> dict[str, Any]:
    """The command, the commit and the versions that this process runs."""
    return {"command": sys.argv[1:], "commit": commit(), "versions": versions()}


def installed(package: str) -> str:
    """Version of an installed package, `unknown` if it is not installed as one."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def _git(*arguments: str) -> str:
    """What git says of `CHECKOUT`; empty where that is none, or git is not there."""
    if not (CHECKOUT / ".git").exists():
        return ""
    # A container may run as another user than the owner of the checkout, which git refuses unless
    # told that it is safe. Without optional locks a run does not disturb a commit at the same time.
    command = ["git", "-c", "safe.directory=*", "-C", str(CHECKOUT), *arguments]
    surroundings = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
