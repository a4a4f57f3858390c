"""The one table: every entry loads, and every method keeps the contract."""

from dataclasses import replace

import pytest
import torch
from hips import scanned

from unmetal.errors import InputError
from unmetal.methods import METHODS, build
from unmetal.methods.method import Method
from unmetal.scan import Scan

SINOGRAM_METHODS = ("li", "bhc", "nmar")


@pytest.mark.parametrize("name", METHODS)
def test_every_entry_is_a_method_with_one_line(name: str) -> None:
    method = build(name)
    assert isinstance(method, Method)
    assert "image" in method.inputs
    assert method.inputs | method.train_inputs <= set(Scan.__dataclass_fields__)
    assert METHODS[name].description
    assert len(METHODS[name].description) < 90


def test_another_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"magic.*li, bhc, nmar"):
        build("magic")


@pytest.mark.parametrize("name", SINOGRAM_METHODS)
def test_a_slice_without_metal_comes_back_bit_by_bit(name: str) -> None:
    scan = scanned().scan
    nothing = replace(scan, metal=torch.zeros_like(scan.metal), trace=torch.zeros_like(scan.trace))
    assert torch.equal(build(name).reduce(nothing), scan.image)


@pytest.mark.parametrize("name", SINOGRAM_METHODS)
def test_slices_of_a_batch_do_not_see_each_other(name: str) -> None:
    one, other = scanned("ti").scan, scanned("fe").scan
    fields = ("image", "metal", "sinogram", "trace")
    both = {f: torch.cat([getattr(one, f), getattr(other, f)]) for f in fields}
    together = build(name).reduce(replace(one, **both))
    apart = torch.cat([build(name).reduce(scan) for scan in (one, other)])
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", SINOGRAM_METHODS)
def test_the_image_keeps_what_its_sinogram_does_not_know(name: str) -> None:
    scan = scanned().scan
    detail = torch.rand_like(scan.image)
    sharper = build(name).reduce(replace(scan, image=scan.image + detail))
    if name == "nmar":  # its prior is made from the image
        assert (sharper - build(name).reduce(scan) - detail).abs().mean() < 0.1 * detail.mean()
    else:
        expected = build(name).reduce(scan) + detail
        torch.testing.assert_close(sharper, expected, rtol=0, atol=1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", SINOGRAM_METHODS)
def test_a_gpu_gives_the_same(name: str) -> None:
    scan = scanned().scan
    fields = ("image", "metal", "sinogram", "trace")
    there = replace(scan, **{f: getattr(scan, f).cuda() for f in fields})
    found = build(name).reduce(there).cpu()
    torch.testing.assert_close(found, build(name).reduce(scan), rtol=0, atol=1e-6)
