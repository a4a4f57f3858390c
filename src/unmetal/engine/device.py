"""Where to compute."""

import torch

from unmetal.errors import InputError


def choose_device(name: str = "auto") -> torch.device:
    """The device called `auto`, `cpu` or `cuda`; raises `InputError` for a GPU that is not there.

    On a CPU one thread is used by whoever runs several processes side by side: set
    OMP_NUM_THREADS=1. Two threads fighting over a core are up to ten times slower than one.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: no CUDA GPU is visible; use --device cpu")
    return torch.device(name)
