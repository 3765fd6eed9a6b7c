"""Small labelled picture sets in every layout, written by hand so that they can be wrong in every way."""

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

WNIDS = ("n01443537", "n01629819", "n02124075")
COLOURS = ((220, 40, 40), (40, 220, 40), (40, 40, 220), (220, 220, 40))


def coloured(number: int, *, label: int, side: int = 40) -> bytes:
    """A PNG of noise whose colour tells its class."""
    rng = np.random.default_rng([number, label])
    noise = rng.normal(0, 25, (side, side, 3))
    pixels = np.clip(np.array(COLOURS[label]) + noise, 0, 255)
    return png(np.asarray(pixels, np.uint8))


def noise(number: int, *, side: int = 40) -> bytes:
    """A PNG of noise."""
    rng = np.random.default_rng(number)
    return png(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))


def png(pixels: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """Encode without loss."""
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def class_folders(
    *, train: int, val: int, classes: int = 3, planted: bool = True
) -> dict[str, bytes]:
    """The files of an ImageNet folder: so many pictures of each class, whose colours tell the class if it is planted."""
    files = {}
    for split, count in (("train", train), ("val", val)):
        for label in range(classes):
            for number in range(count):
                seed = number + 1000 * (split == "val")
                data = coloured(seed, label=label) if planted else noise(seed * 10 + label)
                files[f"set/{split}/class{label}/{number}.png"] = data
    return files
