"""The memory of earlier fakes (T19)."""

import torch

from unmetal.methods.adversarial import ImagePool


def numbered(*numbers):
    """Images whose every pixel is their number, [B 1 2 2]."""
    return torch.tensor(numbers, dtype=torch.float32)[:, None, None, None].expand(-1, 1, 2, 2)


def test_without_places_it_gives_back_what_comes():
    pool = ImagePool(0)
    for i in range(5):
        assert torch.equal(pool.swap(numbered(i, i)), numbered(i, i))
    assert len(pool.images) == 0


def test_the_first_fifty_come_back_as_they_are():
    pool = ImagePool()
    for i in range(0, 50, 2):
        assert torch.equal(pool.swap(numbered(i, i + 1)), numbered(i, i + 1))
    assert torch.equal(pool.images, numbered(*range(50)))


def test_then_half_are_old_ones_whose_places_the_new_ones_take():
    torch.manual_seed(0)
    pool = ImagePool()
    pool.swap(numbered(*range(50)))
    held, old = set(range(50)), 0
    for i in range(50, 1050):
        (shown,) = pool.swap(numbered(i))[:, 0, 0, 0].int().tolist()
        if shown != i:
            assert shown in held
            held = held - {shown} | {i}
            old += 1
        assert {int(number) for number in pool.images[:, 0, 0, 0]} == held
        assert len(pool.images) == 50
    assert 450 < old < 550


def test_what_is_shown_later_is_what_was_stored():
    torch.manual_seed(0)
    pool, fakes = ImagePool(3), numbered(1, 2, 3).clone()
    pool.swap(fakes)
    fakes.zero_()  # whoever made them goes on with them
    shown = torch.cat([pool.swap(numbered(9)) for _ in range(50)])
    assert set(shown[:, 0, 0, 0].int().tolist()) == {1, 2, 3, 9}


def test_no_gradient_passes():
    fakes = numbered(1, 2).clone().requires_grad_()
    pool = ImagePool(1)
    assert not pool.swap(fakes).requires_grad
    assert not pool.images.requires_grad


def test_it_is_saved_with_the_weights(tmp_path):
    torch.manual_seed(0)
    pool, again = ImagePool(3), ImagePool(3)
    pool.swap(numbered(1, 2, 3, 4))
    torch.save(pool.state_dict(), tmp_path / "state.pt")
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(again.images, pool.images)
    kept = pool.images.clone()
    again.images.zero_()
    assert torch.equal(pool.images, kept)
