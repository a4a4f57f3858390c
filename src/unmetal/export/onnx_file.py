"""A method's network as an ONNX file (https://onnx.ai): attenuation in, the same without artifacts
out."""

import json
import logging
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from unmetal.errors import InputError, install_extra
from unmetal.files.staging import refuse_overwrite, staged
from unmetal.methods.exported import METADATA, Description
from unmetal.methods.method import ImageMethod, Method
from unmetal.software import software
from unmetal.units import mu_to_network, network_to_mu
from unmetal.weights.checkpoint import Card

OPSET = 18
"""Version of the ONNX operators: what ONNX Runtime 1.14 and OpenVINO 2023.1 read, and newer."""

LARGEST = 4096
"""Pixels of a side up to which the size is left open."""


class SliceNetwork(nn.Module):
    """`[1 1 H W]` in 1/cm to the same without artifacts, all in one graph."""

    def __init__(self, method: ImageMethod) -> None:
        super().__init__()
        self.method = method

    def forward(self, image: Tensor) -> Tensor:
        """As `method.reduce`, for sides that are multiples of its stride."""
        return network_to_mu(self.method.translate(mu_to_network(image)))


def export_onnx(method: Method, card: Card, path: Path, *, force: bool = False) -> None:
    """Write a method as ONNX: one input `image` and one output `corrected`, float32 `[1 1 H W]` in
    1/cm, H and W any multiples of the method's stride.

    The file's metadata hold what `Description` says, under `METADATA`. Raises `InputError` for a
    method that is no network from slice to slice, and where `onnxscript` is not installed.
    """
    refuse_overwrite(path, folder=False, source=None, force=force)
    described = describe(method, card)
    assert isinstance(method, ImageMethod)
    try:
        program = _traced(SliceNetwork(method).eval(), method.stride)
    except ModuleNotFoundError as error:
        raise InputError(install_extra(str(error.name), "onnx")) from error
    program.model.metadata_props[METADATA] = json.dumps(asdict(described))
    program.model.doc_string = f"{described.name} by {software()}. RESEARCH USE ONLY."
    with staged(path, force=force) as target:
        program.save(target)


def describe(method: Method, card: Card) -> Description:
    """What an exported file says of itself. Raises `InputError` for a method that has none."""
    name = card.get("name") or type(method).__name__
    if not isinstance(method, ImageMethod):
        why = (
            "completes sinograms between its networks" if method.train_inputs else "has no network"
        )
        raise InputError(
            f"{name}: {why}: export what goes from slice to slice by a network alone, as adn, "
            "cyclegan and unet do"
        )
    return Description(
        method=card["method"],
        name=name,
        sha256=card["sha256"],
        stride=method.stride,
        input_size=method.input_size,
        caution=card.get("caution", ""),
        unmetal=software(),
    )


def _traced(network: nn.Module, stride: int) -> Any:
    """The graph, traced once at a size of its own in each direction, so that none is taken for
    fixed."""
    sides = {2 + i: stride * Dim(name, min=8, max=LARGEST // stride) for i, name in enumerate("hw")}
    example = torch.zeros(1, 1, 16 * stride, 24 * stride)
    # The exporter prints its progress, and warns of what others deprecated.
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            return torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=["image"],
                output_names=["corrected"],
                dynamic_shapes={"image": sides},
                verbose=False,
            )
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
