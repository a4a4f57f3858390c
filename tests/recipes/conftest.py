"""Recipes, run without the work: which commands they would call."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def called(tmp_path):
    """Runs a recipe with a Python that only writes down what it is asked, a line a call."""
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    fake.chmod(0o755)

    def run(recipe: str, *arguments: str, **more: str) -> list[str]:
        (tmp_path / "calls").write_text("")
        command = ["sh", str(ROOT / "recipes" / recipe), *arguments]
        environment = os.environ | {"PYTHON": str(fake)} | more
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
        return (tmp_path / "calls").read_text().splitlines()

    return run
