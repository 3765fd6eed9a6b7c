"""Faults planted in a sound file, one at a time: each must be found, and the sound file must pass."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_files import raw_file, room_file

from scenelift.datasets.store import StoreError
from scenelift.datasets.store_codec import quantise_normal, round_depth
from scenelift.render.check import CheckReport, check
from scenelift.render.check_edges import check_edges
from scenelift.render.check_report import StoredView
from scenelift.render.edges import EdgeSettings, geometric_edges

FRAME = 1
"""The frame that is spoilt; frames 0 to 3 show one room, 4 to 7 another."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return room_file(tmp_path_factory.mktemp("rooms") / "rooms.h5")


@pytest.fixture
def spoilt(sound: Path, tmp_path: Path) -> Callable[[Callable[[Any], None]], CheckReport]:
    def spoil(fault: Callable[[Any], None]) -> CheckReport:
        path = tmp_path / "spoilt.h5"
        path.write_bytes(sound.read_bytes())
        with raw_file(path, "r+") as file:
            fault(file)
        return check(path)

    return spoil


def test_a_sound_file_passes(sound: Path) -> None:
    report = check(sound)
    assert report.faults == (), report.text
    assert (report.frames, report.pairs) == (8, 6)
    assert "no fault" in report.text


@pytest.mark.parametrize(("width", "height"), [(40, 30), (30, 41), (160, 120)])
def test_sound_files_of_other_sizes_pass(tmp_path: Path, width: int, height: int) -> None:
    path = room_file(tmp_path / "a.h5", width=width, height=height, num_scenes=1)
    assert check(path).faults == ()


def _edit(channel: str, change: Callable[[np.ndarray], Any]) -> Callable[[Any], None]:
    """Replace a channel of the frame by a change of it."""

    def fault(file: Any) -> None:
        array = file[channel][FRAME]
        file[channel][FRAME] = change(array).astype(array.dtype)

    return fault


def _at(value: Any, *, rows: slice = slice(30, 31), columns: slice = slice(40, 41)) -> Any:
    """Set a few pixels."""

    def change(array: np.ndarray) -> np.ndarray:
        array[rows, columns] = value
        return array

    return change


def _turned(angle_deg: float) -> Callable[[np.ndarray], Any]:
    """Turn all normals about the optical axis."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return lambda normal: np.rint(normal @ turn.T)


def _ray_length(z_depth_m: np.ndarray) -> Any:
    height, width = z_depth_m.shape
    x = (np.arange(width) + 0.5 - width / 2) / width
    y = (np.arange(height) + 0.5 - height / 2) / width
    length = z_depth_m * np.sqrt(1 + x[None] ** 2 + y[:, None] ** 2)
    return (length.astype(np.float32).view(np.uint32) & np.uint32(0xFFFFFC00)).view(np.float32)


def _coarse(step_m: float) -> Callable[[np.ndarray], Any]:
    """Round depth to steps, as a 16 bit file in millimetres would, and keep 13 mantissa bits."""

    def change(z_depth_m: np.ndarray) -> Any:
        steps = (np.rint(z_depth_m / step_m) * step_m).astype(np.float32)
        return (steps.view(np.uint32) & np.uint32(0xFFFFFC00)).view(np.float32)

    return change


def _shift_edges(edge: np.ndarray) -> Any:
    return np.roll(edge, 1, axis=1)


def _far_side(file: Any) -> None:
    """Move one occlusion bit from the near to the far side."""
    edge, depth = file["edge"][FRAME], file["depth"][FRAME]
    rows, columns = np.nonzero((edge[:, 1:] & 2 == 0) & (edge[:, :-1] & 2 > 0))
    jump = depth[rows, columns + 1] - depth[rows, columns]
    place = int(np.argmax(jump))
    row, column = rows[place], columns[place]
    edge[row, column] &= ~np.uint8(2)
    edge[row, column + 1] |= 2
    file["edge"][FRAME] = edge


def _pose(change: Callable[[np.ndarray], Any]) -> Callable[[Any], None]:
    def fault(file: Any) -> None:
        file["camera/T_world_camera"][FRAME] = change(file["camera/T_world_camera"][FRAME])

    return fault


def _moved(distance_m: float) -> Callable[[np.ndarray], Any]:
    def change(pose: np.ndarray) -> np.ndarray:
        pose[:3, 3] += distance_m * np.array([0.6, 0.0, 0.8])
        return pose

    return change


def _yawed(angle_deg: float) -> Callable[[np.ndarray], Any]:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    turn = np.array([[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0], [0, 0, 0, 1]])
    return lambda pose: pose @ turn


def _set(name: str, index: Any, value: Any) -> Callable[[Any], None]:
    def fault(file: Any) -> None:
        file[name][index] = value

    return fault


def _swap_ids(instance: np.ndarray) -> Any:
    """Give two objects each other's id; their classes are alike."""
    swapped = instance.copy()
    swapped[instance == 3], swapped[instance == 6] = 6, 3
    return swapped


FAULTS: dict[str, tuple[Callable[[Any], None], str]] = {
    "NaN depth": (_edit("depth", _at(np.nan)), "depth value"),
    "infinite depth": (_edit("depth", _at(np.inf)), "depth value"),
    "negative depth": (_edit("depth", _at(-1)), "depth value"),
    "unrounded depth": (_edit("depth", lambda z: z * np.float32(1.00001)), "depth rounding"),
    "lost depth": (_edit("depth", _at(0)), "depth without id"),
    "lost normal": (_edit("normal", _at(0)), "normal without id"),
    "lost id": (_edit("instance", _at(0)), "depth without id"),
    "short normals": (_edit("normal", lambda n: np.rint(n * 0.99)), "normal length"),
    "one short normal": (_edit("normal", _at((20000, 0, 20000))), "normal length"),
    "normals away": (_edit("normal", lambda n: -n), "normal direction"),
    "one normal away": (_edit("normal", _at((0, 0, -32767))), "normal direction"),
    "normals turned by 1.5 degrees": (_edit("normal", _turned(1.5)), "normal against depth"),
    "normals with y down": (_edit("normal", lambda n: n * (1, -1, 1)), "normal against depth"),
    "normals with x to the left": (
        _edit("normal", lambda n: n * (-1, 1, 1)),
        "normal against depth",
    ),
    "length of the ray as depth": (_edit("depth", _ray_length), "normal against depth"),
    "depth in centimetres": (_edit("depth", _coarse(0.01)), "depth on planes"),
    "depth upside down": (_edit("depth", lambda z: z[::-1]), "normal against depth"),
    "unknown id": (_edit("instance", _at(500)), "instance id"),
    "wrong class": (_edit("semantic", _at(7)), "semantic class"),
    "shifted edges": (_edit("edge", _shift_edges), "instance edge"),
    "one edge pixel too many": (_edit("edge", _at(1, rows=slice(3, 4))), "instance edge"),
    "no edges": (_edit("edge", lambda edge: edge * 0), "instance edge"),
    "no occlusion": (_edit("edge", lambda edge: edge & 13), "occlusion edge"),
    "occlusion everywhere": (_edit("edge", lambda edge: edge | 2), "occlusion edge"),
    "occlusion on the far side": (_far_side, "occlusion edge"),
    "no creases": (_edit("edge", lambda edge: edge & 11), "crease edge"),
    "a crease on a wall": (_edit("edge", _at(4, rows=slice(3, 4))), "crease edge"),
    "image of one grey": (_edit("image", lambda image: image * 0 + 9), "image"),
    "mirrored pose": (_pose(lambda pose: pose @ np.diag([-1.0, 1, 1, 1])), "pose"),
    "stretched pose": (_pose(lambda pose: pose @ np.diag([1.001, 1, 1, 1])), "pose"),
    "NaN pose": (_pose(lambda pose: pose * np.nan), "pose"),
    "pose with a bad last row": (_set("camera/T_world_camera", (FRAME, 3, 0), 0.5), "pose"),
    "pose off by 5 cm": (_pose(_moved(0.05)), "re-projection"),
    "pose off by 1 degree": (_pose(_yawed(1.0)), "re-projection"),
    "another focal length": (_set("camera/K", (FRAME, 0, 0), 80.0), "normal against depth"),
    "impossible focal length": (_set("camera/K", (FRAME, 0, 0), -96.0), "intrinsics"),
    "skewed intrinsics": (_set("camera/K", (FRAME, 0, 1), 1.0), "intrinsics"),
    "ids that change between views": (_edit("instance", _swap_ids), "id across views"),
    "wrong number of edge pixels": (_set("view/edge_pixels", FRAME, 1), "view column"),
    "wrong number of valid pixels": (_set("view/valid_pixels", FRAME, 1), "view column"),
    "wrong number of instances": (_set("view/num_instances", FRAME, 99), "view column"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_planted_fault_is_found_where_it_is(
    name: str, spoilt: Callable[[Callable[[Any], None]], CheckReport]
) -> None:
    fault, kind = FAULTS[name]
    report = spoilt(fault)
    found = [one for one in report.faults if one.check == kind]
    assert found, report.text
    # A pair of views cannot tell which of the two is wrong.
    assert {one.frame for one in found} <= {FRAME - 1, FRAME, FRAME + 1}
    assert FRAME in {one.frame for one in found}
    assert all(one.value > one.bound or kind == "view column" for one in found)
    assert f"frame {FRAME}: {kind}" in report.text


def test_poses_that_map_the_other_way_are_found(spoilt: Callable[..., CheckReport]) -> None:
    def invert(file: Any) -> None:
        file["camera/T_world_camera"][...] = np.linalg.inv(file["camera/T_world_camera"][...])

    assert {one.check for one in spoilt(invert).faults} == {"re-projection"}


@pytest.mark.parametrize("seed", range(3))
def test_thresholds_grazed_before_rounding_are_no_faults(seed: int) -> None:
    """Bits are made of exact labels and checked against rounded ones, here with thousands of close decisions."""
    rng = np.random.default_rng(seed)
    shape, settings = (200, 200), EdgeSettings(crease_deg=8.0)
    z_depth_m = rng.uniform(2.0, 2.1, shape).astype(np.float32)
    normal = rng.normal((0.3, 0.2, 1.0), 0.06, (*shape, 3))
    normal[rng.random(shape) < 0.1] = (0.95, 0, 0.05)  # nearly along some rays
    normal = (normal / np.linalg.norm(normal, axis=-1, keepdims=True)).astype(np.float32)
    ids = rng.integers(1, 4, shape).astype(np.uint16)
    intrinsics = np.array([[150.0, 0, 100], [0, 150.0, 100], [0, 0, 1]])
    view = StoredView(
        index=0,
        image=np.zeros((*shape, 3), np.uint8),
        z_depth_m=round_depth(z_depth_m),
        normal_int16=quantise_normal(normal),
        edge=geometric_edges(z_depth_m, normal, ids, K=intrinsics, settings=settings),
        instance=ids,
        semantic=np.zeros(shape, np.uint8),
        K=intrinsics.astype(np.float32),
        T_world_camera=np.eye(4),
    )
    assert 0.1 < ((view.edge & 2) > 0).mean() < 0.9
    assert 0.1 < ((view.edge & 4) > 0).mean() < 0.9
    assert list(check_edges(view, thresholds=asdict(settings))) == []


def test_structural_faults_are_the_files(spoilt: Callable[..., CheckReport]) -> None:
    report = spoilt(_set("view/scene", FRAME, 9))
    assert [(one.frame, one.check) for one in report.faults] == [(None, "structure")]
    report = spoilt(_set("view/split", FRAME, 1))
    assert {one.check for one in report.faults} == {"structure"}


def test_a_scene_in_two_splits_is_a_leak(sound: Path, spoilt: Callable[..., CheckReport]) -> None:
    def same_name(file: Any) -> None:
        file["scenes/name"][1] = file["scenes/name"][0]

    report = spoilt(same_name)
    assert "split" in {one.check for one in report.faults}
    assert check(sound).faults == ()


def test_a_damaged_frame_is_reported_and_the_rest_checked(
    spoilt: Callable[..., CheckReport],
) -> None:
    def cut(file: Any) -> None:
        file["depth"].id.write_direct_chunk((FRAME, 0, 0), b"nothing")

    report = spoilt(cut)
    assert [(one.frame, one.check) for one in report.faults] == [(FRAME, "reading")]
    assert report.frames == 8


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        check(tmp_path / "none.h5")
