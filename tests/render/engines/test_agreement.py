"""Two ray casters, on paths of their own from scene to pixel, see the same in real scenes."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from analytic_scenes import make_mesh, node

from scenelift.render.camera import Camera, look_at
from scenelift.render.engines import EngineError, embree, open3d
from scenelift.render.scene import Scene

VIEWS = 40 if os.environ.get("SCENELIFT_THOROUGH") else 5


def _real_scenes() -> list[Path]:
    root = Path(os.environ.get("SCENELIFT_DATA", "")) / "scenes"
    layouts = sorted(root.glob("scenenet/*/*_layout.obj"))
    return [path for path in [*layouts, root / "drake_furnished_room.glb"] if path.is_file()]


SCENES = _real_scenes() if os.environ.get("SCENELIFT_DATA") else []
pytestmark = pytest.mark.skipif(not SCENES, reason="SCENELIFT_DATA names no folder with scenes")


def _read(path: Path) -> Scene:
    """Read shapes only, one instance a part, by a reader that is not ours."""
    parts: Any = trimesh.load(path, force="scene", skip_materials=True, process=False)
    nodes = []
    for name in sorted(parts.graph.nodes_geometry):
        pose, geometry = parts.graph[name]
        mesh = parts.geometry[geometry]
        shape = make_mesh(np.asarray(mesh.vertices), np.asarray(mesh.faces))
        nodes.append(node(name, shape, T_world_object=np.asarray(pose, dtype=np.float64)))
    return Scene(name=path.stem, nodes=tuple(nodes))


def _views(scene: Scene, *, count: int) -> list[Camera]:
    """Cameras anywhere in the scene's box that look anywhere."""
    rng = np.random.default_rng(5)
    corners = [
        n.mesh.vertices @ n.T_world_object[:3, :3].T + n.T_world_object[:3, 3] for n in scene.nodes
    ]
    points = np.concatenate(corners)
    low, high = np.percentile(points, [5, 95], axis=0)
    cameras = []
    for _ in range(count):
        eye = rng.uniform(low, high)
        away = rng.normal(size=3) * (1, 0.4, 1)
        pose = look_at(eye_world=eye, target_world=eye + away, roll_rad=rng.uniform(-0.2, 0.2))
        cameras.append(Camera(width=160, height=120, focal_px=110.0, T_world_camera=pose))
    return cameras


@pytest.mark.parametrize("path", SCENES, ids=lambda path: path.stem)
def test_engines_agree(path: Path) -> None:
    """Of two surfaces in one place either may be first; one scene has such a pair, in under 2 % of its pixels."""
    scene = _read(path)
    try:
        other = open3d.prepare(scene)
    except EngineError as error:
        pytest.skip(str(error))
    with embree.prepare(scene) as default:
        pairs = [(default.labels(c), other.labels(c)) for c in _views(scene, count=VIEWS)]
    shape = (len(pairs), 120, 160)
    same, ours_m, theirs_m, cosine = (np.zeros(shape) for _ in range(4))
    for i, (ours, theirs) in enumerate(pairs):
        same[i] = ours.instance == theirs.instance
        ours_m[i], theirs_m[i] = ours.z_depth_m, theirs.z_depth_m
        cosine[i] = (ours.normal * theirs.normal).sum(axis=2)
    hit = ours_m > 0
    near = np.abs(ours_m - theirs_m) <= 1e-5 * ours_m
    coincident = (same == 0) & hit & near & (cosine > 1 - 1e-6)
    assert hit.mean() > 0.5
    assert coincident.mean() < 0.02
    assert same[~coincident].mean() >= 0.999
    np.testing.assert_allclose(ours_m[same == 1], theirs_m[same == 1], rtol=1e-3)
    assert (cosine[hit & (same == 1)] > np.cos(np.radians(0.1))).mean() >= 0.999


@pytest.mark.parametrize("path", SCENES[-1:], ids=lambda path: path.stem)
def test_rays_from_anywhere_agree(path: Path) -> None:
    scene = _read(path)
    try:
        other = open3d.prepare(scene)
    except EngineError as error:
        pytest.skip(str(error))
    rng = np.random.default_rng(6)
    origins = rng.uniform(-3, 3, (20_000, 3))
    directions = rng.normal(size=(20_000, 3)) * rng.uniform(0.1, 10, (20_000, 1))
    with embree.prepare(scene) as default:
        ours_t, ours_id = default.first_hits(origins, directions)
    theirs_t, theirs_id = other.first_hits(origins, directions)
    same = ours_id == theirs_id
    assert same.mean() >= 0.999
    np.testing.assert_allclose(ours_t[same], theirs_t[same], rtol=1e-3, atol=1e-5)
