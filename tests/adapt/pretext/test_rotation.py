"""All four turns of each picture are in the batch, and the answer is the turn."""

import pytest
import torch
from pretext_runs import assert_resume_is_exact, learner
from small_networks import generator_of

from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.pretext.method import Pretext
from scenelift.adapt.pretext.rotation import Rotation, RotationSettings, turn_all

CLOCK = Clock(step=0, steps=1)


def ramps(count: int, *, seed: int = 0) -> Batch:
    """Noise that is brighter at the top, so that the turn shows."""
    light = torch.linspace(200, 0, 48)[None, None, :, None]
    noise = 55 * torch.rand(count, 3, 48, 48, generator=generator_of(seed))
    image = (light + noise).to(torch.uint8)
    return {"image": image, "sample_seed": torch.arange(count) + 100 * seed}


def make_method(*, half: bool = False, layer: str = "auto") -> Pretext:
    return learner(RotationSettings(layer=layer), half=half)


def test_turns_are_counterclockwise_quarters_of_every_picture() -> None:
    images = torch.arange(2 * 3 * 4).view(2, 3, 2, 2).to(torch.uint8)
    turned = turn_all(images)
    assert turned.shape == (8, 3, 2, 2)
    corners = turned.view(4, 2, 3, 4)[:, 0, 0].tolist()
    assert corners == [[0, 1, 2, 3], [1, 3, 0, 2], [3, 2, 1, 0], [2, 0, 3, 1]]
    assert torch.equal(turned[:2], images)


def test_the_loss_is_that_of_the_four_turns() -> None:
    """A network that knows nothing but says turn 1 is right once in four, and pays for it."""
    generator = generator_of(0)
    backbone = build_backbone("alexnet-small", generator=generator)
    task = Rotation(RotationSettings(), backbone, generator=generator)
    with torch.no_grad():
        task.classifier.weight.zero_()
        task.classifier.bias.copy_(torch.tensor([0.0, 2.0, 0.0, 0.0]))
        figures = task.judge(backbone, ramps(5))
    total = torch.tensor([1.0, torch.tensor(2.0).exp(), 1.0, 1.0]).sum()
    assert float(figures["loss/task"]) == pytest.approx(float(total.log() - 2 / 4))
    assert float(figures["accuracy/rotation"]) == float(figures["chance/rotation"]) == 0.25


def test_gradients_reach_the_backbone_up_to_the_layer_and_the_classifier() -> None:
    method = make_method(layer="conv3")
    loss, _ = method.task.loss(method.backbone, ramps(2), clock=CLOCK)
    loss.backward()
    reached = {n.split(".")[0] for n, p in method.backbone.named_parameters() if p.grad is not None}
    assert reached == {f"{kind}{n}" for kind in ("conv", "bn") for n in range(1, 4)}
    assert all(p.grad is not None for p in method.task.parameters())


def test_it_learns_which_side_is_up() -> None:
    method = make_method()
    for step in range(8):
        method.step({"real": ramps(4, seed=step)}, clock=CLOCK)
    figures = method.validate({"real": ramps(16, seed=99)})
    assert float(figures["accuracy/rotation"]) > 0.9


def test_a_resumed_run_has_the_same_bits() -> None:
    assert_resume_is_exact(make_method, [ramps(2, seed=step) for step in range(2)])


def test_half_precision_loses_in_float32() -> None:
    scalars = make_method(half=True).step({"real": ramps(2)}, clock=CLOCK)
    assert scalars["loss/task"].dtype == torch.float32


def test_building_it_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    make_method()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("right", [True, False])
def test_pictures_are_turned_back_by_the_answer(right: bool) -> None:
    method = make_method()
    batch = ramps(4)
    turns = torch.arange(4).repeat_interleave(4)
    answer = torch.nn.functional.one_hot(turns if right else (turns + 1) % 4, 4).float() * 1e6
    assert isinstance(method.task, Rotation)

    def prompt(_module: object, _inputs: object, logits: torch.Tensor) -> torch.Tensor:
        return answer + logits

    method.task.classifier.register_forward_hook(prompt)
    drawn = method.pictures({"real": batch})["rotation"]
    assert drawn.shape == (4, 48, 2 * 48 + 4, 3)
    upright = batch["image"].permute(0, 2, 3, 1)
    for row in range(4):
        assert torch.equal(drawn[row, :, :48], torch.rot90(upright[row], row, (0, 1)))
    assert torch.equal(drawn[:, :, 52:], upright) == right


def test_an_unknown_layer_ends_in_one_line() -> None:
    with pytest.raises(ValueError, match="has no layer 'conv9'") as error:
        make_method(layer="conv9")
    assert "\n" not in str(error.value)
