"""`unmetal node`: receive CT series, reduce their metal artifacts, send the new series on."""

from dataclasses import dataclass

import tyro

from unmetal.errors import InputError, install_extra
from unmetal.node.config import Config


@dataclass(frozen=True)
class Node:
    """Receive CT series by C-STORE or DICOMweb, reduce them, and send the derived series on.

    What was answered with success is on the disk and survives a crash. Research use only. See
    docs/node.md.
    """

    options: tyro.conf.OmitArgPrefixes[Config]

    def run(self) -> None:
        """Work until SIGTERM or Ctrl-C; raises `InputError` for what cannot work."""
        try:
            from unmetal.node.node import Node as Service  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise InputError(install_extra(error.name or "a library", "dicom")) from error
        Service(self.options).run()
