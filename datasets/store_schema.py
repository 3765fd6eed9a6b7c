"""What `synth.h5` is made of: records, header, channels, and the one error."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, UInt8, UInt16

import scenelift

SCHEMA_VERSION = 1
FORMAT = "scenelift synth"
"""Value of the root attribute `format`, by which a file is known."""

SPLITS = ("train", "val", "test")
"""Names of the values of `view/split`."""

MAX_SIDE_PX = 16_384
"""Larger images are taken for a damaged file."""

Channel = Literal["image", "depth", "normal", "edge", "instance", "semantic"]
CHANNELS: tuple[Channel, ...] = ("image", "depth", "normal", "edge", "instance", "semantic")

NORMAL_SCALE = 32_767
"""Normals are stored as int16, times this."""

DEPTH_MANTISSA_BITS = 13
"""Depth keeps this many mantissa bits: a relative error of at most 2^-14 = 6.1e-5."""


class StoreError(ValueError):
    """A file that is not what it should be: names the file, the fault and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Row:
    """One view as the file holds it."""

    image: UInt8[np.ndarray, "h w 3"]
    """sRGB."""
    z_depth_m: Float32[np.ndarray, "h w"]
    """Along the optical axis, 0 invalid; stored as `depth`, rounded to 13 mantissa bits."""
    normal: Float32[np.ndarray, "h w 3"]
    """Unit, camera frame (x right, y up, z to the viewer), 0 invalid; stored times 32767 as int16."""
    edge: UInt8[np.ndarray, "h w"]
    """Bit field: 1 instance boundary, 2 occlusion, 4 crease, 8 texture."""
    instance: UInt16[np.ndarray, "h w"]
    """0 nothing, else the instance's row in the scene's table plus one."""
    semantic: UInt8[np.ndarray, "h w"]
    """NYU40, 0 unknown."""
    K: Float[np.ndarray, "3 3"]
    T_world_camera: Float[np.ndarray, "4 4"]
    view: Mapping[str, int | float]
    """Further columns of `view/`, the same for every row of a file: room, candidate, field_of_view_deg, ..."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Instance:
    """A row of a scene's table of instances."""

    name: str
    category: str
    semantic: int
    room: int | None
    glass: bool
    mirror: bool
    licence: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SceneRecord:
    """What the file says of a scene."""

    name: str
    source: str
    licence: str
    split: str
    """ "train", "val" or "test": every view of a scene belongs to one split."""
    rooms: tuple[str, ...]
    """Kind of each room."""
    instances: tuple[Instance, ...]
    rejections: Mapping[str, int]
    """How many candidate views were rejected for each reason."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What holds for every view of a file; two files may be merged only if theirs are equal.

    Neither a time nor a path belongs here: the same content gives the same bytes.
    """

    width: int
    """Image width in pixels."""
    height: int
    """Image height in pixels."""
    content: Mapping[str, object]
    """The whole configuration that decides what the file shows, ready for JSON."""
    content_hash: str
    """See `hash_content`."""
    seed: int
    versions: Mapping[str, str]
    """Version of each library that decides the bytes."""
    instruction_set: str
    """What the arithmetic ran on, such as "x86-64 avx512"; same bytes hold for one of them only."""
    edge_thresholds: Mapping[str, float]
    """What counted as an edge, by the name of the threshold, with its unit in the name."""
    created_by: str = f"scenelift {scenelift.__version__}"

    def __post_init__(self) -> None:
        if not (1 <= self.width <= MAX_SIDE_PX and 1 <= self.height <= MAX_SIDE_PX):
            raise ValueError(
                f"images must be 1 to {MAX_SIDE_PX} pixels a side, got {self.width} x {self.height}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelSpec:
    """How one channel lies in the file."""

    dtype: str
    components: int
    """Values a pixel."""
    meaning: str
    attributes: Mapping[str, str | int | float]


CHANNEL_SPECS: dict[Channel, ChannelSpec] = {
    "image": ChannelSpec(
        dtype="<u1",
        components=3,
        meaning="colour, red green blue",
        attributes={"unit": "1", "encoding": "sRGB, 8 bit", "anti_aliased": 1},
    ),
    "depth": ChannelSpec(
        dtype="<f4",
        components=1,
        meaning="z_depth_m: depth along the optical axis (planar, not the length of the ray)",
        attributes={
            "unit": "m",
            "frame": "camera",
            "invalid": 0.0,
            "mantissa_bits": DEPTH_MANTISSA_BITS,
            "scale": 1.0,
        },
    ),
    "normal": ChannelSpec(
        dtype="<i2",
        components=3,
        meaning="unit geometric normal of the surface seen, towards the camera",
        attributes={
            "unit": "1",
            "frame": "camera",
            "axes": "x right, y up, z towards the viewer",
            "invalid": 0,
            "scale": 1 / NORMAL_SCALE,
        },
    ),
    "edge": ChannelSpec(
        dtype="<u1",
        components=1,
        meaning="bit field",
        attributes={
            "unit": "1",
            "invalid": 0,
            "bits": "1 instance boundary, 2 occlusion (near side), 4 crease, 8 texture",
        },
    ),
    "instance": ChannelSpec(
        dtype="<u2",
        components=1,
        meaning="row of the scene's table of instances plus one",
        attributes={"unit": "1", "invalid": 0},
    ),
    "semantic": ChannelSpec(
        dtype="<u1",
        components=1,
        meaning="class",
        attributes={"unit": "1", "invalid": 0, "classes": "NYU40"},
    ),
}


def canonical_json(value: object) -> str:
    r"""Write JSON that depends on nothing but the value: sorted keys, no spaces, ASCII.

    >>> canonical_json({"b": [1.5, None], "a": "é"})
    '{"a":"\\u00e9","b":[1.5,null]}'

    Raises:
        ValueError: if a number is NaN or infinite.
        TypeError: if a value has no JSON form.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_content(content: Mapping[str, object]) -> str:
    """Return the SHA-256 of a configuration's canonical JSON, in hex.

    >>> hash_content({"a": 1, "b": 2}) == hash_content({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(canonical_json(dict(content)).encode()).hexdigest()


def frame_shape(channel: Channel, *, width: int, height: int) -> tuple[int, ...]:
    """Return the shape of one frame of a channel.

    >>> frame_shape("normal", width=4, height=2), frame_shape("depth", width=4, height=2)
    ((2, 4, 3), (2, 4))
    """
    components = CHANNEL_SPECS[channel].components
    return (height, width, components) if components > 1 else (height, width)
