"""Whether bfloat16 is worth while on a device."""

from typing import Literal

import torch

Precision = Literal["auto", "fp32", "bf16"]


def resolve_precision(wanted: Precision, *, device: torch.device) -> Literal["fp32", "bf16"]:
    """Choose bfloat16 where the device multiplies matrices of it, unless the choice was made.

    Processors without AVX-512 BF16 or AMX emulate it, at several times the cost of single precision.

    >>> resolve_precision("fp32", device=torch.device("cpu"))
    'fp32'
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if device.type != "cpu":
        return "fp32"
    # Of torch.cpu, which tells this under private names only.
    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    has = [getattr(torch.cpu, name)() for name in tests if hasattr(torch.cpu, name)]
    return "bf16" if any(has) else "fp32"
