"""What networks are fed: CIE Lab against scikit-image, and normalisation in each space."""

import numpy as np
import torch
from skimage.color import lab2rgb, rgb2lab

from scenelift.adapt.network_input import (
    LAB_INPUT,
    LIGHTNESS_INPUT,
    InputNormalisation,
    from_lab,
    network_input,
    normalise,
    to_lab,
)


def test_lab_is_scikit_images() -> None:
    colours = np.random.default_rng(0).random((40, 50, 3))
    ours = to_lab(torch.from_numpy(colours).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(ours.numpy(), rgb2lab(colours), atol=0.02)


def test_lightness_does_not_see_colour() -> None:
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    value = float(to_lab(red)[0, 0]) / 100
    fed = normalise(red, normalisation=LIGHTNESS_INPUT).flatten()
    assert torch.allclose(fed, torch.full((3,), 2 * value - 1), atol=1e-6)


def test_a_grey_picture_has_no_colour_in_lab() -> None:
    grey = torch.full((1, 3, 4, 4), 128, dtype=torch.uint8)
    fed = network_input(grey, normalisation=LAB_INPUT)
    assert fed[:, 1:].abs().max() < 1e-3
    assert 0 < float(fed[0, 0, 0, 0]) < 0.1


def test_rgb_is_mean_and_deviation() -> None:
    images = torch.full((1, 3, 1, 1), 255, dtype=torch.uint8)
    normalisation = InputNormalisation(mean=(0.5, 0.25, 0.0), std=(0.5, 1.0, 2.0))
    assert network_input(images, normalisation=normalisation).flatten().tolist() == [1, 0.75, 0.5]


def test_lab_and_back_is_the_same_colour() -> None:
    colours = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(from_lab(to_lab(colours)), colours, atol=1e-4, rtol=0)


def test_back_from_lab_is_scikit_images_even_where_it_clips() -> None:
    lab = np.random.default_rng(0).random((30, 30, 3)) * [100, 160, 160] - [0, 80, 80]
    lab[..., 2] = np.minimum(
        lab[..., 2], 1.7 * lab[..., 0]
    )  # scikit-image clips negative Z earlier
    theirs = lab2rgb(lab)
    ours = from_lab(torch.from_numpy(lab).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-3)


def test_lab_keeps_its_precision_where_half_is_the_rule() -> None:
    colours = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = to_lab(colours)
    assert torch.equal(half, to_lab(colours))
