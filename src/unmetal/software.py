"""Which software this is: version, commit, command, and what it stands on."""

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

SOFTWARE = f"unmetal {version('unmetal')}"
"""Another version may compute otherwise, so it makes other objects."""


def provenance() -> dict[str, Any]:
    """The command, the commit and the versions that this process runs."""
    return {
        "command": sys.argv[1:],
        "commit": commit(),
        "versions": {
            "python": platform.python_version(),
            "unmetal": installed("unmetal"),
            **{name: installed(name) for name in ("torch", "numpy", "scipy")},
        },
    }


def commit() -> str:
    """The commit of the checkout this runs from, `unknown` outside of one."""
    try:
        here = Path(__file__).parent
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        )
        return found.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def installed(package: str) -> str:
    """Version of an installed package, `unknown` if it is not installed as one."""
    try:
        return version(package)
    except ModuleNotFoundError:
        return "unknown"
