"""Colour: closed forms, and the same input for a sample in whatever batch it comes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from scenelift.adapt.colour import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ColourSettings,
    Grey,
    to_input,
    uniform,
)

ALL = ColourSettings(
    grey="none", brightness=0.4, contrast=0.4, saturation=0.4, blur_probability=0.5
)
PLAIN = ColourSettings(grey="none", mean=(0.0, 0.0, 0.0))


def pictures(count: int = 7, *, side: int = 13, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.integers(0, 256, (count, 3, side, side + 2), dtype=np.uint8))
    return images, torch.from_numpy(rng.integers(0, 2**63 - 1, count))


def test_without_change_a_picture_is_normalised() -> None:
    images, seeds = pictures()
    settings = ColourSettings(grey="none")
    shift = torch.tensor(IMAGENET_MEAN)[:, None, None]
    torch.testing.assert_close(to_input(images, seeds, settings=settings), images / 255 - shift)
    scaled = to_input(images, seeds, settings=replace(settings, std=IMAGENET_STD))
    spread = torch.tensor(IMAGENET_STD)[:, None, None]
    torch.testing.assert_close(scaled, (images / 255 - shift) / spread)


@pytest.mark.parametrize("jitter", [False, True])
def test_grey_is_one_channel_three_times_each_as_often(jitter: bool) -> None:
    images = torch.zeros(3000, 3, 2, 2, dtype=torch.uint8)
    images += torch.tensor([20, 60, 100], dtype=torch.uint8)[:, None, None]
    seeds = torch.arange(3000)
    settings = replace(PLAIN, grey="sample", blur_probability=0.5 if jitter else 0.0)
    values = to_input(images, seeds, settings=settings)
    assert (values == values[:, :1, :1, :1]).all()
    chosen = (values[:, 0, 0, 0] * 255).round().int()
    counts = [int((chosen == level).sum()) for level in (20, 60, 100)]
    assert sum(counts) == 3000
    assert max(abs(count - 1000) for count in counts) < 110


def test_the_paper_normalises_each_copy_with_its_own_mean() -> None:
    images, seeds = pictures()
    values = to_input(images, seeds, settings=ColourSettings())
    restored = values + torch.tensor(IMAGENET_MEAN)[:, None, None]
    assert (restored - restored[:, :1]).abs().max() < 1e-6
    errors = (restored[:, :1] - images / 255).abs().amax(dim=(2, 3))
    assert errors.min(dim=1).values.max() < 1e-6


def test_a_whole_batch_can_share_its_channel() -> None:
    images, seeds = pictures(40)
    settings = replace(PLAIN, grey="batch")
    values = to_input(images, seeds, settings=settings)
    distance = (values - images / 255).abs().amax(dim=(2, 3)).amax(dim=0)
    assert (distance < 1e-6).sum() == 1
    choices = set()
    for number in range(20):
        one = to_input(images[:1], torch.tensor([number]), settings=settings)
        choices.add(int((one - images[:1] / 255).abs().amax(dim=(2, 3)).argmin()))
    assert choices == {0, 1, 2}


@pytest.mark.parametrize("grey", ["none", "sample"])
@pytest.mark.parametrize("last", [False, True])
def test_a_sample_is_the_same_in_any_batch_and_memory_format(grey: Grey, last: bool) -> None:
    images, seeds = pictures(9)
    settings = replace(ALL, grey=grey, channels_last=last)
    whole = to_input(images, seeds, settings=settings)
    assert torch.equal(whole, to_input(images, seeds, settings=settings))
    for parts in ([1] * 9, [4, 5], [2, 3, 4]):
        ends = np.cumsum(parts).tolist()
        split = [
            to_input(images[end - size : end], seeds[end - size : end], settings=settings)
            for end, size in zip(ends, parts, strict=True)
        ]
        assert torch.equal(torch.cat(split), whole)
    turned = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(to_input(turned, seeds, settings=settings), whole)
    order = torch.tensor([3, 1, 8, 0, 2, 7, 6, 5, 4])
    assert torch.equal(to_input(images[order], seeds[order], settings=settings), whole[order])
    layout = torch.channels_last if last else torch.contiguous_format
    assert whole.is_contiguous(memory_format=layout)


def test_nothing_global_is_drawn_and_the_pictures_stay() -> None:
    images, seeds = pictures()
    before, copy = torch.random.get_rng_state(), images.clone()
    to_input(images, seeds, settings=ALL)
    to_input(images, seeds, settings=PLAIN)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(images, copy)


def splitmix64(state: int) -> int:
    """The published generator, in whole numbers."""
    mask = 2**64 - 1
    z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return z ^ z >> 31


@given(seed=st.integers(0, 2**63 - 1), salt=st.integers(0, 9))
def test_the_hash_is_splitmix64(seed: int, salt: int) -> None:
    state = (seed + 0x9E3779B97F4A7C15 * (salt + 1)) % 2**64
    expected = (splitmix64(state) >> 40) / 2**24
    assert uniform(torch.tensor([seed]), salt=salt).item() == expected


def test_splitmix64_gives_its_published_numbers() -> None:
    first = splitmix64(1234567 + 0x9E3779B97F4A7C15)
    assert first == 6457827717110365317


def test_hashes_are_uniform_and_independent() -> None:
    seeds = torch.arange(20_000)
    numbers = torch.stack([uniform(seeds, salt=salt) for salt in range(6)])
    assert numbers.min() >= 0
    assert numbers.max() < 1
    for row in numbers:
        counts = torch.histc(row, bins=50, min=0, max=1)
        # Chi-squared with 49 degrees of freedom: 95 is beyond 0.9999.
        assert ((counts - 400) ** 2 / 400).sum() < 95
    correlation = torch.corrcoef(numbers) - torch.eye(6)
    assert correlation.abs().max() < 0.03
    neighbours = torch.corrcoef(torch.stack([numbers[0, 1:], numbers[0, :-1]]))
    assert neighbours[0, 1].abs() < 0.03


@settings(deadline=None, max_examples=25)
@given(level=st.integers(30, 140), amount=st.floats(0.05, 0.7), seed=st.integers(0, 2**40))
def test_brightness_scales(level: int, amount: float, seed: int) -> None:
    images = torch.full((1, 3, 4, 4), level, dtype=torch.uint8)
    values = to_input(images, torch.tensor([seed]), settings=replace(PLAIN, brightness=amount))
    factor = 1 + amount * (2 * uniform(torch.tensor([seed]), salt=1) - 1)
    torch.testing.assert_close(values, (level / 255 * factor.expand_as(values)).clamp(0, 1))


def test_contrast_keeps_the_mean_grey_and_saturation_each_pixels_grey() -> None:
    images, seeds = pictures(30, side=8)
    images = images // 4 + 96
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    grey = (images / 255 * weights).sum(dim=1)
    contrast = to_input(images, seeds, settings=replace(PLAIN, contrast=0.9))
    changed = (contrast * weights).sum(dim=1)
    torch.testing.assert_close(changed.mean(dim=(1, 2)), grey.mean(dim=(1, 2)))
    ratio = changed.std(dim=(1, 2)) / grey.std(dim=(1, 2))
    torch.testing.assert_close(ratio, 1 + 0.9 * (2 * uniform(seeds, salt=2) - 1))
    saturation = to_input(images, seeds, settings=replace(PLAIN, saturation=0.9))
    torch.testing.assert_close((saturation * weights).sum(dim=1), grey)
    chroma = (saturation - grey[:, None]) / (images / 255 - grey[:, None])
    factor = (1 + 0.9 * (2 * uniform(seeds, salt=3) - 1))[:, None, None, None]
    usable = (images / 255 - grey[:, None]).abs() > 0.02
    torch.testing.assert_close(
        chroma[usable], factor.expand_as(chroma)[usable], atol=1e-3, rtol=1e-3
    )


def test_changes_follow_each_other_and_are_clipped_once() -> None:
    images, seeds = pictures(20)
    mix = ColourSettings(grey="none", brightness=0.5, contrast=0.6, saturation=0.7, mean=(0, 0, 0))
    found = to_input(images, seeds, settings=mix).double()
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)[:, None, None]
    for place, picture in enumerate(images.double() / 255):
        bright, contrast, saturation = (
            1 + most * (2 * uniform(seeds, salt=salt)[place].item() - 1)
            for salt, most in ((1, 0.5), (2, 0.6), (3, 0.7))
        )
        lit = picture * bright
        mean_grey = (lit * weights).sum(dim=0).mean()
        hard = contrast * lit + (1 - contrast) * mean_grey
        expected = saturation * hard + (1 - saturation) * (hard * weights).sum(dim=0)
        assert (found[place] - expected.clamp(0, 1)).abs().max() < 2e-6


def test_values_stay_in_range() -> None:
    images, seeds = pictures(50)
    most = ColourSettings(
        grey="none", brightness=1, contrast=1, saturation=1, blur_probability=1, mean=(0, 0, 0)
    )
    values = to_input(images, seeds, settings=most)
    assert values.min() >= 0
    assert values.max() <= 1 + 1e-6


def test_a_point_becomes_a_gaussian() -> None:
    images = torch.zeros(1, 3, 41, 41, dtype=torch.uint8)
    images[:, :, 20, 20] = 255
    blur = replace(PLAIN, blur_probability=1.0, blur_sigma_px=(2.0, 2.0))
    values = to_input(images, torch.tensor([5]), settings=blur)
    offsets = torch.arange(-20, 21)
    squares = (offsets[:, None] ** 2 + offsets[None] ** 2).float()
    expected = torch.exp(-squares / 8) / (2 * torch.pi * 4)
    assert (values[0] - expected).abs().max() < 2e-4
    assert abs(values[0, 0].sum() - 1) < 1e-5


def test_a_share_is_blurred_and_the_rest_stays_exact() -> None:
    images, seeds = pictures(400, side=9)
    blur = replace(PLAIN, blur_probability=0.3, blur_sigma_px=(0.5, 2.0))
    values = to_input(images, seeds, settings=blur)
    plain = to_input(images, seeds, settings=replace(PLAIN, brightness=1e-45))
    untouched = (values == plain).flatten(1).all(dim=1)
    assert torch.equal(untouched, uniform(seeds, salt=4) >= 0.3)
    assert 0.2 < 1 - untouched.float().mean() < 0.4
    flat = torch.full((4, 3, 9, 9), 100, dtype=torch.uint8)
    torch.testing.assert_close(
        to_input(flat, seeds[:4], settings=replace(blur, blur_probability=1.0)), flat / 255
    )


def test_small_and_empty_batches() -> None:
    images = torch.zeros(0, 3, 8, 8, dtype=torch.uint8)
    none = torch.zeros(0, dtype=torch.int64)
    assert to_input(images, none, settings=ALL).shape == (0, 3, 8, 8)
    assert to_input(images, none, settings=ColourSettings(grey="batch")).shape == (0, 3, 8, 8)
    dots = torch.full((2, 3, 1, 2), 50, dtype=torch.uint8)
    assert to_input(dots, torch.tensor([1, 2]), settings=ALL).shape == (2, 3, 1, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"brightness": 1.5}, "brightness must be from 0 to 1"),
        ({"blur_probability": -0.1}, "blur_probability"),
        ({"blur_sigma_px": (0.0, 1.0)}, "blur_sigma_px"),
        ({"std": (1.0, 0.0, 1.0)}, "std"),
    ],
)
def test_bad_settings(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ColourSettings(**arguments)
