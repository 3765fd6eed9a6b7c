"""The context encoder: what is hidden, what is seen, who learns from whom, and that it learns to fill."""

import itertools

import pytest
import torch
from pretext_runs import assert_resume_is_exact, noise_batch
from torch import Tensor

from scenelift.adapt.backbones import Backbone, build_backbone
from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.context_encoder import (
    ChannelWise,
    ContextEncoder,
    ContextEncoderSettings,
    psnr_db,
    weighted_error,
)
from scenelift.adapt.pretext.encoder_map import encoder_map
from scenelift.adapt.pretext.masks import central_square, fill_from_border, irregular_masks
from scenelift.adapt.pretext.method import Pretext, PretextSettings

SIDE = 48
NOW = Clock(step=0, steps=10)
SMALL = ContextEncoderSettings(picture_px=SIDE, decoder_widths=(16, 8), critic_width=4)
ADVERSARIAL = ContextEncoderSettings(
    picture_px=SIDE, decoder_widths=(16, 8), critic_width=4, adversarial=0.001
)
CENTRE = ContextEncoderSettings(
    picture_px=SIDE,
    decoder_widths=(16, 8),
    critic_width=4,
    adversarial=0.001,
    region="centre",
    overlap_weight=10.0,
)


def small_backbone() -> Backbone:
    return build_backbone("alexnet-small", generator=torch.Generator().manual_seed(0))


def build(settings: ContextEncoderSettings) -> tuple[ContextEncoder, Backbone]:
    backbone = small_backbone()
    return ContextEncoder(settings, backbone, generator=torch.Generator().manual_seed(1)), backbone


def planted(count: int, *, seed: int) -> Batch:
    """Draw pictures of one plain colour each: who sees any of it knows the rest."""
    batch = noise_batch(count, side=SIDE, seed=seed)
    batch["image"] = batch["image"][:, :, :1, :1].expand(-1, -1, SIDE, SIDE).contiguous()
    return batch


def masks_of(seeds: Tensor) -> Tensor:
    return irregular_masks(seeds, side_px=SIDE, cells=8, area=(0.2, 0.3), salt=3)


def test_masks_hide_a_fifth_to_three_tenths_in_islands() -> None:
    masks = masks_of(torch.arange(200))
    shares = masks.float().mean(dim=(1, 2, 3))
    assert shares.min() > 0.199
    assert shares.max() < 0.301
    assert shares.max() - shares.min() > 0.08
    # An island's pixel has like neighbours: for scattered pixels at 25 % they would agree in 62 % of places.
    alike = (masks[..., 1:] == masks[..., :-1]).float().mean()
    assert alike > 0.88
    assert masks.float().mean(dim=0).max() < 0.5  # no place is always hidden


def test_a_mask_is_its_samples_own_in_any_batch() -> None:
    together = masks_of(torch.arange(20))
    torch.testing.assert_close(masks_of(torch.tensor([7])), together[7:8])
    assert len({mask.numpy().tobytes() for mask in together}) == 20


def test_the_square_hides_a_quarter() -> None:
    square = central_square(side_px=SIDE, square_px=SIDE // 2)
    assert square.float().mean() == 0.25
    assert square[0, 0, SIDE // 2, SIDE // 2]
    torch.testing.assert_close(square, square.flip(2, 3))


@pytest.mark.parametrize("settings", [SMALL, CENTRE], ids=["random", "centre"])
def test_what_is_hidden_cannot_be_seen(settings: ContextEncoderSettings) -> None:
    task, backbone = build(settings)
    task.eval()
    backbone.eval()
    batch = noise_batch(3, side=SIDE)
    hidden = task.hide(batch["image"], batch["sample_seed"])
    changed = torch.where(hidden, 255 - batch["image"], batch["image"])
    seen = torch.where(hidden, batch["image"], 255 - batch["image"])
    answer = task.draw(backbone, batch["image"], hidden)
    torch.testing.assert_close(task.draw(backbone, changed, hidden), answer, rtol=0, atol=0)
    assert not torch.equal(task.draw(backbone, seen, hidden), answer)


def test_the_error_counts_where_weights_say() -> None:
    truth = torch.zeros(2, 3, 2, 2)
    drawn = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).expand(2, 3, 2, 2)
    weight = torch.tensor([[[[1.0, 0.0], [0.0, 10.0]]], [[[0.0, 1.0], [0.0, 0.0]]]])
    # Three pixels have a weight: 1 * 1 + 10 * 16 + 1 * 4.
    assert weighted_error(drawn, truth, weight=weight).item() == pytest.approx(165 / 3)
    assert weighted_error(drawn, truth, weight=torch.zeros(1, 1, 2, 2)) == 0


def test_psnr_of_a_known_error() -> None:
    hidden = torch.tensor([[[[True, False], [False, False]]]])
    drawn = torch.tensor([[0.2, 9.0], [9.0, 9.0]]).expand(1, 3, 2, 2)
    # An error of a tenth of the range: 20 dB.
    assert psnr_db(drawn, torch.zeros(1, 3, 2, 2), hidden).item() == pytest.approx(20)


def test_the_frame_around_the_square_weighs_ten() -> None:
    task, _ = build(CENTRE)
    batch = noise_batch(1, side=SIDE)
    weight = task._weight(task.hide(batch["image"], batch["sample_seed"]))[0, 0]
    frame_px = round(7 / 227 * SIDE)
    row = weight[SIDE // 2]
    before = SIDE // 4
    assert (row[: before - frame_px] == 0).all()
    assert (row[before - frame_px : before] == 10).all()
    assert (row[before : before + SIDE // 2] == 1).all()


def test_channels_do_not_mix_across_positions() -> None:
    layer = ChannelWise(channels=3, side=2)
    layer.draw_weights(generator=torch.Generator().manual_seed(0))
    x = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    y = x.clone()
    y[0, 1, 0, 0] += 1
    moved = (layer(x) != layer(y))[0].flatten(1)
    assert moved[1].all()
    assert not moved[[0, 2]].any()


def test_a_smooth_fill_keeps_what_is_seen_and_continues_it() -> None:
    ramp = torch.linspace(0, 1, SIDE).view(1, 1, 1, SIDE).expand(1, 1, SIDE, SIDE)
    hidden = central_square(side_px=SIDE, square_px=SIDE // 2)
    filled = fill_from_border(torch.where(hidden, torch.tensor(50.0), ramp), hidden)
    torch.testing.assert_close(filled[~hidden], ramp[~hidden])
    assert (filled - ramp).abs().max() < 0.2  # a mean fill is 0.25 off at the square's sides
    assert (fill_from_border(ramp, torch.ones_like(hidden)) == 0).all()


@pytest.mark.parametrize("settings", [ADVERSARIAL, CENTRE], ids=["random", "centre"])
def test_gradients_reach_one_side_each(settings: ContextEncoderSettings) -> None:
    task, backbone = build(settings)
    critic = {id(p) for p in task.critic_parameters()}
    read = {f"{n}." for n in ("conv1", "conv2", "conv3", "conv4", "conv5")} | {
        f"bn{i}." for i in range(1, 6)
    }
    critic_loss = task.critic_loss(backbone, noise_batch(4, side=SIDE))
    assert critic_loss is not None
    critic_loss.backward()
    for parameter in itertools.chain(backbone.parameters(), task.parameters()):
        assert (parameter.grad is not None) == (id(parameter) in critic)
    for parameter in task.critic_parameters():
        parameter.grad = None
    task.loss(backbone, noise_batch(4, side=SIDE), clock=NOW)[0].backward()
    for parameter in task.parameters():
        assert (parameter.grad is None) == (id(parameter) in critic)
    for name, parameter in backbone.named_parameters():
        assert (parameter.grad is not None) == any(name.startswith(layer) for layer in read), name


def test_the_critics_verdict_moves_the_decoder_towards_real() -> None:
    task, backbone = build(
        ContextEncoderSettings(
            picture_px=SIDE, decoder_widths=(16, 8), critic_width=4, adversarial=0.999
        )
    )
    batch = noise_batch(4, side=SIDE)
    first = task.loss(backbone, batch, clock=NOW)[1]["loss/adversarial"]
    optimiser = torch.optim.Adam(task.own_parameters(), lr=1e-2)
    for _ in range(8):
        optimiser.zero_grad()
        task.loss(backbone, batch, clock=NOW)[0].backward()
        optimiser.step()
    assert task.loss(backbone, batch, clock=NOW)[1]["loss/adversarial"] < first


def test_without_the_weight_there_is_no_critic() -> None:
    task, backbone = build(SMALL)
    assert list(task.critic_parameters()) == []
    assert task.critic_loss(backbone, noise_batch(2, side=SIDE)) is None
    loss, scalars = task.loss(backbone, noise_batch(2, side=SIDE), clock=NOW)
    torch.testing.assert_close(loss.detach(), scalars["loss/reconstruction"])


def learner(settings: ContextEncoderSettings, *, half: bool = False) -> Pretext:
    adam = OptimiserSettings(learning_rate=3e-3, schedule="constant")
    return Pretext(
        PretextSettings(task=settings, optimiser=adam, critic_optimiser=adam),
        seed=0,
        device=torch.device("cpu"),
        half=half,
    )


def test_plain_pictures_are_filled_with_their_colour() -> None:
    method = learner(SMALL)
    for step in range(80):
        method.step({"real": planted(16, seed=step)}, clock=Clock(step=step, steps=80))
    figures = method.validate({"real": planted(32, seed=1000)})
    assert figures["quality/psnr_db"] > figures["baseline/psnr_db"] + 3
    assert figures["reference/smooth_fill_psnr_db"] > 50  # plain colours are the smooth fill's home


@pytest.mark.parametrize("settings", [SMALL, ADVERSARIAL], ids=["reconstruction", "adversarial"])
def test_resume_is_exact(settings: ContextEncoderSettings) -> None:
    batches = [noise_batch(4, side=SIDE, seed=step) for step in range(4)]
    assert_resume_is_exact(lambda: learner(settings), batches)


def test_bfloat16_runs_and_pictures_are_drawn() -> None:
    method = learner(CENTRE, half=True)
    scalars = method.step({"real": noise_batch(4, side=SIDE)}, clock=NOW)
    assert scalars["loss/task"].dtype == torch.float32
    assert scalars["loss/critic"].isfinite()
    figures = method.validate({"real": noise_batch(4, side=SIDE)})
    assert {"accuracy/critic", "chance/critic"} <= set(figures)
    (drawn,) = method.pictures({"real": noise_batch(4, side=SIDE)}).values()
    assert drawn.shape == (4, SIDE, 3 * SIDE + 8, 3)


def test_the_picture_shows_the_answer_in_the_hidden_part_alone() -> None:
    method = learner(SMALL)
    batch = noise_batch(2, side=SIDE)
    (drawn,) = method.pictures({"real": batch}).values()
    seen, answer, truth = (drawn[:, :, (SIDE + 4) * i : (SIDE + 4) * i + SIDE] for i in range(3))
    hidden = masks_as_drawn(method, batch)
    assert torch.equal(answer[~hidden], truth[~hidden])
    assert torch.equal(seen[~hidden], truth[~hidden])
    assert seen[hidden].unique(dim=0).tolist() == [[124, 116, 104]]
    assert not torch.equal(answer[hidden], truth[hidden])


def masks_as_drawn(method: Pretext, batch: Batch) -> Tensor:
    assert isinstance(method.task, ContextEncoder)
    return method.task.hide(batch["image"], batch["sample_seed"])[:, 0]


@pytest.mark.parametrize("name", ["vgg16", "resnet18", "alexnet-small"])
def test_any_backbone_gives_its_last_convolutional_map(name: str) -> None:
    backbone = build_backbone(name, generator=torch.Generator().manual_seed(0))
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    read = encoder_map(backbone, "auto", picture_px=64)
    assert read.name in {"conv5", "layer4"}
    assert backbone.training
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


def test_the_published_size_takes_four_or_five_up_convolutions() -> None:
    # A map of 13 x 13 (conv5) is doubled four times within 227 pixels; one of 6 x 6 (pool5), as published, five times.
    task, _ = build(ContextEncoderSettings(picture_px=227))
    assert len(task.decoder.ups) + 1 == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"adversarial": 1.0}, "adversarial must be at least 0 and below 1"),
        ({"area": (0.5, 0.2)}, "area must rise"),
        ({"noise_cells": 1}, "noise_cells"),
        ({"overlap_weight": 10.0}, "needs region centre"),
        ({"overlap": 0.4}, "overlap must lie"),
        ({"decoder_widths": (8, 0)}, "decoder_widths"),
        ({"decoder_kernel": 1}, "decoder_kernel"),
    ],
)
def test_bad_settings(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ContextEncoderSettings(**change)  # type: ignore[arg-type]


def test_pictures_of_another_size_are_refused() -> None:
    task, backbone = build(SMALL)
    with pytest.raises(ValueError, match=r"48 x 48 pixels, got 64 x 64; set .*picture_px"):
        task.loss(backbone, noise_batch(2, side=64), clock=NOW)
    with pytest.raises(ValueError, match="at least 31"):
        build(ContextEncoderSettings(picture_px=16))
