"""Backbones as ONNX (optional extra `onnx`)."""

import copy
import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scenelift.adapt.backbones import Backbone


class _Outputs(nn.Module):
    """A backbone that returns a tuple, as ONNX has it."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, image: Float[Tensor, "n 3 h w"]) -> tuple[Tensor, ...]:
        return tuple(self.backbone(image).values())


def write_onnx(
    path: Path, backbone: Backbone, *, width: int, height: int, properties: Mapping[str, str]
) -> None:
    """Write a backbone in evaluation mode; the file appears whole or not at all.

    Raises:
        ImportError: if onnx or onnxscript is missing.
        OSError: if the file cannot be written.
    """
    try:
        import onnx
        import onnxscript
    except ImportError as error:
        raise ImportError(
            f"ONNX export needs {error.name}, which is not installed; run: pip install 'scenelift[onnx]'"
        ) from error
    del onnxscript  # torch's exporter wants it; importing it here gives the better message
    model = _Outputs(copy.deepcopy(backbone).cpu().eval())
    picture = torch.zeros(2, 3, height, width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own parts
        program = torch.onnx.export(
            model,
            (picture,),
            dynamo=True,
            verbose=False,
            input_names=["image"],
            output_names=[layer.name for layer in backbone.layers],
            dynamic_shapes={"image": {0: torch.export.Dim("n")}},
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    proto = program.model_proto
    onnx.helper.set_model_props(proto, dict(properties))
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(proto.SerializeToString())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
