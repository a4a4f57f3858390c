"""Training runs on a machine that has torch, numpy, scipy, scikit-image and little else."""

import subprocess
import sys

ABSENT = ("pydicom", "SimpleITK", "matplotlib", "pynetdicom", "nibabel", "torchvision")


def test_training_needs_no_reader_and_no_plotting():
    block = f"import sys; sys.modules.update(dict.fromkeys({ABSENT!r}))"
    code = f"{block}; import unmetal.commands.train, unmetal.training.train, unmetal.weights.load"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
