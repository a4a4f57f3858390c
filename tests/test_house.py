"""The rules of the house that no linter checks."""

import ast
import dataclasses
import io
import re
import subprocess
import sys
import tokenize
from importlib import import_module
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

import pytest

from unmetal.commands import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "unmetal"

SLOW = {"torch", "SimpleITK", "pydicom", "scipy", "skimage", "matplotlib", "numba"}
"""What takes too long to import for a command that answers at once."""

NUMERIC = ["physics", "nets", "methods", "metrics"]
"""Rooms that compute."""

QUICK = [["--help"], ["methods"]]


@pytest.mark.parametrize("arguments", QUICK, ids=" ".join)
def test_help_and_methods_import_nothing_slow(arguments) -> None:
    program = (
        f"import sys; from unmetal.__main__ import main; main({arguments!r}); "
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert not SLOW & set(done.stderr.split())


SCRIPTS = [path for folder in ("recipes", "benchmarks") for path in (ROOT / folder).glob("*.py")]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_recipes_and_benchmarks_find_what_they_import(path: Path) -> None:
    """They are on the path of the tests (pyproject.toml), and do nothing when they are imported."""
    if path.stem == "physics_tables":
        pytest.importorskip("spekpy", reason="needs the extra `tables`")
    import_module(path.stem)


def test_torchvision_is_neither_required_nor_there() -> None:
    """It fails to import beside torch for CPUs, and then breaks others."""
    assert not [line for line in requires("unmetal") or [] if "torchvision" in line]
    assert find_spec("torchvision") is None


def test_no_file_is_named_for_having_no_theme() -> None:
    banned = {"utils", "util", "common", "misc", "helpers", "helper", "trainer"}
    assert not [path for path in SOURCE.rglob("*") if path.stem.lower() in banned]


def test_no_two_rooms_have_files_of_one_name() -> None:
    """But for two families: a command and what it calls, a method and its layers."""
    rooms: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        if path.name != "__init__.py":
            rooms.setdefault(path.name, set()).add(path.relative_to(SOURCE).parts[0])
    twice = {name: places for name, places in rooms.items() if len(places) > 1}
    families = [{"commands"}, {"nets", "methods"}]
    assert not {name for name, places in twice.items() if not any(f <= places for f in families)}


@pytest.mark.parametrize("room", NUMERIC)
def test_numeric_code_says_why_at_each_step(room: str) -> None:
    """At least 3 lines of comments in 100; those for the linters do not count."""
    lines = comments = 0
    for path in (SOURCE / room).rglob("*.py"):
        text = path.read_text()
        lines += len(text.splitlines())
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        remarks = [t.string for t in tokens if t.type == tokenize.COMMENT]
        comments += sum(not re.match(r"# (noqa|type:)", remark) for remark in remarks)
    assert comments >= 0.03 * lines


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_a_dataclass_with_run_in_at_most_sixty_lines(name) -> None:
    module = import_module(f"unmetal.commands.{name}")
    command = getattr(module, name.capitalize())
    assert dataclasses.is_dataclass(command)
    assert callable(command.run)
    assert command.__doc__
    assert code_lines(Path(str(module.__file__))) <= 60


def test_every_command_is_listed() -> None:
    files = {path.stem for path in (SOURCE / "commands").glob("*.py")}
    assert files - {"__init__"} == set(COMMANDS)


def code_lines(path: Path) -> int:
    """Lines of a file that are neither blank nor help texts: strings that stand alone."""
    text = path.read_text()
    help_lines = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(line.strip()) and number not in help_lines for number, line in lines)


def test_training_needs_no_library_of_files_or_pictures() -> None:
    # A GPU machine may have PyTorch, numpy, scipy, scikit-image (and Pillow with it), safetensors,
    # einops and rich, and nothing else.
    program = (
        "import sys; import unmetal.training.train; "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert "torch" in loaded
    assert not {"pydicom", "SimpleITK", "matplotlib", "gdcm", "tyro"} & set(loaded)
