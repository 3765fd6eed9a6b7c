"""NYU Depth v2: the layout, what is refused, and normals from depth of 8 bits."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from nyud_runs import nyud_files, png
from photo_trees import write_tar, write_tree

from scenelift.datasets.nyud import INSIDE, QUANTUM_M, NyudError, open_nyud
from scenelift.datasets.nyud_normals import Pinhole, WindowSettings, normals_from_depth

PINHOLE = Pinhole(fx_px=259.4, fy_px=259.7, cx_px=162.8, cy_px=126.9)
FILES = nyud_files(train=1, test=2)


def plane_depth(normal: np.ndarray, *, centre_m: float) -> np.ndarray:
    """Depth of a plane that crosses the optical axis at a distance, quantised as the files are; 0 behind the camera."""
    x, y = PINHOLE.rays(width=320, height=240)
    along = (normal[2] - normal[0] * x + normal[1] * y) / (normal[2] * centre_m)
    depth = np.where(along > 0.1, 1 / np.maximum(along, 0.1), 0)
    return np.where(depth > 0, (np.floor(depth / QUANTUM_M) + 0.5) * QUANTUM_M, 0)


def errors_deg(normals: np.ndarray, true: np.ndarray) -> np.ndarray:
    found = normals[(normals != 0).any(axis=-1)].astype(np.float64)
    return np.asarray(np.degrees(np.arccos(np.clip(found @ true, -1, 1))))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("top", ["", "nyuv2/"])
def test_archive_and_folder_hold_the_same(tmp_path: Path, packed: bool, top: str) -> None:
    files = {top + name: data for name, data in FILES.items()}
    path = write_tar(tmp_path / "a.tar", files) if packed else write_tree(tmp_path / "a", files)
    frames = open_nyud(path, split="test")
    assert [frames.name(index) for index in range(len(frames))] == ["0001", "0002"]
    assert frames.pinhole == Pinhole(fx_px=260, fy_px=260, cx_px=160, cy_px=120)
    frame = frames[1]
    assert frame.semantic[INSIDE].min() == frame.semantic.max() == 2
    assert frame.semantic[0].max() == 0
    assert frame.z_depth_m[:8].max() == frame.z_depth_m[:, -8:].max() == 0
    assert frame.z_depth_m[INSIDE].min() > 0
    steps = frame.z_depth_m[INSIDE] * 25.5 - 0.5
    np.testing.assert_allclose(steps, steps.round(), atol=1e-3)
    with pytest.raises(IndexError):
        frames[2]


def test_both_ends_of_the_8_bits_are_unknown(tmp_path: Path) -> None:
    values = np.full((240, 320), 51, np.uint8)
    values[50, 50], values[60, 60] = 0, 255
    files = {**FILES, "depth/0001.png": png(values)}
    depth = open_nyud(write_tar(tmp_path / "a.tar", files), split="test").z_depth_m(0)
    assert depth[50, 50] == depth[60, 60] == 0
    assert depth[70, 70] == pytest.approx(51.5 / 25.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"meta.json": None}, "no meta.json"),
        ({"meta.json": b"{"}, "no JSON"),
        ({"meta.json": b"[" * 100_000}, "no JSON"),
        ({"meta.json": b"[]"}, "four positive numbers"),
        ({"meta.json": b'{"intrinsics_640x480": [1, 2, 3, NaN]}'}, "four positive numbers"),
        ({"meta.json": b'{"intrinsics_640x480": [0, 2, 3, 4]}'}, "four positive numbers"),
        ({"test.txt": None}, r"test\.txt is missing"),
        ({"test.txt": b""}, "names 0 frames"),
        ({"test.txt": b"\xff\xfe"}, "no text"),
        ({"test.txt": b"../../etc/passwd"}, "no frame's id"),
        ({"test.txt": b"0001\n0009"}, r"image/0009\.jpg is missing"),
        ({"depth/0002.png": None}, r"depth/0002\.png is missing"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_what_is_missing_or_wrong_is_told(
    tmp_path: Path, changes: dict[str, bytes | None], message: str, packed: bool
) -> None:
    files = {k: v for k, v in {**FILES, **changes}.items() if v is not None}
    path = write_tar(tmp_path / "a.tar", files) if packed else write_tree(tmp_path / "a", files)
    with pytest.raises(NyudError, match=message) as caught:
        open_nyud(path, split="test")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "8 bits of grey"),
        (png(np.zeros((240, 320, 3), np.uint8)), "8 bits of grey"),
        (png(np.zeros((10, 20), np.uint8)), "20 x 10 pixels"),
        (FILES["depth/0001.png"][:200], "damaged or cut off"),
    ],
)
def test_a_bad_depth_picture_is_told(tmp_path: Path, data: bytes, message: str) -> None:
    frames = open_nyud(
        write_tar(tmp_path / "a.tar", {**FILES, "depth/0001.png": data}), split="test"
    )
    with pytest.raises(NyudError, match=message):
        frames[0]


def test_labels_beyond_40_are_told(tmp_path: Path) -> None:
    labels = {"label40/0001.png": png(np.full((240, 320), 41, np.uint8))}
    frames = open_nyud(write_tar(tmp_path / "a.tar", {**FILES, **labels}), split="test")
    with pytest.raises(NyudError, match="the id 41"):
        frames[0]


def test_a_missing_cut_or_mutated_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(NyudError, match="does not exist"):
        open_nyud(tmp_path / "none.tar", split="test")
    whole = write_tar(tmp_path / "a.tar", FILES).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(200 if os.environ.get("SCENELIFT_THOROUGH") else 20):
        data = bytearray(whole[: int(rng.integers(len(whole)))])
        for place in rng.integers(0, max(len(data), 1), 40):
            if data:
                data[place] = int(rng.integers(256))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "b.tar"
            path.write_bytes(data)
            with pytest.raises(NyudError):
                open_nyud(path, split="test")[0]


@pytest.mark.parametrize("link", ["depth/0001.png", "meta.json"])
def test_links_that_lead_outside_are_refused(tmp_path: Path, link: str) -> None:
    root = write_tree(tmp_path / "a", FILES)
    (root / link).unlink()
    (tmp_path / "secret").write_bytes(FILES[link])
    (root / link).symlink_to(tmp_path / "secret")
    with pytest.raises(NyudError, match="leads outside"):
        open_nyud(root, split="test")[0]


@pytest.mark.parametrize("slant_deg", [0, 10, 30, 50, 65])
@pytest.mark.parametrize("centre_m", [1.0, 2.0, 3.5, 5.0])
def test_normals_of_quantised_planes_within_5_metres(slant_deg: float, centre_m: float) -> None:
    rng = np.random.default_rng(int(slant_deg * 10 + centre_m))
    errors = []
    for _ in range(3):
        turn, slant = rng.uniform(0, 2 * np.pi), np.radians(slant_deg + rng.uniform(0, 3))
        true = np.array([np.sin(slant) * np.cos(turn), np.sin(slant) * np.sin(turn), np.cos(slant)])
        depth = plane_depth(true, centre_m=centre_m)
        depth[(depth > 5.5) | (depth < 0.7)] = 0
        normals = normals_from_depth(depth, pinhole=PINHOLE, quantum_m=QUANTUM_M)
        found = (normals != 0).any(axis=-1)
        assert found[depth > 0].mean() > 0.75
        np.testing.assert_allclose(np.linalg.norm(normals[found], axis=-1), 1, atol=1e-5)
        errors.append(errors_deg(normals, true))
    assert np.concatenate(errors).mean() < 4


def test_normals_of_exact_planes_are_exact() -> None:
    x, y = PINHOLE.rays(width=320, height=240)
    true = np.array([0.3, 0.5, 0.812403840])
    depth = 2 * true[2] / (true[2] - true[0] * x + true[1] * y)
    normals = normals_from_depth(depth, pinhole=PINHOLE, quantum_m=0.0)
    assert errors_deg(normals, true).max() < 0.1


def test_windows_do_not_reach_across_a_step_or_a_corner() -> None:
    x, _ = PINHOLE.rays(width=320, height=240)
    step = np.where(np.arange(320) < 160, 1.5, 3.0)[None].repeat(240, axis=0)
    normals = normals_from_depth(step, pinhole=PINHOLE, quantum_m=0.0)
    assert errors_deg(normals, np.array([0.0, 0.0, 1.0])).max() < 1
    assert (normals[60:180, 158:162] != 0).any(axis=-1).mean() > 0.9
    # Two walls meet at 45 degrees to either side.
    corner = 2 / (1 + np.abs(x))
    normals = normals_from_depth(corner, pinhole=PINHOLE, quantum_m=0.0)
    side = np.sqrt(0.5)
    left, right = normals[:, :150], normals[:, 175:]
    assert np.percentile(errors_deg(left, np.array([side, 0.0, side])), 95) < 3
    assert np.percentile(errors_deg(right, np.array([-side, 0.0, side])), 95) < 3


def test_unknown_oblique_and_rugged_depth_has_no_normal() -> None:
    nothing = normals_from_depth(np.zeros((240, 320)), pinhole=PINHOLE, quantum_m=QUANTUM_M)
    assert not nothing.any()
    rugged = np.random.default_rng(0).uniform(1, 3, (240, 320))
    assert not normals_from_depth(rugged, pinhole=PINHOLE, quantum_m=QUANTUM_M).any()
    holes = np.full((240, 320), 2.0)
    holes[100:110, 100:110] = np.nan
    normals = normals_from_depth(holes, pinhole=PINHOLE, quantum_m=QUANTUM_M)
    assert not normals[100:110, 100:110].any()
    assert normals[90, 90, 2] > 0.99
    _, y = PINHOLE.rays(width=320, height=240)
    floor = np.where(y > 0.12, 0.5 / np.maximum(y, 0.12), 0)
    strict = WindowSettings(max_slant_deg=70.0)
    normals = normals_from_depth(floor, pinhole=PINHOLE, quantum_m=0.0, settings=strict)
    slant_deg = 90 - np.degrees(np.arctan(y[:, 160]))
    seen = (normals != 0).any(axis=-1)[:, 160]
    assert not seen[slant_deg > 71].any()
    assert seen[(slant_deg < 68) & (slant_deg > 67)].all()


def test_window_widths_must_rise() -> None:
    with pytest.raises(ValueError, match="rise"):
        WindowSettings(narrowest_m=0.4)


def test_the_published_frames() -> None:
    root = os.environ.get("SCENELIFT_DATA")
    path = Path(root or "none") / "images" / "nyuv2.tar"
    if root is None or not path.is_file():
        pytest.skip("SCENELIFT_DATA names no folder with images/nyuv2.tar")
    frames = open_nyud(path, split="test")
    assert (len(frames), len(open_nyud(path, split="train"))) == (654, 795)
    found, up = [], []
    for index in range(0, 654, 109):
        frame, normal = frames[index], frames.normal(index)
        found.append((normal[INSIDE] != 0).any(axis=-1).mean())
        floor = (frame.semantic == 2) & (normal != 0).any(axis=-1)
        up.extend(normal[floor][:, 1])
    assert np.mean(found) > 0.6
    assert np.mean(up) > 0.8
