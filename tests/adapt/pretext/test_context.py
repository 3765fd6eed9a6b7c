"""Two patches with a gap between them that nobody sees, and colours that do not tell where they lay."""

from dataclasses import replace

import pytest
import torch
from pretext_runs import assert_resume_is_exact, learner, noise_batch
from small_networks import generator_of
from torch.nn import functional as F

from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.method import Clock
from scenelift.adapt.pretext.context import (
    AROUND,
    Context,
    ContextSettings,
    pair_sizes,
    place_pairs,
)

SMALL = ContextSettings(fc6=16, fc7=(16,), patch=0.25, conv1_stride=2)
PLAIN = replace(SMALL, colour="keep", pixelated=0.0)
CLOCK = Clock(step=0, steps=1)


def make_task(settings: ContextSettings, *, backbone: str = "alexnet-small") -> Context:
    generator = generator_of(0)
    return Context(settings, build_backbone(backbone, generator=generator), generator=generator)


def test_published_sizes_where_the_side_gives_the_published_patch() -> None:
    assert pair_sizes(480, settings=ContextSettings()) == (96, 96 + 48, 7)


def test_the_second_patch_lies_where_the_answer_says() -> None:
    patch, step, jitter = pair_sizes(96, settings=SMALL)
    assert jitter == 2
    pairs = place_pairs(96, torch.arange(500), settings=SMALL)
    way = step * torch.tensor(AROUND)[pairs.relation]
    for axis, places in enumerate((pairs.top_px, pairs.left_px)):
        assert int(places.min()) >= 0
        assert int(places.max()) <= 96 - patch
        moved = places[..., 1] - places[..., 0] - way[..., axis]
        assert moved.unique().tolist() == list(range(-2 * jitter, 2 * jitter + 1))
    counts = torch.bincount(pairs.relation.flatten(), minlength=8)
    assert counts.min() > 0.8 * counts.float().mean()


def test_no_input_contains_the_gap() -> None:
    """Whatever lies outside the two squares changes nothing, and between the squares something does lie."""
    task = make_task(replace(SMALL, pairs=1))
    batch = noise_batch(24)
    pairs = place_pairs(96, batch["sample_seed"], settings=task.settings)
    patch, step, jitter = pair_sizes(96, settings=task.settings)
    seen = torch.zeros(24, 1, 96, 96, dtype=torch.bool)
    for n in range(24):
        for which in range(2):
            y, x = int(pairs.top_px[n, 0, which]), int(pairs.left_px[n, 0, which])
            assert not seen[n, :, y : y + patch, x : x + patch].any()
            seen[n, :, y : y + patch, x : x + patch] = True
    inputs = task.inputs(batch)
    outside = torch.where(seen, batch["image"], 255 - batch["image"])
    assert torch.equal(task.inputs({**batch, "image": outside}), inputs)
    inside = torch.where(seen, 255 - batch["image"], batch["image"])
    assert not torch.equal(task.inputs({**batch, "image": inside}), inputs)
    apart = torch.maximum(
        (pairs.top_px[..., 1] - pairs.top_px[..., 0]).abs(),
        (pairs.left_px[..., 1] - pairs.left_px[..., 0]).abs(),
    )
    assert int((apart - patch).min()) >= step - patch - 2 * jitter > 0


def test_patches_are_the_squares_without_their_mean_and_of_one_size() -> None:
    task = make_task(PLAIN)
    batch = noise_batch(3)
    inputs = task.inputs(batch)
    pairs = place_pairs(96, batch["sample_seed"], settings=PLAIN)
    assert inputs.shape == (3, 4, 2, 3, 24, 24)
    for n in range(3):
        for pair in range(4):
            for which in range(2):
                y, x = int(pairs.top_px[n, pair, which]), int(pairs.left_px[n, pair, which])
                square = batch["image"][n, :, y : y + 24, x : x + 24].float()
                square = square - square.mean(dim=(1, 2), keepdim=True)
                expected = square / square.square().mean().sqrt()
                torch.testing.assert_close(inputs[n, pair, which], expected, rtol=1e-4, atol=1e-4)


def test_one_channel_of_each_patch_is_kept_and_the_others_are_noise_batch() -> None:
    inputs = make_task(replace(SMALL, pixelated=0.0)).inputs(noise_batch(100)).flatten(0, 2)
    energy = inputs.square().mean(dim=(2, 3))
    kept = energy.argmax(dim=1)
    assert torch.bincount(kept, minlength=3).min() > 0.28 * len(kept)
    torch.testing.assert_close(energy.sum(dim=1), torch.full((800,), 3.0), rtol=1e-3, atol=0)
    assert float(energy.sort(dim=1).values[:, 1].max()) < 1e-3
    flat = inputs[torch.arange(800), (kept + 1) % 3].flatten(1)
    assert float(flat.abs().max()) > 0
    pixels = make_task(replace(SMALL, pixelated=0.0)).inputs(noise_batch(100, seed=1)).flatten(0, 2)
    assert not torch.equal(pixels, inputs)


def test_other_channels_change_nothing_once_one_is_kept() -> None:
    task = make_task(replace(SMALL, pixelated=0.0, pairs=1))
    batch = noise_batch(12)
    inputs = task.inputs(batch)
    changed = noise_batch(12, seed=5)["image"]
    for channel in range(3):
        image = batch["image"].clone()
        image[:, channel] = changed[:, channel]
        others = task.inputs({**batch, "image": image})
        kept = inputs.square().mean(dim=(4, 5)).argmax(dim=3)
        same = (others == inputs).flatten(3).all(dim=3)
        assert torch.equal(same, kept != channel)


def test_projection_leaves_no_green_against_magenta() -> None:
    inputs = make_task(replace(SMALL, colour="project")).inputs(noise_batch(4))
    red, green, blue = inputs.unbind(dim=3)
    torch.testing.assert_close(2 * green, red + blue, atol=1e-4, rtol=1e-4)


def test_a_third_of_the_patches_is_pixelated() -> None:
    sharp, coarse = (
        make_task(replace(SMALL, colour="keep", pixelated=share)).inputs(noise_batch(200))
        for share in (0.0, 1 / 3)
    )
    changed = (sharp != coarse).flatten(3).any(dim=3)
    assert 0.28 < float(changed.float().mean()) < 0.39


def test_a_sample_gives_the_same_pairs_in_any_batch() -> None:
    task, batch = make_task(SMALL), noise_batch(6)
    part = task.inputs({name: value[2:4] for name, value in batch.items()})
    torch.testing.assert_close(part, task.inputs(batch)[2:4])


def test_gradients_reach_the_trunk_below_fc6_and_the_head() -> None:
    generator = generator_of(0)
    backbone = build_backbone("alexnet-small", generator=generator)
    task = Context(SMALL, backbone, generator=generator)
    loss, _ = task.loss(backbone, noise_batch(2), clock=CLOCK)
    loss.backward()
    reached = {n.split(".")[0] for n, p in backbone.named_parameters() if p.grad is not None}
    assert reached == {f"{kind}{n}" for kind in ("conv", "bn") for n in range(1, 6)}
    assert all(p.grad is not None for p in task.parameters())


@pytest.mark.parametrize("backbone", ["alexnet-small", "resnet18", "vgg16"])
def test_any_backbone_as_it_is_even_on_small_pictures(backbone: str) -> None:
    generator = generator_of(0)
    network = build_backbone(backbone, generator=generator)
    task = Context(replace(SMALL, conv1_stride=None, pairs=1), network, generator=generator)
    assert not task.alters_backbone
    loss, _ = task.loss(network, noise_batch(2, side=64), clock=CLOCK)
    assert bool(loss.isfinite())


def test_it_learns_where_brightness_rises() -> None:
    """Patches of a picture whose stripes narrow to the right and whose contrast grows downwards tell their order."""
    method = learner(replace(PLAIN, fc6=32, fc7=(32,), pairs=2))
    y, x = torch.meshgrid(torch.arange(96) / 96, torch.arange(96) / 96, indexing="ij")
    stripes = torch.sin(2 * torch.pi * (4 * x + 10 * x.square()))
    rungs = torch.sin(2 * torch.pi * (4 * y + 10 * y.square()))
    picture = torch.stack([128 + 100 * stripes, 128 + 100 * rungs, torch.full_like(x, 128)])
    image = picture.to(torch.uint8).expand(8, -1, -1, -1)
    for step in range(40):
        seeds = torch.arange(8) + 8 * step
        method.step({"real": {"image": image, "sample_seed": seeds}}, clock=CLOCK)
    held_out = {"image": image.repeat(4, 1, 1, 1), "sample_seed": torch.arange(32) + 10_000}
    figures = method.validate({"real": held_out})
    assert float(figures["chance/context"]) == 1 / 8
    assert float(figures["accuracy/context"]) > 0.6


def test_a_resumed_run_has_the_same_bits() -> None:
    assert_resume_is_exact(lambda: learner(SMALL), [noise_batch(3, seed=step) for step in range(2)])


def test_half_precision_sees_the_same_patches() -> None:
    method = learner(replace(SMALL, pairs=1), half=True)
    batch = noise_batch(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inputs = method.task.inputs(batch)  # type: ignore[operator]
    assert torch.equal(inputs, make_task(replace(SMALL, pairs=1)).inputs(batch))
    assert method.step({"real": batch}, clock=CLOCK)["loss/task"].dtype == torch.float32


def test_pictures_frame_the_two_patches_and_a_wrong_answer() -> None:
    task, batch = make_task(replace(SMALL, pairs=1)), noise_batch(3)
    pairs = place_pairs(96, batch["sample_seed"], settings=task.settings)
    backbone = build_backbone("alexnet-small", generator=generator_of(0))
    green, red = torch.tensor([90, 220, 90]), torch.tensor([240, 90, 80])
    for move, wrong in ((0, False), (1, True)):
        answer = F.one_hot((pairs.relation[:, 0] + move) % 8, 8).float() * 1e6
        hook = task.siamese.register_forward_hook(
            lambda _module, _inputs, logits, answer=answer: logits + answer
        )
        drawn = task.eval().show(backbone, batch)["context"]
        hook.remove()
        assert drawn.shape == (3, 96, 3 * 96 + 8, 3)
        for n in range(3):
            y, x = int(pairs.top_px[n, 0, 1]), int(pairs.left_px[n, 0, 1])
            assert torch.equal(drawn[n, y, x].long(), green)
            assert bool((drawn[n, :, :96].long() == red).all(dim=-1).any()) == wrong


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch": 0.6}, "patch must be from 0.01 to 0.4, got 0.6"),
        ({"pairs": 0}, "pairs must be from 1 to 64, got 0"),
        ({"pixelated": 2.0}, "pixelated must be from 0.0 to 1.0"),
        ({"gap": 0.1}, "at most half the gap"),
    ],
)
def test_settings_at_fault_end_in_one_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        replace(SMALL, **change)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_what_does_not_fit_ends_in_one_line() -> None:
    with pytest.raises(ValueError, match="for AlexNets, not for backbone vgg16"):
        make_task(SMALL, backbone="vgg16")
    with pytest.raises(ValueError, match="too small for two patches of 38 with a gap of 19"):
        make_task(replace(SMALL, patch=0.4)).inputs(noise_batch(1))
