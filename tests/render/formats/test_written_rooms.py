"""A generated room, written, read back and looked at: every pixel shows the same thing."""

from pathlib import Path

import numpy as np

from scenelift.render.camera import Camera, look_at
from scenelift.render.engines import prepare
from scenelift.render.formats import mesh, suncg
from scenelift.render.formats.gltf.write import write_glb
from scenelift.render.formats.suncg.write import write_suncg
from scenelift.render.frame import Labels
from scenelift.render.rooms.room import make_room
from scenelift.render.scene import Scene


def seen(scene: Scene, *, around: Scene) -> Labels:
    """Labels of a view from one corner of a room to its middle."""
    room = around.rooms[0]
    low, middle = room.outline_xz.min(axis=0) + 0.4, room.outline_xz.mean(axis=0)
    eye = np.array([low[0], room.floor_y_m + 1.5, low[1]])
    target = np.array([middle[0], room.floor_y_m + 0.9, middle[1]])
    pose = look_at(eye_world=eye, target_world=target)
    camera = Camera(width=96, height=64, focal_px=60.0, T_world_camera=pose)
    with prepare(scene, engine="embree") as engine:
        return engine.labels(camera)


def test_a_written_room_looks_the_same(tmp_path: Path) -> None:
    scene = make_room(seed=0, index=7)
    path = write_glb(scene, tmp_path / "room.glb").path
    copies = {
        "suncg": suncg.read_scene(write_suncg(scene, tmp_path / "root").path),
        "glb": mesh.read_scene(path, data_root=tmp_path),
    }
    wanted = seen(scene, around=scene)
    assert len(np.unique(wanted.instance)) > 5
    for copy in copies.values():
        assert copy.warnings == ()
        found = seen(copy, around=scene)
        same = found.instance == wanted.instance
        assert same.mean() > 0.999
        assert (found.semantic == wanted.semantic)[same].all()
        np.testing.assert_allclose(found.z_depth_m[same], wanted.z_depth_m[same], atol=1e-4)
        assert np.abs(found.albedo - wanted.albedo)[same].mean() < 1e-3
