"""Run folders of untrained networks, and NYU Depth v2 made by hand."""

import io
import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from scenelift.adapt.checkpoint import save_checkpoint
from scenelift.adapt.config import TrainContent
from scenelift.adapt.feature_alignment import FeatureAlignment, FeatureAlignmentSettings
from scenelift.adapt.plain import to_plain


def png(values: UInt8[np.ndarray, "..."]) -> bytes:
    """Encode a picture."""
    data = io.BytesIO()
    Image.fromarray(values).save(data, "PNG")
    return data.getvalue()


def nyud_files(*, train: int = 3, test: int = 4) -> dict[str, bytes]:
    """The layout with frames of a tilted floor below a wall, all different."""
    rng = np.random.default_rng(0)
    files = {
        "meta.json": json.dumps({"intrinsics_640x480": [520.0, 520.0, 320.0, 240.0]}).encode(),
        "train.txt": "\n".join(f"{i:04d}" for i in range(train)).encode(),
        "test.txt": "\n".join(f"{i:04d}" for i in range(train, train + test)).encode(),
    }
    rows = (np.arange(240) + 0.5 - 120) / 260
    for index in range(train + test):
        wall_m, floor_m = rng.uniform(3, 4), rng.uniform(0.6, 0.9)
        floor_at_m = floor_m / np.maximum(rows, 1e-3)
        depth_m = np.minimum(wall_m, floor_at_m)[:, None].repeat(320, axis=1)
        name = f"{index:04d}"
        files[f"image/{name}.jpg"] = png(rng.integers(0, 256, (240, 320, 3), dtype=np.uint8))
        files[f"depth/{name}.png"] = png(np.floor(depth_m * 25.5).astype(np.uint8))
        files[f"label40/{name}.png"] = png(np.full((240, 320), index % 41, np.uint8))
    return files


def write_run(folder: Path, *, settings: FeatureAlignmentSettings | None = None) -> Path:
    """Leave what a run of an untrained network leaves for an evaluation."""
    settings = settings or FeatureAlignmentSettings()
    content = TrainContent(method=settings)
    method = FeatureAlignment(settings, seed=0, device=torch.device("cpu"))
    plain = to_plain(content)
    (folder / "checkpoints").mkdir(parents=True)
    state = {"config": plain, "method": method.state_dict(), "average": None}
    save_checkpoint(folder / "checkpoints", state, step=1, keep=1)
    (folder / "config.json").write_text(json.dumps({"content": plain}))
    return folder
