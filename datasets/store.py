"""The file `synth.h5`: one self-describing HDF5 file of labelled views, read at random by many workers.

Written as one shard a scene, each finished by an atomic rename, then merged by copying raw chunks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, UInt8, UInt16

SCHEMA_VERSION = 1


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
