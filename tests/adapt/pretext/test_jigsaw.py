"""A puzzle's tiles come from its nine cells in the order of its permutation, and no colour tells the cell."""

from dataclasses import replace

import pytest
import torch
from jaxtyping import UInt8
from pretext_runs import assert_resume_is_exact, learner, noise_batch
from small_networks import generator_of
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.method import Clock
from scenelift.adapt.pretext.jigsaw import Jigsaw, JigsawSettings, tile_sizes
from scenelift.adapt.pretext.permutations import distant_permutations

SMALL = JigsawSettings(permutations=10, fc6=16, fc7=(32,))
PLAIN = replace(SMALL, grey=0.0, projected=0.0, channel_shift=0.0)
CLOCK = Clock(step=0, steps=1)


def make_task(settings: JigsawSettings, *, backbone: str = "alexnet-small") -> Jigsaw:
    generator = generator_of(0)
    return Jigsaw(settings, build_backbone(backbone, generator=generator), generator=generator)


def gratings(*, side: int) -> UInt8[Tensor, "1 3 s s"]:
    """A picture whose nine cells differ in direction and width of their stripes, so that standardised tiles still tell them."""
    cell = side // 3
    y, x = torch.meshgrid(torch.arange(cell), torch.arange(cell), indexing="ij")
    cells = []
    for number in range(9):
        angle = torch.tensor(number % 3 * torch.pi / 3)
        phase = (x * angle.cos() + y * angle.sin()) * 2 * torch.pi / (4.0, 7.0, 14.0)[number // 3]
        cells.append(128 + 100 * phase.sin())
    picture = torch.zeros(3 * cell, 3 * cell)
    for number, values in enumerate(cells):
        top, left = number // 3 * cell, number % 3 * cell
        picture[top : top + cell, left : left + cell] = values
    return picture.to(torch.uint8).expand(1, 3, -1, -1)


def test_published_sizes_at_the_published_side() -> None:
    assert tile_sizes(255, settings=JigsawSettings()) == (85, 64, 2)
    assert tile_sizes(112, settings=JigsawSettings())[2] == 1
    assert JigsawSettings(permutations=1000).permutations == 1000


def test_tiles_are_the_cells_in_the_order_of_the_permutation() -> None:
    """Each cell has one brightness and a bright pixel row, so the tile that shows it is told by its values."""
    task = make_task(replace(PLAIN, tile=1.0))
    cells = torch.arange(9).repeat_interleave(32).view(3, 3, 32).permute(0, 2, 1)
    brightness = (20 * cells[:, :, :, None].expand(3, 32, 3, 32)).reshape(96, 96)
    ramp = torch.arange(96) % 32
    image = (brightness + ramp[:, None] * ramp[None] // 20).to(torch.uint8).expand(20, 3, 96, 96)
    batch = {"image": image, "sample_seed": torch.arange(20)}
    tiles, truth = task.puzzles(batch)
    assert tiles.shape == (20, 9, 3, 32, 32)
    for n in range(20):
        order = distant_permutations(10)[int(truth[n])]
        for place, cell in enumerate(order):
            y, x = 32 * (cell // 3), 32 * (cell % 3)
            tile = image[n, :, y : y + 32, x : x + 32].float()
            expected = (tile - tile.mean()) / tile.std(correction=0)
            torch.testing.assert_close(tiles[n, place], expected, rtol=1e-3, atol=1e-3)


def test_a_tile_reads_nothing_beyond_its_cell() -> None:
    """Channels are shifted too, yet what lies in one cell changes one tile alone."""
    task = make_task(replace(SMALL, grey=0.0, channel_shift=0.03))
    batch = noise_batch(16)
    tiles, truth = task.puzzles(batch)
    for cell in (0, 4, 8):
        y, x = 32 * (cell // 3), 32 * (cell % 3)
        changed = batch["image"].clone()
        changed[:, :, y : y + 32, x : x + 32] = 255 - changed[:, :, y : y + 32, x : x + 32]
        others, same_truth = task.puzzles({**batch, "image": changed})
        assert torch.equal(truth, same_truth)
        differs = (tiles != others).flatten(2).any(dim=2)
        assert torch.equal(differs, task.permutations[truth] == cell)


def test_tiles_lie_anywhere_in_their_cells() -> None:
    """A single bright column appears at every place of a tile."""
    task = make_task(PLAIN)
    image = torch.zeros(400, 3, 96, 96, dtype=torch.uint8)
    image[:, :, :, 16] = 255  # the middle of the first column of cells
    tiles, truth = task.puzzles({"image": image, "sample_seed": torch.arange(400)})
    first = task.permutations[truth] == 0
    places = tiles[first][:, 0, 0].argmax(dim=1)
    _, tile, _ = tile_sizes(96, settings=PLAIN)
    assert places.unique().tolist() == list(range(16 - (32 - tile), 17))


def test_tiles_have_no_mean_and_one_deviation() -> None:
    tiles, _ = make_task(SMALL).puzzles(noise_batch(6))
    torch.testing.assert_close(tiles.mean(dim=(3, 4)), torch.zeros(6, 9, 3), atol=1e-4, rtol=0)
    deviation = tiles.std(dim=(3, 4), correction=0)
    torch.testing.assert_close(deviation, torch.ones(6, 9, 3), atol=1e-3, rtol=0)


def test_plain_pictures_give_finite_tiles() -> None:
    image = torch.full((2, 3, 96, 96), 77, dtype=torch.uint8)
    tiles, _ = make_task(SMALL).puzzles({"image": image, "sample_seed": torch.arange(2)})
    assert not tiles.any()


def test_half_are_grey_and_a_quarter_projected() -> None:
    tiles, _ = make_task(replace(SMALL, channel_shift=0.0)).puzzles(noise_batch(400, side=48))
    same = (tiles - tiles[:, :, :1]).abs().amax(dim=(1, 2, 3, 4)) < 1e-3
    assert 0.42 < float(same.float().mean()) < 0.58


def test_a_sample_is_the_same_puzzle_in_any_batch() -> None:
    task, batch = make_task(SMALL), noise_batch(8)
    tiles, truth = task.puzzles(batch)
    part, part_truth = task.puzzles({name: value[3:5] for name, value in batch.items()})
    assert torch.equal(part_truth, truth[3:5])
    torch.testing.assert_close(part, tiles[3:5])
    assert len(truth.unique()) > 3


def test_gradients_reach_the_trunk_below_fc6_and_the_head() -> None:
    generator = generator_of(0)
    backbone = build_backbone("alexnet-small", generator=generator)
    task = Jigsaw(SMALL, backbone, generator=generator)
    loss, _ = task.loss(backbone, noise_batch(4), clock=CLOCK)
    loss.backward()
    reached = {name for name, p in backbone.named_parameters() if p.grad is not None}
    assert {name.split(".")[0] for name in reached} == {
        *(f"conv{n}" for n in range(1, 6)),
        *(f"bn{n}" for n in range(1, 6)),
    }
    assert all(p.grad is not None for p in task.parameters())


def test_the_stride_is_for_learning_alone() -> None:
    generator = generator_of(0)
    backbone = build_backbone("alexnet-small", generator=generator)
    task = Jigsaw(SMALL, backbone, generator=generator)
    assert task.alters_backbone
    learning = backbone(torch.zeros(1, 3, 64, 64), until="conv1")["conv1"]
    fresh = build_backbone("alexnet-small", generator=generator_of(1))
    fresh.load_state_dict(backbone.state_dict())
    using = fresh(torch.zeros(1, 3, 64, 64), until="conv1")["conv1"]
    assert learning.shape[-1] == 29
    assert using.shape[-1] == 15


@pytest.mark.parametrize("backbone", ["alexnet-small", "resnet18", "vgg16"])
def test_any_backbone_as_it_is_even_on_small_pictures(backbone: str) -> None:
    generator = generator_of(0)
    network = build_backbone(backbone, generator=generator)
    task = Jigsaw(replace(SMALL, conv1_stride=None), network, generator=generator)
    assert not task.alters_backbone
    loss, _ = task.loss(network, noise_batch(2, side=64), clock=CLOCK)
    assert bool(loss.isfinite())


def test_it_solves_puzzles_whose_cells_are_told_by_their_stripes() -> None:
    method = learner(replace(SMALL, permutations=5, fc6=32, fc7=(64,)))
    image = gratings(side=96).expand(8, -1, -1, -1)
    for step in range(15):
        seeds = torch.arange(8) + 8 * step
        method.step({"real": {"image": image, "sample_seed": seeds}}, clock=CLOCK)
    held_out = {"image": image.repeat(4, 1, 1, 1), "sample_seed": torch.arange(32) + 10_000}
    figures = method.validate({"real": held_out})
    assert float(figures["chance/jigsaw"]) == pytest.approx(0.2)
    assert float(figures["accuracy/jigsaw"]) > 0.8


def test_a_resumed_run_has_the_same_bits() -> None:
    assert_resume_is_exact(lambda: learner(SMALL), [noise_batch(3, seed=step) for step in range(2)])


def test_half_precision_sees_the_same_tiles() -> None:
    method = learner(SMALL, half=True)
    batch = noise_batch(2, side=48)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        tiles, _ = method.task.puzzles(batch)  # type: ignore[operator]
    assert torch.equal(tiles, make_task(SMALL).puzzles(batch)[0])
    assert method.step({"real": batch}, clock=CLOCK)["loss/task"].dtype == torch.float32


def test_building_it_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    make_task(SMALL)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("right", [True, False])
def test_pictures_show_the_tiles_put_by_the_answer(right: bool) -> None:
    task = make_task(replace(PLAIN, tile=1.0))
    batch = {"image": gratings(side=99).expand(3, -1, -1, -1), "sample_seed": torch.arange(3)}
    _, truth = task.puzzles(batch)
    answer = F.one_hot(truth if right else (truth + 1) % 10, 10).float() * 1e6
    task.siamese.register_forward_hook(lambda _module, _inputs, _logits: answer)
    backbone = build_backbone("alexnet-small", generator=generator_of(0))
    drawn = task.eval().show(backbone, batch)["jigsaw"].float()
    picture, _, put = (drawn[:, :, start : start + 99].flatten() for start in (0, 103, 206))
    alike = float(torch.corrcoef(torch.stack([picture, put]))[0, 1])
    assert alike > 0.5 if right else alike < 0.2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tile": 1.5}, "tile must be above 0 and at most 1, got 1.5"),
        ({"grey": -0.1}, "grey must be from 0 to 1"),
        ({"channel_shift": 0.5}, "channel_shift must be from 0 to 0.05"),
        ({"permutations": 1}, "must be from 2 to 10000, got 1"),
        ({"conv1_stride": 9}, "conv1_stride must be from 1 to 4, or None, got 9"),
        ({"layer": "conv9"}, "has no layer 'conv9'"),
    ],
)
def test_settings_at_fault_end_in_one_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        make_task(replace(SMALL, **change))  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_a_backbone_that_does_not_suit_ends_in_one_line() -> None:
    with pytest.raises(
        ValueError, match="for AlexNets, not for backbone resnet18; set conv1_stride to None"
    ):
        make_task(SMALL, backbone="resnet18")
    with pytest.raises(ValueError, match="too large for patches; choose alexnet"):
        make_task(SMALL, backbone="alexnet-small-standard")


def test_pictures_too_small_end_in_one_line() -> None:
    with pytest.raises(ValueError, match="pictures of 9 pixels give cells of 3"):
        make_task(SMALL).puzzles(noise_batch(2, side=9))
