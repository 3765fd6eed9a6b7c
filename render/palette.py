"""Labels as colours: one function a channel, each from a label array to sRGB."""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8, UInt16

_NEAR_TO_FAR = np.array(
    [
        (253, 231, 37), (170, 220, 50), (92, 200, 99), (39, 173, 129), (33, 144, 141),
        (44, 113, 142), (59, 81, 139), (71, 44, 122), (68, 1, 84),
    ]
)  # fmt: skip
"""Knots of viridis (Smith and van der Walt, 2015), whose steps look equal; near is bright."""

EDGE_COLOURS: dict[int, tuple[str, tuple[int, int, int]]] = {
    8: ("texture", (104, 98, 128)),
    4: ("crease", (52, 190, 178)),
    1: ("instance boundary", (244, 244, 240)),
    2: ("occlusion", (255, 138, 48)),
}
"""Name and colour of each edge bit; later ones cover earlier ones."""

EDGE_BACKGROUND = (24, 25, 31)
INVALID = (0, 0, 0)

NYU40_COLOURS: UInt8[np.ndarray, "41 3"] = np.array(
    [
        (0, 0, 0), (174, 199, 232), (152, 223, 138), (31, 119, 180), (255, 187, 120), (188, 189, 34),
        (140, 86, 75), (255, 152, 150), (214, 39, 40), (197, 176, 213), (148, 103, 189), (196, 156, 148),
        (23, 190, 207), (178, 76, 76), (247, 182, 210), (66, 188, 102), (219, 219, 141), (140, 57, 197),
        (202, 185, 52), (51, 176, 203), (200, 54, 131), (92, 193, 61), (78, 71, 183), (172, 114, 82),
        (255, 127, 14), (91, 163, 138), (153, 98, 156), (140, 153, 101), (158, 218, 229), (100, 125, 154),
        (178, 127, 135), (120, 185, 128), (146, 111, 194), (44, 160, 44), (112, 128, 144), (96, 207, 209),
        (227, 119, 194), (213, 92, 176), (94, 106, 211), (82, 84, 163), (100, 85, 144),
    ],
    dtype=np.uint8,
)  # fmt: skip
"""The colours in which ScanNet (Dai et al., CVPR 2017) shows the NYU40 classes."""


def colour_depth(
    z_depth_m: Float32[np.ndarray, "h w"], *, near_m: float, far_m: float
) -> UInt8[np.ndarray, "h w 3"]:
    """Colour depth from bright near to dark far, evenly in its logarithm; invalid is black.

    >>> colour_depth(np.float32([[1.0, 100.0, 0.0]]), near_m=1.0, far_m=4.0).tolist()
    [[[253, 231, 37], [68, 1, 84], [0, 0, 0]]]
    """
    valid = z_depth_m > 0
    safe = np.where(valid, z_depth_m, near_m).astype(np.float64)
    share = np.log(safe / near_m) / max(np.log(far_m / near_m), 1e-9)
    colours = ramp(np.clip(share, 0, 1))
    colours[~valid] = INVALID
    return colours


def ramp(share: Float[np.ndarray, "*n"]) -> UInt8[np.ndarray, "*n 3"]:
    """Colour numbers from 0 (near) to 1 (far)."""
    knots = np.linspace(0, 1, len(_NEAR_TO_FAR))
    parts = [np.interp(share, knots, _NEAR_TO_FAR[:, component]) for component in range(3)]
    return np.asarray(np.rint(np.stack(parts, axis=-1)).astype(np.uint8))


def colour_normal(normal: Float32[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Colour camera-frame normals as (n + 1) / 2: right is red, up green, to the viewer blue; invalid is black.

    >>> colour_normal(np.float32([[[0, 0, 1], [0, 0, 0]]])).tolist()
    [[[128, 128, 255], [0, 0, 0]]]
    """
    colours = np.rint((normal + 1) * 127.5).clip(0, 255).astype(np.uint8)
    colours[(normal == 0).all(axis=-1)] = INVALID
    return colours


def colour_edges(edge: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Colour each edge kind; where several meet, occlusion covers instance, crease and texture."""
    colours = np.full((*edge.shape, 3), EDGE_BACKGROUND, np.uint8)
    for bit, (_, colour) in EDGE_COLOURS.items():
        marked: Bool[np.ndarray, "h w"] = (edge & bit) != 0
        colours[marked] = colour
    return colours


def colour_instance(instance: UInt16[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Colour ids: the same id always alike, neighbouring ids far apart; nothing (0) is black."""
    ids, places = np.unique(instance, return_inverse=True)
    return np.asarray(instance_colours(ids.astype(np.int64))[places.reshape(instance.shape)])


def instance_colours(ids: Int[np.ndarray, " n"]) -> UInt8[np.ndarray, "n 3"]:
    """Return a colour for each id: hues by the golden ratio, three lightnesses in turn, in OKLab (Ottosson, 2020)."""
    hue = 2 * np.pi * ((ids * 0.6180339887498949) % 1)
    lightness = np.array([0.72, 0.58, 0.84])[ids % 3]
    chroma = np.array([0.14, 0.13, 0.10])[ids % 3]
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.stack(
        [
            4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
        ],
        axis=-1,
    ).clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    colours = np.rint(encoded * 255).astype(np.uint8)
    colours[ids == 0] = INVALID
    return np.asarray(colours)


def colour_semantic(semantic: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Colour NYU40 classes; unknown (0) is black, what is no class at all is white."""
    table = np.full((256, 3), 255, np.uint8)
    table[: len(NYU40_COLOURS)] = NYU40_COLOURS
    return np.asarray(table[semantic])
