"""Patches: where they lie and what is in them."""

import torch

from unmetal.methods.patches import crop, hard_negative_corners, random_corners


def test_a_patch_is_the_part_of_the_image_below_and_right_of_its_corner():
    images = torch.arange(2 * 3 * 10 * 12).reshape(2, 3, 10, 12)
    corners = torch.tensor([[[0, 0], [4, 6]], [[2, 1], [1, 2]]])
    patches = crop(images, corners, 5)
    assert patches.shape == (4, 3, 5, 5)
    assert torch.equal(patches[1], images[0, :, 4:9, 6:11])
    assert torch.equal(patches[2], images[1, :, 2:7, 1:6])


def test_anywhere_reaches_every_place_and_no_further():
    torch.manual_seed(0)
    corners = random_corners(torch.zeros(2, 1, 10, 8), 400, 5)
    assert corners.shape == (2, 400, 2)
    assert corners.amin((0, 1)).tolist() == [0, 0]
    assert corners.amax((0, 1)).tolist() == [5, 3]


def test_most_patches_lie_where_a_channel_is_worst_in_equal_parts():
    torch.manual_seed(0)
    errors = torch.zeros(1, 3, 64, 96)
    # One bad pixel in each channel lies in the patches of a place of its own.
    bad = [(20, 20), (20, 76), (44, 44)]
    for channel, (row, column) in enumerate(bad):
        errors[0, channel, row, column] = 3 - channel
    corners = hard_negative_corners(errors, 10, 16)[0]
    assert len(set(map(tuple, corners.tolist()))) == 10, "none twice"
    assert not (corners % 8).any(), "on the grid"

    def holds(row, column):
        inside = (corners <= torch.tensor([row, column])).all(1)
        return inside & (corners + 16 > torch.tensor([row, column])).all(1)

    # 6 of 10 by error: two for each channel, before anything is drawn.
    for channel, place in enumerate(bad):
        assert holds(*place)[2 * channel : 2 * channel + 2].all()


def test_slices_have_patches_of_their_own_and_no_more_than_there_are():
    torch.manual_seed(0)
    errors = torch.zeros(2, 1, 32, 32)
    errors[0, 0, 0, 0] = errors[1, 0, 31, 31] = 1
    corners = hard_negative_corners(errors, 2, 16)
    assert corners[0, 0].tolist() == [0, 0]
    assert corners[1, 0].tolist() == [16, 16]
    assert hard_negative_corners(errors, 100, 16).shape == (2, 9, 2)
    assert hard_negative_corners(errors, 5, 32).tolist() == [[[0, 0]], [[0, 0]]]
