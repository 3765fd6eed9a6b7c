"""The dense tasks: their losses on a batch, and labels made of another network's answers."""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from scenelift.adapt.method import Batch
from scenelift.adapt.mgm.losses import cosine_loss, depth_l1, normal_l1, segmentation_loss
from scenelift.adapt.mgm.settings import DenseTask, LossWeights

Answers = Mapping[str, Float[Tensor, "n _ h w"]]
"""By task: logits of the classes 1, 2, ...; metres along the optical axis; normals of any length, camera frame."""
LABELS: Mapping[DenseTask, str] = {
    "segmentation": "semantic",
    "depth": "z_depth_m",
    "normal": "normal",
}
"""What a batch calls the truth of a task."""


def task_losses(
    answers: Answers, truth: Batch, *, normal: Literal["l1", "cosine"]
) -> dict[str, Float[Tensor, ""]]:
    """Return the loss of every task that is answered.

    Args:
        answers: Of the pictures.
        truth: Their labels, as a stream gives them.
        normal: Which loss of normals.
    """
    losses: dict[str, Tensor] = {}
    for task, answer in answers.items():
        match task:
            case "segmentation":
                losses[task] = segmentation_loss(answer, truth["semantic"])
            case "depth":
                losses[task] = depth_l1(answer, truth["z_depth_m"], valid=truth["valid"])
            case _:
                loss = normal_l1 if normal == "l1" else cosine_loss
                losses[task] = loss(answer, truth["normal"], valid=truth["valid"])
    return losses


def task_total(
    losses: Mapping[str, Float[Tensor, ""]], *, weights: LossWeights
) -> Float[Tensor, ""]:
    """Add up the tasks' losses, each times its weight."""
    by_task = {
        "segmentation": weights.segmentation,
        "depth": weights.depth,
        "normal": weights.normal,
    }
    return torch.stack([by_task[task] * loss for task, loss in losses.items()]).sum()


@torch.no_grad()
def labels_from(answers: Answers) -> Batch:
    """Make labels of answers: the likeliest class, depth above 0, unit normals; all pixels are valid."""
    some = next(iter(answers.values()))
    labels: Batch = {"valid": torch.ones_like(some[:, :1], dtype=torch.bool)}
    if "segmentation" in answers:
        labels["semantic"] = answers["segmentation"].argmax(dim=1) + 1
    if "depth" in answers:
        labels["z_depth_m"] = answers["depth"].float().clamp(min=1e-3)
    if "normal" in answers:
        labels["normal"] = torch.nn.functional.normalize(answers["normal"].float(), dim=1)
    return labels
