"""Task heads: published sizes, any picture's size, place on the picture, separation of tasks."""

import pytest
import torch
from small_networks import count_parameters, generator_of, lived_in_backbone, noise_pictures
from torch import nn

from scenelift.adapt.backbones import Layer, build_backbone, empty_backbone
from scenelift.adapt.heads import (
    TASKS,
    ChainHead,
    Heads,
    at_stride,
    build_heads,
    deconvolution_head,
    light_head,
)
from scenelift.adapt.initialise import initialise

TIMM = "timm:mobilenetv3_small_050"


def skip_without_timm(name: str) -> None:
    if name.startswith("timm:"):
        pytest.importorskip("timm")


def small_heads(*, seed: int = 0) -> Heads:
    return build_heads(empty_backbone("alexnet-small"), generator=generator_of(seed))


def small_features(count: int = 2, *, seed: int = 0) -> dict[str, torch.Tensor]:
    return {"fc7": torch.randn(count, 128, 5, 7, generator=generator_of(seed)).relu()}


@pytest.mark.parametrize(("name", "millions"), [("alexnet", 7.50), ("vgg16", 20.7)])
def test_heads_have_as_many_parameters_as_published(name: str, millions: float) -> None:
    heads = build_heads(empty_backbone(name), generator=generator_of(0))
    assert count_parameters(heads) / 1e6 == pytest.approx(
        millions, abs=0.04 if millions > 10 else 0.005
    )


def test_the_released_head_grows_as_published() -> None:
    heads = build_heads(empty_backbone("alexnet"), generator=generator_of(0)).to("meta")
    sides = []
    for part in heads.by_task["edge"].modules():
        if isinstance(part, nn.ConvTranspose2d):
            part.register_forward_hook(lambda _module, _inputs, out: sides.append(out.shape[-1]))
    heads({"fc7": torch.zeros(1, 4096, 13, 13, device="meta")}, width=227, height=227)
    assert sides == [27, 55, 113, 227]


@pytest.mark.parametrize(("width", "height"), [(97, 131), (64, 65), (128, 96)])
@pytest.mark.parametrize("name", ["alexnet-small", "resnet18", TIMM])
def test_answers_have_the_pictures_size(name: str, width: int, height: int) -> None:
    skip_without_timm(name)
    backbone = lived_in_backbone(name)
    heads = build_heads(backbone, generator=generator_of(0)).eval()
    with torch.no_grad():
        answers = heads(
            backbone(noise_pictures(1, width=width, height=height)), width=width, height=height
        )
    assert {task: tuple(answer.shape) for task, answer in answers.items()} == {
        task: (1, channels, height, width) for task, channels in TASKS.items()
    }


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet50"])
def test_answers_of_large_networks_have_the_pictures_size(name: str) -> None:
    backbone = empty_backbone(name).to("meta").eval()
    heads = build_heads(backbone, generator=generator_of(0)).to("meta").eval()
    for width, height in ((97, 131), (227, 227), (224, 160)):
        features = backbone(torch.zeros(1, 3, height, width, device="meta"))
        for task, answer in heads(features, width=width, height=height).items():
            assert tuple(answer.shape) == (1, TASKS[task], height, width)


def test_the_unet_heads_compute_at_odd_sizes() -> None:
    backbone = lived_in_backbone("vgg16")
    heads = build_heads(backbone, generator=generator_of(0)).eval()
    with torch.no_grad():
        answers = heads(backbone(noise_pictures(1, width=37, height=51)), width=37, height=51)
    assert all(bool(torch.isfinite(answer).all()) for answer in answers.values())
    assert float(answers["normal"].std()) > 0


@pytest.mark.parametrize("name", ["alexnet-small", "resnet18"])
def test_moving_a_map_by_one_position_moves_the_answer_by_its_stride(name: str) -> None:
    backbone = empty_backbone(name)
    deepest = backbone.layers[-1]
    heads = build_heads(backbone, generator=generator_of(0), tasks={"depth": 1}).eval()
    side = 12 * deepest.stride - 5
    feature = torch.randn(1, deepest.channels, 12, 12, generator=generator_of(1))
    with torch.no_grad():
        answer, moved = (
            heads({deepest.name: x}, width=side, height=side)["depth"]
            for x in (feature, feature.roll(1, dims=2))
        )
    inner = slice(4 * deepest.stride, 8 * deepest.stride)
    torch.testing.assert_close(moved[:, :, inner], answer.roll(deepest.stride, dims=2)[:, :, inner])


@pytest.mark.parametrize(
    ("name", "width", "sharp"),
    [("alexnet", 8, True), ("alexnet-small", 128, True), ("alexnet-small", 128, False)],
)
def test_an_alexnet_answers_where_it_looked(name: str, width: int, sharp: bool) -> None:
    """Position k of its last map looks at pixel 16 k + 15.5; what it says is centred there, to a quarter of a stride."""
    layer = Layer(name="fc7", channels=width, stride=16)
    head = (
        deconvolution_head(width, out=1)
        if name == "alexnet"
        else light_head(layer, border=True, out=1, sharp=sharp)
    )
    initialise(head, init="default", generator=generator_of(0))
    feature = torch.rand(8, width, 13, 3, generator=generator_of(1))
    head.eval()
    for k in (4, 6, 8):
        other = feature.clone()
        other[:, :, k] = torch.rand(8, width, 3, generator=generator_of(2))
        with torch.no_grad():
            reach = (head([other]) - head([feature])).square().sum(dim=(0, 1, 3))
        stride = 1 if sharp else 4
        centre = stride * float((reach * (torch.arange(len(reach)) + 0.5)).sum() / reach.sum())
        assert centre == pytest.approx(16 * k + 15.5, abs=4)


@pytest.mark.parametrize(("width", "height"), [(112, 80), (97, 131), (64, 65)])
def test_coarse_answers_are_the_picture_seen_every_few_pixels(width: int, height: int) -> None:
    backbone = lived_in_backbone("alexnet-small")
    heads = build_heads(backbone, generator=generator_of(0)).eval()
    assert heads.strides == {"edge": 1, "depth": 4, "normal": 4}
    with torch.no_grad():
        features = backbone(noise_pictures(1, width=width, height=height))
        coarse = heads.answer(features, width=width, height=height)
        full = heads(features, width=width, height=height)
    for task, stride in heads.strides.items():
        labels = at_stride(torch.zeros(1, 1, height, width), stride=stride)
        assert coarse[task].shape[-2:] == labels.shape[-2:]
        assert full[task].shape[-2:] == (height, width)


def test_coarse_answers_are_enlarged_in_place() -> None:
    """Cells of 4 pixels that say where their middle lies: each pixel then says where its own lies."""
    heads = Heads(
        shared=None,
        by_task={"depth": ChainHead(nn.Identity())},
        layers=("fc7",),
        after_relu=True,
        strides={"depth": 4},
    )
    middles = (4 * torch.arange(6.0) + 2).view(1, 1, 1, 6).expand(1, 1, 3, 6)
    answer = heads({"fc7": middles}, width=22, height=10)["depth"]
    assert tuple(answer.shape) == (1, 1, 10, 22)
    torch.testing.assert_close(answer[0, 0, 5, 2:22], torch.arange(2.0, 22) + 0.5)


def test_labels_are_picked_below_the_middle_of_a_cell_and_never_blended() -> None:
    labels = torch.arange(9.0 * 10).view(1, 1, 9, 10)
    picked = at_stride(labels, stride=4)
    assert picked.flatten().tolist() == [22, 26, 29, 62, 66, 69, 82, 86, 89]
    assert at_stride(labels, stride=1) is labels


def test_tasks_can_be_left_out() -> None:
    heads = build_heads(
        empty_backbone("alexnet-small"), generator=generator_of(0), tasks={"semantic": 40}
    )
    answers = heads(small_features(), width=112, height=80)
    assert {task: tuple(answer.shape) for task, answer in answers.items()} == {
        "semantic": (2, 40, 80, 112)
    }
    whole = small_heads()
    assert list(whole(small_features(), width=112, height=80, tasks=["normal"])) == ["normal"]


def test_a_frozen_task_does_not_move_and_the_others_do() -> None:
    heads = small_heads()
    heads.freeze(["depth"])
    heads.train()
    before = {key: value.clone() for key, value in heads.state_dict().items()}
    optimiser = torch.optim.SGD((p for p in heads.parameters() if p.requires_grad), lr=0.1)
    answers = heads(small_features(), width=112, height=80)
    torch.autograd.backward(
        torch.stack([answer.square().mean() for answer in answers.values()]).sum()
    )
    optimiser.step()
    moved = {
        key.split(".")[1]
        for key, value in heads.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert moved == {"edge", "normal"}
    heads.freeze([])
    assert all(parameter.requires_grad for parameter in heads.parameters())
    assert all(part.training for part in heads.modules())


def test_a_frozen_head_still_passes_gradients_to_what_is_below() -> None:
    heads = small_heads()
    heads.freeze(list(TASKS))
    features = {"fc7": small_features()["fc7"].requires_grad_()}
    heads(features, width=112, height=80)["edge"].sum().backward()
    gradient = features["fc7"].grad
    assert gradient is not None
    assert float(gradient.abs().sum()) > 0


def test_one_tasks_loss_reaches_no_other_head() -> None:
    heads = small_heads()
    heads(small_features(), width=112, height=80)["depth"].square().mean().backward()
    reached = {key.split(".")[1] for key, p in heads.named_parameters() if p.grad is not None}
    assert reached == {"depth"}


@pytest.mark.parametrize("name", ["alexnet-small", "vgg16"])
def test_heads_answer_the_same_over_maps_before_their_relu(name: str) -> None:
    picture = noise_pictures(1, width=64, height=48)
    answers = []
    for taps in ("post", "pre"):
        backbone = lived_in_backbone(name, taps="pre" if taps == "pre" else "post")
        heads = build_heads(backbone, generator=generator_of(3)).eval()
        with torch.no_grad():
            answers.append(heads(backbone(picture), width=64, height=48))
    assert all(torch.equal(answers[0][task], answers[1][task]) for task in TASKS)


def test_bfloat16_answers_come_in_single_precision() -> None:
    backbone = build_backbone("alexnet-small", generator=generator_of(0))
    heads = build_heads(backbone, generator=generator_of(0))
    backbone.to(memory_format=torch.channels_last)
    heads.to(memory_format=torch.channels_last)
    picture = noise_pictures(2, width=96, height=80)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answers = heads(backbone(picture), width=96, height=80)
    assert {answer.dtype for answer in answers.values()} == {torch.float32}
    torch.autograd.backward(
        torch.stack([answer.square().mean() for answer in answers.values()]).sum()
    )
    gradient = backbone.get_parameter("conv1.weight").grad
    assert gradient is not None
    assert bool(torch.isfinite(gradient).all())
    assert float(gradient.abs().sum()) > 0


def test_they_learn_one_picture_by_heart() -> None:
    backbone = build_backbone("alexnet-small", generator=generator_of(0))
    heads = build_heads(backbone, generator=generator_of(1), tasks={"depth": 1})
    picture = noise_pictures(2, width=64, height=64)
    target = torch.linspace(-1, 1, 64).expand(2, 1, 64, 64)
    optimiser = torch.optim.Adam([*backbone.parameters(), *heads.parameters()], lr=3e-3)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = (heads(backbone(picture), width=64, height=64)["depth"] - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0], losses


def test_building_is_repeatable_and_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one, two = small_heads().state_dict(), small_heads().state_dict()
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_errors_say_what_there_is() -> None:
    heads = small_heads()
    with pytest.raises(
        ValueError, match=r"no head for \['albedo'\]; the tasks are edge, depth, normal"
    ):
        heads.freeze(["albedo"])
    with pytest.raises(ValueError, match="no head for"):
        heads(small_features(), width=112, height=80, tasks=["albedo"])
    with pytest.raises(ValueError, match="at least one task"):
        build_heads(empty_backbone("alexnet-small"), generator=generator_of(0), tasks={})
    with pytest.raises(ValueError, match="unet heads need the five stages of vgg16, got resnet18"):
        build_heads(empty_backbone("resnet18"), generator=generator_of(0), design="unet")
