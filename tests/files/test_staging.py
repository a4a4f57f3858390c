"""Locks on folders, and files that are replaced whole or not at all."""

import subprocess
import sys

import pytest

from unmetal.errors import InputError
from unmetal.files.staging import exclusive_lock, replacing

HOLD = """
import sys, time
from pathlib import Path
from unmetal.files.staging import exclusive_lock
with exclusive_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_runs_do_not_share_a_folder(tmp_path):
    twice = pytest.raises(InputError, match="another run is at work there")
    with exclusive_lock(tmp_path), twice, exclusive_lock(tmp_path):
        pytest.fail("the lock was given twice")
    with exclusive_lock(tmp_path):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError), exclusive_lock(tmp_path):
            pass
        other.kill()
    with exclusive_lock(tmp_path):
        pass


@pytest.mark.parametrize("sync", [False, True])
def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path, sync):
    path = tmp_path / "note.txt"
    with replacing(path, sync=sync) as partial:
        partial.write_text("first")
    with pytest.raises(UnicodeEncodeError), replacing(path, sync=sync) as partial:
        partial.write_text("half \ud800")
    assert path.read_text() == "first"
    with replacing(path, sync=sync) as partial:
        partial.write_text("second")
        assert path.read_text() == "first"
    assert path.read_text() == "second"
    assert [one.name for one in tmp_path.iterdir()] == ["note.txt"]


def test_a_secret_is_for_its_owner_from_the_first_byte(tmp_path):
    path = tmp_path / "key.json"
    path.write_text("old, and for all")
    path.chmod(0o644)
    with replacing(path, mode=0o600) as partial:
        assert partial.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_mode & 0o777 == 0o600
