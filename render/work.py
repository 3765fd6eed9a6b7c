"""What one worker does: turn a task, some views of one scene, into a shard on disk."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from scenelift.datasets.store import Header, Instance, Row, SceneRecord, write_shard
from scenelift.render.config import Content
from scenelift.render.engines import Engine, prepare
from scenelift.render.formats import SceneSource, read_scene
from scenelift.render.formats.written import Written
from scenelift.render.furniture.sweethome3d import SweetHome3DSource
from scenelift.render.gates import count_edge_pixels, count_objects
from scenelift.render.lighting import with_default_lights
from scenelift.render.photograph import Photo, photograph
from scenelift.render.rooms.furnish import furnish
from scenelift.render.rooms.room import make_room
from scenelift.render.rooms.source import FurnitureSource
from scenelift.render.scene import Node, Scene, SceneError
from scenelift.render.standpoints import Standpoints, find_standpoints

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """Some views of one scene."""

    index: int
    """Place in the order of the file."""
    scene: SceneSource | int
    """A scene file, or the number of a room to make."""
    first_view: int
    num_views: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a task."""

    index: int
    num_frames: int
    rejections: Mapping[str, int]
    error: str | None = None
    """Why the scene cannot be used."""
    losses: tuple[str, ...] = ()
    """What the format in which the scene was written cannot hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What all tasks of a run share."""

    content: Content
    header: Header
    shards: Path
    """Folder of the shards."""
    write_scene: Callable[[Scene], Written] | None = None
    """Called with each scene, once, before its first views are taken."""


def shard_path(shards: Path, index: int) -> Path:
    """Name the shard of a task."""
    return shards / f"shard-{index:07d}.h5"


def run_task(job: Job, task: Task) -> Outcome:
    """Render a task's views and write them as one shard; a scene that cannot be used comes back as an error."""
    cv2.setNumThreads(1)
    try:
        stage = _stage_of(job, task.scene)
    except SceneError as error:
        return Outcome(index=task.index, num_frames=0, rejections={}, error=str(error))
    losses: tuple[str, ...] = ()
    if task.first_view == 0 and job.write_scene is not None:
        losses = job.write_scene(stage.scene).losses
    photos = photograph(
        stage.engine,
        stage.places,
        scene_name=stage.scene.name,
        settings=job.content.photo,
        seed=job.content.seed,
        first_view=task.first_view,
        num_views=task.num_views,
    )
    write_shard(
        shard_path(job.shards, task.index),
        header=job.header,
        scene=record_of(stage.scene, content=job.content, rejections=dict(photos.rejections)),
        rows=[_row(photo, content=job.content) for photo in photos.kept],
    )
    return Outcome(
        index=task.index,
        num_frames=len(photos.kept),
        rejections=photos.rejections,
        losses=losses,
    )


def load_scene(content: Content, scene: SceneSource | int) -> Scene:
    """Read or make a scene, furnish it if it waits for that, and light it if it is dark."""
    furniture = _furniture_source(content.furniture)
    if isinstance(scene, int):
        return make_room(seed=content.seed, index=scene, furniture=furniture)
    loaded = read_scene(scene, seed=content.seed)
    if not loaded.furnished:
        rng = np.random.default_rng([content.seed, *loaded.name.encode()])
        loaded = furnish(loaded, rng=rng, furniture=furniture)
    return with_default_lights(loaded)


def record_of(scene: Scene, *, content: Content, rejections: dict[str, int]) -> SceneRecord:
    """Make the scene's entry in the file."""
    return SceneRecord(
        name=scene.name,
        source=scene.source,
        licence=scene.licence,
        split=split_of(scene.name, val_share=content.val_share, test_share=content.test_share),
        rooms=tuple(room.kind for room in scene.rooms),
        instances=tuple(_instance(node) for node in scene.nodes),
        rejections=rejections,
        warnings=scene.warnings,
    )


def split_of(
    scene_name: str, *, val_share: float, test_share: float
) -> Literal["train", "val", "test"]:
    """Choose a scene's split from its name alone, so that it never depends on its neighbours.

    >>> split_of("room-000001", val_share=0.0, test_share=0.0)
    'train'
    """
    digest = hashlib.sha256(scene_name.encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    if share < test_share:
        return "test"
    return "val" if share < test_share + val_share else "train"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Stage:
    """A scene ready for photographs."""

    key: tuple[object, ...]
    scene: Scene
    engine: Engine
    places: Standpoints
    cleanup: ExitStack


_stage: list[_Stage] = []
"""The last scene of this process: a scene's later views need not read it again. One at a time: memory stays flat."""
_furniture: dict[tuple[Path, ...], FurnitureSource] = {}


def _stage_of(job: Job, source: SceneSource | int) -> _Stage:
    key = (job.header.content_hash, source)
    if _stage and _stage[0].key == key:
        return _stage[0]
    close_stage()
    scene = load_scene(job.content, source)
    with ExitStack() as cleanup:
        engine = cleanup.enter_context(prepare(scene, engine=job.content.engine))
        places = find_standpoints(scene, engine)
        _stage.append(
            _Stage(key=key, scene=scene, engine=engine, places=places, cleanup=cleanup.pop_all())
        )
    return _stage[0]


def close_stage() -> None:
    """Free the last scene of this process."""
    while _stage:
        _stage.pop().cleanup.close()


def check_furniture(content: Content) -> None:
    """Read the catalogues that a run furnishes from, so that it fails before it starts.

    Raises:
        SceneError: if a library cannot be used.
    """
    _furniture_source(content.furniture)


def _furniture_source(paths: tuple[Path, ...]) -> FurnitureSource | None:
    if not paths:
        return None
    if paths not in _furniture:
        _furniture.clear()
        _furniture[paths] = SweetHome3DSource(*paths)
    return _furniture[paths]


def _instance(node: Node) -> Instance:
    materials = node.mesh.materials
    return Instance(
        name=node.name,
        category=node.category,
        semantic=node.semantic,
        room=node.room,
        glass=any(material.is_glass for material in materials),
        mirror=any(material.is_mirror for material in materials),
        licence="",
    )


def _row(photo: Photo, *, content: Content) -> Row:
    labels, candidate = photo.frame.labels, photo.candidate
    return Row(
        image=photo.frame.image,
        z_depth_m=labels.z_depth_m,
        normal=labels.normal,
        edge=photo.frame.edge,
        instance=labels.instance,
        semantic=labels.semantic,
        K=candidate.camera.K,
        T_world_camera=candidate.camera.T_world_camera,
        view={
            "room": candidate.room,
            "candidate": candidate.index,
            "seed": candidate.seed,
            "edge_pixels": count_edge_pixels(photo.frame.edge),
            "objects": count_objects(labels, gates=content.photo.gates),
            "nothing_share": float((labels.z_depth_m == 0).mean()),
            "camera_height_m": candidate.height_m,
            "pitch_deg": candidate.pitch_deg,
            "roll_deg": candidate.roll_deg,
            "field_of_view_deg": candidate.field_of_view_deg,
            "exposure_ev": photo.exposure_ev,
        },
    )
