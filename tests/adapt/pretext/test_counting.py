"""Counting: the sum over tiles, the contrast, and that counting nothing is no way out."""

import pytest
import torch
from colour_pictures import learn, make, planted, resumed_alike
from torch import Tensor

from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.pretext.counting import (
    Counting,
    CountingSettings,
    counting_terms,
    draw_counts,
    halved,
    quarters,
)
from scenelift.adapt.pretext.method import Pretext

SETTINGS = CountingSettings(counts=64)
CLOCK = Clock(step=0, steps=100)
SIDE = 96


def task_of(method: Pretext) -> Counting:
    assert isinstance(method.task, Counting)
    return method.task


def test_quarters_by_hand() -> None:
    images = torch.arange(16.0).view(1, 1, 4, 4).expand(2, 3, 4, 4).clone()
    images[1] += 100
    tiles = quarters(images).view(4, 2, 3, 2, 2)
    corners = [tile[0, 0].flatten().tolist() for tile in tiles]
    assert corners == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert torch.equal(tiles[:, 1], tiles[:, 0] + 100)


def test_halving_by_each_filter_keeps_the_mean_and_follows_the_seed() -> None:
    images = torch.rand(24, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    seeds = torch.arange(24)
    drawn, plain = halved(images, seeds=seeds), halved(images)
    assert drawn.shape == (24, 3, 4, 4)
    assert plain[0, 0, 0, 0] == pytest.approx(float(images[0, 0, :2, :2].mean()))
    assert (drawn.mean(dim=(1, 2, 3)) - plain.mean(dim=(1, 2, 3))).abs().max() < 0.05
    by_mean = (drawn == plain).flatten(1).all(dim=1)
    assert 2 < int(by_mean.sum()) < 16
    alone = halved(images[7:8], seeds=seeds[7:8])
    torch.testing.assert_close(alone[0], drawn[7])


def test_who_counts_points_has_no_error_and_others_are_far() -> None:
    """A phi that counts white points, by their kind, in whole pictures and in tiles: the first term is 0, the second its margin."""
    points = torch.zeros(3, 3, 32, 32)
    for picture, count in enumerate((2, 5, 9)):
        for n in range(count):
            y, x = divmod(7 * n + picture, 16)
            points[picture, n % 3, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2] = 1  # survives halving

    def phi(images: Tensor, *, area: int) -> Tensor:
        return images.sum(dim=(2, 3)) / area

    whole = phi(halved(points), area=1)
    tiles = phi(quarters(points), area=4).view(4, 3, 3).sum(dim=0)
    assert whole.tolist() == tiles.tolist()
    own, other = counting_terms(whole, tiles, margin=10.0)
    following = whole.roll(-1, 0)
    assert float(own) == 0
    expected = (10 - (following - whole).square().sum(dim=1)).clamp(min=0).mean()
    assert float(other) == pytest.approx(float(expected))
    assert 0 < float(other) < 10


def test_terms_by_hand() -> None:
    whole = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    tiles = torch.tensor([[1.0, 1.0], [3.0, 0.0]])
    own, other = counting_terms(whole, tiles, margin=5.0)
    assert float(own) == (1 + 13) / 2  # (0, 1) and (3, 2)
    assert float(other) == (3 + 1) / 2  # 5 - |(0,2) - (1,1)|^2 and 5 - |(1,0) - (3,0)|^2


def test_counting_nothing_costs_the_margin() -> None:
    method = make(SETTINGS)
    task = task_of(method)
    with torch.no_grad():
        task.counter.weight.zero_()
        task.counter.bias.fill_(-1.0)
    loss, _ = task.loss(method.backbone, planted(seed=0, side=SIDE), clock=CLOCK)
    assert float(loss.detach()) == SETTINGS.margin


def test_the_loss_is_the_backbones_over_pieces_of_one_size() -> None:
    """Against phi run piece by piece, in evaluation mode."""
    method = make(CountingSettings(counts=16))
    task = task_of(method)
    batch = planted(seed=0, count=3, side=SIDE)
    told = method.validate({"real": batch})
    images = batch["image"].float() / 255

    @torch.no_grad()
    def phi(pieces: Tensor) -> Tensor:
        assert pieces.shape[-2:] == (SIDE // 2, SIDE // 2)
        mean = torch.tensor(task.normalisation.mean).view(1, 3, 1, 1)
        std = torch.tensor(task.normalisation.std).view(1, 3, 1, 1)
        features = method.backbone((pieces - mean) / std)["fc7"]
        counts: Tensor = task.counter(features.mean(dim=(2, 3))).clamp(min=0)
        return counts

    h = SIDE // 2
    corners = [images[:, :, y : y + h, x : x + h] for y in (0, h) for x in (0, h)]
    tiles = sum((phi(corner) for corner in corners), start=torch.zeros(3, 16))
    own, other = counting_terms(phi(halved(images)), tiles, margin=10.0)
    torch.testing.assert_close(told["loss/task"], own + other)
    torch.testing.assert_close(told["error/counting"], own)


def test_gradients_reach_backbone_and_counter() -> None:
    method = make(SETTINGS)
    loss, _ = method.task.loss(method.backbone, planted(seed=0, side=SIDE), clock=CLOCK)
    loss.backward()
    for network in method.networks().values():
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert bool(parameter.grad.any()), name


def test_grey_takes_the_colour_of_as_many_as_asked() -> None:
    seen: list[Tensor] = []
    for probability, least, most in ((0.0, 0, 0), (0.5, 3, 29), (1.0, 32, 32)):
        method = make(CountingSettings(counts=8, grey_probability=probability))
        handle = method.backbone.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
        method.task.loss(method.backbone, planted(seed=0, count=32, side=SIDE), clock=CLOCK)
        handle.remove()
        std = torch.tensor(method.input_normalisation.std).view(1, 3, 1, 1)
        mean = torch.tensor(method.input_normalisation.mean).view(1, 3, 1, 1)
        colours = (seen.pop() * std + mean).view(5, 32, 3, SIDE // 2, SIDE // 2)
        spread = (colours.amax(dim=2) - colours.amin(dim=2)).amax(dim=(2, 3))
        grey = spread < 1e-3
        assert bool((grey == grey[0]).all())  # a picture and its tiles alike
        assert least <= int(grey[0].sum()) <= most


def textured(*, seed: int, count: int = 8) -> Batch:
    """Pictures each of one colour, and so of one kind of thing, roughened by noise."""
    generator = torch.Generator().manual_seed(seed)
    colour = torch.rand(count, 3, 1, 1, generator=generator) * 255
    noise = torch.randint(-40, 40, (count, 3, SIDE // 4, SIDE // 4), generator=generator)
    image = colour + torch.nn.functional.interpolate(noise.float(), scale_factor=4)
    return {"image": image.clamp(0, 255).to(torch.uint8), "sample_seed": torch.arange(count)}


def test_it_learns_to_know_the_own_picture() -> None:
    method = make(CountingSettings(counts=64, grey_probability=0.0), learning_rate=5e-4)
    for step in range(30):
        method.step({"real": textured(seed=step)}, clock=CLOCK)
    told = method.validate({"real": textured(seed=1000, count=16)})
    assert float(told["chance/counting"]) == pytest.approx(1 / 16)
    assert told["accuracy/counting"] > 0.5
    assert told["error/counting"] < 0.8 * told["baseline/counting"]
    assert told["loss/task"] < SETTINGS.margin  # better than to count nothing


def test_it_resumes_to_the_same_bits() -> None:
    assert resumed_alike(SETTINGS, side=SIDE)


def test_half_precision_and_pictures() -> None:
    method = make(SETTINGS, half=True)
    batch = planted(seed=0, count=3, side=SIDE)
    assert method.step({"real": batch}, clock=CLOCK)["loss/task"].dtype == torch.float32
    rows = method.pictures({"real": batch})["counting"]
    assert rows.shape[:2] == (3, SIDE)
    assert torch.equal(rows[:, :, :SIDE], batch["image"].permute(0, 2, 3, 1))


def test_bars_are_as_long_as_the_counts() -> None:
    bars = draw_counts(torch.tensor([[4.0, 0.0]]), torch.tensor([[2.0, 0.0]]), side_px=40)
    drawn = (bars[0] != 255).any(dim=2)
    assert drawn.shape == (40, 40)
    assert int(drawn[:20, 0].sum()) == 18
    assert int(drawn[20:, 0].sum()) == 9
    assert not bool(drawn[:, 4:].any())


def test_bad_settings_and_tiles_too_small_are_one_line() -> None:
    with pytest.raises(ValueError, match="counts must be at least 1"):
        CountingSettings(counts=0)
    with pytest.raises(ValueError, match="margin must be positive"):
        CountingSettings(margin=0.0)
    with pytest.raises(ValueError, match="grey_probability must be from 0 to 1"):
        CountingSettings(grey_probability=1.5)
    for side, line in (
        (48, "needs pictures of at least 31 pixels"),
        (64, "tiles of 32 x 32 pixels"),
    ):
        with pytest.raises(ValueError, match=line):
            learn(make(SETTINGS), range(1), side=side)
