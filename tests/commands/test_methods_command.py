"""`unmetal methods`."""

import subprocess
import sys

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
