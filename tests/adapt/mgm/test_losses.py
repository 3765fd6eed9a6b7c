"""The losses by hand: means over what is known, and nothing else."""

import math

import pytest
import torch
from torch.nn import functional as F

from scenelift.adapt.mgm.losses import depth_l1, normal_l1, scene_loss, segmentation_loss
from scenelift.adapt.mgm.settings import LossWeights
from scenelift.adapt.mgm.tasks import labels_from, task_losses, task_total

YES = torch.ones(1, 1, 1, 2, dtype=torch.bool)


def test_segmentation_counts_classes_from_one_and_leaves_out_zero() -> None:
    logits = torch.zeros(1, 3, 1, 2)
    logits[0, :, 0, 0] = torch.tensor([0.0, 2.0, 0.0])
    by_hand = -math.log(math.exp(2) / (math.exp(2) + 2))
    assert segmentation_loss(logits, torch.tensor([[[2, 0]]])).item() == pytest.approx(by_hand)
    beyond = segmentation_loss(logits, torch.tensor([[[2, 4]]]))
    assert beyond.item() == pytest.approx(by_hand)


def test_what_is_unknown_gets_no_gradient() -> None:
    logits = torch.randn(1, 3, 1, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    segmentation_loss(logits, torch.tensor([[[1, 0]]])).backward()
    assert logits.grad is not None
    assert logits.grad[..., 0].any()
    assert not logits.grad[..., 1].any()
    assert segmentation_loss(logits, torch.zeros(1, 1, 2, dtype=torch.int64)).item() == 0


@pytest.mark.parametrize("junk", [0.0, -1.0, math.inf, math.nan])
def test_depth_is_averaged_where_it_is_known(junk: float) -> None:
    predicted = torch.tensor([[[[2.5, 9.0]]]], requires_grad=True)
    loss = depth_l1(predicted, torch.tensor([[[[2.0, junk]]]]), valid=YES)
    assert loss.item() == pytest.approx(0.5)
    loss.backward()
    assert predicted.grad is not None
    assert predicted.grad.flatten().tolist() == [1.0, 0.0]


def test_normals_are_averaged_over_components_of_known_pixels() -> None:
    normal = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]]).view(1, 3, 1, 2)
    predicted = torch.full((1, 3, 1, 2), 0.5)
    assert normal_l1(predicted, normal, valid=YES).item() == pytest.approx(0.5)
    assert normal_l1(predicted, normal, valid=~YES).item() == 0


def test_scenes_that_are_unknown_do_not_count() -> None:
    logits = torch.tensor([[1.0, 0.0], [0.0, 9.0]])
    loss = scene_loss(logits, torch.tensor([0, -1]))
    assert loss.item() == pytest.approx(F.cross_entropy(logits[:1], torch.tensor([0])).item())
    assert scene_loss(logits, torch.tensor([-1, -1])).item() == 0


def test_half_precision_is_widened() -> None:
    logits = torch.zeros(1, 3, 1, 2, dtype=torch.bfloat16)
    loss = segmentation_loss(logits, torch.tensor([[[1, 2]]]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(3), abs=1e-6)


def test_weights_multiply_their_task() -> None:
    losses = {"segmentation": torch.tensor(1.0), "depth": torch.tensor(2.0)}
    weights = LossWeights(segmentation=3.0, depth=0.5, normal=100.0)
    assert task_total(losses, weights=weights).item() == 4.0


def test_an_annotators_answers_are_labels_that_it_agrees_with() -> None:
    generator = torch.Generator().manual_seed(0)
    answers = {
        "segmentation": 50 * torch.randn(2, 4, 3, 3, generator=generator),
        "depth": 1 + torch.rand(2, 1, 3, 3, generator=generator),
        "normal": torch.randn(2, 3, 3, 3, generator=generator),
    }
    losses = task_losses(answers, labels_from(answers), normal="cosine")
    assert losses["segmentation"].item() < 1
    assert losses["depth"].item() == 0
    assert losses["normal"].item() == pytest.approx(0, abs=1e-6)
