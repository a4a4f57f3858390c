"""`unmetal methods` and `unmetal weights`."""

import subprocess
import sys

import pytest

from unmetal.__main__ import main
from unmetal.methods import METHODS


def test_it_names_every_method(capsys) -> None:
    assert main(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(METHODS)
    assert all(len(line.split()) > 3 for line in lines)


def test_it_does_not_wait_for_torch() -> None:
    script = "import sys; from unmetal.__main__ import main; main(['methods']); "
    script += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m unmetal weights adn-syn | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode in {0, 141}  # 0 where all of it fitted into the pipe before
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["adn", "ADN", "adn-syn", "ADN-SYN"])
def test_weights_are_found_by_their_method_in_any_case(name, capsys) -> None:
    assert main(["weights", name]) == 0
    assert capsys.readouterr().out.startswith("adn-syn  adn, ")


def test_the_columns_of_all_weights_stand_below_each_other(capsys) -> None:
    assert main(["weights"]) == 0
    lines = capsys.readouterr().out.splitlines()
    starts = {len(line) - len(line.split(maxsplit=1)[1]) for line in lines}
    assert len(starts) == 1
