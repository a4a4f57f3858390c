"""Masks as the page's brush saves them: on the grid of the series, or refused."""

from __future__ import annotations

import gzip

import nibabel
import numpy as np
import pytest

MARKED = np.zeros((4, 96, 96), bool)
MARKED[1, 40:43, 20:24] = True
MARKED[2, 41, 70] = True


def affine_of(app, id: str) -> np.ndarray:
    return app.session.series[id].grid.matrix()


def saved(values: np.ndarray, affine: np.ndarray, *, packed: bool = False) -> bytes:
    content = nibabel.Nifti1Image(values.astype(np.uint8), affine).to_bytes()
    return gzip.compress(content) if packed else content


@pytest.mark.parametrize("packed", [False, True])
def test_a_mask_on_the_grid_is_taken(app, phantom, packed: bool) -> None:
    (id,) = app.open(phantom)
    content = saved(MARKED.transpose(2, 1, 0), affine_of(app, id), packed=packed)
    answer = app.client.put(f"api/series/{id}/metal", content=content).json()
    assert answer == {"id": answer["id"], "voxels": 13, "slices": 2}
    _, path = app.session.masks[answer["id"]]
    assert np.array_equal(np.load(path), MARKED)
    app.session.close_series(id)
    assert not path.exists()
    assert not app.session.masks


def test_a_mask_that_was_turned_to_the_axes_of_the_patient_is_turned_back(app, phantom) -> None:
    (id,) = app.open(phantom)
    image = nibabel.Nifti1Image(MARKED.transpose(2, 1, 0).astype(np.uint8), affine_of(app, id))
    turned = nibabel.as_closest_canonical(image)
    assert not np.allclose(turned.affine, image.affine)
    answer = app.client.put(f"api/series/{id}/metal", content=turned.to_bytes()).json()
    assert np.array_equal(np.load(app.session.masks[answer["id"]][1]), MARKED)


def shifted(affine: np.ndarray, mm: float) -> np.ndarray:
    moved = affine.copy()
    moved[0, 3] += mm
    return moved


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda a: saved(MARKED[:3].transpose(2, 1, 0), a), "voxels and the series"),
        (lambda a: saved(MARKED.transpose(2, 1, 0), shifted(a, 2.0)), "lies elsewhere"),
        (lambda a: saved(MARKED.transpose(2, 1, 0), a * [[1.1], [1], [1], [1]]), "elsewhere"),
        (lambda a: saved(np.zeros((96, 96, 4)), a), "marks no voxel"),
        (lambda a: saved(np.zeros((96, 96)), a), "has shape"),
        (lambda a: b"nothing", "no NIfTI"),
        (lambda a: b"", "no NIfTI"),
        (lambda a: saved(MARKED.transpose(2, 1, 0), a)[:400], "no NIfTI"),
        (lambda a: gzip.compress(bytes(10**6)), "unpacks to more"),
        (lambda a: gzip.compress(saved(MARKED.transpose(2, 1, 0), a))[:-9], "damaged"),
        (lambda a: bytes(10**6), "larger than"),
    ],
)
def test_what_is_no_mask_of_the_series_is_refused(app, phantom, make, said: str) -> None:
    (id,) = app.open(phantom)
    answer = app.client.put(f"api/series/{id}/metal", content=make(affine_of(app, id)))
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert not app.session.masks


def test_a_job_takes_a_mask_of_its_own_series_only(app, phantom) -> None:
    (one,), (two,) = app.open(phantom), app.open(phantom)
    content = saved(MARKED.transpose(2, 1, 0), affine_of(app, one))
    mask = app.client.put(f"api/series/{one}/metal", content=content).json()["id"]
    wrong = app.client.post(f"api/series/{two}/jobs", json={"method": "li", "metal": mask})
    assert wrong.status_code == 404
    assert app.client.post(
        f"api/series/{one}/jobs", json={"method": "li", "metal": mask}
    ).is_success
