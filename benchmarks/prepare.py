"""Slices per second of `unmetal prepare`: python benchmarks/prepare.py [--kill] [DICOM FOLDER...]

An archive of 2,000 DICOM slices is made of the series in the folders (the chest port in examples/
if none are given), each time as another patient with UIDs of its own. With --kill it is prepared
twice: whole, and killed half way and resumed, which must come to the same.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import generate_uid

SLICES = 2000

PORT = Path(__file__).parents[1] / "examples" / "chest_port"


def main(arguments: list[str]) -> None:
    kill = "--kill" in arguments
    folders = [Path(one) for one in arguments if one != "--kill"] or [PORT]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        patients = archive(folders, root / "archive")
        begun = time.perf_counter()
        subprocess.run(command(root, "whole"), check=True, stderr=subprocess.DEVNULL)
        seconds = time.perf_counter() - begun
        print("| slices | patients | cores | seconds | slices/s |\n|---:|---:|---:|---:|---:|")
        cores = len(os.sched_getaffinity(0))
        print(f"| {SLICES} | {patients} | {cores} | {seconds:.0f} | {SLICES / seconds:.1f} |")
        if kill:
            interrupted(root)


def command(root: Path, output: str) -> list[str]:
    """The command line; one key, so that names can be compared."""
    program = [sys.executable, "-m", "unmetal", "prepare"]
    return [*program, str(root / "archive"), str(root / output), "--key", str(root / "key.json")]


def archive(folders: list[Path], root: Path) -> int:
    """Write the archive; returns how many patients it has."""
    series = [[dcmread(path) for path in sorted(folder.glob("*.dcm"))] for folder in folders]
    if not all(series):  # there would be nothing to repeat, for ever
        sys.exit("benchmarks/prepare.py: a folder without .dcm files; name folders of one series")
    whole = ((number, image) for number, one in enumerate(cycle(series)) for image in one)
    patients = set()
    for place, (number, image) in enumerate(islice(whole, SLICES)):
        image.PatientID, image.PatientName = f"P{number:04}", f"Nobody^{number}"
        image.StudyInstanceUID = generate_uid(entropy_srcs=["study", str(number)])
        image.SeriesInstanceUID = generate_uid(entropy_srcs=["series", str(number)])
        image.SOPInstanceUID = generate_uid(entropy_srcs=["image", str(place)])
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        path = root / image.PatientID / f"{place:05}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save_as(path)
        patients.add(number)
    return len(patients)


def interrupted(root: Path) -> None:
    """Kill a preparation when half of its parts are there, go on with it, and compare."""
    process = subprocess.Popen(
        command(root, "killed"), stderr=subprocess.DEVNULL, start_new_session=True
    )
    while process.poll() is None and parts(root) < SLICES / 32 / 2:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    print(f"\nkilled with {parts(root)} of {-(-SLICES // 32)} parts done")
    begun = time.perf_counter()
    subprocess.run(command(root, "killed"), check=True, stderr=subprocess.DEVNULL)
    print(f"resumed in {time.perf_counter() - begun:.0f} s")
    for name in ("manifest.csv", "cohort.json", "cohort/hu-0000.npy"):
        same = (root / "whole" / name).read_bytes() == (root / "killed" / name).read_bytes()
        print(f"{name}: {'the same' if same else 'DIFFERENT'}")


def parts(root: Path) -> int:
    """How many are there."""
    return len([*(root / ".unmetal-killed").glob("*.npz")])


if __name__ == "__main__":
    main(sys.argv[1:])
