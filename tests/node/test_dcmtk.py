"""Other people's tools as sender: DCMTK's echoscu and storescu, and a real series."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hospital import derived, until
from pydicom import dcmread

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "chest_port"

pytestmark = pytest.mark.skipif(
    shutil.which("storescu") is None, reason="needs DCMTK: apt-get install dcmtk"
)


def test_a_real_series_sent_by_dcmtk_comes_back(make_node, archive) -> None:
    node = make_node(quiet_time=3)  # a busy machine lets a second pass between two images
    call = ["-aet", "SCANNER", "-aec", "UNMETAL", "127.0.0.1", str(node.receiver.port)]
    assert subprocess.run(["echoscu", *call], check=False).returncode == 0
    files = sorted(map(str, EXAMPLE.glob("*.dcm")))
    assert subprocess.run(["storescu", *call, *files], check=False).returncode == 0
    assert subprocess.run(["echoscu", "-aec", "OTHER", *call[4:]], check=False).returncode != 0
    until(lambda: len(archive.images) == len(files))
    sources = {derived(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in files}
    assert archive.images.keys() == sources
    assert len(node.reducer.reduced) == 1
