import os
from pathlib import Path

import numpy as np
import pytest
from room_audit import fingerprint, floating, intersections, outside

from scenelift.render.formats import scenenet
from scenelift.render.rooms.drafting import MeshDraft
from scenelift.render.rooms.furnish import furnish
from scenelift.render.rooms.outline import wall_lines
from scenelift.render.rooms.shell import polygon_mesh
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Material, Node, Room, Scene

PLAIN = Finish(material=Material(name="plain"))
THOROUGH = os.environ.get("SCENELIFT_THOROUGH") == "1"
DATA = Path(os.environ.get("SCENELIFT_DATA", "/nowhere")) / "scenes" / "scenenet"


def layout(kind: str = "bedroom", *, floor_y_m: float = 0.0, pillar: bool = False) -> Scene:
    """A box of 4.2 x 3.6 x 2.5 m, with a pillar if wanted, somewhere in the world."""
    outline = np.array([[5.0, 9.0], [9.2, 9.0], [9.2, 5.4], [5.0, 5.4]])
    nodes = []

    def add(name: str, semantic: int, mesh: object, pose: np.ndarray) -> None:
        nodes.append(
            Node(name=name, mesh=mesh, T_world_object=pose, category=name, semantic=semantic)  # type: ignore[arg-type]
        )

    add("floor", 2, polygon_mesh(outline, y_m=floor_y_m, finish=PLAIN), np.eye(4))
    add("ceiling", 22, polygon_mesh(outline, y_m=floor_y_m + 2.5, finish=PLAIN), np.eye(4))
    for wall in wall_lines(outline, floor_y_m=floor_y_m):
        draft = MeshDraft()
        draft.box((0.0, 0.0, -0.1), (wall.length_m, 2.5, 0.0), finish=PLAIN)
        add("wall", 1, draft.mesh(), wall.T_world_wall)
    if pillar:
        draft = MeshDraft()
        draft.box((6.8, floor_y_m, 6.9), (7.4, floor_y_m + 2.5, 7.5), finish=PLAIN)
        add("wall", 1, draft.mesh(), np.eye(4))
    room = Room(
        name="r",
        kind=kind,
        outline_xz=outline,
        floor_y_m=floor_y_m,
        ceiling_y_m=floor_y_m + 2.5,
    )
    return Scene(name="layout", nodes=tuple(nodes), rooms=(room,), furnished=False)


def check(before: Scene, after: Scene) -> list[str]:
    """Assert that the layout is untouched and all that is new is well placed; return the new names."""
    old = {node.name for node in before.nodes}
    assert after.nodes[: len(before.nodes)] == before.nodes
    new = [node.name for node in after.nodes[len(before.nodes) :]]
    assert after.furnished
    assert not old & set(new)
    assert [pair for pair in intersections(after) if set(pair) - old] == []
    assert [name for name in floating(after) if name in new] == []
    assert [name for name in outside(after, tolerance_m=0.05) if name in new] == []
    return new


@pytest.mark.parametrize("kind", ["bedroom", "living room", "kitchen", "bathroom", ""])
@pytest.mark.parametrize("floor_y_m", [0.0, -3.25])
def test_an_empty_box_is_furnished(kind: str, floor_y_m: float) -> None:
    before = layout(kind, floor_y_m=floor_y_m)
    after = furnish(before, rng=np.random.default_rng(3))
    assert len(check(before, after)) >= 4


def test_a_pillar_is_left_alone() -> None:
    for seed in range(3):
        before = layout("living room", pillar=True)
        check(before, furnish(before, rng=np.random.default_rng(seed)))


def test_the_same_generator_gives_the_same_bytes() -> None:
    one, two, other = (furnish(layout(), rng=np.random.default_rng(s)) for s in (1, 1, 2))
    assert fingerprint(one) == fingerprint(two) != fingerprint(other)


def test_a_layout_without_rooms_comes_back_empty() -> None:
    before = Scene(name="none", nodes=layout().nodes, furnished=False)
    assert furnish(before, rng=np.random.default_rng(0)).nodes == before.nodes


@pytest.mark.skipif(not DATA.is_dir(), reason="SCENELIFT_DATA holds no SceneNet layouts")
def test_scenenet_layouts_are_furnished() -> None:
    for path in sorted(DATA.rglob("*layout.obj"))[:: 1 if THOROUGH else 3]:
        before = scenenet.read_scene(path, data_root=DATA, seed=0)
        after = furnish(before, rng=np.random.default_rng(5))
        assert len(check(before, after)) >= 6
