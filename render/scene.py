"""The one in-memory model of a scene: what every reader and generator makes and every engine draws.

World: right-handed, metres, y up. Colours are linear, scene-referred. All surfaces are seen from both sides.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, UInt8

Color = tuple[float, float, float]
"""Linear red, green, blue."""

MAX_INSTANCES = 65_535
"""Ids are 16 bit, and 0 means nothing."""


class SceneError(ValueError):
    """A scene that cannot be used: names the file, the fault and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Texture:
    """An image that repeats over the surface; (u, v) = (0, 0) is its lower left corner."""

    pixels: UInt8[np.ndarray, "h w 4"]
    """sRGB red, green, blue and linear alpha; row 0 is the top row."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Material:
    """A metallic-roughness surface, as glTF 2.0 defines it, with thin glass."""

    name: str
    base_color: Color = (0.8, 0.8, 0.8)
    """Reflectance in [0, 1]; multiplies the texture."""
    texture: Texture | None = None
    opacity: float = 1.0
    """Multiplies the texture's alpha; labels and light ignore a hit below 0.5. Glass is not this but `transmission`."""
    metallic: float = 0.0
    roughness: float = 1.0
    """Perceptual roughness in [0, 1]; metallic 1 with roughness 0 is a mirror."""
    transmission: float = 0.0
    """Share of light that passes straight through, as in a thin pane; labels see the pane."""
    emission: Color = (0.0, 0.0, 0.0)
    """Emitted radiance, W / (sr m^2) per channel."""

    @property
    def is_glass(self) -> bool:
        """Whether most light passes."""
        return self.transmission >= 0.5

    @property
    def is_mirror(self) -> bool:
        """Whether one sees other things in it."""
        return self.metallic >= 0.9 and self.roughness <= 0.1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mesh:
    """Triangles in an object's own frame, in metres."""

    vertices: Float[np.ndarray, "v 3"]
    """float64."""
    faces: Int[np.ndarray, "f 3"]
    """Vertex indices; counter-clockwise seen from outside, though nothing relies on it."""
    materials: tuple[Material, ...]
    face_materials: Int[np.ndarray, " f"]
    """Index into `materials`."""
    corner_uvs: Float[np.ndarray, "f 3 2"] | None = None
    corner_normals: Float[np.ndarray, "f 3 3"] | None = None
    """Unit normals for shading only; labels use the triangle's own."""
    vertex_colors: Float[np.ndarray, "v 3"] | None = None
    """Linear reflectance that multiplies the material's colour."""

    def __post_init__(self) -> None:
        if len(self.faces) and not (
            self.faces.min() >= 0 and self.faces.max() < len(self.vertices)
        ):
            raise SceneError(
                f"a face names vertex {self.faces.max()}, but there are {len(self.vertices)} vertices"
            )
        if not np.isfinite(self.vertices).all():
            count = int((~np.isfinite(self.vertices)).any(axis=1).sum())
            raise SceneError(f"{count} of {len(self.vertices)} vertices are NaN or infinite")
        if len(self.face_materials) and not (
            self.face_materials.min() >= 0 and self.face_materials.max() < len(self.materials)
        ):
            raise SceneError(
                f"a face names material {self.face_materials.max()}, but there are {len(self.materials)}"
            )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Furniture:
    """One object that can stand in a room: base at y = 0, centred in x and z, front towards +z.

    A thing that hangs (a ceiling lamp, a picture) has the same frame; `mount` says where it goes.
    """

    name: str
    kind: str
    """What it is, in the words of the layout: "double bed", "armchair", "book", ..."""
    semantic: int
    """NYU40 id."""
    mesh: Mesh
    mount: Literal["floor", "wall", "ceiling", "surface"] = "floor"
    licence: str = "Apache-2.0"
    creator: str = ""

    @property
    def size_m(self) -> Float[np.ndarray, "3"]:
        """Extent along x (width), y (height), z (depth)."""
        return np.asarray(self.mesh.vertices.max(axis=0) - self.mesh.vertices.min(axis=0))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Node:
    """One instance: a mesh at a place. Its id in label images is its position in `Scene.nodes` plus one."""

    name: str
    """Unique in the scene and the same at every reading."""
    mesh: Mesh
    T_world_object: Float[np.ndarray, "4 4"]
    """Affine, may mirror and stretch; not singular."""
    category: str
    """The class in the source's own words."""
    semantic: int
    """NYU40 id, 0 = unknown."""
    room: int | None = None
    """Index into `Scene.rooms`."""

    def __post_init__(self) -> None:
        if not np.isfinite(self.T_world_object).all():
            raise SceneError(f"node {self.name!r}: its transform has NaN or infinite entries")
        linear = self.T_world_object[:3, :3]
        scale = float(np.abs(linear).max())
        if scale == 0 or abs(np.linalg.det(linear / scale)) < 1e-9:
            raise SceneError(f"node {self.name!r}: its transform is singular")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Light:
    """A light without a visible shape; visible lamps are meshes with `Material.emission`."""

    kind: Literal["point", "spot", "line", "sun"]
    intensity: Color
    """W / sr per channel for point and spot, W / (sr m) for line, irradiance in W / m^2 for sun."""
    position_world: tuple[float, float, float] = (0.0, 0.0, 0.0)
    end_world: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The other end of a line light."""
    direction_world: tuple[float, float, float] = (0.0, -1.0, 0.0)
    """Where light travels to, for spot and sun."""
    cone_rad: float = 0.8
    """Half angle of a spot."""
    radius_m: float = 0.05
    """Size of the emitter, for soft shadows; for the sun its angular radius in radians."""
    name: str = ""
    room: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sky:
    """Radiance of what lies outside, by the direction's height: ground below, horizon to zenith above."""

    zenith: Color = (0.35, 0.55, 1.0)
    horizon: Color = (0.9, 0.95, 1.0)
    ground: Color = (0.25, 0.22, 0.2)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Room:
    """A part of a scene where a photographer may stand."""

    name: str
    kind: str
    """Lower case words: "living room", "bedroom", ...; "" if unknown."""
    outline_xz: Float[np.ndarray, "n 2"]
    """Corners of the floor, counter-clockwise seen from above (from +y), as world (x, z)."""
    floor_y_m: float
    ceiling_y_m: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scene:
    """Everything that a view of it depends on."""

    name: str
    """Stable and unique among the scenes of a run."""
    nodes: tuple[Node, ...]
    lights: tuple[Light, ...] = ()
    rooms: tuple[Room, ...] = ()
    """Empty if the source has none; views then look for floors themselves."""
    sky: Sky = Sky()
    portals_world: Float[np.ndarray, "p 4 3"] | None = None
    """Corners of the openings through which daylight enters; they only guide sampling."""
    furnished: bool = True
    """False for layouts that wait for furniture."""
    source: str = ""
    """Format of the file or "rooms"."""
    licence: str = ""
    warnings: tuple[str, ...] = ()
    """What the reader mended or did without, a line each."""

    def __post_init__(self) -> None:
        if len(self.nodes) > MAX_INSTANCES:
            raise SceneError(
                f"{self.name}: {len(self.nodes)} instances, but ids are 16 bit and allow {MAX_INSTANCES}"
            )
        if not any(len(node.mesh.faces) for node in self.nodes):
            raise SceneError(f"{self.name}: no triangles")
