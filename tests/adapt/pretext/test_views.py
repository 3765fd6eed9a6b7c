"""Views: colours stay right, a view hangs on its seed alone, and each distortion is torchvision's."""

from dataclasses import replace

import pytest
import torch
import torchvision.transforms.functional as reference
from planted_pictures import noise_batch, photo_like
from torch import Tensor

from scenelift.adapt.pretext.views import (
    UNCHANGED,
    ViewSettings,
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    random_view,
    turn_hue,
)

IMAGES = noise_batch(count=7, side=24)["image"]
SEEDS = torch.arange(7) * 977
EVERYTHING = ViewSettings(solarise_probability=0.3)


def view(settings: ViewSettings, *, number: int = 0, images: Tensor = IMAGES) -> Tensor:
    return random_view(images, SEEDS[: len(images)], number=number, settings=settings)


def test_a_view_without_changes_is_the_picture_itself() -> None:
    for images in (IMAGES, IMAGES.to(memory_format=torch.channels_last)):
        found = view(UNCHANGED, images=images)
        torch.testing.assert_close(found * 255, images.float(), rtol=0, atol=2e-3)


def test_strengths_of_nothing_change_no_colour() -> None:
    still = replace(
        UNCHANGED, jitter_probability=1.0, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0
    )
    torch.testing.assert_close(view(still) * 255, IMAGES.float(), rtol=0, atol=2e-3)
    turned = turn_hue(IMAGES / 255, torch.zeros(7, 1, 1, 1))
    torch.testing.assert_close(turned, IMAGES / 255, rtol=0, atol=1e-6)


def test_a_dark_picture_stays_dark_and_a_red_one_red() -> None:
    mild = ViewSettings(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.05, grey_probability=0)
    dark = torch.full((7, 3, 24, 24), 20, dtype=torch.uint8)
    assert view(mild, images=dark).max() < 0.2
    red = torch.tensor([200, 40, 40], dtype=torch.uint8).view(1, 3, 1, 1).expand(7, -1, 24, 24)
    found = view(mild, images=red)
    assert bool((found[:, 0] > found[:, 1:].amax(dim=1)).all())


@pytest.mark.parametrize("factor", [0.2, 1.0, 1.8])
def test_jitter_is_torchvisions(factor: float) -> None:
    values = torch.rand(3, 3, 17, 19, generator=torch.Generator().manual_seed(0))
    factors = torch.full((3, 1, 1, 1), factor)
    for ours, theirs in (
        (adjust_brightness, reference.adjust_brightness),
        (adjust_contrast, reference.adjust_contrast),
        (adjust_saturation, reference.adjust_saturation),
    ):
        # torchvision's weights of grey have four digits: 0.2989 for red.
        torch.testing.assert_close(ours(values, factors), theirs(values, factor), rtol=0, atol=2e-4)


@pytest.mark.parametrize("share", [-0.5, -0.2, 0.0, 0.1, 0.5])
def test_hue_is_torchvisions(share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    # Few levels: greys, and colours at the seams between the sixths of the circle.
    for levels in (3, 256):
        values = torch.randint(0, levels, (3, 3, 17, 19), generator=generator) / (levels - 1)
        turned = turn_hue(values, torch.full((3, 1, 1, 1), share))
        torch.testing.assert_close(turned, reference.adjust_hue(values, share), rtol=0, atol=1e-5)


def test_a_view_hangs_on_its_seed_and_number_alone() -> None:
    whole = view(EVERYTHING)
    order = torch.tensor([4, 1, 6])
    part = random_view(IMAGES[order], SEEDS[order], number=0, settings=EVERYTHING)
    assert torch.equal(part, whole[order])
    alone = random_view(IMAGES[5:6], SEEDS[5:6], number=0, settings=EVERYTHING)
    assert torch.equal(alone, whole[5:6])
    assert not torch.equal(view(EVERYTHING, number=1), whole)
    other = random_view(IMAGES, SEEDS + 1, number=0, settings=EVERYTHING)
    assert bool(((other - whole).abs().amax(dim=(1, 2, 3)) > 0.01).all())


def test_nothing_draws_from_the_global_generator() -> None:
    state = torch.get_rng_state()
    view(EVERYTHING)
    assert torch.equal(torch.get_rng_state(), state)


def test_crops_lie_inside_and_have_the_areas_and_shapes_that_were_asked_for() -> None:
    # Red is the column and green the row, so that a view tells what was cut out.
    side = 200
    line = torch.arange(side, dtype=torch.uint8)
    ramp = torch.stack(
        [line.expand(side, side), line[:, None].expand(side, side), torch.zeros(side, side, dtype=torch.uint8)]
    )  # fmt: skip
    images = ramp.expand(400, -1, -1, -1)
    settings = replace(
        UNCHANGED, area=(0.2, 0.6), aspect=(3 / 4, 4 / 3), side_px=100, mirror_probability=0.5
    )
    seeds = torch.arange(400)
    found = random_view(images, seeds, number=0, settings=settings) * 255
    middle = found[:, :, 25:75, 25:75]  # half of the cut, away from the borders' clamp
    across = (middle[:, 0, 0, -1] - middle[:, 0, 0, 0]) / 49 * 100 / side
    down = (middle[:, 1, -1, 0] - middle[:, 1, 0, 0]) / 49 * 100 / side
    area, aspect = across.abs() * down, across.abs() / down
    assert 0.19 < area.min() < 0.23
    assert 0.57 < area.max() < 0.61
    assert abs(area.mean() - 0.4) < 0.02
    assert 0.74 < aspect.min() < 0.79
    assert 1.27 < aspect.max() < 1.35
    assert 0.42 < (across < 0).float().mean() < 0.58  # mirrored
    assert bool((down > 0).all())
    left, right = found[:, 0].amin(dim=(1, 2)), found[:, 0].amax(dim=(1, 2))
    assert left.min() < 3  # every place is reached
    assert right.max() > side - 4
    assert float(((left + right) / 2).mean()) == pytest.approx(side / 2, abs=4)


def test_probabilities_are_shares() -> None:
    images = photo_like(count=8, side=16).repeat(50, 1, 1, 1)
    seeds = torch.arange(400)

    def changed(settings: ViewSettings) -> Tensor:
        found = random_view(images, seeds, number=0, settings=settings)
        return (found - images / 255).abs().amax(dim=(1, 2, 3)) > 0.01

    for settings in (
        replace(UNCHANGED, grey_probability=0.3),
        replace(UNCHANGED, blur_probability=0.3, blur_sigma=(0.09, 0.1)),
        replace(UNCHANGED, solarise_probability=0.3),
        replace(UNCHANGED, mirror_probability=0.3),
        replace(UNCHANGED, jitter_probability=0.3),
    ):
        assert 0.23 < changed(settings).float().mean() < 0.37, settings
    grey = random_view(images, seeds, number=0, settings=replace(UNCHANGED, grey_probability=1.0))
    assert torch.equal(grey[:, 0], grey[:, 2])


def test_bad_settings_are_told_in_a_line() -> None:
    with pytest.raises(ValueError, match=r"hue must be from 0 to 0\.5, got 0\.6"):
        ViewSettings(hue=0.6)
    with pytest.raises(ValueError, match="grey_probability must be from 0 to 1, got 2"):
        ViewSettings(grey_probability=2)
    with pytest.raises(ValueError, match="area must rise within 0 to 1"):
        ViewSettings(area=(0.5, 0.2))
    with pytest.raises(ValueError, match="aspect must be positive and rise"):
        ViewSettings(aspect=(0.0, 1.0))
    with pytest.raises(ValueError, match=r"blur_sigma must rise within 0 to 0\.1"):
        ViewSettings(blur_sigma=(0.1, 2.0))
    with pytest.raises(ValueError, match="side_px is 11, less than half of the pictures' 24 x 24"):
        view(replace(UNCHANGED, side_px=11))
