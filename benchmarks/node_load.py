"""Load on a node: series a minute and memory over 200 received series with a real header.

Three slices of the chest port at a quarter of their size, again and again under new UIDs, by two
scanners at the same time; the node reduces them with LI and sends them to an archive in this
process. `python benchmarks/node_load.py [SERIES]`.
"""

import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, _config, build_context, evt

from unmetal.node.health import resident_bytes

SERIES = Path(__file__).parents[1] / "examples" / "chest_port"
SLICES, SHRINK, PORT, ARCHIVE = 3, 4, 11312, 11313
MIB = 1 << 20


def templates() -> list[Dataset]:
    """The slices, small."""
    images = [dcmread(path) for path in sorted(SERIES.glob("*.dcm"))[:SLICES]]
    for image in images:
        pixels = np.ascontiguousarray(image.pixel_array[::SHRINK, ::SHRINK])
        image.Rows, image.Columns = pixels.shape
        image.PixelSpacing = [float(mm) * SHRINK for mm in image.PixelSpacing]
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.PixelData = pixels.tobytes()
    return images


def series(images: list[Dataset], number: int) -> list[Dataset]:
    """The same patient's next visit."""
    made = deepcopy(images)
    for place, image in enumerate(made):
        image.StudyInstanceUID = generate_uid(entropy_srcs=["study", str(number)])
        image.SeriesInstanceUID = generate_uid(entropy_srcs=["series", str(number)])
        image.SOPInstanceUID = generate_uid(entropy_srcs=[str(number), str(place)])
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.NumberOfSeriesRelatedInstances = len(made)
    return made


def archive(arrived: Counter[str]) -> None:
    """Count the images of each series that come back."""

    def store(event: evt.Event) -> int:
        arrived[str(event.dataset.SeriesInstanceUID)] += 1
        return 0

    entity = AE("ARCHIVE")
    entity.add_supported_context(CTImageStorage)
    handlers = [(evt.EVT_C_STORE, store)]
    entity.start_server(("127.0.0.1", ARCHIVE), block=False, evt_handlers=handlers)


def send(images: list[Dataset]) -> None:
    """Until the node takes them: it may say that its queue is full."""
    left = images
    while left:
        contexts = [build_context(CTImageStorage, ExplicitVRLittleEndian)]
        association = AE("SCANNER").associate(
            "127.0.0.1", PORT, ae_title="UNMETAL", contexts=contexts
        )
        if association.is_established:
            left = [one for one in left if association.send_c_store(one).get("Status") != 0]
            association.release()
        if left:
            time.sleep(1)


def processes(node: Popen) -> tuple[float, float]:
    """Memory of the node and of its reducing process, MiB."""
    lists = Path(f"/proc/{node.pid}/task").glob("*/children")
    children = [int(pid) for one in lists for pid in one.read_text().split()]
    return resident_bytes(node.pid) / MIB, max(map(resident_bytes, children), default=0.0) / MIB


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    _config.LOG_HANDLER_LEVEL = "none"
    arrived: Counter[str] = Counter()
    archive(arrived)
    images = templates()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "unmetal", "node", "--aet", "UNMETAL", "--port", str(PORT)]
        command += ["--to", f"ARCHIVE@127.0.0.1:{ARCHIVE}", "--spool", f"{folder}/spool"]
        command += ["--method", "li", "--min-free", "0", "--status-port", "0", "--queue", "20"]
        node = Popen(command, stdout=DEVNULL)
        try:
            run(node, images, count, arrived)
        finally:
            node.terminate()
            try:
                node.wait(30)
            except TimeoutExpired:
                node.kill()


def run(node: Popen, images: list[Dataset], count: int, arrived: Counter[str]) -> None:
    """Send, and print a row every tenth of the way."""
    send(series(images, 0))
    while not whole(arrived):
        time.sleep(0.1)
    print("| series back | minutes | node, MiB | reducing process, MiB |\n|---:|---:|---:|---:|")
    begun, shown = time.monotonic(), 0
    pool = ThreadPoolExecutor(2)
    work = [pool.submit(lambda n: send(series(images, n)), n) for n in range(1, count + 1)]
    while (done := whole(arrived) - 1) < count:
        if done // max(count // 10, 1) > shown:
            shown = done // max(count // 10, 1)
            row(node, done, begun)
        time.sleep(0.2)
    row(node, count, begun)
    minutes = (time.monotonic() - begun) / 60
    assert all(one.done() for one in work)
    twice = sum(number > SLICES for number in arrived.values())
    print(f"\n{count / minutes:.1f} series of {SLICES} slices a minute; sent twice: {twice}")


def whole(arrived: Counter[str]) -> int:
    return sum(number >= SLICES for number in list(arrived.values()))


def row(node: Popen, done: int, begun: float) -> None:
    node_mib, reducing_mib = processes(node)
    minutes = (time.monotonic() - begun) / 60
    print(f"| {done} | {minutes:.1f} | {node_mib:.0f} | {reducing_mib:.0f} |", flush=True)


if __name__ == "__main__":
    main()
