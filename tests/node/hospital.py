"""What a node meets in a hospital: CT series with metal, a scanner that sends them, an archive that
receives them; and the node as a process of its own, or with a stand-in for the reduction."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)
from pynetdicom import AE, build_context, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as Find
from pynetdicom.sop_class import Verification

from unmetal.node.config import ReduceConfig
from unmetal.node.reducer import Outcome, Reducer

SIDE = 128
SECRETS = ("Nobody^Known", "secret-7", "19471102", "Dr^Referring", "ACC-99")
"""Values of the headers that must not appear in a log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition: Callable[[], Any], seconds: float = 60.0, every: float = 0.01) -> Any:
    """Wait until the condition is true, and return its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(every)
    raise AssertionError(f"waited {seconds} s in vain")


def ct_series(name: str = "hips", slices: int = 4, *, metal: bool = True, side: int = SIDE) -> list:
    """A body with two metal rods, 3 mm apart; the same name gives the same objects."""
    return [_ct_slice(name, number, metal, side) for number in range(1, slices + 1)]


def _ct_slice(name: str, number: int, metal: bool, side: int) -> Dataset:
    rng = np.random.default_rng(number)
    rows, columns = (np.mgrid[:side, :side] - side / 2) / (side / 2)
    hu = np.where((rows / 0.6) ** 2 + (columns / 0.8) ** 2 < 1, 40.0, -1000.0)
    hu += rng.normal(0, 12, hu.shape)
    if metal:
        for column in (-0.4, 0.4):
            hu[rows**2 + (columns - column) ** 2 < 0.005] = 7000
        hu[(np.abs(rows) < 0.05) & (np.abs(columns) < 0.3)] -= 150
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = CTImageStorage
    image.SOPInstanceUID = generate_uid(entropy_srcs=[name, "image", str(number)])
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.StudyInstanceUID = generate_uid(entropy_srcs=[name, "study"])
    image.SeriesInstanceUID = generate_uid(entropy_srcs=[name, "series"])
    image.FrameOfReferenceUID = generate_uid(entropy_srcs=[name, "frame"])
    image.PatientName, image.PatientID, image.PatientBirthDate = SECRETS[:3]
    image.ReferringPhysicianName, image.AccessionNumber = SECRETS[3:]
    image.PatientSex = "O"
    image.StudyDate, image.StudyTime, image.StudyID = "20240102", "101500", "1"
    image.Modality, image.Manufacturer, image.ManufacturerModelName = "CT", "Maker", "Model"
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.SeriesNumber, image.InstanceNumber, image.AcquisitionNumber = 3, number, 1
    image.SeriesDescription, image.PositionReferenceIndicator = "Pelvis 3.0", ""
    image.KVP, image.ConvolutionKernel, image.SliceThickness = "120", "B30f", "3"
    image.PatientPosition = "HFS"
    image.ImagePositionPatient = [-190.0, -190.0, 3.0 * number]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.PixelSpacing = [384 / side, 384 / side]
    image.Rows = image.Columns = side
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation = 0
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = -1024, 1, "HU"
    image.PixelData = np.clip(hu + 1024, 0, 65535).round().astype("<u2").tobytes()
    return image


def encoded(image: Dataset) -> bytes:
    """The bytes of a DICOM file."""
    buffer = BytesIO()
    image.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def send(
    images: list[Dataset],
    port: int,
    *,
    calling: str = "SCANNER",
    called: str = "UNMETAL",
    **tls: Any,
) -> list[int | None]:
    """C-STORE them over one association; the status of each, None where no answer came."""
    entity = AE(calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 30
    contexts = [build_context(CTImageStorage), build_context(Verification)]
    association = entity.associate("127.0.0.1", port, ae_title=called, contexts=contexts, **tls)
    if not association.is_established:
        return [None] * len(images)
    try:
        return [association.send_c_store(image).get("Status") for image in images]
    finally:
        association.release()


def store_raw(association: Any, uid: str, data: bytes) -> int:
    """C-STORE of any bytes, announced as a CT image; the status."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CTImageStorage, uid
    request.DataSet = BytesIO(data)
    association._reactor_checkpoint.clear()  # as pynetdicom's own send_c_store does
    until(lambda: association._is_paused)
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return answer.Status


def echo(port: int, *, calling: str = "SCANNER", called: str = "UNMETAL") -> int | None:
    """The status of a C-ECHO; None where the association was not made."""
    entity = AE(calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
    contexts = [build_context(Verification)]
    association = entity.associate("127.0.0.1", port, ae_title=called, contexts=contexts)
    if not association.is_established:
        return None
    status = association.send_c_echo().get("Status")
    association.release()
    return status


class Archive:
    """A Storage SCP that keeps what it is sent, counts how often, and can be made to hang."""

    def __init__(
        self, *, answers_queries: bool = True, implicit: bool = False, tls: Any = None
    ) -> None:
        self.port, self.tls = free_port(), tls
        self.images: dict[str, Dataset] = {}
        self.times: Counter[str] = Counter()
        """How often each image came, by SOP Instance UID."""
        self.gate = threading.Event()
        self.gate.set()
        """While it is cleared, an image is kept but not answered."""
        self.hangs_after = 10**9
        """Number of images that are answered before the gate is looked at."""
        self.hanging = threading.Event()
        """Set when an image was kept and is not answered."""
        self.status = 0x0000
        self.answers_queries, self.implicit = answers_queries, implicit
        self._server: Any = None
        self.start()

    @property
    def address(self) -> str:
        return f"ARCHIVE@127.0.0.1:{self.port}"

    def start(self) -> None:
        entity = AE("ARCHIVE")
        entity.add_supported_context(Verification)
        syntaxes = [ImplicitVRLittleEndian]
        entity.add_supported_context(
            CTImageStorage, syntaxes if self.implicit else [ExplicitVRLittleEndian, *syntaxes]
        )
        entity.add_supported_context(EncapsulatedPDFStorage)
        if self.answers_queries:
            entity.add_supported_context(Find)
        handlers = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_FIND, self._find)]
        self._server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=handlers, ssl_context=self.tls
        )

    def stop(self) -> None:
        self.gate.set()
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _store(self, event: Any) -> int:
        if self.status != 0:
            return self.status
        image = event.dataset
        image.file_meta = event.file_meta
        self.images[image.SOPInstanceUID] = image
        self.times[image.SOPInstanceUID] += 1
        if sum(self.times.values()) > self.hangs_after and not self.gate.is_set():
            self.hanging.set()
            self.gate.wait(60)
        return 0x0000

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        for image in list(self.images.values()):
            if image.SeriesInstanceUID == event.identifier.SeriesInstanceUID:
                found = Dataset()
                found.QueryRetrieveLevel, found.SOPInstanceUID = "IMAGE", image.SOPInstanceUID
                yield 0xFF00, found


class Process:
    """The command `unmetal node` as a process."""

    def __init__(self, spool: Path, *to: str, **options: Any) -> None:
        self.spool, self.port = spool, options.pop("port", None) or free_port()
        self.log = spool.parent / f"{spool.name}.log"
        self.status_port = options.pop("status_port", 0)
        defaults = {"quiet_time": 0.5, "min_free": 0, "method": "li", "retry": 0.2}
        command = [sys.executable, "-m", "unmetal", "node", "--aet", "UNMETAL"]
        command += ["--port", str(self.port), "--to", *to, "--spool", str(spool)]
        command += ["--status-port", str(self.status_port)]
        for name, value in (defaults | options).items():
            values = value if isinstance(value, (list, tuple)) else [value]
            command += [f"--{name.replace('_', '-')}", *map(str, values)]
        with self.log.open("ab") as log:
            self.begun = log.tell()
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"}
            )

    def text(self) -> str:
        """The output of this process."""
        return self.log.read_bytes()[self.begun :].decode()

    def events(self, name: str | None = None) -> list[dict]:
        lines = [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]
        return [line for line in lines if name in (None, line["event"])]

    def listening(self) -> Process:
        """Wait until it accepts associations; the method may still be loading."""
        until(lambda: self._alive() and echo(self.port) == 0)
        return self

    def ready(self) -> Process:
        """Wait until its method is loaded."""
        until(lambda: self._alive() and self.events("started"))
        return self

    def _alive(self) -> bool:
        assert self.process.poll() is None, self.text()
        return True

    def jobs(self, stage: str) -> list[Path]:
        """The folders in a stage of the spool."""
        folder = self.spool / stage
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def kill(self) -> None:
        """Send SIGKILL."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Send SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(20)


def stored(folder: Path) -> dict[str, Dataset]:
    """The DICOM files below a folder, by UID."""
    images = [dcmread(path) for path in folder.rglob("*.dcm")]
    return {str(image.SOPInstanceUID): image for image in images}


class Copies:
    """Stand-in for `ReducerProcess`: copies the images under other UIDs."""

    def __init__(self) -> None:
        self.reduced: list[str] = []
        """Names of the jobs that it was given."""

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def __call__(self, images: Path, target: Path) -> Outcome:
        self.reduced.append(images.parent.name)
        target.mkdir(parents=True)
        for path in sorted(images.iterdir()):
            image = dcmread(path)
            image.SOPInstanceUID = derived(image.SOPInstanceUID)
            image.SeriesInstanceUID = derived(image.SeriesInstanceUID)
            image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
            image.save_as(target / path.name)
        return Outcome(slices=1, changed=1)


class Direct(Reducer):
    """Stand-in for `ReducerProcess` that reduces in this process: starting one takes seconds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(ReduceConfig(**{"method": "li"} | options))

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


def counted(node: Any, name: str, **labels: str) -> float:
    """The value of one of the node's metrics."""
    return node.metrics.registry.get_sample_value(name, labels) or 0.0


def derived(uid: str) -> str:
    """What `Copies` makes of a UID."""
    return str(generate_uid(entropy_srcs=["derived", str(uid)]))
