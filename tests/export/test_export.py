"""`unmetal export`: the same numbers as PyTorch, at any size, and one line where it cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import unmetal
from unmetal.__main__ import main
from unmetal.errors import InputError
from unmetal.methods import exported
from unmetal.methods.exported import METADATA, RUNTIMES, Exported
from unmetal.scan import Scan
from unmetal.units import hu_to_mu, mu_to_hu

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxscript", reason="the extra onnx is not installed")

WITH_WEIGHTS = ("adn", "cyclegan", "unet")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """Every method with weights that is a network from slice to slice."""
    folder = tmp_path_factory.mktemp("exported")
    for name in WITH_WEIGHTS:
        assert main(["export", name, str(folder / f"{name}.onnx")]) == 0
    return {name: folder / f"{name}.onnx" for name in WITH_WEIGHTS}


def slices(height: int, width: int) -> Scan:
    """A disc of water in air with bright and dark streaks, in 1/cm."""
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    hu = np.where(np.hypot(rows, columns) < 0.8, 40, -1000) + 400 * np.sin(20 * rows * columns)
    hu[height // 2, width // 2] = 9000
    image = hu_to_mu(torch.from_numpy(np.stack([hu, hu[::-1]]).astype(np.float32)))
    return Scan(image=image[:, None])


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", WITH_WEIGHTS)
@pytest.mark.parametrize("shape", [(64, 96), (130, 75)])
def test_an_exported_method_gives_what_pytorch_gives(files, name, runtime, shape):
    pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    scan = slices(*shape)
    expected, given = unmetal.load(name).reduce(scan), Exported(files[name], runtime).reduce(scan)
    assert given.shape == scan.image.shape
    assert (mu_to_hu(given) - mu_to_hu(expected)).abs().max() < 1
    # It does something at all.
    assert (mu_to_hu(given) - mu_to_hu(scan.image)).abs().mean() > 10


def test_a_file_says_what_it_takes_and_gives_and_whose_weights_these_are(files):
    model = onnx.load(files["adn"])
    onnx.checker.check_model(model)
    (image,), (corrected,) = model.graph.input, model.graph.output
    assert (image.name, corrected.name) == ("image", "corrected")
    sides = [axis.dim_value for axis in image.type.tensor_type.shape.dim]
    assert sides == [1, 1, 0, 0], "one slice of any size"
    assert [one.version for one in model.opset_import if not one.domain] == [18]
    said = json.loads({p.key: p.value for p in model.metadata_props}[METADATA])
    assert said["method"] == "adn"
    assert said["stride"] == 4
    assert len(said["sha256"]) == 64
    assert "RESEARCH USE ONLY" in model.doc_string


def test_reduce_takes_an_exported_method(files, tmp_path):
    slice_ = mu_to_hu(slices(128, 128).image[0, 0]).numpy()
    slice_[60:66, 60:66] = 9000
    np.save(tmp_path / "in.npy", slice_)
    for name, method in (("torch", "adn"), ("file", str(files["adn"]))):
        command = ["reduce", str(tmp_path / "in.npy"), str(tmp_path / f"{name}.npy")]
        assert main([*command, "--method", method, "--spacing", "1.0"]) == 0
    by_torch, by_file = (np.load(tmp_path / f"{name}.npy") for name in ("torch", "file"))
    assert np.abs(by_torch - by_file).max() < 1


@pytest.mark.parametrize(
    ("method", "output", "says"),
    [
        ("nmar", "out.onnx", "has no network"),
        ("priornet", "out.onnx", "completes sinograms between its networks"),
        ("adn", "out.pt", "ends in .onnx"),
        ("drit", "out.onnx", "no weights come with this version"),
    ],
)
def test_what_cannot_be_exported_is_one_line(method, output, says, tmp_path, capsys):
    assert main(["export", method, str(tmp_path / output)]) == 1
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_only_by_force(files, tmp_path, capsys):
    (tmp_path / "a.onnx").write_bytes(b"mine")
    assert main(["export", "unet", str(tmp_path / "a.onnx")]) == 1
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "a.onnx").read_bytes() == b"mine"


@pytest.mark.parametrize("content", [b"", b"no protobuf at all", None])
def test_a_file_of_another_program_is_refused(content, files, tmp_path):
    path = tmp_path / "other.onnx"
    if content is None:
        model = onnx.load(files["unet"])
        del model.metadata_props[:]
        onnx.save(model, path)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"other\.onnx: not written by `unmetal export`"):
        unmetal.load(str(path))


def test_a_missing_runtime_is_named(files, monkeypatch):
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(exported, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install '\.\[onnx\]'"):
        Exported(files["unet"])
