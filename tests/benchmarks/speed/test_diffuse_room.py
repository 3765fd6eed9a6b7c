"""The room that renderers are compared in."""

from scenelift.benchmarks.speed.diffuse_room import diffuse_room, room_camera
from scenelift.render.engines import prepare


def test_everything_is_diffuse_and_only_the_lamp_glows() -> None:
    materials = [m for node in diffuse_room().nodes for m in node.mesh.materials]
    assert all(m.metallic == 0 and m.roughness == 1 and m.transmission == 0 for m in materials)
    assert [m.name for m in materials if any(m.emission)] == ["lamp"]


def test_the_view_shows_all_of_it_and_no_outside() -> None:
    with prepare(diffuse_room(), engine="embree") as engine:
        labels = engine.labels(room_camera(width=128, height=128))
    hidden = {n + 1 for n, node in enumerate(diffuse_room().nodes) if node.name == "front"}
    assert set(labels.instance.ravel().tolist()) == set(range(1, 15)) - hidden
