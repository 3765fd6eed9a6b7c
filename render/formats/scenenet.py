"""SceneNet: the empty layouts of SceneNet RGB-D (McCormac et al., ICCV 2017) and the furnished rooms of its first version.

Layouts: `map_Kd` names a folder of the texture library; each material gets a picture out of it, drawn from the seed, the
scene's name and the material's name alone. Windows become thin glass with portals where they have panes, mirrors mirror,
and lamps glow. Furnished rooms have neither materials nor texture coordinates as a rule: their textures come from
folders named like the material, and what is left without one gets a plain colour, drawn in the same way.

An object's class is the first word of its name (`wall.002`, `chair_fmx_4`). Where walls, floor and ceiling are one mesh
(`room_skeleton`), it is split by the direction of its faces.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.formats.assemble import with_unique_names
from scenelift.render.formats.files import DataRoot, MissingFileError
from scenelift.render.formats.floors import find_rooms, room_of, surfaces_of
from scenelift.render.formats.mtl import MtlMaterial, material_from_mtl
from scenelift.render.formats.names import semantic_of
from scenelift.render.formats.obj import ObjModel, load_obj, mesh_from_obj, split_by_label
from scenelift.render.formats.panes import (
    find_panes,
    find_portals,
    with_box_uvs,
    with_pane_material,
)
from scenelift.render.formats.textures import IMAGE_SUFFIXES, TextureCache
from scenelift.render.scene import Material, Mesh, Node, Scene, SceneError, Texture

GLASS = Material(name="glass", base_color=(0.95, 0.97, 0.96), roughness=0.0, transmission=0.9)
MIRROR = Material(name="mirror", base_color=(0.9, 0.9, 0.9), roughness=0.0, metallic=1.0)
LAMP_M2_PER_FLOOR_M2 = 0.1
"""All lamps of a room do as much as a window of this share of the floor, through which a sky of radiance 1 shines."""
LAMP_RADIANCE = (1.5, 60.0)
"""Least and most, W / (sr m^2)."""

_WALL, _FLOOR, _CEILING, _WINDOW, _MIRROR, _LAMP = (
    nyu40_id(name) for name in ("wall", "floor", "ceiling", "window", "mirror", "lamp")
)
_FURNISHED = re.compile(
    rb"^\s*o\s+(room_skeleton|floor_enclose|ceiling_enclose|\w+_fmx_\d+)", re.MULTILINE
)
_LAYOUT = re.compile(rb"^\s*map_Kd\s+\S*texture_library", re.MULTILINE)
_ALIASES: Mapping[str, str] = {
    "ground": "floor", "nightstand": "night_stand", "closet": "cabinet", "television": "television",
    "decoration": "otherprop", "furniture": "otherfurniture", "mesh": "", "object": "", "frame": "picture",
}  # fmt: skip
_STEM = re.compile(r"[^\d.]*")
_WARM = (1.0, 0.9, 0.75)


def recognises(head: bytes, *, materials: bytes = b"") -> bool:
    r"""Tell SceneNet's OBJ files from others.

    Args:
        head: The OBJ file, or as much of it as holds its names.
        materials: The MTL file beside it.

    >>> recognises(b"o wall.001", materials=b"newmtl wall.001\nmap_Kd ../texture_library/wall")
    True
    """
    return bool(_FURNISHED.search(head) or _LAYOUT.search(materials))


def class_of(object_name: str) -> tuple[str, int]:
    """Find an object's class in the source's words and as NYU40.

    >>> [class_of(name) for name in ("wall.002", "chair_fmx_4", "Lights.111", "window_frame.012")]
    [('wall', 1), ('chair', 5), ('lights', 35), ('window_frame', 9)]
    """
    match = _STEM.match(object_name)
    stem = (match.group() if match else "").lower().replace("fmx", "").strip("_ ")
    word = _ALIASES.get(stem, stem)
    return stem, semantic_of(word) or (nyu40_id("otherstructure") if stem else 0)


def read_scene(path: Path, *, data_root: Path, seed: int) -> Scene:
    """Read a SceneNet layout or furnished room.

    Args:
        path: The OBJ file.
        data_root: Folder that bounds what is read; for layouts it holds `texture_library`.
        seed: Of the draw of textures and colours.

    Returns:
        The scene, with `furnished` False for layouts.

    Raises:
        SceneError: if a file cannot be used.
    """
    root = DataRoot(data_root)
    path = root.resolve(path.parent, path.name)
    obj, mtls, warnings = load_obj(path, root=root)
    name = f"{path.parent.name}/{path.stem}"
    furnished = any(re.search("enclose|skeleton|_fmx_", part) for part in obj.object_names)
    library = _Library(root=root, folder=path.parent, cache=TextureCache(), name=name, seed=seed)
    materials = _materials(obj, mtls, library=library)
    lacking = frozenset((_FLOOR, _CEILING)) - {class_of(part)[1] for part in obj.object_names}
    nodes = [
        node
        for index, own in split_by_label(obj.face_objects)
        for node in _nodes(
            obj, own, obj.object_names[index], lacking=lacking, materials=materials, library=library
        )
    ]
    nodes = with_unique_names(nodes)
    kind = _kind(path)
    surfaces = surfaces_of([node for node in nodes if node.semantic != _WINDOW])
    rooms = find_rooms(nodes, kind=kind)
    floor_m2 = sum(_polygon_m2(room.outline_xz) for room in rooms) or 15.0
    nodes = _lit(nodes, floor_m2=floor_m2)
    nodes = [replace(node, room=room_of(_middle(node), rooms=rooms)) for node in nodes]
    return Scene(
        name=name,
        nodes=tuple(nodes),
        rooms=rooms,
        portals_world=find_portals(
            [node for node in nodes if node.semantic == _WINDOW], walls=surfaces.walls
        ),
        furnished=furnished,
        source="scenenet",
        licence="CC BY-NC 4.0" if furnished else "research",
        warnings=(*warnings, *library.warnings),
    )


def _kind(path: Path) -> str:
    """Room class by the file's or the folder's name: `bedroom10_layout.obj`, `1Living-room`."""
    for text in (path.stem, path.parent.name):
        word = re.sub(r"[^a-z]", "", text.lower().replace("layout", ""))
        if word in ("bathroom", "bedroom", "kitchen", "office"):
            return word
        if word == "livingroom":
            return "living room"
    return ""


class _Library:
    """The texture library of one scene."""

    def __init__(
        self, *, root: DataRoot, folder: Path, cache: TextureCache, name: str, seed: int
    ) -> None:
        self.root, self.folder, self.cache = root, folder, cache
        self.name, self.seed = name, seed
        self.warnings: list[str] = []

    def rng(self, key: str) -> np.random.Generator:
        """Make the generator that decides about one material or object."""
        return np.random.default_rng([self.seed, *f"{self.name}/{key}".encode()])

    def finder(self, key: str) -> Callable[[str], Texture | None]:
        """Make the function that finds the texture of one material: a file, or a draw from a folder."""

        def find(reference: str) -> Texture | None:
            try:
                place = self.root.resolve(self.folder, reference)
            except MissingFileError:
                self._missing(reference)
                return None
            if not place.is_dir():
                return self._load(place)
            if not _pictures(place):
                self._missing(reference)
            return self.drawn(place, key=key)

        return find

    def _missing(self, reference: str) -> None:
        self.warnings.append(f"{self.folder}: texture {reference[:200]!r} is missing")

    def _load(self, path: Path) -> Texture | None:
        try:
            return self.cache.load(path)
        except SceneError as error:
            self.warnings.append(str(error))
            return None

    def drawn(self, folder: Path, *, key: str) -> Texture | None:
        """Draw one picture of a folder; None if it has none."""
        names = _pictures(folder)
        if not names:
            return None
        name = names[int(self.rng(key).integers(len(names)))]
        return self._load(self.root.resolve(folder, name))

    def named(self, material: str) -> Texture | None:
        """Draw a picture from the folder that is called like a material, else from `unknown`."""
        stem = re.sub(r"\..*|[\d_]", "", material).lower()
        for shelf in ("texture_library", "../texture_library", "textures", "../textures"):
            for folder in (stem, "unknown"):
                if not folder:
                    continue
                try:
                    place = self.root.resolve(self.folder, f"{shelf}/{folder}")
                except SceneError:
                    continue
                if place.is_dir() and (texture := self.drawn(place, key=material)):
                    return texture
        return None


def _pictures(folder: Path) -> list[str]:
    """Names of the pictures in a folder, sorted."""
    try:
        return sorted(
            entry.name for entry in folder.iterdir() if entry.suffix.lower() in IMAGE_SUFFIXES
        )
    except OSError:
        return []


def _materials(
    obj: ObjModel, mtls: tuple[MtlMaterial, ...], *, library: _Library
) -> dict[str, Material]:
    """Make the materials that faces use; those without a library entry get a texture or a colour by name."""
    known = {mtl.name: mtl for mtl in mtls}
    materials = {}
    for name in obj.material_names:
        if name in known:
            materials[name] = material_from_mtl(known[name], texture=library.finder(name))
        elif name:
            texture = library.named(name)
            materials[name] = Material(
                name=name,
                texture=texture,
                base_color=(1.0, 1.0, 1.0) if texture else (0.6, 0.6, 0.6),
            )
    return materials


def _nodes(
    obj: ObjModel,
    own: Int[np.ndarray, " n"],
    object_name: str,
    *,
    lacking: frozenset[int],
    materials: Mapping[str, Material],
    library: _Library,
) -> list[Node]:
    """Make the nodes of one object: one, or wall, floor and ceiling of a room in one piece."""
    category, semantic = class_of(object_name)
    if semantic != _WALL or not lacking:
        parts = [(object_name or "mesh", category, semantic, own)]
    else:
        parts = _split(obj, own, object_name, lacking=lacking)
    nodes = []
    for name, word, value, select in parts:
        mesh = mesh_from_obj(obj, materials=materials, select=select)
        mesh = _finished(mesh, semantic=value, key=f"{word}/{name}", library=library)
        nodes.append(
            Node(name=name, mesh=mesh, T_world_object=np.eye(4), category=word, semantic=value)
        )
    return nodes


def _split(
    obj: ObjModel, own: Int[np.ndarray, " n"], name: str, *, lacking: frozenset[int]
) -> list[tuple[str, str, int, Int[np.ndarray, " m"]]]:
    """Cut a wall into wall, floor and ceiling by its faces' directions and heights."""
    corners = obj.vertices[obj.faces[own]]
    height = obj.vertices[np.unique(obj.faces), 1]
    low, high = float(height.min()), float(height.max())
    level = _is_level(corners)
    middle = corners[..., 1].mean(axis=1)
    below = level & (middle < low + 0.15 * (high - low)) & (_FLOOR in lacking)
    above = level & (middle > high - 0.15 * (high - low)) & (_CEILING in lacking)
    parts = [
        (name, "wall", _WALL, own[~below & ~above]),
        (f"{name}/floor", "floor", _FLOOR, own[below]),
        (f"{name}/ceiling", "ceiling", _CEILING, own[above]),
    ]
    return [part for part in parts if len(part[3])]


def _is_level(corners: Float[np.ndarray, "f 3 3"]) -> Bool[np.ndarray, " f"]:
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.asarray(np.abs(normal[:, 1]) > 0.9 * np.linalg.norm(normal, axis=1))


def _finished(mesh: Mesh, *, semantic: int, key: str, library: _Library) -> Mesh:
    """Mend a mesh: panes, shading, texture coordinates, colours; flat shading for the building's own parts."""
    if semantic in (_WALL, _FLOOR, _CEILING):
        mesh = replace(mesh, corner_normals=None)
    if any(material.name == "default" for material in mesh.materials):
        color = _color(semantic, library.rng(key))
        mesh = replace(
            mesh,
            materials=tuple(
                Material(name=key, base_color=color) if material.name == "default" else material
                for material in mesh.materials
            ),
        )
    if semantic in (_WINDOW, _MIRROR):
        panes = find_panes(mesh.vertices, mesh.faces)
        mesh = with_pane_material(
            mesh, panes=panes, material=GLASS if semantic == _WINDOW else MIRROR
        )
    return with_box_uvs(mesh)


def _color(semantic: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw a plausible plain colour: light for walls and ceilings, wood for floors, any muted one else."""
    if semantic in (_WALL, _CEILING):
        grey = rng.uniform(0.65, 0.85)
        red, green, blue = grey * rng.uniform(0.92, 1.0, 3)
    elif semantic == _FLOOR:
        red, green, blue = np.array([0.42, 0.28, 0.17]) * rng.uniform(0.6, 1.3)
    else:
        red, green, blue = rng.uniform(0.15, 0.6) * rng.uniform(0.5, 1.2, 3)
    return (float(red), float(green), float(blue))


def _lit(nodes: list[Node], *, floor_m2: float) -> list[Node]:
    """Let the lamps of a scene glow so that together they light its floor."""
    lamps = [index for index, node in enumerate(nodes) if node.semantic == _LAMP]
    area_m2 = sum(_mesh_m2(nodes[index].mesh) for index in lamps) / 2
    if area_m2 <= 0:
        return nodes
    radiance = float(np.clip(floor_m2 * LAMP_M2_PER_FLOOR_M2 / area_m2, *LAMP_RADIANCE))
    emission = (radiance * _WARM[0], radiance * _WARM[1], radiance * _WARM[2])
    result = list(nodes)
    for index in lamps:
        mesh = nodes[index].mesh
        glowing = tuple(
            replace(material, emission=emission, texture=None, base_color=(0.8, 0.8, 0.8))
            for material in mesh.materials
        )
        result[index] = replace(nodes[index], mesh=replace(mesh, materials=glowing))
    return result


def _mesh_m2(mesh: Mesh) -> float:
    corners = mesh.vertices[mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(np.linalg.norm(normal, axis=1).sum() / 2)


def _polygon_m2(outline_xz: Float[np.ndarray, "n 2"]) -> float:
    x, z = outline_xz.T
    return float(abs(np.sum(x * np.roll(z, -1) - np.roll(x, -1) * z)) / 2)


def _middle(node: Node) -> Float[np.ndarray, "3"]:
    middle = (node.mesh.vertices.min(axis=0) + node.mesh.vertices.max(axis=0)) / 2
    return np.asarray(node.T_world_object[:3, :3] @ middle + node.T_world_object[:3, 3])
