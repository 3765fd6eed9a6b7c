"""The task losses: closed forms, an independent rewriting in numpy, and masks that nothing leaks through."""

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

from scenelift.adapt.losses import Variant, depth_loss, edge_loss, normal_loss

VARIANTS: tuple[Variant, ...] = ("masked", "released")


def random_batch(seed: int, *, num: int = 3) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    shape = (num, 1, 5, 7)
    valid = torch.rand(shape, generator=rng) < 0.7
    normal = torch.randn(num, 3, 5, 7, generator=rng)
    return {
        "logits": torch.randn(shape, generator=rng),
        "edge": torch.rand(shape, generator=rng) < 0.2,
        "log_depth": torch.randn(shape, generator=rng),
        "z_depth_m": torch.where(valid, 0.5 + 5 * torch.rand(shape, generator=rng), 0),
        "predicted": torch.randn(num, 3, 5, 7, generator=rng),
        "normal": torch.where(valid, normal / normal.norm(dim=1, keepdim=True), 0),
        "valid": valid,
    }


def losses_of(batch: dict[str, Tensor], *, variant: Variant) -> dict[str, Tensor]:
    valid = batch["valid"]
    return {
        "edge": edge_loss(batch["logits"], batch["edge"], valid=valid, variant=variant),
        "depth": depth_loss(batch["log_depth"], batch["z_depth_m"], valid=valid, variant=variant),
        "normal": normal_loss(batch["predicted"], batch["normal"], valid=valid, variant=variant),
    }


def in_numpy(batch: dict[str, Tensor], *, variant: Variant) -> dict[str, float]:
    """Compute the three once more, pixel by pixel."""
    b = {name: x.numpy().astype(np.float64) for name, x in batch.items()}
    pixels = [
        (i, y, x, bool(b["valid"][i, 0, y, x]))
        for i in range(len(b["edge"]))
        for y in range(5)
        for x in range(7)
    ]
    entropy: dict[bool, list[float]] = {True: [], False: []}
    released_edge, cosines, released_cosines = [], [], []
    errors: list[list[float]] = [[] for _ in b["edge"]]
    released_errors = []
    for i, y, x, valid in pixels:
        edge = bool(b["edge"][i, 0, y, x])
        p = 1 / (1 + np.exp(-b["logits"][i, 0, y, x]))
        loss = -np.log(p if edge else 1 - p)
        num_edge = b["edge"][i].sum()
        released_edge.append(loss * (35 - num_edge) / num_edge)
        z, log_z = b["z_depth_m"][i, 0, y, x], b["log_depth"][i, 0, y, x]
        released_errors.append(log_z - np.log(z + 1e-8))
        n, m = b["predicted"][i, :, y, x], b["normal"][i, :, y, x]
        unit = n / np.linalg.norm(n)
        released_cosines.append(1 - unit @ (m if m.any() else np.full(3, -(3**-0.5))))
        if valid:
            entropy[edge].append(loss)
            errors[i].append(log_z - np.log(z))
            cosines.append(1 - unit @ m)
    if variant == "released":
        mean_error, mean_square = np.mean(released_errors), np.mean(np.square(released_errors))
        return {
            "edge": float(np.mean(released_edge)),
            "depth": float(0.5 * (mean_square + 0.5 * mean_error**2)),
            "normal": float(np.mean(released_cosines)),
        }
    num = {edge: len(losses) for edge, losses in entropy.items()}
    beta = num[False] / (num[True] + num[False])
    weighted = beta * sum(entropy[True]) + (1 - beta) * sum(entropy[False])
    return {
        "edge": weighted / (beta * num[True] + (1 - beta) * num[False]),
        "depth": float(np.mean([np.mean(np.square(e)) - 0.5 * np.mean(e) ** 2 for e in errors])),
        "normal": float(np.mean(cosines)),
    }


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", range(3))
def test_agree_with_a_rewriting_pixel_by_pixel(seed: int, variant: Variant) -> None:
    batch = random_batch(seed)
    expected = in_numpy(batch, variant=variant)
    for task, loss in losses_of(batch, variant=variant).items():
        assert loss.item() == pytest.approx(expected[task], rel=1e-5), task


@pytest.mark.parametrize("under", [0.0, 1e30, float("nan"), float("inf")])
def test_values_under_the_mask_never_matter(under: float) -> None:
    batch = random_batch(0)
    valid = batch["valid"]
    spoilt = {
        name: torch.where(valid, x, under) if x.dtype == torch.float32 else x
        for name, x in batch.items()
    } | {"edge": batch["edge"] ^ ~valid}
    for name in ("logits", "log_depth", "predicted", "z_depth_m"):
        batch[name].requires_grad_()
        spoilt[name] = spoilt[name].detach().requires_grad_()
    for task, loss in losses_of(batch, variant="masked").items():
        other = losses_of(spoilt, variant="masked")[task]
        assert torch.equal(loss, other), task
        loss.backward()
        other.backward()
    for name in ("logits", "log_depth", "predicted", "z_depth_m"):
        gradient, other_gradient = batch[name].grad, spoilt[name].grad
        assert gradient is not None
        assert other_gradient is not None
        torch.testing.assert_close(gradient, other_gradient, rtol=0, atol=0)
        assert not gradient[~valid.expand_as(gradient)].any()
        assert gradient[valid.expand_as(gradient)].any()


def test_unknown_labels_on_valid_pixels_are_masked_too() -> None:
    batch = random_batch(1)
    everywhere = torch.ones_like(batch["valid"])
    for task, loss in losses_of(batch | {"valid": everywhere}, variant="masked").items():
        if task != "edge":  # an edge is never unknown by itself
            assert torch.equal(loss, losses_of(batch, variant="masked")[task])


def test_released_looks_under_the_mask() -> None:
    batch = random_batch(1)
    nowhere = torch.zeros_like(batch["valid"])
    for task, loss in losses_of(batch | {"valid": nowhere}, variant="released").items():
        assert torch.equal(loss, losses_of(batch, variant="released")[task])


def test_an_image_without_a_valid_pixel_contributes_nothing() -> None:
    batch = random_batch(2, num=3)
    batch["valid"] = batch["valid"].clone()
    batch["valid"][1] = False
    without = {name: x[[0, 2]] for name, x in batch.items()}
    for task, loss in losses_of(batch, variant="masked").items():
        torch.testing.assert_close(loss, losses_of(without, variant="masked")[task])


def test_a_batch_without_a_valid_pixel_costs_nothing_and_has_zero_gradient() -> None:
    batch = random_batch(2)
    batch["valid"] = torch.zeros_like(batch["valid"])
    for name in ("logits", "log_depth", "predicted"):
        batch[name].requires_grad_()
    for loss in losses_of(batch, variant="masked").values():
        assert loss.item() == 0
        loss.backward()
    for name in ("logits", "log_depth", "predicted"):
        gradient = batch[name].grad
        assert gradient is not None
        assert not gradient.any()


def test_edge_classes_weigh_the_same_whatever_their_counts() -> None:
    edge = torch.zeros(1, 1, 10, 10, dtype=torch.bool)
    edge[..., 0, 0] = True
    valid = torch.ones_like(edge)
    for logit in (-3.0, 0.0, 2.0):
        logits = torch.full((1, 1, 10, 10), logit)
        expected = (np.log1p(np.exp(-logit)) + np.log1p(np.exp(logit))) / 2
        assert edge_loss(logits, edge, valid=valid).item() == pytest.approx(expected, rel=1e-5)


def test_edge_weights_come_from_the_whole_batch() -> None:
    """Two images, one with a single edge pixel, one with half of its pixels: all edge pixels weigh the same."""
    edge = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    edge[0, 0, 0, 0] = True
    edge[1, 0, :2] = True
    logits = torch.zeros(2, 1, 4, 4, requires_grad=True)
    edge_loss(logits, edge, valid=torch.ones_like(edge)).backward()
    assert logits.grad is not None
    assert logits.grad[edge].unique().tolist() == pytest.approx([-0.5 / 2 / 9])
    assert logits.grad[~edge].unique().tolist() == pytest.approx([0.5 / 2 / 23])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_batch_of_one_edge_class_costs_nothing(share: float) -> None:
    edge = torch.full((1, 1, 4, 4), bool(share))
    logits = torch.randn(1, 1, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = edge_loss(logits, edge, valid=torch.ones_like(edge))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_released_edge_weight_is_that_of_the_image() -> None:
    """At 350 of 227 x 227 pixels an image's plain cross entropy counts 146 times."""
    edge = torch.zeros(1, 1, 227, 227, dtype=torch.bool)
    edge.view(-1)[:350] = True
    loss = edge_loss(torch.zeros(1, 1, 227, 227), edge, valid=edge, variant="released")
    assert loss.item() == pytest.approx(np.log(2) * (227**2 - 350) / 350, rel=1e-5)


def test_edge_losses_survive_huge_logits() -> None:
    edge = torch.tensor([True, False]).view(1, 1, 1, 2)
    logits = torch.tensor([-1e4, 1e4]).view(1, 1, 1, 2)
    for variant in VARIANTS:
        loss = edge_loss(logits, edge, valid=torch.ones_like(edge), variant=variant)
        assert loss.item() == pytest.approx(1e4)


@pytest.mark.parametrize("scale_invariance", [0.0, 0.5, 1.0])
def test_a_common_error_of_log_depth_is_forgiven_in_part(scale_invariance: float) -> None:
    batch = random_batch(3)
    truth = torch.where(batch["valid"], batch["z_depth_m"], 1).log()
    loss = depth_loss(
        truth + 2,
        batch["z_depth_m"],
        valid=batch["valid"],
        scale_invariance=scale_invariance,
    )
    assert loss.item() == pytest.approx(4 * (1 - scale_invariance), abs=1e-5)


def test_depth_is_averaged_by_image_not_by_pixel() -> None:
    z_depth_m = torch.ones(2, 1, 4, 4)
    z_depth_m[0, 0, 1:] = 0
    log_depth = torch.zeros(2, 1, 4, 4)
    log_depth[0] = 1
    loss = depth_loss(log_depth, z_depth_m, valid=z_depth_m > 0)
    assert loss.item() == pytest.approx(0.25)


def test_released_depth_takes_missing_depth_for_a_hair() -> None:
    loss = depth_loss(
        torch.zeros(1, 1, 2, 2),
        torch.zeros(1, 1, 2, 2),
        valid=torch.zeros(1, 1, 2, 2, dtype=torch.bool),
        variant="released",
    )
    assert loss.item() == pytest.approx(0.75 * np.log(1e-8) ** 2, rel=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("angle", [0.0, 0.3, 1.5, np.pi])
@pytest.mark.parametrize("length", [1e-3, 1.0, 1e3])
def test_normals_cost_one_minus_the_cosine(variant: Variant, angle: float, length: float) -> None:
    truth = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1).expand(2, 3, 3, 4)
    predicted = torch.tensor([np.sin(angle), 0.0, np.cos(angle)], dtype=torch.float32)
    predicted = (length * predicted).view(1, 3, 1, 1).expand(2, 3, 3, 4)
    valid = torch.ones(2, 1, 3, 4, dtype=torch.bool)
    loss = normal_loss(predicted, truth, valid=valid, variant=variant)
    assert loss.item() == pytest.approx(1 - np.cos(angle), abs=2e-6)


def test_a_prediction_of_zeros_has_a_bounded_gradient() -> None:
    truth = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)
    predicted = torch.zeros(1, 3, 1, 1, requires_grad=True)
    normal_loss(predicted, truth, valid=torch.ones(1, 1, 1, 1, dtype=torch.bool)).backward()
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()
    assert predicted.grad.abs().max() <= 1.1e6


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_are_those_of_finite_differences(variant: Variant) -> None:
    batch = random_batch(4)
    batch = {name: x.double() if x.dtype == torch.float32 else x for name, x in batch.items()}
    for task, name in (("edge", "logits"), ("depth", "log_depth"), ("normal", "predicted")):
        x = batch[name].requires_grad_()

        def loss(y: Tensor, task: str = task, name: str = name) -> Tensor:
            return losses_of(batch | {name: y}, variant=variant)[task]

        assert torch.autograd.gradcheck(loss, (x,))


@pytest.mark.parametrize("variant", VARIANTS)
def test_half_precision_is_widened_even_under_autocast(variant: Variant) -> None:
    batch = random_batch(5)
    for name in ("logits", "log_depth", "predicted"):
        batch[name] = batch[name].bfloat16().requires_grad_()
    wide = {name: x.float() if x.is_floating_point() else x for name, x in batch.items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = losses_of(batch, variant=variant)
    for task, loss in losses.items():
        assert loss.dtype == torch.float32
        assert torch.equal(loss, losses_of(wide, variant=variant)[task])
        loss.backward()
    assert batch["logits"].grad is not None


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_order_of_a_batch_does_not_matter(variant: Variant) -> None:
    batch = random_batch(6)
    turned = {name: x.flip(0) for name, x in batch.items()}
    for task, loss in losses_of(batch, variant=variant).items():
        torch.testing.assert_close(loss, losses_of(turned, variant=variant)[task])


def test_a_wrong_shape_is_refused() -> None:
    batch = random_batch(0)
    with pytest.raises(TypeCheckError):
        edge_loss(batch["logits"], batch["edge"][..., :-1], valid=batch["valid"])
