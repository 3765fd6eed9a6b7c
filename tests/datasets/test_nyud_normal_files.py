"""True normals from files: axes are found whatever they are, and what does not fit is refused."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from nyud_runs import nyud_files
from photo_trees import write_tar

from scenelift.datasets.nyud import INSIDE, NyudError, NyudFrames, NyudSource, open_nyud
from scenelift.datasets.nyud_normal_files import with_normals


def slanted_files() -> dict[str, bytes]:
    """Two frames with a wall, a floor and a wall at the side, so that no axis is like another."""
    files = nyud_files(train=2, test=1)
    x = ((np.arange(320) + 0.5 - 160) / 260)[None]
    y = ((np.arange(240) + 0.5 - 120) / 260)[:, None]
    depth = np.minimum(np.minimum(4.0, 0.9 / np.maximum(y, 1e-3)), 1.0 / np.maximum(-x, 1e-3))
    ok, data = cv2.imencode(".png", np.clip(np.floor(depth * 25.5), 0, 255).astype(np.uint8))
    assert ok
    return files | {f"depth/{i:04d}.png": data.tobytes() for i in range(3)}


@pytest.fixture
def frames(tmp_path: Path) -> NyudFrames:
    return open_nyud(write_tar(tmp_path / "nyuv2.tar", slanted_files()), split="train")


def enlarged(normal: np.ndarray) -> np.ndarray:
    return normal.repeat(2, axis=0).repeat(2, axis=1)


@pytest.mark.parametrize("kind", ["png8", "png16", "nx ny nz", "whole"])
def test_axes_are_found(tmp_path: Path, frames: NyudFrames, kind: str) -> None:
    folder = tmp_path / "normals"
    folder.mkdir()
    for index in range(2):
        true = frames.normal(index)
        # Right, forward, up: as Zhang et al. have them.
        stored = np.stack([true[..., 0], -true[..., 2], true[..., 1]], axis=-1)
        known = (true != 0).any(axis=-1)
        if kind.startswith("png"):
            most = 255 if kind == "png8" else 65535
            coded = np.where(known[..., None], np.round((stored + 1) / 2 * most), 0)
            coded = coded.astype(np.uint8 if most == 255 else np.uint16)
            assert cv2.imwrite(
                str(folder / f"nyu_{index:06d}_norm.png"), enlarged(coded)[..., ::-1]
            )
        elif kind == "whole":
            scipy.io.savemat(folder / f"norms_{index:06d}.mat", {"imgNormals": enlarged(stored)})
        else:
            arrays = {f"n{axis}": stored[..., i] for i, axis in enumerate("xyz")}
            wrong = np.where(known[..., None], stored, 1)
            arrays = {f"n{axis}": wrong[..., i] for i, axis in enumerate("xyz")}
            scipy.io.savemat(folder / f"{index:04d}.mat", {**arrays, "depthValid": known * 1})
    found = with_normals(frames, folder)
    assert isinstance(found, NyudSource)
    assert found.axes == (1, 3, -2)
    for index in range(2):
        expected = np.zeros((240, 320, 3), np.float32)
        expected[INSIDE] = frames.normal(index)[INSIDE]
        np.testing.assert_allclose(found.normal(index), expected, atol=0.02)
    assert len(found.files()) == len(frames.files()) + 2


def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path, frames: NyudFrames) -> None:
    folder = tmp_path / "normals"

    def refused(match: str) -> None:
        with pytest.raises(NyudError, match=match) as caught:
            with_normals(frames, folder)
        assert "\n" not in str(caught.value)

    refused("no folder")
    folder.mkdir()
    refused("no normals of frame")
    rng = np.random.default_rng(0)
    for index in range(2):
        noise = rng.integers(1, 256, (240, 320, 3), dtype=np.uint8)
        assert cv2.imwrite(str(folder / f"{index}.png"), noise)
    refused("do not fit")
    assert cv2.imwrite(str(folder / "0.png"), np.ones((100, 100, 3), np.uint8))
    refused("no PNG of")
    assert cv2.imwrite(str(folder / "0.png"), np.ones((240, 320), np.uint8))
    refused("three components")
    (folder / "0.png").unlink()
    (folder / "0.mat").write_bytes(b"nothing" * 100)
    refused("no MATLAB file")
    scipy.io.savemat(folder / "0.mat", {"nx": np.zeros((480, 640))})
    refused("neither nx")
    scipy.io.savemat(folder / "frame0.mat", {"nx": np.zeros((480, 640))})
    refused("both")
