"""Small folders in the layout of BSDS500: rooms of plain colour, whose walls several people drew."""

from pathlib import Path

import numpy as np
import scipy.io
from jaxtyping import Bool, UInt8
from PIL import Image


def tiles(
    rng: np.random.Generator, *, width: int, height: int
) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Draw four tiles of different grey that meet at a random point, and where they border."""
    x, y = rng.integers(width // 4, 3 * width // 4), rng.integers(height // 4, 3 * height // 4)
    grey = rng.permutation([20, 90, 160, 230])
    label = (np.arange(height)[:, None] >= y) * 2 + (np.arange(width) >= x)
    edge = np.zeros((height, width), bool)
    edge[y, :] = True
    edge[:, x] = True
    noise = rng.integers(-8, 9, (height, width, 1))
    image = np.clip(grey[label][..., None] + noise, 0, 255).astype(np.uint8).repeat(3, axis=2)
    return image, edge


def write_mat(path: Path, drawn: Bool[np.ndarray, "k h w"], *, compress: bool = True) -> None:
    """Write what each person drew, as the release has it."""
    people = np.empty((1, len(drawn)), object)  # noqa: TID251
    for number, boundaries in enumerate(drawn):
        segmentation = np.cumsum(boundaries, axis=1).astype(np.uint16)
        people[0, number] = {
            "Segmentation": segmentation,
            "Boundaries": boundaries.astype(np.uint8),
        }
    scipy.io.savemat(path, {"groundTruth": people}, do_compression=compress)


def write_bsds(
    root: Path,
    *,
    counts: dict[str, int] | None = None,
    width: int = 80,
    height: int = 64,
    people: int = 3,
    seed: int = 0,
) -> Path:
    """Write a folder; one person draws a pixel off."""
    rng = np.random.default_rng(seed)
    for split, count in (counts or {"train": 4, "val": 2, "test": 2}).items():
        for folder in ("images", "groundTruth"):
            (root / folder / split).mkdir(parents=True)
        for number in range(count):
            image, edge = tiles(rng, width=width, height=height)
            name = f"{split}{number:02}"
            Image.fromarray(image).save(root / "images" / split / f"{name}.jpg", quality=95)
            drawn = np.stack([edge] * people)
            drawn[-1] = np.roll(edge, 1, axis=1)
            write_mat(root / "groundTruth" / split / f"{name}.mat", drawn)
    return root
