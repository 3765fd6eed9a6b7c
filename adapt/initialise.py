"""First weights of a network, drawn from a generator that the caller owns.

Networks are built without weights (`without_weights`) and get them here, so that building one never moves torch's global
random state, and the same generator gives the same bits on every device.
"""

import math
from collections.abc import Callable
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

Init = Literal["default", "released", "paper"]
"""How first weights are drawn.

- `default`: He, N(0, sqrt(2 / fan in)), bias 0; batch norm 1 and 0.
- `released`: Xavier-normal with gain 0.02, bias 0; batch norm N(1, 0.02) and 0 (Ren and Lee, CVPR 2018, released code).
- `paper`: Xavier-normal with gain sqrt(2), bias 0.1; batch norm N(1, 0.02) and 0; linear layers N(0, 0.01) (the same
  authors' earlier code).
"""
INITS: tuple[Init, ...] = ("default", "released", "paper")

Network = TypeVar("Network", bound=nn.Module)


def without_weights(build: Callable[[], Network]) -> Network:
    """Build a network on the CPU whose weights and buffers hold nothing yet, drawing no random number."""
    with torch.device("meta"):
        network = build()
    return network.to_empty(device="cpu")


@torch.no_grad()
def initialise(module: nn.Module, *, init: Init, generator: torch.Generator) -> None:
    """Give convolutions, linear layers and batch norms their first weights and statistics, in the order of `modules()`.

    Args:
        module: On the CPU. Layers of other kinds are left alone.
        init: The scheme.
        generator: A CPU generator; it moves on.

    Raises:
        ValueError: if there is no such scheme.
    """
    if init not in INITS:
        raise ValueError(f"there is no initialisation {init!r}; choose one of {', '.join(INITS)}")
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            _fill_weight(part, init=init, generator=generator)
            if part.bias is not None:
                nn.init.constant_(part.bias, 0.1 if _has_bias(part, init) else 0.0)
        elif isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.reset_running_stats()
            if part.affine:
                if init == "default":
                    nn.init.ones_(part.weight)
                else:
                    part.weight.normal_(1.0, 0.02, generator=generator)
                nn.init.zeros_(part.bias)


def _has_bias(layer: nn.Module, init: Init) -> bool:
    return init == "paper" and not isinstance(layer, nn.Linear)


def _fill_weight(
    layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, *, init: Init, generator: torch.Generator
) -> None:
    if init == "released":
        nn.init.xavier_normal_(layer.weight, gain=0.02, generator=generator)
    elif init == "default":
        layer.weight.normal_(0.0, math.sqrt(2.0 / _fan_in(layer)), generator=generator)
    elif isinstance(layer, nn.Linear):
        layer.weight.normal_(0.0, 0.01, generator=generator)
    else:
        nn.init.xavier_normal_(layer.weight, gain=math.sqrt(2.0), generator=generator)


def _fan_in(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> float:
    """Count the inputs that one output value sums up."""
    weight: Tensor = layer.weight
    if isinstance(
        layer, nn.ConvTranspose2d
    ):  # in x out x k x k; each output meets one tap in stride^2
        stride_y, stride_x = layer.stride[0], layer.stride[1]
        return weight[:, 0].numel() / (stride_y * stride_x)
    return weight[0].numel()
