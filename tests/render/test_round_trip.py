"""A made room, written and read back, shows the same labels to the same camera."""

from pathlib import Path

import numpy as np
import pytest

from scenelift.render.engines import prepare
from scenelift.render.formats import find_scenes, read_scene
from scenelift.render.formats.write import WriteFormat, write_scene
from scenelift.render.frame import Labels
from scenelift.render.rooms.room import make_room
from scenelift.render.scene import Scene
from scenelift.render.standpoints import find_standpoints
from scenelift.render.views import CameraRanges, Candidate, candidate_rng, draw_candidate

NUM_VIEWS = 6


def look(scene: Scene, candidates: list[Candidate]) -> list[Labels]:
    with prepare(scene, engine="embree") as engine:
        return [engine.labels(candidate.camera) for candidate in candidates]


@pytest.mark.parametrize("format", ["glb", "suncg"])
@pytest.mark.parametrize("index", [0, 3])
def test_a_written_room_looks_the_same_when_read(
    format: WriteFormat, index: int, tmp_path: Path
) -> None:
    room = make_room(seed=2, index=index)
    with prepare(room, engine="embree") as engine:
        places = find_standpoints(room, engine)
    candidates = [
        draw_candidate(
            places,
            index=i,
            ranges=CameraRanges(),
            width=96,
            height=72,
            rng=candidate_rng(seed=0, scene_name="t", index=i),
        )
        for i in range(NUM_VIEWS)
    ]
    write_scene(room, folder=tmp_path / "scenes", format=format)
    (source,) = find_scenes((tmp_path / "scenes",))
    assert source.format == ("suncg" if format == "suncg" else "mesh")
    again = read_scene(source, seed=0)
    assert again.rooms
    assert again.rooms[0].kind == room.rooms[0].kind
    names = {node.name: node for node in again.nodes}
    for before, after in zip(look(room, candidates), look(again, candidates), strict=True):
        np.testing.assert_allclose(after.z_depth_m, before.z_depth_m, rtol=1e-4, atol=1e-4)
        assert float((after.semantic == before.semantic).mean()) > 0.999
        assert float((np.abs(after.albedo - before.albedo).max(axis=-1) < 0.05).mean()) > 0.99
        if format == "glb":
            assert float((after.instance == before.instance).mean()) > 0.999
    if format == "glb":
        assert [node.name for node in room.nodes] == list(names)
