"""Every Python and console block of README.md and docs/ is executed.

A block of `python` runs as a program, the lines of a block of `console` that begin with `$ ` as
commands; lines that follow must be among what the command says. Blocks marked `recipe` take
seconds, `slow` a minute. Blocks of `shell` set the project up: continuous integration runs these.

A block of `python` that begins with `# name.py` is a file: it lies beside the other blocks of its
page, which can import it, and which then run in a process of their own.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


FILE = re.compile(r"# (\w+\.py)\n")


class Block(NamedTuple):
    """One fenced block of a page."""

    kind: str
    marks: list[str]
    text: str
    files: dict[str, str]
    """Name -> text of what lies beside it."""


def blocks(*kinds: str) -> list:
    """The blocks of these kinds in all pages, as parameters named by page and line."""
    found = []
    for page in PAGES:
        text = page.read_text()
        fenced = list(FENCE.finditer(text))
        files = {name[1]: match[3] for match in fenced if (name := FILE.match(match[3]))}
        for match in fenced:
            block = Block(match[1], match[2].split(), match[3], files)
            line = text[: match.start()].count("\n") + 1
            if block.kind in kinds and not FILE.match(block.text):
                marks = [getattr(pytest.mark, mark) for mark in block.marks]
                found.append(pytest.param(block, id=f"{page.name}:{line}", marks=marks))
    return found


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """An empty folder with `examples/` in it, as a user's checkout has it."""
    (tmp_path / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
    return tmp_path


def run(arguments: list[str], folder: Path) -> str:
    """What a Python with these arguments says; it must succeed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("block", blocks("python"))
def test_python_runs(block: Block, beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in block.files.items():
        (beside / name).write_text(text)
    if block.files:
        run(["-c", block.text], beside)
        return
    monkeypatch.chdir(beside)
    exec(compile(block.text, "page", "exec"), {"__name__": "page"})


@pytest.mark.parametrize("block", blocks("console"))
def test_console_says_what_the_page_shows(block: Block, beside: Path) -> None:
    said = ""
    for line in block.text.splitlines():
        if line.startswith("$ "):
            program, *arguments = shlex.split(line[2:])
            assert program == "unmetal", "only unmetal's own commands can be shown"
            said = run(["-m", "unmetal", *arguments], beside)
        else:
            assert line.lower() in said.lower()


def test_every_file_of_a_page_is_used_by_one_of_its_programs() -> None:
    programs = [param.values[0] for param in blocks("python")]
    for name in {name for program in programs for name in program.files}:
        stem = name.removesuffix(".py")
        assert any(stem in program.text for program in programs if name in program.files)


def test_other_blocks_are_those_that_set_the_project_up_or_draw() -> None:
    kinds = {match[1] for page in PAGES for match in FENCE.finditer(page.read_text())}
    assert kinds <= {"python", "console", "shell", "text"}
