"""How soon `unmetal view` shows a series of 200 slices, and the memory that this takes.

The chest port again and again at new positions and under new UIDs, 512 x 512, from a cold start.
`python benchmarks/viewer.py [SLICES]`.
"""

import json
import os
import signal
import sys
import tempfile
import time
from copy import deepcopy
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen
from urllib.request import urlopen

from pydicom import dcmread
from pydicom.uid import generate_uid

SERIES = Path(__file__).parents[1] / "examples" / "chest_port"
ROUNDS = 3
MIB = 1024


def write_series(folder: Path, count: int) -> None:
    """One series of `count` slices, 2.5 mm apart."""
    images = [dcmread(path) for path in sorted(SERIES.glob("*.dcm"))]
    series = generate_uid(entropy_srcs=["benchmark"])
    for place in range(count):
        image = deepcopy(images[place % len(images)])
        image.SeriesInstanceUID, image.InstanceNumber = series, place + 1
        image.SOPInstanceUID = generate_uid(entropy_srcs=["benchmark", str(place)])
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.ImagePositionPatient = [*image.ImagePositionPatient[:2], 2.5 * place]
        image.save_as(folder / f"{place:04d}.dcm")


def peak(pid: int) -> float:
    """Peak resident memory of a process, mapped files included, MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / MIB


def children(pid: int) -> list[int]:
    """Processes that a process started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        if stat.read_text().rpartition(") ")[2].split()[1] == str(pid):
            found.append(int(stat.parent.name))
    return found


def processor_s(pid: int) -> float:
    """Processor time of a process, s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path) -> dict[str, float]:
    """One start; seconds from the start of the process, and MiB."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "unmetal", "view", str(folder), "--no-browser"]
    with Popen(command, stdout=PIPE, text=True) as server:
        try:
            address = server.stdout.readline().strip() if server.stdout else ""
            found = {"address printed, s": time.perf_counter() - begun}
            # What the first picture costs, however busy the machine is.
            reading = max(children(server.pid), key=processor_s)
            found["processor time of the server until then, s"] = processor_s(server.pid)
            found["processor time of the reading process until then, s"] = processor_s(reading)
            state = json.load(urlopen(f"{address}api/state"))
            series = f"{address}api/series/{state['series'][0]['id']}"
            urlopen(f"{series}/slice.png").read()
            found["first picture (slice.png), s"] = time.perf_counter() - begun
            urlopen(f"{series}/original.nii").read()
            found["whole volume (original.nii), s"] = time.perf_counter() - begun
            found["server, peak MiB"] = peak(server.pid)
            found["reading process, peak MiB"] = peak(reading)
            ending = time.perf_counter()
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
        found["ended by SIGTERM, s"] = time.perf_counter() - ending
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        write_series(Path(folder), count)
        rounds = [measure(Path(folder)) for _ in range(ROUNDS)]
    print(f"| {count} slices of 512 x 512 | median of {ROUNDS} | least |\n|---|---:|---:|")
    for name in rounds[0]:
        values = [one[name] for one in rounds]
        digits = 0 if "MiB" in name else 2
        print(f"| {name} | {median(values):.{digits}f} | {min(values):.{digits}f} |")


if __name__ == "__main__":
    main()
