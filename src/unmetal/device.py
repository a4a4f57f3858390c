"""Device, precision, ranks and timing."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeVar

import torch
from torch import Tensor, distributed

from unmetal.errors import InputError

Precision = Literal["auto", "fp32", "bf16"]
Made = TypeVar("Made")


def choose_device(name: str = "auto") -> torch.device:
    """The device `auto`, `cpu` or `cuda`; under torchrun each rank takes its own GPU.

    On a CPU one thread is used by whoever runs several processes side by side: set
    OMP_NUM_THREADS=1. Two threads fighting over a core are up to ten times slower than one.
    Raises `InputError` for a GPU that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError("device cuda: no CUDA GPU is visible; use --device cpu")
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    chosen = torch.device(name)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
    return chosen


def autocast(precision: Precision, on: torch.device) -> AbstractContextManager:
    """A context in which convolutions run in bfloat16, or one that does nothing.

    `auto` is bf16 on GPUs that have it and fp32 elsewhere: a CPU without AVX512-BF16 would emulate
    it. fp16 is not offered; its range is too small for the sums over a slice.
    """
    wanted = precision == "bf16" or (
        precision == "auto" and on.type == "cuda" and torch.cuda.is_bf16_supported()
    )
    return torch.autocast(on.type, torch.bfloat16) if wanted else nullcontext()


def init_distributed(on: torch.device) -> tuple[int, int]:
    """Rank and number of ranks; starts the process group when launched by torchrun."""
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if on.type == "cuda" else "gloo")
    return int(os.environ.get("RANK", "0")), ranks


def average_gradients(parameters: Sequence[Tensor]) -> None:
    """Replace every gradient by its mean over all ranks, in one message.

    Equal to one rank with the whole batch up to rounding (3e-8 measured), because every loss is a
    mean over samples; no wrapper around the networks is needed.
    """
    if not distributed.is_initialized():
        return
    # One flat message for all of them: small ones cost more than their bytes.
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def timed(make: Callable[[], Made], device: torch.device) -> tuple[Made, float]:
    """The result of `make`, and its seconds, queued CUDA kernels included."""

    def clock() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    begun = clock()
    return make(), clock() - begun


def device_name(device: torch.device) -> str:
    """`CPU, 1 thread`, or the name of the GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"
