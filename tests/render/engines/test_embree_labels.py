from dataclasses import replace

import numpy as np
import pytest
from analytic_scenes import (
    BLACK_SKY,
    CABINET,
    CHAIR,
    box_room,
    camera_at,
    make_box,
    make_mesh,
    make_quad,
    node,
    place,
    plane_scene,
    sphere_scene,
)

from scenelift.render import engines
from scenelift.render.camera import Camera
from scenelift.render.engines import EngineError, embree
from scenelift.render.frame import Labels
from scenelift.render.scene import Material, Mesh, Scene, SceneError, Texture


def labels_of(scene: Scene, camera: Camera) -> Labels:
    with embree.prepare(scene) as engine:
        return engine.labels(camera)


def rays_world(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Eye and un-normalised directions whose component along the optical axis is 1."""
    x = (np.arange(camera.width) + 0.5 - camera.width / 2) / camera.focal_px
    y = -(np.arange(camera.height) + 0.5 - camera.height / 2) / camera.focal_px
    grid = np.stack(np.broadcast_arrays(x[None, :], y[:, None], -1.0), axis=-1)
    rotation = camera.T_world_camera[:3, :3]
    return camera.T_world_camera[:3, 3], grid @ rotation.T


def angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    cross = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.asarray(np.degrees(np.arctan2(cross, (a * b).sum(axis=-1))))


@pytest.mark.parametrize("turn_deg", [(0.0, 0.0, 0.0), (20.0, 35.0, 10.0), (-55.0, 15.0, 80.0)])
def test_a_tilted_quad_has_its_plane_s_depth_and_normal(turn_deg: tuple[float, ...]) -> None:
    pose = place(at=(0.3, -0.2, -4), turn_deg=(turn_deg[0], turn_deg[1], turn_deg[2]))
    scene = Scene(
        name="quad",
        nodes=(node("quad", make_quad(width_m=30, height_m=30), T_world_object=pose),),
    )
    camera = camera_at((0.5, 0.4, 1.0), (0.1, 0.0, -3), width=61, height=37)
    labels = labels_of(scene, camera)
    eye, directions = rays_world(camera)
    normal = pose[:3, 2]
    expected = ((pose[:3, 3] - eye) @ normal) / (directions @ normal)
    hit = labels.instance > 0
    assert hit.mean() > 0.8
    np.testing.assert_allclose(labels.z_depth_m[hit], expected[hit], rtol=1e-5)
    towards = normal if (eye - pose[:3, 3]) @ normal > 0 else -normal
    in_camera = camera.T_world_camera[:3, :3].T @ towards
    assert angle_deg(labels.normal[hit].astype(np.float64), in_camera).max() < 0.01
    np.testing.assert_allclose(np.linalg.norm(labels.normal[hit], axis=-1), 1, atol=1e-6)


def test_pixel_centres_and_axes_on_a_non_square_image() -> None:
    scene = Scene(
        name="small",
        nodes=(
            node(
                "near",
                make_quad(width_m=0.999, height_m=0.999),
                T_world_object=place(at=(1.5, 0.5, -1)),
            ),
        ),
    )
    camera = Camera(width=6, height=4, focal_px=1.0, T_world_camera=np.eye(4))
    expected = np.zeros((4, 6), dtype=np.uint16)
    expected[1, 4] = 1
    np.testing.assert_array_equal(labels_of(scene, camera).instance, expected)


@pytest.mark.parametrize(
    "scale", [(1.0, 1.0, 1.0), (-1.0, 1.0, 1.0), (-0.5, 2.0, -1.5), (1, 1, -3)]
)
def test_mirrored_and_stretched_boxes_show_their_world_triangles(
    scale: tuple[float, float, float],
) -> None:
    pose = place(at=(0.2, 0.1, -5), turn_deg=(25, 40, -15), scale=scale)
    mesh = make_box(size_m=(1.3, 0.9, 1.1))
    scene = Scene(name="box", nodes=(node("box", mesh, T_world_object=pose),))
    camera = camera_at((0, 0.5, 0), (0.2, 0.1, -5), width=64, height=48, focal_px=120)
    labels = labels_of(scene, camera)
    corners = mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
    depth, normal = brute_force(corners[mesh.faces], camera)
    assert ((labels.instance > 0) == np.isfinite(depth)).all()
    hit = labels.instance > 0
    assert 0.1 < hit.mean() < 0.9
    np.testing.assert_allclose(labels.z_depth_m[hit], depth[hit], rtol=1e-5)
    assert angle_deg(labels.normal[hit].astype(np.float64), normal[hit]).max() < 0.01


def brute_force(triangles: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Depth (inf = nothing) and camera-frame normal towards the viewer, every ray against every triangle."""
    eye, directions = rays_world(camera)
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    d = directions[:, :, None, :]
    p = np.cross(d, c - a)
    det = (p * (b - a)).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (p * (eye - a)).sum(-1) / det
        q = np.cross(eye - a, b - a)
        v = (q * d).sum(-1) / det
        t = (q * (c - a)).sum(-1) / det
    inside = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
    t = np.where(inside, t, np.inf)
    best = t.argmin(axis=-1)
    normal = np.cross(b - a, c - a)[best]
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    normal *= -np.sign((normal * directions).sum(-1, keepdims=True))
    return t.min(axis=-1), normal @ camera.T_world_camera[:3, :3]


def test_a_room_shows_every_instance_where_it_stands() -> None:
    scene = box_room(num_boxes=6)
    camera = camera_at((1.7, 1.5, 2.3), (-0.5, 0.8, -1.5), width=72, height=50, focal_px=45)
    labels = labels_of(scene, camera)
    triangles, owner = [], []
    for i, item in enumerate(scene.nodes):
        world = item.mesh.vertices @ item.T_world_object[:3, :3].T + item.T_world_object[:3, 3]
        triangles.append(world[item.mesh.faces])
        owner += [i + 1] * len(item.mesh.faces)
    eye, directions = rays_world(camera)
    depth, _ = brute_force(np.concatenate(triangles), camera)
    np.testing.assert_allclose(labels.z_depth_m, depth, rtol=1e-5)
    kinds = np.array([0] + [item.semantic for item in scene.nodes])
    np.testing.assert_array_equal(labels.semantic, kinds[labels.instance])
    for number, item in enumerate(scene.nodes, start=1):
        there = labels.instance == number
        points = eye + directions[there] * labels.z_depth_m[there][:, None]
        local = np.c_[points, np.ones(len(points))] @ np.linalg.inv(item.T_world_object).T
        low, high = item.mesh.vertices.min(axis=0), item.mesh.vertices.max(axis=0)
        assert ((local[:, :3] > low - 1e-4) & (local[:, :3] < high + 1e-4)).all(), item.name
    assert {CABINET, CHAIR} <= set(np.unique(labels.semantic).tolist())


def test_a_sphere_agrees_with_its_triangles_and_with_the_closed_form() -> None:
    centre, radius = np.array([0.1, -0.2, -3.0]), 0.8
    scene = sphere_scene(radius_m=radius, centre_world=(0.1, -0.2, -3.0), subdivisions=5)
    camera = camera_at((0, 0, 0), (0.1, -0.2, -3.0), width=160, height=120, focal_px=200)
    labels = labels_of(scene, camera)
    eye, directions = rays_world(camera)
    along = directions @ (centre - eye)
    square = (directions**2).sum(-1)
    root = along**2 - square * (((centre - eye) ** 2).sum() - radius**2)
    inside = root > 0
    exact = (along - np.sqrt(np.where(inside, root, 0))) / square
    deep = inside.copy()
    for _ in range(2):
        deep[1:-1, 1:-1] &= deep[:-2, 1:-1] & deep[2:, 1:-1] & deep[1:-1, :-2] & deep[1:-1, 2:]
    hit = labels.instance > 0
    assert hit[deep].all()
    assert not hit[~inside].any()
    relative = np.abs(labels.z_depth_m[deep] / exact[deep] - 1)
    assert np.quantile(relative, 0.99) < 1e-3
    points = eye + directions[deep] * exact[deep][:, None]
    normal = (points - centre) / radius @ camera.T_world_camera[:3, :3]
    assert np.quantile(angle_deg(labels.normal[deep].astype(np.float64), normal), 0.99) < 3


def test_a_sphere_agrees_with_its_own_triangles() -> None:
    scene = sphere_scene(radius_m=0.8, centre_world=(0.1, -0.2, -3.0), subdivisions=3)
    camera = camera_at((0, 0, 0), (0.1, -0.2, -3.0), width=40, height=30, focal_px=50)
    labels = labels_of(scene, camera)
    mesh, pose = scene.nodes[0].mesh, scene.nodes[0].T_world_object
    world = mesh.vertices @ pose[:3, :3].T + pose[:3, 3]
    depth, normal = brute_force(world[mesh.faces], camera)
    hit = np.isfinite(depth)
    np.testing.assert_array_equal(labels.instance > 0, hit)
    np.testing.assert_allclose(labels.z_depth_m[hit], depth[hit], rtol=1e-5)
    assert angle_deg(labels.normal[hit].astype(np.float64), normal[hit]).max() < 0.1


def test_labels_far_from_the_origin_equal_those_near_it() -> None:
    scene = box_room()
    shift = np.array([1e5, -3e4, 2e5])
    moved = replace(
        scene,
        nodes=tuple(
            replace(n, T_world_object=n.T_world_object + np.pad(shift[:, None], ((0, 1), (3, 0))))
            for n in scene.nodes
        ),
    )
    camera = camera_at((1.2, 1.4, 2.0), (-0.3, 0.9, -1.0))
    pose = camera.T_world_camera.copy()
    pose[:3, 3] += shift
    near, far = labels_of(scene, camera), labels_of(moved, replace(camera, T_world_camera=pose))
    assert (near.instance == far.instance).mean() > 0.999
    same = near.instance == far.instance
    np.testing.assert_allclose(far.z_depth_m[same], near.z_depth_m[same], rtol=1e-5)
    assert angle_deg(far.normal[same], near.normal[same]).max() < 0.01


def leaf(alpha: np.ndarray) -> Material:
    pixels = np.full((*alpha.shape, 4), 255, dtype=np.uint8)
    pixels[..., 3] = alpha
    return Material(name="leaf", base_color=(0.2, 0.6, 0.1), texture=Texture(pixels=pixels))


def test_rays_pass_where_the_texture_is_clear_and_the_first_row_is_the_top() -> None:
    alpha = np.zeros((64, 64), dtype=np.uint8)
    alpha[:32] = 255
    front = make_quad(width_m=4, height_m=4, material=leaf(alpha))
    scene = Scene(
        name="leaf",
        nodes=(
            node("leaf", front, T_world_object=place(at=(0, 0, -2))),
            node("leaf2", front, T_world_object=place(at=(0, 0, -2.5))),
            node("wall", make_quad(width_m=40, height_m=40), T_world_object=place(at=(0, 0, -4))),
        ),
    )
    camera = Camera(width=8, height=8, focal_px=4.0, T_world_camera=np.eye(4))
    labels = labels_of(scene, camera)
    assert (labels.instance[:4] == 1).all()
    assert (labels.instance[4:] == 3).all()
    np.testing.assert_allclose(labels.z_depth_m[4:], 4, rtol=1e-5)


def test_opacity_below_a_half_vanishes_and_glass_is_a_hit() -> None:
    ghost = Material(name="ghost", opacity=0.4)
    glass = Material(name="glass", transmission=1.0)
    scene = Scene(
        name="layers",
        nodes=(
            node(
                "ghost",
                make_quad(width_m=9, height_m=9, material=ghost),
                T_world_object=place(at=(0, 0, -1)),
            ),
            node(
                "glass",
                make_quad(width_m=9, height_m=9, material=glass),
                T_world_object=place(at=(0, 0, -2)),
            ),
            node("wall", make_quad(width_m=9, height_m=9), T_world_object=place(at=(0, 0, -3))),
        ),
    )
    labels = labels_of(scene, Camera(width=4, height=4, focal_px=4.0, T_world_camera=np.eye(4)))
    assert (labels.instance == 2).all()


def test_albedo_is_base_colour_times_texture_times_vertex_colour() -> None:
    pixels = np.zeros((2, 2, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[0], pixels[1] = (255, 0, 0, 255), (0, 188, 0, 255)
    paint = Material(name="paint", base_color=(0.5, 0.5, 0.5), texture=Texture(pixels=pixels))
    quad = make_quad(width_m=2, height_m=2, material=paint)
    quad = replace(quad, vertex_colors=np.full((4, 3), 0.8))
    scene = Scene(name="paint", nodes=(node("quad", quad, T_world_object=place(at=(0, 0, -1))),))
    camera = Camera(width=4, height=4, focal_px=2.0, T_world_camera=np.eye(4))
    albedo = labels_of(scene, camera).albedo
    np.testing.assert_allclose(albedo[1, 0], (0.4 * 0.75, 0.4 * 0.25 * 0.503, 0), atol=2e-3)
    np.testing.assert_allclose(albedo[2, 3], (0.4 * 0.25, 0.4 * 0.75 * 0.503, 0), atol=2e-3)


def test_nothing_in_sight_is_all_zero() -> None:
    camera = camera_at((0, 1, 0), (0, 2, -1))
    labels = labels_of(plane_scene(), camera)
    sky = labels.instance == 0
    assert sky.any()
    assert not labels.z_depth_m[sky].any()
    assert not labels.normal[sky].any()
    assert not labels.semantic[sky].any()
    assert not labels.albedo[sky].any()


def test_degenerate_faces_odd_textures_and_empty_meshes_do_no_harm() -> None:
    line = make_mesh(np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]]), np.array([[0, 1, 2], [0, 0, 0]]))
    empty = make_mesh(np.zeros((0, 3)), np.zeros((0, 3)))
    dot = Texture(pixels=np.full((1, 1, 4), 255, dtype=np.uint8))
    quad = make_quad(width_m=9, height_m=9, material=Material(name="dot", texture=dot))
    wild = np.where(np.arange(12).reshape(2, 3, 2) == 3, np.nan, 1e30)
    scene = Scene(
        name="odd",
        nodes=(
            node("line", line),
            node("empty", empty),
            node("quad", replace(quad, corner_uvs=wild), T_world_object=place(at=(0, 0, -2))),
        ),
    )
    labels = labels_of(scene, Camera(width=4, height=4, focal_px=4.0, T_world_camera=np.eye(4)))
    assert (labels.instance == 3).all()
    assert np.isfinite(labels.albedo).all()


def test_a_scene_without_area_is_refused() -> None:
    line = make_mesh(np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]]), np.array([[0, 1, 2]]))
    with pytest.raises(SceneError, match=r"thin: no triangle has an area"):
        embree.prepare(Scene(name="thin", nodes=(node("line", line),)))


def test_first_hits_measure_in_units_of_the_direction() -> None:
    rng = np.random.default_rng(0)
    origins = rng.uniform(-1, 1, (1001, 3)) * (50, 0, 50) + (0, 3, 0)
    directions = rng.normal(size=(1001, 3)) * rng.uniform(0.1, 10, (1001, 1))
    directions[:3] = (0, 0, 0), (np.nan, 0, 0), (0, -np.inf, 0)
    with embree.prepare(plane_scene(half_size_m=1e4)) as engine:
        distance, instance = engine.first_hits(origins, directions)
        none, _ = engine.first_hits(np.zeros((0, 3)), np.zeros((0, 3)))
    assert len(none) == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(directions[:, 1] < -1e-2, -3 / directions[:, 1], np.inf)
    expected[:3] = np.inf
    clear = np.abs(directions[:, 1]) > 1e-2
    clear[:3] = True
    np.testing.assert_allclose(distance[clear], expected[clear], rtol=1e-5)
    np.testing.assert_array_equal(instance[clear], np.isfinite(expected[clear]).astype(int))


def test_engines_prepare_finds_the_default() -> None:
    with engines.prepare(plane_scene(), engine="embree") as engine:
        assert engine.labels(camera_at((0, 1, 0), (0, 0, -1))).instance.any()


def test_a_closed_engine_says_so() -> None:
    engine = embree.prepare(replace(plane_scene(), sky=BLACK_SKY))
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.labels(camera_at((0, 1, 0), (0, 0, -1)))


def test_many_instances_of_one_mesh_keep_their_ids() -> None:
    box: Mesh = make_box(size_m=(0.8, 0.8, 0.1))
    nodes = tuple(
        node(f"b{i}", box, T_world_object=place(at=(i % 30 - 14.5, i // 30 - 9.5, -20)))
        for i in range(600)
    )
    camera = Camera(width=30, height=20, focal_px=19.95, T_world_camera=np.eye(4))
    labels = labels_of(Scene(name="grid", nodes=nodes), camera)
    expected = np.arange(1, 601).reshape(20, 30)[::-1]
    np.testing.assert_array_equal(labels.instance, expected)
