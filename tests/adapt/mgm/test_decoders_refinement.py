"""The multi-task network and the refinement network: published sizes, maps, gradients, switches."""

import pytest
import torch
from jaxtyping import Float, TypeCheckError
from small_networks import count_parameters, generator_of, noise_pictures
from torch import Tensor

from scenelift.adapt.backbones import build_backbone, empty_backbone
from scenelift.adapt.mgm.decoders import Decoders, build_decoders
from scenelift.adapt.mgm.refinement import Refinement, build_refinement

CHANNELS = {"segmentation": 40, "depth": 1, "normal": 3}
NARROW = 0.125


def millions(*modules: torch.nn.Module) -> float:
    return sum(count_parameters(module) for module in modules) / 1e6


def random_maps(count: int, *, side: int = 32, seed: int = 0) -> dict[str, Float[Tensor, "..."]]:
    generator = generator_of(seed)
    return {
        task: torch.randn(count, channels, side, side, generator=generator)
        for task, channels in CHANNELS.items()
    }


def test_parameters_are_as_many_as_published() -> None:
    backbone = empty_backbone("mgm-resnet").to("meta")
    with torch.device("meta"):
        decoders = Decoders(backbone, CHANNELS)
        refinement = Refinement(CHANNELS, num_classes=27)
    assert round(millions(backbone), 1) == 11.1
    assert round(millions(decoders.by_task["depth"]), 2) == 1.35
    assert round(millions(decoders.by_task["normal"]), 2) == 1.35
    assert round(millions(backbone, decoders), 1) == 15.2
    assert round(millions(refinement), 2) == 7.98


def test_a_picture_of_128_pixels_becomes_4_places_a_side() -> None:
    backbone = empty_backbone("mgm-resnet").to("meta").eval()
    features = backbone(torch.zeros(1, 3, 128, 128, device="meta"))
    assert {name: tuple(feature.shape[1:]) for name, feature in features.items()} == {
        "conv1": (64, 64, 64),
        "layer1": (48, 32, 32),
        "layer2": (96, 16, 16),
        "layer3": (192, 8, 8),
        "layer4": (360, 4, 4),
    }
    with torch.device("meta"):
        maps = Decoders(backbone, CHANNELS)(features)
    assert {task: tuple(answer.shape[1:]) for task, answer in maps.items()} == {
        "segmentation": (40, 128, 128),
        "depth": (1, 128, 128),
        "normal": (3, 128, 128),
    }


@pytest.mark.parametrize("name", ["alexnet-small", "vgg16", "resnet18", "mgm-resnet-small"])
def test_any_backbone_can_be_decoded_at_any_size(name: str) -> None:
    backbone = empty_backbone(name).to("meta").eval()
    with torch.device("meta"):
        decoders = Decoders(backbone, {"depth": 1}, width=NARROW)
    features = backbone(torch.zeros(2, 3, 75, 100, device="meta"))
    answer = decoders(features, width=100, height=75)["depth"]
    assert tuple(answer.shape) == (2, 1, 75, 100)


@pytest.mark.parametrize("stride", [2, 4])
def test_what_lies_between_answers_is_interpolated(stride: int) -> None:
    backbone = empty_backbone("mgm-resnet-small")
    full, coarse = (
        build_decoders(
            backbone, {"depth": 1}, width=NARROW, answer_stride=s, generator=generator_of(1)
        ).eval()
        for s in (1, stride)
    )
    features = {"layer4": torch.randn(2, 90, 2, 3, generator=generator_of(2))}
    answer = coarse(features, width=95, height=64)["depth"]
    assert tuple(answer.shape) == (2, 1, 64, 95)
    positions = coarse.by_task["depth"](features["layer4"])
    assert tuple(positions.shape) == (2, 1, 64 // stride, 96 // stride)
    # The mean over the pixels around a position, away from the border, is what was answered there and beside it.
    middle = answer[..., stride : 2 * stride, stride : 2 * stride].mean(dim=(2, 3))
    near = positions[..., :3, :3]
    assert bool((middle >= near.amin(dim=(2, 3)) - 1e-6).all())
    assert bool((middle <= near.amax(dim=(2, 3)) + 1e-6).all())
    num_layers = [sum(1 for _ in decoders.parameters()) for decoders in (full, coarse)]
    assert num_layers[1] < num_layers[0]


def test_an_answer_stays_where_its_place_is() -> None:
    """A change at one place of the last map moves no answer further than two convolutions of 3 x 3 a stage can carry it."""
    backbone = build_backbone("mgm-resnet-small", generator=generator_of(0)).eval()
    decoders = build_decoders(
        backbone, {"depth": 1}, width=NARROW, generator=generator_of(1)
    ).eval()
    features = {"layer4": torch.randn(1, 90, 8, 8, generator=generator_of(2))}
    other = {"layer4": features["layer4"].clone()}
    other["layer4"][..., 1, 6] += 1
    changed = (decoders(features)["depth"] != decoders(other)["depth"])[0, 0].nonzero()
    reach = 16 + 8 + 4 + 2 + 1
    assert changed[:, 0].min() >= 32 - reach
    assert changed[:, 0].max() < 64 + reach
    assert changed[:, 1].min() >= 192 - reach
    assert changed[:, 1].max() < 224 + reach


def test_each_task_has_a_decoder_of_its_own() -> None:
    backbone = build_backbone("mgm-resnet-small", generator=generator_of(0))
    decoders = build_decoders(backbone, CHANNELS, width=NARROW, generator=generator_of(1))
    maps = decoders(backbone(noise_pictures(2, width=64, height=64)))
    maps["depth"].square().sum().backward()
    reached = {
        task: any(p.grad is not None and bool(p.grad.any()) for p in decoder.parameters())
        for task, decoder in decoders.by_task.items()
    }
    assert reached == {"segmentation": False, "depth": True, "normal": False}
    assert all(p.grad is not None and bool(p.grad.any()) for p in backbone.parameters())


def test_taps_before_the_relu_are_decoded_alike() -> None:
    after, before = (
        build_backbone("mgm-resnet-small", generator=generator_of(0), taps=taps).eval()
        for taps in ("post", "pre")
    )
    picture = noise_pictures(1, width=64, height=64)
    answers = [
        build_decoders(backbone, {"depth": 1}, width=NARROW, generator=generator_of(1)).eval()(
            backbone(picture)
        )["depth"]
        for backbone in (after, before)
    ]
    torch.testing.assert_close(answers[0], answers[1])


def test_refinement_gives_logits_and_teaches_what_predicted_the_maps() -> None:
    refinement = build_refinement(CHANNELS, num_classes=5, width=NARROW, generator=generator_of(0))
    maps = {task: values.requires_grad_() for task, values in random_maps(3).items()}
    logits = refinement(maps)
    assert logits.shape == (3, 5)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 4, 2])).backward()
    assert all(values.grad is not None and bool(values.grad.any()) for values in maps.values())


def test_cut_logits_are_the_logits_above_zero() -> None:
    plain, cut = (
        build_refinement(
            CHANNELS, num_classes=5, width=NARROW, relu_logits=relu, generator=generator_of(0)
        ).eval()
        for relu in (False, True)
    )
    logits = plain(random_maps(8))
    assert bool((logits < 0).any())
    torch.testing.assert_close(cut(random_maps(8)), logits.clamp(min=0))


def test_probabilities_do_not_know_what_was_added_to_all_logits() -> None:
    raw, probabilities = (
        build_refinement(
            CHANNELS, num_classes=5, width=NARROW, softmax=task, generator=generator_of(0)
        ).eval()
        for task in (None, "segmentation")
    )
    maps = random_maps(2)
    shifted = maps | {"segmentation": maps["segmentation"] + 3}
    torch.testing.assert_close(probabilities(shifted), probabilities(maps))
    assert not torch.allclose(raw(shifted), raw(maps), atol=1e-3)


def test_refinement_tells_planted_scenes_apart() -> None:
    """Scenes whose maps differ in a blob's channel alone are learnt within some steps."""
    channels = {"segmentation": 4, "depth": 1}
    refinement = build_refinement(channels, num_classes=2, width=NARROW, generator=generator_of(0))
    generator = generator_of(1)
    optimiser = torch.optim.Adam(refinement.parameters(), 5e-3)

    def batch() -> tuple[dict[str, Tensor], Tensor]:
        scene = torch.randint(2, (8,), generator=generator)
        maps = {t: torch.randn(8, c, 32, 32, generator=generator) for t, c in channels.items()}
        maps["segmentation"][torch.arange(8), scene, 8:24, 8:24] += 3
        return maps, scene

    for _ in range(25):
        maps, scene = batch()
        loss = torch.nn.functional.cross_entropy(refinement(maps), scene)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    answers = []
    for _ in range(4):
        maps, scene = batch()
        answers.append(refinement(maps).argmax(dim=1) == scene)
    assert torch.cat(answers).float().mean() >= 0.85


def test_building_is_repeatable_and_moves_no_global_state() -> None:
    before = torch.get_rng_state()
    backbone = build_backbone("mgm-resnet-small", generator=generator_of(0))
    first, second = (
        (
            build_decoders(backbone, CHANNELS, width=NARROW, generator=generator_of(1)),
            build_refinement(CHANNELS, num_classes=3, width=NARROW, generator=generator_of(2)),
        )
        for _ in range(2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in zip(first, second, strict=True):
        theirs = other.state_dict()
        assert all(torch.equal(value, theirs[key]) for key, value in one.state_dict().items())
        assert all(bool(value.isfinite().all()) for value in one.state_dict().values())


def test_half_precision_answers_in_single() -> None:
    backbone = build_backbone("mgm-resnet-small", generator=generator_of(0))
    decoders = build_decoders(backbone, CHANNELS, width=NARROW, generator=generator_of(1))
    refinement = build_refinement(CHANNELS, num_classes=3, width=NARROW, generator=generator_of(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps = decoders(backbone(noise_pictures(2, width=64, height=64)))
        logits = refinement(maps)
    assert {values.dtype for values in (*maps.values(), logits)} == {torch.float32}
    assert bool(logits.isfinite().all())


def test_what_cannot_be_built_is_said() -> None:
    backbone = empty_backbone("mgm-resnet-small")
    with pytest.raises(ValueError, match="a channel at least for each task"):
        Decoders(backbone, {})
    with pytest.raises(ValueError, match="a channel at least for each task"):
        Decoders(backbone, {"depth": 0})
    with pytest.raises(ValueError, match="keeps its places, layer fc7 of alexnet-small-standard"):
        Decoders(empty_backbone("alexnet-small-standard"), {"depth": 1})
    with pytest.raises(ValueError, match="width must be a positive number, got 0"):
        Decoders(backbone, {"depth": 1}, width=0.0)
    for stride in (0, 3, 32):
        with pytest.raises(ValueError, match="answer_stride must be a power of two below 32"):
            Decoders(backbone, {"depth": 1}, answer_stride=stride)
    with pytest.raises(ValueError, match="at least one task's map"):
        Refinement({}, num_classes=3)
    with pytest.raises(ValueError, match="num_classes must be at least 2, got 1"):
        Refinement({"depth": 1}, num_classes=1)
    with pytest.raises(ValueError, match="the tasks are depth"):
        Refinement({"depth": 1}, num_classes=3, softmax="segmentation")
    with pytest.raises(TypeCheckError):
        Refinement({"depth": 1}, num_classes=3)({"depth": torch.zeros(2, 32, 32)})
