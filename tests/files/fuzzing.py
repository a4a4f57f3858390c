"""Damaged DICOM, and what `unmetal reduce` makes of it: python fuzzing.py FIRST COUNT FOLDER

Case `i` is always the same: a series of some kind, mutated by a generator seeded with `i`. Each
runs as a user would run it, in this process, so that a crash or a hang shows to whoever started it;
a line of JSON says what became of each.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType

import gdcm
import numpy as np
import pydicom
from ct_files import ct_image, hashes, save
from pydicom.data import get_testdata_file
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from unmetal.__main__ import main

SECONDS = 10.0
"""Of this process, which a case may take; a sound one takes less than one."""

MEMORY = 12 * 2**30
"""Bytes of address space; most of them are libraries."""

SIDE = 32

PORT = Path(__file__).parents[2] / "examples" / "chest_port"

Draw = np.random.Generator


class TooLong(BaseException):
    """The time limit; no handler of errors may catch it."""


# ---------------------------------------------------------------------------- sound series


def pixels(number: int) -> np.ndarray:
    """uint16 `[32 32]`: a body with metal in it, HU + 1024."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    stored = np.random.default_rng(number).normal(24, 5, (SIDE, SIDE))
    stored[np.hypot(y, x) < 13] += 1040
    stored[np.hypot(y, x - 4) < 2] = 3900
    return stored.clip(0).astype("<u2")


def synthetic(folder: Path, syntax: str, count: int = 3) -> None:
    """Slices in a transfer syntax."""
    for number in range(count):
        stored = pixels(number)
        image = ct_image(number, 3.0 * number, Rows=SIDE, Columns=SIDE, PixelSpacing=[9, 9])
        image.PixelData = stored.tobytes()
        if syntax in {RLELossless, JPEG2000Lossless, JPEGLSLossless}:
            image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            image.compress(syntax, stored, generate_instance_uid=False)
        elif syntax == ExplicitVRBigEndian:
            image.PixelData = stored.astype(">u2").tobytes()
        if syntax not in {RLELossless, JPEG2000Lossless, JPEGLSLossless}:
            image["PixelData"].VR = "OW"
        image.file_meta.TransferSyntaxUID = syntax
        save(image, folder / f"IM{number}")


def jpeg(folder: Path) -> None:
    """Slices in lossless JPEG, which only gdcm writes."""
    synthetic(folder, ExplicitVRLittleEndian)
    for path in list(folder.iterdir()):
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.Write()


def real_headers(folder: Path) -> None:
    """A real scanner's headers, on small pixels."""
    for number, path in enumerate(sorted(PORT.glob("*.dcm"))[:3]):
        image = pydicom.dcmread(path)
        image.Rows = image.Columns = SIDE
        image.PixelSpacing = [9, 9]
        image.PixelData = pixels(number).tobytes()
        image.save_as(folder / path.name)


def copied(*names: str) -> Callable[[Path], None]:
    """Files that come with pydicom."""
    base = Path(get_testdata_file("CT_small.dcm", download=False)).parent

    def copy(folder: Path) -> None:
        for name in names:
            shutil.copy(base / name, folder / Path(name).name)

    return copy


def syntax_of(syntax: str) -> Callable[[Path], None]:
    """A maker of synthetic slices in one transfer syntax."""
    return lambda folder: synthetic(folder, syntax)


SOUND: dict[str, Callable[[Path], None]] = {
    "explicit": syntax_of(ExplicitVRLittleEndian),
    "implicit": syntax_of(ImplicitVRLittleEndian),
    "big endian": syntax_of(ExplicitVRBigEndian),
    "deflated": syntax_of(DeflatedExplicitVRLittleEndian),
    "rle": syntax_of(RLELossless),
    "jpeg-ls": syntax_of(JPEGLSLossless),
    "jpeg 2000": syntax_of(JPEG2000Lossless),
    "jpeg": jpeg,
    "real headers": real_headers,
    "CT_small": copied("CT_small.dcm"),
    "CT2": copied(*(f"dicomdirtests/77654033/CT2/{n}" for n in (17106, 17136, 17166))),
}


# ---------------------------------------------------------------------------- mutations


def flip_bits(content: bytearray, draw: Draw) -> None:
    for place in draw.integers(len(content), size=draw.integers(1, 17)):
        content[place] ^= 1 << int(draw.integers(8))


def flip_early_bits(content: bytearray, draw: Draw) -> None:
    """In the header, where most bytes mean something."""
    for place in draw.integers(128, min(len(content), 1500), size=draw.integers(1, 9)):
        content[place] ^= 1 << int(draw.integers(8))


def set_bytes(content: bytearray, draw: Draw) -> None:
    for place in draw.integers(len(content), size=draw.integers(1, 17)):
        content[place] = int(draw.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF, 0x5C, 0x20]))


def truncate(content: bytearray, draw: Draw) -> None:
    del content[int(draw.integers(len(content))) :]


def cut_out(content: bytearray, draw: Draw) -> None:
    start = int(draw.integers(len(content)))
    del content[start : start + int(draw.integers(1, 300))]


def repeat(content: bytearray, draw: Draw) -> None:
    start = int(draw.integers(len(content)))
    content[start:start] = content[start : start + int(draw.integers(1, 300))]


def insert_noise(content: bytearray, draw: Draw) -> None:
    start = int(draw.integers(len(content)))
    content[start:start] = draw.bytes(int(draw.integers(1, 64)))


def odd_lengths(content: bytearray, draw: Draw) -> None:
    """Four bytes of the header as a length that no file holds."""
    place = int(draw.integers(128, max(129, min(len(content) - 4, 1500))))
    content[place : place + 4] = struct.pack("<I", int(draw.choice(LENGTHS)))


LENGTHS = [0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]

BYTES = [
    flip_bits,
    flip_early_bits,
    flip_early_bits,
    set_bytes,
    truncate,
    cut_out,
    repeat,
    insert_noise,
    odd_lengths,
]

# fmt: off
KEYWORDS = (
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "SamplesPerPixel", "PhotometricInterpretation", "RescaleSlope", "RescaleIntercept",
    "RescaleType", "PixelSpacing", "SliceThickness", "SpacingBetweenSlices",
    "ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber", "SeriesNumber",
    "ImageType", "Modality", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID",
    "StudyInstanceUID", "KVP", "FrameOfReferenceUID", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "NumberOfFrames", "SeriesDescription", "SpecificCharacterSet",
    "ContributingEquipmentSequence", "DerivationCodeSequence", "SourceImageSequence",
    "LossyImageCompression", "WindowCenter", "ModalityLUTSequence", "PatientName", "PatientID",
    "BurnedInAnnotation", "ConvolutionKernel", "CodingSchemeIdentificationSequence", "StudyDate",
    "StudyTime", "ContentDate", "PlanarConfiguration", "ExtendedOffsetTable", "OverlayRows",
    "Manufacturer", "SoftwareVersions", "PixelData",
)
# fmt: on

VALUES = [
    b"",
    b"0",
    b"-1",
    b"nan",
    b"inf",
    b"1e308",
    b"-1e-300",
    b"99999999999999999999",
    b"1\\2",
    b"1\\0\\0\\0\\1\\0",
    b"0\\0\\0\\0\\0\\0",
    b"1e9\\1e9\\1e9",
    b"nan\\nan\\nan",
    b"x" * 70,
    b"\\\\\\\\",
    b"../../../etc/passwd",
    b"\x00\x00",
    b"\xff\xff",
    b"\x01\x00",
    b"\x08\x00",
    b"\x20\x00",
    b"ISO 2022 IR 87",
    b"1.2.840.10008.5.1.4.1.1.2",
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
    b"ORIGINAL\\PRIMARY\\AXIAL",
    b"LOCALIZER",
    b"MONOCHROME1",
    b"\xe4\xf6\xfc\xff",
    b"120 ",
]


def odd_values(path: Path, draw: Draw) -> None:
    """Some elements with values, or of a type, that make no sense; or none at all."""
    try:
        image = pydicom.dcmread(path, force=True)
        for keyword in draw.choice(KEYWORDS, size=draw.integers(1, 4)):
            _set(image, str(keyword), draw)
        image.save_as(path, enforce_file_format=False)
    except Exception:  # pydicom itself refuses some: damage the bytes instead
        damage(path, flip_early_bits, draw)


def _set(image: Dataset, keyword: str, draw: Draw) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    if draw.random() < 0.2:
        image.pop(tag, None)
        return
    value = VALUES[int(draw.integers(len(VALUES)))]
    kind = str(draw.choice(["UN", "UN", "OB", "LO", "UI", "US", "SQ"]))
    if kind == "US":
        image[tag] = DataElement(tag, kind, int(draw.choice([0, 1, 2, 8, 16, 32, 33, 65535])))
    elif kind == "SQ":
        image[tag] = DataElement(tag, kind, [Dataset() for _ in range(draw.integers(0, 3))])
    else:
        text = kind in {"LO", "UI"}
        image[tag] = DataElement(tag, kind, value.decode("latin-1") if text else value)


def damage(path: Path, how: Callable[[bytearray, Draw], None], draw: Draw) -> None:
    """Change the bytes of a file that has some left."""
    content = bytearray(path.read_bytes())
    if len(content) > 200:
        how(content, draw)
        path.write_bytes(content)


def mutate(path: Path, draw: Draw) -> list[str]:
    """Damage one file in one to three ways; their names."""
    done = []
    for _ in range(draw.integers(1, 4)):
        if not path.stat().st_size:
            break
        if draw.random() < 0.4 and path.suffix != ".zip":
            odd_values(path, draw)
            done.append("odd_values")
            continue
        how = BYTES[int(draw.integers(len(BYTES)))]
        damage(path, how, draw)
        done.append(how.__name__)
    return done


# ---------------------------------------------------------------------------- cases


def make(index: int, folder: Path) -> tuple[Path, str]:
    """The input of case `index`, and what it is."""
    draw = np.random.default_rng([20190804, index])
    name = str(draw.choice(list(SOUND)))
    series = folder / "in"
    series.mkdir(parents=True)
    SOUND[name](series)
    packed = draw.random() < 0.15
    target = sorted(series.iterdir())[int(draw.integers(len(list(series.iterdir()))))]
    if not packed:
        return series, f"{name}: {', '.join(mutate(target, draw))}"
    within = draw.random() < 0.6
    how = mutate(target, draw) if within else []
    archive = pack(series, folder / "in.zip")
    how += [] if within else mutate(archive, draw)
    return archive, f"{name} {'in' if within else 'as'} zip: {', '.join(how)}"


def pack(series: Path, target: Path) -> Path:
    """A folder turned into an archive."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(series.iterdir()):
            archive.write(path, path.name)
    shutil.rmtree(series)
    return target


def options(index: int) -> list[str]:
    """Of every sort, one after the other."""
    return [
        [],
        ["--save-difference", "--save-metal"],
        ["--compress", "rle"],
        ["--compress", "j2k", "--private", "drop"],
        ["--compress", "jpegls", "--equipment", "replace", "--save-difference"],
    ][index % 5]


@contextmanager
def captured() -> Iterator[Callable[[], str]]:
    """All that this process prints, C libraries included."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield lambda: _said(file.fileno())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            os.close(kept[0])
            os.close(kept[1])


def _said(file: int) -> str:
    sys.stdout.flush()
    sys.stderr.flush()
    return os.pread(file, 2**20, 0).decode(errors="replace")


def attempt(index: int, folder: Path) -> dict[str, object]:
    """Run one case in an empty folder; `problem` is empty where all is as it must be."""
    source, what = make(index, folder)
    (folder / "canary.txt").write_text("not to be touched")
    before = hashes(folder)
    arguments = ["reduce", str(source), str(folder / "out"), "--method", "li", "--metal-hu", "2000"]
    begun, code, problem = time.process_time(), -1, ""
    with captured() as said:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            code = main([*arguments, *options(index)])
        except TooLong:
            problem = f"longer than {SECONDS:g} s"
        except (Exception, SystemExit):
            problem = traceback.format_exc()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        text = said()
    seconds = time.process_time() - begun
    problem = problem or judged(code, text, folder, before)
    line = next((one for one in text.splitlines() if one.startswith("unmetal reduce:")), "")
    reason = line.replace(str(folder), "")
    return {
        "index": index,
        "what": what,
        "code": code,
        "seconds": round(seconds, 3),
        "reason": reason,
        "problem": problem,
    }


def judged(code: int, text: str, folder: Path, before: dict[str, str]) -> str:
    """What is wrong with an outcome, or nothing."""
    after = hashes(folder)
    outside = [
        name
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name) and not name.startswith("out")
    ]
    made = [path.name for path in folder.iterdir() if path.name.startswith("out")]
    lines = [line for line in text.splitlines() if line.startswith("unmetal reduce:")]
    if outside:
        return f"touched {outside}"
    if "Traceback" in text:
        return f"a traceback was printed: {text}"
    partly = (folder / "out" / "summary.csv").is_file()  # of several series, some were reduced
    if code == 1 and (len(lines) != 1 or (made and not partly)):
        return f"refused, but {made} is there and this was said: {text}"
    if code not in {0, 1}:
        return f"exit code {code}: {text}"
    if code == 0 and "out" not in made:
        return f"nothing is there: {text}"
    return "; ".join(unreadable(folder))


def unreadable(folder: Path) -> Iterator[str]:
    """What cannot be read of the DICOM that was written."""
    for name in hashes(folder):
        path = folder / name
        if name.startswith("out") and path.read_bytes()[128:132] == b"DICM":
            try:
                assert pydicom.dcmread(path).pixel_array.size
            except Exception as error:
                yield f"{name} cannot be read: {error}"


def _stop(number: int, frame: FrameType | None) -> None:
    raise TooLong


def run(first: int, count: int, folder: Path) -> None:
    """Print a line for each case."""
    import_module("unmetal.reduction.reduce_series")  # torch takes seconds, which are no case's
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGPROF, _stop)
    for index in range(first, first + count):
        case = folder / str(index)
        print(json.dumps(attempt(index, case)), flush=True)
        shutil.rmtree(case)


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
