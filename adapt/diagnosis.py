"""What is looked at before and after training: shortcuts between the domains, and how far their features are apart."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scenelift.adapt.audit import SMALLEST_PX, FileFacts, audit_shortcuts, write_audit
from scenelift.adapt.config import TrainConfig, TrainContent
from scenelift.adapt.health import ADistance, a_distances, pool_features, write_health
from scenelift.adapt.method import Adapts, Batch, StreamName
from scenelift.adapt.run_data import RunData
from scenelift.datasets.loaders import Source, fixed_batches
from scenelift.datasets.photos import PhotoDataset
from scenelift.datasets.synthetic import SyntheticDataset

_DIAGNOSED = 512
"""Pictures of each domain that the audit and the A-distance look at."""


def _diagnosed(
    content: TrainContent, source: Source, *, name: StreamName, device: torch.device
) -> list[Batch]:
    return list(
        fixed_batches(
            source,
            name=f"{name} diagnosis",
            batch_size=32,
            num_batches=_DIAGNOSED // 32,
            geometry=content.geometry,
            seed=content.seed,
            device=device,
        )
    )


def _distances(
    config: TrainConfig, data: RunData, method: Adapts, *, device: torch.device
) -> dict[str, ADistance]:
    pooled: dict[str, dict[str, Any]] = {}
    for name in ("synthetic", "real"):
        batches = _diagnosed(config.content, data.held_out[name], name=name, device=device)
        maps = [method.features(batch) for batch in batches]
        pooled[name] = {
            layer: torch.cat([torch.from_numpy(pool_features(m[layer])) for m in maps]).numpy()
            for layer in maps[0]
        }
    return a_distances(pooled["synthetic"], pooled["real"], seed=config.content.seed)


def diagnose_before(
    config: TrainConfig, data: RunData, method: Adapts, *, device: torch.device
) -> None:
    """Look for shortcuts, and measure the distances of the untrained features."""
    if not config.execution.audit or not {"synthetic", "real"} <= data.held_out.keys():
        return
    images = {
        name: torch.cat(
            [
                batch["image"].cpu()
                for batch in _diagnosed(config.content, source, name=name, device=device)
            ]
        )
        for name, source in data.held_out.items()
    }
    folder, content = config.execution.out, config.content
    if content.geometry.crop_px >= SMALLEST_PX:
        write_audit(
            audit_shortcuts(
                images["synthetic"],
                images["real"],
                seed=content.seed,
                synthetic_files=_file_facts(data.held_out["synthetic"]),
                real_files=_file_facts(data.held_out["real"]),
            ),
            path=folder / "audit.json",
        )
    write_health(
        folder / "health.json",
        before=_distances(config, data, method, device=device),
        aligned_layers=method.aligned_layers,
    )


def diagnose_after(
    config: TrainConfig, data: RunData, method: Adapts, *, device: torch.device
) -> None:
    """Measure the distances of the trained features, beside those of before."""
    if not config.execution.audit or not {"synthetic", "real"} <= data.held_out.keys():
        return
    path = config.execution.out / "health.json"
    write_health(
        path,
        before=_read_before(path),
        after=_distances(config, data, method, device=device),
        aligned_layers=method.aligned_layers,
    )


def _file_facts(source: Source) -> FileFacts | None:
    """Look at the headers of some files."""
    count = min(len(source), _DIAGNOSED)
    places = [index * len(source) // count for index in range(count)]
    if isinstance(source, PhotoDataset):
        headers = [header for header in map(source.header, places) if header is not None]
        sizes = np.array([(h.width_px, h.height_px) for h in headers], np.int64).reshape(-1, 2)
        jpeg = np.array([h.jpeg for h in headers], bool)
    elif isinstance(source, SyntheticDataset):
        sizes = np.tile(np.array([source.header.width, source.header.height]), (count, 1))
        jpeg = np.zeros(count, bool)
    else:
        return None
    return FileFacts(width_px=sizes[:, 0], height_px=sizes[:, 1], jpeg=jpeg)


def _read_before(path: Path) -> dict[str, ADistance]:
    """Read the distances that were measured before training; none if they were not."""
    if not path.is_file():
        return {}
    layers = json.loads(path.read_text(encoding="utf-8"))["layers"]
    return {
        entry["layer"]: ADistance(
            value=_number(entry["before"]["value"]),
            low=_number(entry["before"]["low"]),
            high=_number(entry["before"]["high"]),
            num_each=int(entry["before"]["num_each"]),
        )
        for entry in layers
        if entry["before"]
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
