"""Small files of labelled views for tests: noise for the store, a room of boxes for what reads labels."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from analytic_scenes import box_room, camera_at

from scenelift.datasets.store import (
    Header,
    Instance,
    Row,
    SceneRecord,
    hash_content,
    merge_shards,
    write_shard,
)
from scenelift.render.camera import Camera
from scenelift.render.edges import EdgeSettings, find_edges
from scenelift.render.engines import Engine, prepare
from scenelift.render.scene import Scene

EYES = (
    ((1.2, 1.6, 2.2), (-0.5, 0.4, -1.5)),
    ((-1.5, 1.4, 2.0), (0.5, 0.3, -1.5)),
    ((0.0, 1.7, 2.3), (0.2, 0.2, -1.0)),
    ((1.6, 1.5, -1.9), (-0.8, 0.5, 1.0)),
)
"""Where the cameras stand in the room of boxes, and what they look at."""


def raw_file(path: Path, mode: str = "r") -> Any:
    """Open a file as it lies, past the store."""
    return h5py.File(path, mode)


def make_header(
    *, width: int = 8, height: int = 6, seed: int = 0, edges: EdgeSettings | None = None
) -> Header:
    """A header of a small configuration."""
    content = {"seed": seed, "photo": {"width": width, "height": height}}
    return Header(
        width=width,
        height=height,
        content=content,
        content_hash=hash_content(content),
        seed=seed,
        versions={"numpy": "2"},
        instruction_set="x86-64",
        edge_thresholds=asdict(edges or EdgeSettings()),
    )


def make_record(
    *, name: str = "scene", num_instances: int = 3, split: str = "train", licence: str = "CC0-1.0"
) -> SceneRecord:
    """A scene of one bedroom whose instances are all chairs."""
    return SceneRecord(
        name=name,
        source="rooms",
        licence=licence,
        split=split,
        rooms=("bedroom",),
        instances=tuple(
            Instance(
                name=f"{name}/chair{index}",
                category="chair",
                semantic=5,
                room=0 if index else None,
                glass=index == 1,
                mirror=False,
                licence=licence,
            )
            for index in range(num_instances)
        ),
        rejections={"too dark": 2, "too close": 1},
        warnings=("a texture is missing",),
    )


def noise_row(
    rng: np.random.Generator, *, width: int = 8, height: int = 6, num_instances: int = 3
) -> Row:
    """A view of noise: every value that the store must keep, no sense."""
    normal = rng.normal(size=(height, width, 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    pose = np.eye(4)
    pose[:3, 3] = rng.normal(size=3)
    return Row(
        image=rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        z_depth_m=rng.uniform(0.5, 9, (height, width)).astype(np.float32),
        normal=normal,
        edge=rng.integers(0, 16, (height, width), dtype=np.uint8),
        instance=rng.integers(0, num_instances + 1, (height, width), dtype=np.uint16),
        semantic=rng.integers(0, 41, (height, width), dtype=np.uint8),
        K=np.array([[7.0, 0, width / 2], [0, 7.0, height / 2], [0, 0, 1]]),
        T_world_camera=pose,
        view={"room": 0, "candidate": int(rng.integers(1000)), "pitch_deg": float(rng.normal())},
    )


def noise_shards(
    folder: Path, *, counts: Sequence[int], header: Header | None = None
) -> list[Path]:
    """One shard of noise for each count of views."""
    header = header or make_header()
    paths = []
    for index, count in enumerate(counts):
        paths.append(folder / f"shard-{index}.h5")
        rng = np.random.default_rng([index, count])
        write_shard(
            paths[-1],
            header=header,
            scene=make_record(name=f"scene-{index}", num_instances=3 + index),
            rows=[noise_row(rng, width=header.width, height=header.height) for _ in range(count)],
        )
    return paths


def room_file(
    path: Path, *, width: int = 96, height: int = 72, num_scenes: int = 2, num_views: int = 4
) -> Path:
    """Write exact labels of rooms of boxes, in two splits."""
    settings = EdgeSettings()
    header = make_header(width=width, height=height, edges=settings)
    shards = []
    for index in range(num_scenes):
        scene = box_room(num_boxes=3 + index)
        with prepare(scene, engine="embree") as engine:
            rows = [
                room_row(
                    engine,
                    camera_at(*EYES[view], width=width, height=height, focal_px=float(width)),
                )
                for view in range(num_views)
            ]
        shards.append(path.with_name(f"{path.stem}-{index}.shard"))
        write_shard(shards[-1], header=header, scene=room_record(scene, index=index), rows=rows)
    merge_shards(shards, path)
    for shard in shards:
        shard.unlink()
    return path


def room_record(scene: Scene, *, index: int) -> SceneRecord:
    """The record of a room of boxes."""
    return SceneRecord(
        name=f"{scene.name}-{index}",
        source="boxes",
        licence="Apache-2.0",
        split=("train", "val")[index % 2],
        rooms=tuple(room.kind for room in scene.rooms),
        instances=tuple(
            Instance(
                name=node.name,
                category=node.category,
                semantic=node.semantic,
                room=node.room,
                glass=False,
                mirror=False,
                licence="Apache-2.0",
            )
            for node in scene.nodes
        ),
        rejections={"too close": 3 + index},
        warnings=(),
    )


def room_row(engine: Engine, camera: Camera) -> Row:
    """One view, shaded by a lamp at the camera."""
    labels = engine.labels(camera)
    shade = labels.albedo * (0.2 + 0.8 * labels.normal[..., 2:])
    return Row(
        image=(np.clip(shade, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8),
        z_depth_m=labels.z_depth_m,
        normal=labels.normal,
        edge=find_edges(camera, labels, settings=EdgeSettings()),
        instance=labels.instance,
        semantic=labels.semantic,
        K=camera.K,
        T_world_camera=camera.T_world_camera,
        view={"room": 0, "field_of_view_deg": 53.1, "candidate": 0, "seed": 1},
    )
