"""The official release: MATLAB's order of axes, splits and classes; and what is refused."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from nyud_runs import nyud_files
from photo_trees import write_tar

from scenelift.datasets.nyud import INSIDE, NyudError, NyudSource
from scenelift.datasets.nyud_mat import MAPPING, RELEASE, SPLITS, open_nyud_data, open_nyud_mat


def write_release(folder: Path, *, count: int = 3, mapping: bool = True) -> Path:
    """Write frames in MATLAB's order behind its 512 bytes of text."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    path = folder / RELEASE
    with h5py.File(path, "w", userblock_size=512) as file:
        images = rng.integers(0, 256, (count, 3, 640, 480), dtype=np.uint8)
        depths = rng.uniform(1, 5, (count, 640, 480)).astype(np.float32)
        labels = rng.integers(0, 6, (count, 640, 480)).astype(np.uint16)
        file["images"], file["depths"], file["labels"] = images, depths, labels
        file["names"] = np.zeros((1, 5))
    splits = {
        "trainNdxs": np.array([[3], [1]], np.uint16),
        "testNdxs": np.array([[2]], np.uint16),
    }
    scipy.io.savemat(folder / SPLITS, splits)
    if mapping:
        scipy.io.savemat(folder / MAPPING, {"mapClass": np.array([[1, 2, 5, 40, 0]])})
    return path


def test_axes_splits_and_classes(tmp_path: Path) -> None:
    path = write_release(tmp_path / "release")
    train = open_nyud_data(path.parent, split="train")
    test = open_nyud_data(path, split="test")
    assert isinstance(train, NyudSource)
    assert ([train.name(i) for i in range(len(train))], test.name(0)) == (["0001", "0003"], "0002")
    with h5py.File(path, locking=False) as file:
        images, depths, labels = (
            np.asarray(file[f"{name}"])[1] for name in ("images", "depths", "labels")
        )
    row, column = 57, 201
    block = images[:, 2 * column : 2 * column + 2, 2 * row : 2 * row + 2].astype(float)
    np.testing.assert_allclose(test.image(0)[row, column], block.mean(axis=(1, 2)), atol=0.5)
    assert test.z_depth_m(0)[row, column] == depths[2 * column, 2 * row]
    to_40 = np.array([0, 1, 2, 5, 40, 0])
    assert test.semantic(0)[row, column] == to_40[labels[2 * column, 2 * row]]
    np.testing.assert_array_equal(test.semantic(0)[INSIDE], to_40[labels.T[::2, ::2]][INSIDE])
    assert test.z_depth_m(0)[:8].max() == test.semantic(0)[:, :8].max() == 0
    assert test.normal(0).shape == (240, 320, 3)
    assert test.files()[0][0] == RELEASE


def test_the_copy_opens_the_same_way(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", nyud_files(train=1, test=1))
    assert len(open_nyud_data(path, split="test")) == 1
    with pytest.raises(NyudError, match=r"meta\.json"):
        open_nyud_data(tmp_path, split="test")


def test_without_the_mapping_depth_can_be_read_and_classes_say_what_is_missing(
    tmp_path: Path,
) -> None:
    frames = open_nyud_mat(write_release(tmp_path, mapping=False), split="train")
    assert frames.z_depth_m(0).max() > 0
    with pytest.raises(NyudError, match=MAPPING):
        frames.semantic(0)


def test_what_is_damaged_is_told_in_one_line(tmp_path: Path) -> None:
    path = write_release(tmp_path)

    def refused(match: str) -> None:
        with pytest.raises(NyudError, match=match) as caught:
            open_nyud_mat(path, split="train")
        assert "\n" not in str(caught.value)

    for numbers in ([[0]], [[4]], [[1, 1]], [[1.5]], [["a"]], np.zeros((0, 1))):
        scipy.io.savemat(tmp_path / SPLITS, {"trainNdxs": numbers, "testNdxs": [[1]]})
        refused("trainNdxs")
    (tmp_path / SPLITS).write_bytes(b"nothing" * 40)
    refused("no MATLAB file")
    (tmp_path / SPLITS).write_bytes(b"\0" * 2**19)
    refused("more than")
    (tmp_path / SPLITS).unlink()
    refused("does not exist")
    write_release(tmp_path)
    for values in ([[1, 2]], [[1, 2, 3, 4, 41]]):
        scipy.io.savemat(tmp_path / MAPPING, {"mapClass": values})
        refused("mapClass")
    (tmp_path / MAPPING).unlink()
    with h5py.File(path, "a") as file:
        del file["labels"]
        file["labels"] = h5py.ExternalLink("elsewhere.mat", "/labels")
    refused("damaged|another file")
    with h5py.File(path, "a") as file:
        del file["labels"]
        file["labels"] = np.zeros((3, 480, 640), np.uint16)
    refused("MATLAB's order")
    with h5py.File(path, "a") as file:
        del file["labels"]
    refused("damaged")
    path.write_bytes(b"MATLAB 7.3 " * 100)
    refused("version 7.3")
    path.unlink()
    refused("does not exist")
