"""Sums over ranks that gradients pass through, so that every rank holds the loss of the whole batch.

The convention: all ranks compute the same number from sums over ranks. What arrives at `total` on the way back is then the
same everywhere, and the gradient of one rank's share is that number times the count of ranks, so that the *mean* of the
ranks' gradients (what DDP and `average_gradients` take) is the gradient of the loss. Nothing is sent on the way back. So what
`total` or `gather` gives must not be mixed with one rank's samples and summed over ranks again, unless it is detached.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float, Shaped
from torch import Tensor


def num_ranks() -> int:
    """Count the processes that train together; 1 where torch.distributed is not initialised."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def total(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Add up the tensors of all ranks, element by element; a gradient passes through.

    One rank alone gets back what it gave.

    >>> total(torch.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    if num_ranks() == 1:
        return x
    y: Tensor = _Total.apply(x)
    return y


def totals(*scalars: Float[Tensor, ""]) -> Sequence[Float[Tensor, ""]]:
    """Add up several numbers over ranks in one message.

    >>> totals(torch.tensor(1.0), torch.tensor(2.0))
    (tensor(1.), tensor(2.))
    """
    if num_ranks() == 1:
        return scalars
    return total(torch.stack(scalars)).unbind()


def gather(x: Float[Tensor, "n *shape"]) -> Float[Tensor, "m *shape"]:
    """Put the rows of all ranks below each other, in order of rank; a gradient passes through.

    Args:
        x: Rows of this rank; every rank gives as many.
    """
    if num_ranks() == 1:
        return x
    y: Tensor = _Gather.apply(x)
    return y


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace each `.grad` by its mean over ranks, in one message, for networks that no DDP wraps.

    Args:
        parameters: The same on every rank, with gradients on all ranks or on none.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if num_ranks() == 1 or not gradients:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= num_ranks()
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, parts, strict=True):
        gradient.copy_(mean.view_as(gradient))


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        y = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * num_ranks()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        ctx.num_rows = len(x)
        parts = [torch.zeros_like(x).contiguous() for _ in range(num_ranks())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        first = dist.get_rank() * ctx.num_rows
        return gradients[0][first : first + ctx.num_rows] * num_ranks()
