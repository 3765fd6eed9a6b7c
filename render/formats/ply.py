"""PLY, the polygon file format: ASCII and binary, polygons of any length, colours, normals, texture coordinates."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from scenelift.render.formats.assemble import Part, assemble
from scenelift.render.formats.files import DataRoot, read_bytes
from scenelift.render.formats.obj import bounded_uvs, check_points, unit_or_geometric
from scenelift.render.formats.polygons import triangulate
from scenelift.render.formats.textures import TextureCache, texture_finder
from scenelift.render.scene import Material, Mesh, Scene, SceneError

MAX_HEADER_BYTES = 1 << 16
MAX_PROPERTIES = 256

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_TEXTURE = re.compile(r"TextureFile\s+(.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Property:
    name: str
    kind: str
    counted_by: str | None
    """Type of the length in front of a list."""


@dataclass(frozen=True, slots=True)
class _Element:
    name: str
    count: int
    properties: tuple[_Property, ...]


@dataclass(frozen=True, slots=True)
class _Header:
    order: str
    """"<", ">" or "" for ASCII."""
    elements: tuple[_Element, ...]
    textures: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class _List:
    """A list property: lengths, and all items one after the other."""

    lengths: Int64[np.ndarray, " n"]
    items: Float[np.ndarray, " k"]


_Table = dict[str, "np.ndarray | _List"]


def read_scene(path: Path, *, root: DataRoot) -> Scene:
    """Read a PLY file as a scene of one mesh.

    Args:
        path: The file; metres and y up, as the format says nothing.
        root: Bounds where a texture may lie.

    Raises:
        SceneError: if it is damaged, cut off, or has no faces.
    """
    name = str(path)
    data = read_bytes(path)
    header = _header(data, name=name)
    with np.errstate(invalid="ignore"):  # signalling NaN, when widened
        tables = _elements(data, header, name=name)
    warnings: list[str] = []
    find = texture_finder(path.parent, root=root, cache=TextureCache(), warnings=warnings)
    texture = find(header.textures[0]) if header.textures else None
    color = (1.0, 1.0, 1.0) if texture else (0.8, 0.8, 0.8)
    mesh = _mesh(
        tables, material=Material(name="ply", base_color=color, texture=texture), name=name
    )
    part = Part(name=path.stem, mesh=mesh, T_world_object=np.eye(4), names=(path.stem,))
    return assemble([part], path=path, source="ply", warnings=warnings)


def _header(data: bytes, *, name: str) -> _Header:
    head = data[:MAX_HEADER_BYTES]
    end = re.search(rb"\bend_header[ \t]*(\r\n|\n|\r)", head)
    if not head.startswith(b"ply") or end is None:
        raise SceneError(f"{name}: not a PLY file, or its header is cut off")
    order: str | None = None
    bad: int | None = None
    elements: list[_Element] = []
    textures = []
    lines = re.split(r"\r\n|\n|\r", head[: end.start()].decode("latin-1"))
    for number, line in enumerate(lines[1:], start=2):
        words = line.split()
        try:
            if words[:1] == ["format"] and len(words) == 3:
                order = _ORDERS[words[1]]
            elif words[:1] == ["element"] and len(words) == 3 and 0 <= int(words[2]) < 1 << 40:
                elements.append(_Element(words[1], int(words[2]), ()))
            elif words[:1] == ["property"]:
                last = elements.pop()
                added = (*last.properties, _property(words[1:]))
                elements.append(_Element(last.name, last.count, added[:MAX_PROPERTIES]))
            elif words and words[0] not in ("comment", "obj_info"):
                bad = number
            elif match := _TEXTURE.search(line):
                textures.append(match.group(1).strip())
        except (ValueError, KeyError, IndexError) as error:
            raise SceneError(f"{name}: line {number}: {line[:60]!r} is no PLY header") from error
    if bad is not None:
        raise SceneError(f"{name}: line {bad}: {lines[bad - 1][:60]!r} is no PLY header")
    if order is None:
        raise SceneError(f"{name}: its header names no format")
    return _Header(order, tuple(elements), tuple(textures), end.end())


def _property(words: list[str]) -> _Property:
    match words:
        case ["list", length, kind, title]:
            if _TYPES[length][0] == "f":
                raise ValueError(length)
            return _Property(title, _TYPES[kind], _TYPES[length])
        case [kind, title]:
            return _Property(title, _TYPES[kind], None)
    raise ValueError(" ".join(words))


def _elements(data: bytes, header: _Header, *, name: str) -> dict[str, _Table]:
    """Read all elements up to faces."""
    tables: dict[str, _Table] = {}
    source: _Source
    if header.order:
        source = _Binary(data, place=header.size, order=header.order, name=name)
    else:
        source = _Ascii(data[header.size :], name=name)
    for element in header.elements:
        tables[element.name] = source.take(element)
    return tables


class _Source:
    """Where elements are read from, one after the other."""

    name: str

    def take(self, element: _Element) -> _Table:
        """Read the next element."""
        raise NotImplementedError

    def cut_off(self, element: _Element) -> SceneError:
        return SceneError(f"{self.name}: its {element.count} {element.name} elements are cut off")


class _Binary(_Source):
    def __init__(self, data: bytes, *, place: int, order: str, name: str) -> None:
        self._data, self._place, self._order, self.name = data, place, order, name

    def take(self, element: _Element) -> _Table:
        lists = [item for item in element.properties if item.counted_by]
        if not element.properties or not element.count:
            return {}
        least = sum(np.dtype(item.counted_by or item.kind).itemsize for item in element.properties)
        if element.count * least > len(self._data) - self._place:
            raise self.cut_off(element)
        if not lists:
            return self._uniform(element, lengths=[])
        lengths = self._lengths(element)
        if lengths is not None and (table := self._uniform_lists(element, lengths)):
            return table
        return self._mixed(element)

    def _lengths(self, element: _Element) -> list[int] | None:
        """Lengths of the lists of the first row, as a guess for all rows."""
        place, lengths = self._place, []
        for item in element.properties:
            kind = np.dtype(self._order + item.kind)
            if item.counted_by:
                counter = np.dtype(self._order + item.counted_by)
                if place + counter.itemsize > len(self._data):
                    return None
                length = int(np.frombuffer(self._data, counter, 1, place)[0])
                if not 0 <= length <= 1024:
                    return None
                lengths.append(length)
                place += counter.itemsize + length * kind.itemsize
            else:
                place += kind.itemsize
        return lengths

    def _fields(self, element: _Element, lengths: list[int]) -> np.dtype:
        fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
        left = iter(lengths)
        for index, item in enumerate(element.properties):
            if item.counted_by:
                fields.append((f"n{index}", self._order + item.counted_by))
                fields.append((f"f{index}", self._order + item.kind, (next(left),)))
            else:
                fields.append((f"f{index}", self._order + item.kind))
        return np.dtype(fields)

    def _uniform(self, element: _Element, *, lengths: list[int]) -> _Table:
        dtype = self._fields(element, lengths)
        rows = np.frombuffer(self._data, dtype, element.count, self._place)
        self._place += element.count * dtype.itemsize
        table: _Table = {}
        for index, item in enumerate(element.properties):
            values = rows[f"f{index}"]
            if item.counted_by:
                counts = rows[f"n{index}"].astype(np.int64)
                table[item.name] = _List(counts, values.ravel().astype(np.float64))
            else:
                table[item.name] = values.astype(np.float64)
        return table

    def _uniform_lists(self, element: _Element, lengths: list[int]) -> _Table | None:
        dtype = self._fields(element, lengths)
        if element.count * dtype.itemsize > len(self._data) - self._place:
            return None
        rows = np.frombuffer(self._data, dtype, element.count, self._place)
        counters = [f"n{i}" for i, item in enumerate(element.properties) if item.counted_by]
        if all((rows[key] == length).all() for key, length in zip(counters, lengths, strict=True)):
            return self._uniform(element, lengths=lengths)
        return None

    def _mixed(self, element: _Element) -> _Table:
        """Read rows whose lists differ in length, one by one."""
        kinds = [
            (item, np.dtype(self._order + item.kind), np.dtype(self._order + item.counted_by))
            if item.counted_by
            else (item, np.dtype(self._order + item.kind), None)
            for item in element.properties
        ]
        lengths: dict[str, list[int]] = {item.name: [] for item in element.properties}
        pieces: dict[str, list[np.ndarray]] = {item.name: [] for item in element.properties}
        place, size = self._place, len(self._data)
        for _ in range(element.count):
            for item, kind, counter in kinds:
                length = 1
                if counter is not None:
                    if place + counter.itemsize > size:
                        raise self.cut_off(element)
                    length = int(np.frombuffer(self._data, counter, 1, place)[0])
                    place += counter.itemsize
                if length < 0 or place + length * kind.itemsize > size:
                    raise self.cut_off(element)
                lengths[item.name].append(length)
                pieces[item.name].append(np.frombuffer(self._data, kind, length, place))
                place += length * kind.itemsize
        self._place = place
        table: _Table = {}
        for item in element.properties:
            values = np.concatenate(pieces[item.name]).astype(np.float64)
            table[item.name] = (
                _List(np.array(lengths[item.name]), values) if item.counted_by else values
            )
        return table


class _Ascii(_Source):
    def __init__(self, data: bytes, *, name: str) -> None:
        self.name = name
        tokens = data.split()
        try:
            self._values = np.fromiter(map(float, tokens), np.float64, len(tokens))
        except ValueError as error:
            raise SceneError(
                f"{name}: its body holds something that is no number: {error}"
            ) from error
        self._place = 0

    def take(self, element: _Element) -> _Table:
        width = len(element.properties)
        if not width or not element.count:
            return {}
        values = self._values[self._place :]
        if element.count * width > len(values):
            raise self.cut_off(element)
        if not any(item.counted_by for item in element.properties):
            self._place += element.count * width
            rows = values[: element.count * width].reshape(element.count, width)
            return {item.name: rows[:, index] for index, item in enumerate(element.properties)}
        return self._with_lists(element, values)

    def _with_lists(self, element: _Element, values: Float[np.ndarray, " n"]) -> _Table:
        lengths: dict[str, list[int]] = {item.name: [] for item in element.properties}
        starts: dict[str, list[int]] = {item.name: [] for item in element.properties}
        place, size = 0, len(values)
        for _ in range(element.count):
            for item in element.properties:
                length = 1
                if item.counted_by:
                    if place >= size or not 0 <= values[place] <= size:
                        raise self.cut_off(element)
                    length = int(values[place])
                    place += 1
                if place + length > size:
                    raise self.cut_off(element)
                lengths[item.name].append(length)
                starts[item.name].append(place)
                place += length
        self._place += place
        table: _Table = {}
        for item in element.properties:
            counts = np.array(lengths[item.name], np.int64)
            first = np.repeat(np.array(starts[item.name]) - np.cumsum(counts) + counts, counts)
            items = values[first + np.arange(len(first))]
            table[item.name] = _List(counts, items) if item.counted_by else items
        return table


def _mesh(tables: dict[str, _Table], *, material: Material, name: str) -> Mesh:
    vertex, face = tables.get("vertex", {}), tables.get("face", {})
    vertices = _columns(vertex, "x", "y", "z")
    polygons = face.get("vertex_indices", face.get("vertex_index"))
    if vertices is None or not isinstance(polygons, _List):
        raise SceneError(f"{name}: no faces: a cloud of points is no scene")
    if not len(polygons.items):
        raise SceneError(f"{name}: no faces")
    if not (polygons.items.min() >= 0 and polygons.items.max() < len(vertices)):
        raise SceneError(
            f"{name}: a face names a vertex outside 0..{len(vertices) - 1}: "
            f"{polygons.items.min():g} or {polygons.items.max():g}"
        )
    corners = polygons.items.astype(np.int64)
    check_points(vertices, where=name)
    triangles, _ = triangulate(vertices, corners, counts=polygons.lengths)
    if not len(triangles):
        raise SceneError(f"{name}: no face has three corners")
    faces = corners[triangles]
    normals = _columns(vertex, "nx", "ny", "nz")
    return Mesh(
        vertices=vertices,
        faces=faces,
        materials=(material,),
        face_materials=np.zeros(len(faces), np.int64),
        corner_uvs=_uvs(vertex, face, faces=faces, triangles=triangles, count=len(corners)),
        corner_normals=None
        if normals is None
        else unit_or_geometric(normals[faces], vertices=vertices, faces=faces),
        vertex_colors=_colors(vertex),
    )


def _columns(table: _Table, *names: str) -> Float[np.ndarray, "n c"] | None:
    found = [table.get(name) for name in names]
    columns = [column for column in found if isinstance(column, np.ndarray)]
    return np.stack(columns, axis=1) if len(columns) == len(names) else None


def _uvs(
    vertex: _Table,
    face: _Table,
    *,
    faces: Int64[np.ndarray, "f 3"],
    triangles: Int64[np.ndarray, "f 3"],
    count: int,
) -> Float[np.ndarray, "f 3 2"] | None:
    """Texture coordinates of corners (`texcoord`), or of vertices under one of their names."""
    wedge = face.get("texcoord")
    if isinstance(wedge, _List) and len(wedge.items) == 2 * count:
        return np.asarray(bounded_uvs(wedge.items.reshape(-1, 2))[triangles])
    for names in (("s", "t"), ("u", "v"), ("texture_u", "texture_v")):
        uvs = _columns(vertex, *names)
        if uvs is not None:
            return np.asarray(bounded_uvs(uvs)[faces])
    return None


def _colors(vertex: _Table) -> Float[np.ndarray, "v 3"] | None:
    """Vertex colours, sRGB in 8 bit or in [0, 1], as linear values."""
    colors = _columns(vertex, "red", "green", "blue")
    if colors is None:
        return None
    colors = np.nan_to_num(colors)
    colors = (colors / 255 if colors.max(initial=0) > 1 else colors).clip(0, 1)
    return np.asarray(
        np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    )
