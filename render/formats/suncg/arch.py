"""SUNCG's second release: walls with holes, ceilings, floors and ground as parameters (`arch@1.0.2`).

As SSTK builds them: a wall stands on the line from its first to its second point, half its depth on either side, its
inside on the side of (direction x up); its ends reach 0.4 depths further, so that corners close. Floors and ground lie
below their polygon, ceilings above it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from scenelift.render.formats import json_fields as fields
from scenelift.render.formats.json_fields import JsonObject
from scenelift.render.formats.polygons import triangulate
from scenelift.render.formats.suncg.house import Override, parse_overrides
from scenelift.render.formats.suncg.models import ModelLibrary
from scenelift.render.formats.suncg.wall_mesh import wall_mesh
from scenelift.render.scene import Color, Material, Mesh, SceneError

MAX_HOLES = 64
"""In one wall: its cost grows with their square."""
MAX_ELEMENTS = 100_000
MAX_CORNERS = 5_000
"""Of one polygon."""
MAX_CELLS = 250_000
"""Of all walls together: a wall with n holes may fall into (2 n + 1) (2 n + 1) rectangles."""

ElementKind = Literal["wall", "ceiling", "floor", "ground"]

_KINDS: dict[str, ElementKind] = {
    "wall": "wall", "ceiling": "ceiling", "floor": "floor", "ground": "ground",
}  # fmt: skip
_DEPTH_M = {"wall": 0.1, "ceiling": 0.05, "floor": 0.05, "ground": 0.08}
_EXTRA_HEIGHT_M = 0.035
_PLASTER: Color = (0.75, 0.75, 0.75)
_EDGE: Color = (0.5, 0.5, 0.5)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ArchElement:
    """One wall, ceiling, floor or ground, ready to be drawn."""

    id: str
    kind: ElementKind
    room: str | None
    """Id of its room."""
    mesh: Mesh
    """In metres, y up, in the frame of the file."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Arch:
    """The architecture of a house."""

    id: str
    elements: tuple[ArchElement, ...]
    windows: Float[np.ndarray, "p 4 3"]
    """Corners of the windows in the middle of their walls, metres, y up."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Frame:
    """What holds for all elements of a file."""

    T_world_file: Float[np.ndarray, "4 4"]
    scale: float
    defaults: JsonObject
    where: str


def parse_arch(document: object, *, library: ModelLibrary, where: str) -> Arch:
    """Build what an architecture file describes.

    Args:
        document: What the JSON parser made of the file.
        library: Finds textures, and takes note of what is missing.
        where: The file, for messages.

    Raises:
        SceneError: if a key is missing, or a value has a wrong type or is out of bounds.
    """
    root = fields.as_object(document, where=where)
    if not isinstance(root.get("elements"), list):
        raise SceneError(f"{where}: key 'elements' is missing or no list; is this an arch.json?")
    if len(root["elements"]) > MAX_ELEMENTS:
        raise SceneError(
            f"{where}: {len(root['elements'])} elements, at most {MAX_ELEMENTS} are read"
        )
    frame = _frame(root, where=where)
    elements: list[ArchElement] = []
    cells = 0
    windows: dict[str, Float[np.ndarray, "4 3"]] = {}
    for place, value in fields.objects(root, "elements", where=where):
        kind = _KINDS.get(fields.text(value, "type", where=place).lower())
        if kind is None:
            library.faults.append(("elements of an unknown type are left out", place))
            continue
        cells += (2 * len(fields.items(value, "holes", where=place)) + 1) ** 2
        if cells > MAX_CELLS:
            raise SceneError(f"{place}: with this element the walls have too many holes to be cut")
        build = _wall if kind == "wall" else _slab
        element = build(value, kind, frame=frame, library=library, windows=windows, where=place)
        if element is None:
            library.faults.append((f"{kind}s without extent are left out", place))
        else:
            elements.append(element)
    return Arch(
        id=fields.text(root, "id", where=where, default=""),
        elements=tuple(elements),
        windows=np.array(list(windows.values()), dtype=np.float64).reshape(-1, 4, 3),
    )


def _frame(root: JsonObject, *, where: str) -> _Frame:
    scale = fields.number(root, "scaleToMeters", where=where, default=1.0)
    if not 1e-6 <= scale <= 1e6:
        raise SceneError(f"{where}: 'scaleToMeters' is {scale}; it must be positive and sensible")
    up = fields.numbers(root.get("up") or [0, 1, 0], 3, where=f"{where}: 'up'").tolist()
    rotations = {
        (0.0, 1.0, 0.0): np.eye(3),
        (0.0, 0.0, 1.0): np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    }
    if tuple(up) not in rotations:
        raise SceneError(f"{where}: 'up' is {up}; only [0, 1, 0] and [0, 0, 1] are read")
    T_world_file = np.eye(4)
    T_world_file[:3, :3] = scale * rotations[tuple(up)]
    defaults = fields.as_object(root.get("defaults") or {}, where=f"{where}: 'defaults'")
    return _Frame(T_world_file=T_world_file, scale=scale, defaults=defaults, where=where)


def _length(
    value: JsonObject, key: str, kind: ElementKind, *, frame: _Frame, where: str, otherwise: float
) -> float:
    """Return a length in metres: the element's own, else the file's default, else the format's."""
    place = f"{frame.where}: 'defaults'"
    table = fields.as_object(frame.defaults.get(kind.capitalize()) or {}, where=place)
    default = fields.number(table, key, where=place, default=otherwise / frame.scale)
    length = frame.scale * fields.number(value, key, where=where, default=default)
    if not 0 <= length <= 1e4:
        raise SceneError(f"{where}: '{key}' is {length:g} m; it must lie in 0..10,000 m")
    return length


def _points(
    value: object, *, frame: _Frame, offset: Float[np.ndarray, "3"], where: str
) -> Float[np.ndarray, "n 3"]:
    if not isinstance(value, list) or not len(value) <= MAX_CORNERS:
        raise SceneError(f"{where}: must be a list of at most {MAX_CORNERS} points")
    points = [fields.numbers(point, 3, where=where) for point in value]
    array = np.array(points, dtype=np.float64).reshape(-1, 3) + offset
    return np.asarray(array @ frame.T_world_file[:3, :3].T)


def _materials(
    value: JsonObject, names: tuple[str, ...], *, library: ModelLibrary, where: str
) -> tuple[Material, ...]:
    """Return the material of each name; one that the file does not name is plain plaster."""
    overrides = parse_overrides(value, where=where, faults=library.faults)
    entries = fields.items(value, "materials", where=where)
    by_name: dict[str, Override] = {}
    for index, (entry, override) in enumerate(zip(entries, overrides, strict=True)):
        name = entry.get("name") if isinstance(entry, dict) else None
        by_name.setdefault(
            str(name) if name in names else names[min(index, len(names) - 1)], override
        )
    plain = {name: Material(name=name, base_color=_PLASTER) for name in names}
    return tuple(
        library.override(plain[name], by_name[name]) if name in by_name else plain[name]
        for name in names
    )


def _wall(
    value: JsonObject,
    kind: ElementKind,
    *,
    frame: _Frame,
    library: ModelLibrary,
    windows: dict[str, Float[np.ndarray, "4 3"]],
    where: str,
) -> ArchElement | None:
    points = fields.member(value, "points", where=where)
    start, end = _wall_ends(points, frame=frame, where=f"{where}: 'points'")
    length = float(np.linalg.norm((end - start)[[0, 2]]))
    depth = _length(value, "depth", kind, frame=frame, where=where, otherwise=_DEPTH_M[kind])
    extra = _length(value, "extraHeight", kind, frame=frame, where=where, otherwise=_EXTRA_HEIGHT_M)
    height = _length(value, "height", kind, frame=frame, where=where, otherwise=2.7)
    if length < 1e-6 or height + extra < 1e-6:
        return None
    holes, panes = _holes(value, frame=frame, where=where)
    inside, outside = _materials(value, ("inside", "outside"), library=library, where=where)
    mesh = wall_mesh(
        length=length,
        height=height + extra,
        depth=depth,
        holes=holes,
        overhang=0.4 * depth,
        materials=(inside, outside, Material(name="edge", base_color=_EDGE)),
    )
    if not len(mesh.faces):
        return None
    along = (end - start) / length
    rotation = np.stack((along, (0.0, 1.0, 0.0), np.cross(along, (0.0, 1.0, 0.0))), axis=1)
    for hole_id, (low, high) in panes.items():
        x, y = np.clip([low, high], 0, (length, height)).T
        quad = np.array([(x[0], y[0], 0), (x[1], y[0], 0), (x[1], y[1], 0), (x[0], y[1], 0)])
        if np.ptp(x) > 0 and np.ptp(y) > 0:
            windows.setdefault(hole_id, quad @ rotation.T + start)
    return ArchElement(
        id=fields.text(value, "id", where=where),
        kind=kind,
        room=fields.text(value, "roomId", where=where, default="") or None,
        mesh=_moved(mesh, rotation, start),
    )


def _wall_ends(
    value: object, *, frame: _Frame, where: str
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    points = _points(value, frame=frame, offset=np.zeros(3), where=where)
    if len(points) != 2:
        raise SceneError(f"{where}: a wall has 2 points, but these are {len(points)}")
    start, end = points
    end[1] = start[1]
    return start, end


def _holes(
    value: JsonObject, *, frame: _Frame, where: str
) -> tuple[Float[np.ndarray, "h 2 2"], dict[str, Float[np.ndarray, "2 2"]]]:
    """Return the boxes of all holes, and by id those of windows; metres along and up from the wall's start."""
    boxes: list[Float[np.ndarray, "2 2"]] = []
    panes: dict[str, Float[np.ndarray, "2 2"]] = {}
    for place, hole in fields.objects(value, "holes", where=where):
        if len(boxes) >= MAX_HOLES:
            raise SceneError(f"{where}: more than {MAX_HOLES} holes in one wall")
        box = fields.as_object(fields.member(hole, "box", where=place), where=f"{place}: 'box'")
        corners = np.stack(
            [
                fields.numbers(fields.member(box, key, where=place), 2, where=f"{place}: '{key}'")
                for key in ("min", "max")
            ]
        )
        boxes.append(frame.scale * np.sort(corners, axis=0))
        if fields.text(hole, "type", where=place, default="").lower() == "window":
            panes[fields.text(hole, "id", where=place, default=place)] = boxes[-1]
    return np.array(boxes, dtype=np.float64).reshape(-1, 2, 2), panes


def _slab(
    value: JsonObject,
    kind: ElementKind,
    *,
    frame: _Frame,
    library: ModelLibrary,
    windows: dict[str, Float[np.ndarray, "4 3"]],
    where: str,
) -> ArchElement | None:
    del windows
    offset = np.zeros(3)
    if value.get("offset") is not None:
        offset = fields.numbers(value["offset"], 3, where=f"{where}: 'offset'")
    polygons = [
        _points(points, frame=frame, offset=offset, where=f"{where}: 'points'")
        for points in _polygon_lists(fields.items(value, "points", where=where))
    ]
    polygons = [_upwards(polygon) for polygon in polygons if abs(_area_xz(polygon)) > 1e-9]
    if not polygons:
        return None
    depth = _length(value, "depth", kind, frame=frame, where=where, otherwise=_DEPTH_M[kind])
    (surface,) = _materials(value, ("surface",), library=library, where=where)
    return ArchElement(
        id=fields.text(value, "id", where=where),
        kind=kind,
        room=fields.text(value, "roomId", where=where, default="") or None,
        mesh=_slab_mesh(polygons, rise=depth if kind == "ceiling" else -depth, material=surface),
    )


def _polygon_lists(points: list[object]) -> list[object]:
    """Return a list of polygons; a single polygon may stand without its list."""
    bare = bool(points) and isinstance(points[0], list) and bool(points[0])
    if bare and isinstance(points[0], list) and not isinstance(points[0][0], list):
        return [points]
    return points


def _slab_mesh(
    polygons: list[Float[np.ndarray, "n 3"]], *, rise: float, material: Material
) -> Mesh:
    """Make a slab from polygons that face upwards; the polygons are its underside if it rises."""
    vertices, faces = [], []
    first = 0
    for polygon in polygons:
        count = len(polygon)
        flat = polygon.copy()
        flat[:, 1] = polygon[:, 1].mean()
        top, _ = triangulate(flat, np.arange(count), counts=np.array([count]))
        shifted = flat + np.array([0.0, rise, 0.0])
        high, low = (first + count, first) if rise > 0 else (first, first + count)
        vertices += [flat, shifted]
        faces += [top + high] + ([top[:, ::-1] + low] if rise else [])
        if rise:
            here = np.arange(count)
            there = (here + 1) % count
            faces.append(np.stack((low + here, low + there, high + there), axis=1))
            faces.append(np.stack((low + here, high + there, high + here), axis=1))
        first += 2 * count
    corners = np.concatenate(vertices)
    triangles = np.concatenate(faces)
    points = corners[triangles]
    normal = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    steep = np.abs(normal[:, 1]) < np.abs(normal[:, [0, 2]]).max(axis=1)
    uvs = points[..., [0, 2]] * (1, -1)
    uvs[steep] = np.stack((points[..., 0] + points[..., 2], points[..., 1]), axis=2)[steep]
    return Mesh(
        vertices=corners,
        faces=triangles,
        materials=(material,),
        face_materials=np.zeros(len(triangles), dtype=np.int64),
        corner_uvs=uvs,
    )


def _area_xz(polygon: Float[np.ndarray, "n 3"]) -> float:
    """Return the area, positive if counter-clockwise seen from above."""
    if len(polygon) < 3:
        return 0.0
    x, z = (polygon - polygon[0])[:, [0, 2]].T
    return float((z * np.roll(x, -1) - x * np.roll(z, -1)).sum() / 2)


def _upwards(polygon: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    return polygon if _area_xz(polygon) > 0 else polygon[::-1]


def _moved(mesh: Mesh, rotation: Float[np.ndarray, "3 3"], origin: Float[np.ndarray, "3"]) -> Mesh:
    return Mesh(
        vertices=mesh.vertices @ rotation.T + origin,
        faces=mesh.faces,
        materials=mesh.materials,
        face_materials=mesh.face_materials,
        corner_uvs=mesh.corner_uvs,
    )
