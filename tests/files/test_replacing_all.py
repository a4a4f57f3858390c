"""Files that are replaced together: whatever ends it in the middle, all are old or all new."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from unmetal.files.staging import replacing_all, restore

NAMES = ("a", "b", "c", "d")
OLD = {"a": "old a", "b": "old b", "d": "old d", "mine": "of no concern"}
NEW = {"a": "new a", "c": "new c", "d": "new d", "mine": "of no concern"}
CALLS = ("rename", "replace", "unlink", "mkdir")


def fill(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in OLD.items():
        (folder / name).write_text(text)


def replace(folder: Path) -> None:
    with replacing_all(folder, NAMES) as stage:
        for name in {*NEW} - {"mine"}:
            (stage / name).write_text(NEW[name])


def held(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def break_call(number: int, end) -> None:
    """Let the `number`th change of a name be `end()`."""
    count = 0

    def broken(real):
        def call(*args, **kwargs):
            nonlocal count
            count += 1
            if count == number:
                end()
            return real(*args, **kwargs)

        return call

    for name in CALLS:
        setattr(Path, name, broken(getattr(Path, name)))


def test_all_are_new_and_nothing_else_is_touched(tmp_path) -> None:
    fill(tmp_path)
    replace(tmp_path)
    assert held(tmp_path) == NEW
    assert {path.name for path in tmp_path.iterdir()} == {*NEW}


@pytest.mark.parametrize("number", range(1, 8))
def test_a_failure_leaves_all_as_they_were(tmp_path, number, monkeypatch) -> None:
    for name in CALLS:
        monkeypatch.setattr(Path, name, getattr(Path, name))
    fill(tmp_path)

    def fail() -> None:
        raise OSError("disk full")

    break_call(number, fail)
    with pytest.raises(OSError, match="disk full"):
        replace(tmp_path)
    monkeypatch.undo()
    assert held(tmp_path) == OLD
    assert {path.name for path in tmp_path.iterdir()} == {*OLD}


def test_a_kill_at_any_moment_leaves_all_old_or_all_new(tmp_path) -> None:
    ended = []
    for number in range(1, 9):
        folder = tmp_path / str(number)
        fill(folder)
        command = [sys.executable, __file__, str(folder), str(number)]
        ended.append(subprocess.run(command, check=False).returncode)
        restore(folder, NAMES)
        assert held(folder) in (OLD, NEW)
        assert held(folder) == (NEW if ended[-1] == 0 else OLD)
        shutil.rmtree(folder)
    assert set(ended) == {0, 9}, "the last came through"


if __name__ == "__main__":
    break_call(int(sys.argv[2]), lambda: os._exit(9))
    replace(Path(sys.argv[1]))
