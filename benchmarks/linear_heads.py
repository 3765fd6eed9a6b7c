"""Linear classifiers on tables of features: standardised exactly, several candidates of learning rate and weight decay at once.

The published probe puts a batch norm without scale and shift before each linear layer; once the features lie in a table, its
statistics are those of the whole training set. Classifiers of different layers share nothing, so training them one after another
gives what training them together with summed losses would.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float16, Float32, Int64
from torch import Tensor

from scenelift.benchmarks.task import BenchError

_BLOCK = 256
_FLOOR = 1e-5
_LEAST = 1e-30


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One choice of settings."""

    learning_rate: float
    weight_decay: float


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadSettings:
    """How classifiers are trained."""

    epochs: int = 10
    batch_size: int = 256
    momentum: float = 0.9
    drops: tuple[float, ...] = (0.5, 0.75)
    """After which shares of the epochs the learning rate is divided by 10."""

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(
                f"epochs ({self.epochs}) and batch_size ({self.batch_size}) must be at least 1"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """What standardises features."""

    mean: Float32[np.ndarray, " d"]
    inverse_std: Float32[np.ndarray, " d"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Heads:
    """Trained classifiers, one a candidate."""

    weight: Float[Tensor, "k classes d"]
    bias: Float[Tensor, "k classes"]
    moments: Moments


def measure_moments(
    features: Float16[np.ndarray, "n d"], *, rows: Int64[np.ndarray, " m"]
) -> Moments:
    """Return mean and standard deviation of each feature over some rows, in double precision.

    A variance below 1e-5 of the mean variance counts as that: a feature that is constant stays zero.

    Raises:
        BenchError: if a feature did not fit into 16 bits.
    """
    total = np.zeros(features.shape[1])
    for start in range(0, len(rows), _BLOCK):
        total += features[rows[start : start + _BLOCK]].sum(axis=0, dtype=np.float64)
    if not np.isfinite(total).all():
        raise BenchError("features exceed 65,504 times their usual size; the weights are broken")
    mean = total / len(rows)
    squares = np.zeros(features.shape[1])
    for start in range(0, len(rows), _BLOCK):
        away = features[rows[start : start + _BLOCK]] - mean
        squares += np.einsum("nd,nd->d", away, away)
    variance = squares / len(rows)
    floor = max(_FLOOR * float(variance.mean()), _LEAST)
    return Moments(
        mean=mean.astype(np.float32),
        inverse_std=(1 / np.sqrt(np.maximum(variance, floor))).astype(np.float32),
    )


def fit_heads(
    features: Float16[np.ndarray, "n d"],
    *,
    rows: Int64[np.ndarray, " m"],
    labels: Int64[np.ndarray, " n"],
    num_classes: int,
    candidates: Sequence[Candidate],
    settings: HeadSettings,
    seed: int,
    device: torch.device,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Heads:
    """Train one linear classifier a candidate by SGD on cross-entropy, from zero, all on the same batches.

    Biases learn at twice the learning rate and do not decay.

    Args:
        features: Those of all rows.
        rows: Which are learnt from.
        labels: Of all rows.
        num_classes: Number of classes.
        candidates: What to try.
        settings: Epochs, batches and momentum.
        seed: Of the order of the rows.
        device: Where it is computed.
        progress: Called with steps done and all.
    """
    moments = measure_moments(features, rows=rows)
    k, d = len(candidates), features.shape[1]
    weight = torch.zeros(k * num_classes, d, device=device)
    bias = torch.zeros(k * num_classes, device=device)
    weight_velocity, bias_velocity = torch.zeros_like(weight), torch.zeros_like(bias)
    rng = np.random.default_rng(seed)
    per_epoch = -(-len(rows) // settings.batch_size)
    step = 0
    for _ in range(settings.epochs):
        order = rows[rng.permutation(len(rows))]
        for batch in np.array_split(order, per_epoch):
            x = _standardised(features, np.sort(batch), moments=moments, device=device)
            y = torch.from_numpy(labels[np.sort(batch)]).to(device)
            slope = _slope(torch.addmm(bias, x, weight.T).unflatten(1, (k, num_classes)), y)
            torch.addmm(weight_velocity, slope.T, x, beta=settings.momentum, out=weight_velocity)
            bias_velocity.mul_(settings.momentum).add_(slope.sum(dim=0))
            share = step / (per_epoch * settings.epochs)
            drop = 0.1 ** sum(share >= place for place in settings.drops)
            for number, candidate in enumerate(candidates):
                part = slice(number * num_classes, (number + 1) * num_classes)
                rate = candidate.learning_rate * drop
                weight_velocity[part].add_(weight[part], alpha=candidate.weight_decay)
                weight[part].add_(weight_velocity[part], alpha=-rate)
                bias[part].add_(bias_velocity[part], alpha=-2 * rate)
            step += 1
            progress(step, per_epoch * settings.epochs)
    return Heads(
        weight=weight.unflatten(0, (k, num_classes)),
        bias=bias.unflatten(0, (k, num_classes)),
        moments=moments,
    )


def score_rows(
    heads: Heads, features: Float16[np.ndarray, "n d"], *, rows: Int64[np.ndarray, " m"]
) -> Float32[np.ndarray, "k m classes"]:
    """Return the scores of rows by every candidate's classifier."""
    k, num_classes, _ = heads.weight.shape
    weight, bias = heads.weight.flatten(0, 1), heads.bias.flatten()
    scores = np.zeros((k, len(rows), num_classes), np.float32)
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        x = _standardised(features, part, moments=heads.moments, device=weight.device)
        found = torch.addmm(bias, x, weight.T).unflatten(1, (k, num_classes))
        scores[:, start : start + _BLOCK] = found.transpose(0, 1).cpu().numpy()
    return scores


def _standardised(
    features: Float16[np.ndarray, "n d"],
    rows: Int64[np.ndarray, " m"],
    *,
    moments: Moments,
    device: torch.device,
) -> Float[Tensor, "m d"]:
    x = torch.from_numpy(features[rows]).to(device).float()
    x -= torch.from_numpy(moments.mean).to(device)
    x *= torch.from_numpy(moments.inverse_std).to(device)
    return x


def _slope(
    logits: Float[Tensor, "n k classes"], labels: Int64[Tensor, " n"]
) -> Float[Tensor, "n k_classes"]:
    """Return the derivative of each candidate's mean cross-entropy by its logits."""
    slope = torch.softmax(logits, dim=2)
    slope.scatter_add_(
        2,
        labels[:, None, None].expand(-1, logits.shape[1], 1),
        slope.new_full((len(labels), logits.shape[1], 1), -1.0),
    )
    return slope.flatten(1) / len(labels)
