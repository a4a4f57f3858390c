"""A method that `unmetal export` wrote as ONNX, run by ONNX Runtime or by OpenVINO.

Both compute in single precision on a CPU and agree with PyTorch to less than 1 HU
(tests/export/test_export.py); benchmarks/runtimes.py says how much faster they are.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from unmetal.errors import InputError, install_extra, short_error
from unmetal.methods.method import Method
from unmetal.nets.blocks import pad_to_stride
from unmetal.scan import Scan

METADATA = "unmetal"
"""The key of an ONNX file's metadata under which a `Description` stands as JSON."""

Runtime = Literal["openvino", "onnxruntime"]

RUNTIMES: tuple[Runtime, ...] = ("onnxruntime", "openvino")
"""In the order in which they are tried: the faster one first, by benchmarks/runtimes.py."""


@dataclass(frozen=True)
class Description:
    """What an exported file says of itself."""

    method: str
    """As in `unmetal methods`."""
    name: str
    """Of the weights."""
    sha256: str
    """Hash of the weights, as `unmetal weights` lists it."""
    stride: int
    """What the sides of a slice must be multiples of, in pixels."""
    input_size: int | None
    """As `Method.input_size`."""
    caution: str = ""
    """What the weights' card warns of."""
    unmetal: str = ""
    """The version that wrote the file."""


class Exported(Method):
    """A network in an ONNX file, as a method: no weights that PyTorch knows, and none to train."""

    def __init__(self, path: Path, runtime: Runtime | None = None) -> None:
        """runtime: None takes the first of `RUNTIMES` that is installed.

        Raises `InputError` for a file that `unmetal export` did not write, and where no runtime is
        installed.
        """
        super().__init__()
        self.runtime = runtime or first_installed()
        self.description = read_description(path)
        self.input_size = self.description.input_size
        self.run = START[self.runtime](path)

    def reduce(self, scan: Scan) -> Tensor:
        """The slices without artifacts, `[B 1 H W]` in 1/cm."""
        return pad_to_stride(self._translate, scan.image, self.description.stride)

    def _translate(self, image: Tensor) -> Tensor:
        """Slice by slice, `[B 1 H W]` in 1/cm: the file takes one at a time."""
        slices = image.detach().cpu().float().contiguous().numpy()
        done = [torch.from_numpy(self.run(one[None])) for one in slices]
        return torch.cat(done).to(image)


def first_installed() -> Runtime:
    """The first of `RUNTIMES` that is installed; raises `InputError` where none is."""
    for name in RUNTIMES:
        try:
            import_module(name)
        except ModuleNotFoundError:
            continue
        return name
    raise InputError(install_extra("ONNX Runtime", "onnx"))


def read_description(path: Path) -> Description:
    """What a file says of itself; raises `InputError` for one of another program."""
    try:
        onnx = import_module("onnx")
    except ModuleNotFoundError as error:
        raise InputError(install_extra("onnx", "onnx")) from error
    try:
        properties = onnx.load(path, load_external_data=False).metadata_props
        return Description(**json.loads({p.key: p.value for p in properties}[METADATA]))
    except Exception as error:  # protobuf's own, and whatever else a damaged file leads to
        reason = short_error(error)
        raise InputError(
            f"{path}: not written by `unmetal export`, or damaged: {reason}"
        ) from error


def _openvino(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """`[1 1 H W]` to the same, in single precision even where the CPU has a faster one."""
    openvino = import_module("openvino")
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    return lambda image: compiled([image])[0].copy()


def _onnxruntime(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """`[1 1 H W]` to the same."""
    onnxruntime = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image})[0]


START: dict[Runtime, Callable[[Path], Callable[[np.ndarray], np.ndarray]]] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
}
