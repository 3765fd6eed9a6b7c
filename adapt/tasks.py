"""The tasks with labels: edges, depth and normals of rendered pictures, their losses and how they are drawn."""

from collections.abc import Mapping
from typing import Literal

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from scenelift.adapt.heads import at_stride
from scenelift.adapt.losses import Variant, depth_loss, edge_loss, normal_loss
from scenelift.adapt.method import Batch
from scenelift.adapt.pictures import draw_depth, draw_edge, draw_normal

Task = Literal["edge", "depth", "normal"]
LABELS: Mapping[Task, str] = {"edge": "edge", "depth": "z_depth_m", "normal": "normal"}
"""What a batch calls the truth of a task."""


class LabelError(ValueError):
    """A label is not a number."""


def task_losses(
    answers: Mapping[str, Float[Tensor, "n c h w"]],
    batch: Batch,
    *,
    strides: Mapping[str, int],
    variant: Variant,
    scale_invariance: float,
) -> dict[str, Float[Tensor, ""]]:
    """Return the loss of each task that was answered.

    Args:
        answers: Of the heads, by task.
        batch: With the labels of these tasks.
        strides: Pixels of the picture from one answer to the next, by task.
        variant: masked or released.
        scale_invariance: Eigen's lambda of the depth loss.

    Raises:
        LabelError: if a label is not a number.
    """
    check_labels(batch)
    losses: dict[str, Tensor] = {}
    for task, label in LABELS.items():
        if task not in answers:
            continue
        answer, stride = answers[task], strides[task]
        truth = at_stride(batch[label], stride=stride)
        valid = at_stride(batch["valid"], stride=stride)
        match task:
            case "edge":
                loss = edge_loss(answer, truth, valid=valid, variant=variant)
            case "depth":
                loss = depth_loss(
                    answer,
                    truth,
                    valid=valid,
                    variant=variant,
                    scale_invariance=scale_invariance,
                )
            case "normal":
                loss = normal_loss(answer, truth, valid=valid, variant=variant)
        losses[task] = loss
    return losses


def mirror_changes(
    straight: Mapping[str, Float[Tensor, "n c h w"]],
    mirrored: Mapping[str, Float[Tensor, "n c h w"]],
) -> dict[str, Float[Tensor, ""]]:
    """Compare answers on pictures with those on their mirror images, mirrored back; neither needs a label.

    Returns:
        `consistency/normal`, one minus the cosine, and `consistency/depth`, the absolute difference of log depth without its mean.
    """
    changes: dict[str, Tensor] = {}
    if "normal" in mirrored:
        back = mirrored["normal"].flip(-1)
        turned = back * back.new_tensor([-1, 1, 1]).view(1, 3, 1, 1)
        cosine = nn.functional.cosine_similarity(straight["normal"], turned, dim=1)
        changes["consistency/normal"] = (1 - cosine).mean()
    if "depth" in mirrored:
        gap = straight["depth"] - mirrored["depth"].flip(-1)
        changes["consistency/depth"] = (gap - gap.mean(dim=(1, 2, 3), keepdim=True)).abs().mean()
    return changes


def check_labels(batch: Batch) -> None:
    """Refuse labels that are not numbers.

    Raises:
        LabelError: naming the samples.
    """
    for name in ("z_depth_m", "normal"):
        # A sum is finite only if all its terms are, and costs a fifth of looking at each.
        if name in batch and not batch[name].sum().isfinite():
            rows = (~batch[name].isfinite()).flatten(1).any(dim=1).nonzero().flatten().tolist()
            raise LabelError(
                f"{name} of samples {rows} of the batch holds NaN or infinity: mend the file"
            )


def draw_answers(answers: Mapping[str, Tensor]) -> dict[str, UInt8[Tensor, "n h w 3"]]:
    """Draw what heads answer, by task."""
    drawn = {}
    for task, answer in answers.items():
        answer = answer.float().cpu()
        if task == "edge":
            drawn[task] = draw_edge(answer.sigmoid())
        elif task == "depth":
            drawn[task] = draw_depth(answer.clamp(-10, 10).exp())
        else:
            drawn[task] = draw_normal(answer)
    return drawn


def draw_truths(batch: Batch) -> dict[str, UInt8[Tensor, "n h w 3"]]:
    """Draw the labels of a batch, by task."""
    return {
        "edge": draw_edge(batch["edge"].float().cpu()),
        "depth": draw_depth(batch["z_depth_m"].cpu()),
        "normal": draw_normal(batch["normal"].cpu(), valid=batch["valid"].cpu()),
    }
