"""Generated rooms and views of them, the same in every benchmark."""

from dataclasses import dataclass

from scenelift.render.camera import Camera
from scenelift.render.engines import Engine, prepare
from scenelift.render.gates import ViewGates, judge_labels
from scenelift.render.rooms.room import make_room
from scenelift.render.scene import Scene
from scenelift.render.standpoints import find_standpoints
from scenelift.render.views import CameraRanges, candidate_rng, draw_candidate

_SEED = 7
_CANDIDATES = 200


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RoomViews:
    """A room and some good views of it."""

    scene: Scene
    cameras: tuple[Camera, ...]


def room_views(*, rooms: int, views: int, size: int) -> list[RoomViews]:
    """Make rooms and pick the first views of each that pass the gates of geometry; square pictures."""
    made = []
    for index in range(rooms):
        scene = make_room(seed=_SEED, index=index)
        with prepare(scene, engine="embree") as engine:
            cameras = _cameras(scene, engine, count=views, size=size)
        made.append(RoomViews(scene=scene, cameras=cameras))
    return made


def _cameras(scene: Scene, engine: Engine, *, count: int, size: int) -> tuple[Camera, ...]:
    places, cameras = find_standpoints(scene, engine), []
    for index in range(_CANDIDATES):
        rng = candidate_rng(seed=_SEED, scene_name=scene.name, index=index)
        candidate = draw_candidate(
            places, index=index, ranges=CameraRanges(), width=size, height=size, rng=rng
        )
        if judge_labels(engine.labels(candidate.camera), gates=ViewGates()) is None:
            cameras.append(candidate.camera)
        if len(cameras) == count:
            break
    return tuple(cameras)
