"""Named meshes at places to a whole scene: classes from names, units, the up axis, rooms, portals.

Used by all formats that say nothing about indoor scenes: glTF, OBJ, PLY, COLLADA, STL, OFF.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from scenelift.datasets.nyu40 import NYU40_NAMES, nyu40_id
from scenelift.render.formats.floors import find_rooms, room_of, surfaces_of, world_points
from scenelift.render.formats.names import (
    is_structure,
    matched_words,
    semantic_from,
    semantic_of,
    words_of,
)
from scenelift.render.formats.obj import MAX_COORDINATE, unit_or_geometric
from scenelift.render.formats.panes import find_portals
from scenelift.render.scene import MAX_INSTANCES, Light, Material, Mesh, Node, Scene, SceneError

MAX_EXTENT_M = 200.0
"""A larger scene is taken to be in centimetres or millimetres."""
ROOM_HEIGHT_M = 3.0
MAX_FACES = 50_000_000
"""Of all instances together."""

_WALL, _FLOOR, _CEILING, _WINDOW = (
    nyu40_id(name) for name in ("wall", "floor", "ceiling", "window")
)
_Y_UP_FROM_Z_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """One mesh at one place, as the file has it."""

    name: str
    mesh: Mesh
    T_world_object: Float[np.ndarray, "4 4"]
    names: tuple[str, ...]
    """What may say its class, the most telling first."""
    extras: object = None
    """What else the file says of it."""


def assemble(
    parts: Sequence[Part],
    *,
    path: Path,
    source: str,
    lights: Sequence[Light] = (),
    licence: str = "",
    warnings: Sequence[str] = (),
    in_metres: bool = False,
) -> Scene:
    """Make a scene of parts.

    Parts with a singular transform are left out with a warning: they are flat or a point. A scene larger than `MAX_EXTENT_M` is scaled by 0.01 or 0.001, whichever brings its height nearer to a room's; one
    whose floors lie across z is turned to y up. Both give a warning.

    Args:
        parts: In the order of the file; those without faces are left out.
        path: The file, for messages; the scene is called like it.
        source: Format of the file.
        lights: In world coordinates.
        licence: Of the file.
        warnings: Of the reader.
        in_metres: The format says so, and that y is up; only a wrong size is mended then.

    Raises:
        SceneError: if there is nothing to see, a transform is singular, or there are too many instances or triangles.
    """
    name = str(path)
    said = list(warnings)
    parts = [part for part in parts if len(part.mesh.faces)]
    flat = [part for part in parts if _is_singular(part.T_world_object)]
    if flat:
        said.append(
            f"{name}: {len(flat)} parts with a singular transform left out: {flat[0].name!r}"
        )
        parts = [part for part in parts if not _is_singular(part.T_world_object)]
    if not parts:
        raise SceneError(
            f"{name}: no triangles" + (": all transforms are singular" if flat else "")
        )
    if len(parts) > MAX_INSTANCES:
        raise SceneError(
            f"{name}: {len(parts)} instances, but ids are 16 bit and allow {MAX_INSTANCES}"
        )
    total = sum(len(part.mesh.faces) for part in parts)
    if total > MAX_FACES:
        raise SceneError(
            f"{name}: {total} triangles in all instances, at most {MAX_FACES} are read"
        )
    _check_places(parts, scene=name)
    nodes = _named(parts)
    turn = None if in_metres else _turn(nodes)
    if turn is not None:
        said.append(f"{name}: its floors lie across z: turned from z up to y up")
        nodes, lights = _moved(nodes, lights, turn)
    factor = _factor(nodes)
    if factor is not None:
        said.append(f"{name}: more than {MAX_EXTENT_M:g} m across: scaled by {factor:g}")
        nodes, lights = _moved(nodes, lights, np.diag([factor, factor, factor, 1.0]))
    surfaces = surfaces_of([node for node in nodes if node.semantic != _WINDOW])
    rooms = find_rooms(nodes)
    nodes = [replace(node, room=room_of(_middle(node), rooms=rooms)) for node in nodes]
    return Scene(
        name=path.stem,
        nodes=tuple(nodes),
        lights=tuple(lights),
        rooms=rooms,
        portals_world=find_portals(
            [node for node in nodes if node.semantic == _WINDOW], walls=surfaces.walls
        ),
        source=source,
        licence=licence,
        warnings=tuple(said),
    )


def _check_places(parts: Sequence[Part], *, scene: str) -> None:
    """Refuse parts that transforms put nowhere or immensely far away."""
    for part in parts:
        with np.errstate(over="ignore", invalid="ignore"):
            reach = np.abs(part.mesh.vertices).max(axis=0)
            far = np.abs(part.T_world_object[:3, :3]) @ reach + np.abs(part.T_world_object[:3, 3])
        if not (far <= MAX_COORDINATE).all():
            raise SceneError(
                f"{scene}: {part.name!r} lies beyond {MAX_COORDINATE:g}: its transform is no place"
            )


def _is_singular(matrix: Float[np.ndarray, "4 4"]) -> bool:
    """Tell what `Node` would refuse, but for NaN, which is an error."""
    linear = matrix[:3, :3]
    if not np.isfinite(matrix).all():
        return False
    scale = float(np.abs(linear).max())
    return scale == 0 or abs(float(np.linalg.det(linear / scale))) < 1e-9


def joined(meshes: Sequence[Mesh]) -> Mesh | None:
    """Put meshes into one, one after the other; what only some have is filled in for the others.

    Texture coordinates become (0, 0), normals those of the triangles, vertex colours white.

    Returns:
        One mesh; None of no meshes.
    """
    if len(meshes) < 2:
        return meshes[0] if meshes else None
    materials: list[Material] = []
    rows = []
    for mesh in meshes:
        for material in mesh.materials:
            if not any(material is other for other in materials):
                materials.append(material)
        places = {id(material): index for index, material in enumerate(materials)}
        own = np.array([places[id(material)] for material in mesh.materials])
        rows.append(own[mesh.face_materials])
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    vertices = np.concatenate([mesh.vertices for mesh in meshes])
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)])
    normals = None
    if any(mesh.corner_normals is not None for mesh in meshes):
        normals = unit_or_geometric(
            np.concatenate([_or_zeros(m.corner_normals, (len(m.faces), 3, 3)) for m in meshes]),
            vertices=vertices,
            faces=faces,
        )
    uvs = None
    if any(mesh.corner_uvs is not None for mesh in meshes):
        uvs = np.concatenate([_or_zeros(m.corner_uvs, (len(m.faces), 3, 2)) for m in meshes])
    colors = None
    if any(mesh.vertex_colors is not None for mesh in meshes):
        colors = np.concatenate(
            [
                np.ones_like(mesh.vertices) if mesh.vertex_colors is None else mesh.vertex_colors
                for mesh in meshes
            ]
        )
    return Mesh(
        vertices=vertices,
        faces=faces,
        materials=tuple(materials),
        face_materials=np.concatenate(rows),
        corner_uvs=uvs,
        corner_normals=normals,
        vertex_colors=colors,
    )


def _or_zeros(values: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape) if values is None else values


def _named(parts: Sequence[Part]) -> list[Node]:
    """Make nodes with classes; what mixes wall, floor and ceiling is split by material."""
    nodes = [
        Node(
            name=label,
            mesh=mesh,
            T_world_object=part.T_world_object,
            category=category,
            semantic=semantic,
        )
        for part in parts
        for label, mesh, category, semantic in _classified(part)
    ]
    return with_unique_names(nodes)


def with_unique_names(nodes: Sequence[Node]) -> list[Node]:
    """Number the nodes of one name from the second on; their order decides."""
    taken = {node.name for node in nodes}
    seen: set[str] = set()
    counts: dict[str, int] = {}
    result = []
    for node in nodes:
        name = node.name
        while name in seen:
            counts[node.name] = counts.get(node.name, 1) + 1
            candidate = f"{node.name}#{counts[node.name]}"
            name = name if candidate in taken else candidate
        seen.add(name)
        result.append(node if name == node.name else replace(node, name=name))
    return result


def _classified(part: Part) -> list[tuple[str, Mesh, str, int]]:
    """Find the class of a part; of a building's shell, that of each of its materials."""
    semantic = semantic_from(*part.names)
    telling = next((name for name in part.names if semantic_of(name)), part.name)
    category = matched_words(telling) or " ".join(words_of(telling)) or telling
    by_material = [_shell_class(material.name) for material in part.mesh.materials]
    if semantic not in (0, _WALL) or not any(by_material):
        if not semantic:
            semantic = semantic_from(*(material.name for material in part.mesh.materials))
        return [(part.name, part.mesh, category, semantic)]
    classes = np.array([value or semantic for value in by_material])[part.mesh.face_materials]
    if (classes == classes[0]).all():
        return [(part.name, part.mesh, _words(int(classes[0]), category), int(classes[0]))]
    return [
        (
            f"{part.name}/{_words(int(value), 'rest')}",
            _selected(part.mesh, classes == value),
            _words(int(value), category),
            int(value),
        )
        for value in np.unique(classes)
    ]


def _words(semantic: int, otherwise: str) -> str:
    return NYU40_NAMES[semantic] if semantic else otherwise


def _shell_class(material_name: str) -> int:
    """Class of a building's part by its material; glass in a wall is window."""
    if "glass" in words_of(material_name):
        return _WINDOW
    semantic = semantic_of(material_name)
    return semantic if is_structure(semantic) else 0


def _selected(mesh: Mesh, select: Bool[np.ndarray, " f"]) -> Mesh:
    used, faces = np.unique(mesh.faces[select], return_inverse=True)
    return replace(
        mesh,
        vertices=mesh.vertices[used],
        faces=faces.reshape(-1, 3),
        face_materials=mesh.face_materials[select],
        corner_uvs=None if mesh.corner_uvs is None else mesh.corner_uvs[select],
        corner_normals=None if mesh.corner_normals is None else mesh.corner_normals[select],
        vertex_colors=None if mesh.vertex_colors is None else mesh.vertex_colors[used],
    )


def _turn(nodes: Sequence[Node]) -> Float[np.ndarray, "4 4"] | None:
    """Return the turn from z up to y up if the faces of floors and ceilings look along z, else None."""
    area = np.zeros(3)
    for node in nodes:
        if node.semantic in (_FLOOR, _CEILING):
            corners = world_points(node)[node.mesh.faces]
            cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            area += np.abs(cross).sum(axis=0)
    return _Y_UP_FROM_Z_UP if area[2] > 0.8 * area.sum() > 0 else None


def _factor(nodes: Sequence[Node]) -> float | None:
    """Return the scale to metres if a scene is too large to be in metres, else None."""
    bounds = np.array([(p.min(axis=0), p.max(axis=0)) for p in map(world_points, nodes)])
    extent = bounds[:, 1].max(axis=0) - bounds[:, 0].min(axis=0)
    if not extent.max() > MAX_EXTENT_M:
        return None
    height = max(float(extent[1]), 1e-9)
    return min((0.01, 0.001), key=lambda factor: abs(np.log(height * factor / ROOM_HEIGHT_M)))


def _moved(
    nodes: Sequence[Node], lights: Sequence[Light], T_new_old: Float[np.ndarray, "4 4"]
) -> tuple[list[Node], tuple[Light, ...]]:
    """Turn and scale a whole scene; intensities stay, as their units are the new ones."""

    def point(xyz: tuple[float, float, float]) -> tuple[float, float, float]:
        x, y, z = T_new_old[:3, :3] @ xyz + T_new_old[:3, 3]
        return (float(x), float(y), float(z))

    def direction(xyz: tuple[float, float, float]) -> tuple[float, float, float]:
        moved = T_new_old[:3, :3] @ xyz
        x, y, z = moved / (np.linalg.norm(moved) or 1.0)
        return (float(x), float(y), float(z))

    return (
        [replace(node, T_world_object=T_new_old @ node.T_world_object) for node in nodes],
        tuple(
            replace(
                light,
                position_world=point(light.position_world),
                end_world=point(light.end_world),
                direction_world=direction(light.direction_world),
            )
            for light in lights
        ),
    )


def _middle(node: Node) -> Float[np.ndarray, "3"]:
    points = world_points(node)
    return np.asarray((points.min(axis=0) + points.max(axis=0)) / 2)
