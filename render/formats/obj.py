"""Wavefront OBJ, read fast and tolerantly: arrays of bytes are classified as a whole, no loop runs over the lines of numbers.

Indices in the result count from 0. Files count from 1, or backwards from the line with negative numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, Int64, UInt8

from scenelift.render.formats.files import DataRoot, MissingFileError, read_bytes
from scenelift.render.formats.mtl import MtlMaterial, parse_mtl
from scenelift.render.formats.polygons import triangulate
from scenelift.render.scene import Material, Mesh, SceneError

MAX_COORDINATE = 1e12
"""Beyond any unit of any scene; squares of it are still finite."""
MAX_UV = 1e6
"""Texture coordinates repeat; larger ones have lost their fraction anyway."""

_NEWLINE, _SPACE, _SLASH = 10, 32, 47


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ObjModel:
    """What an OBJ file says, triangulated; materials by name only."""

    vertices: Float[np.ndarray, "v 3"]
    """float64, the file's own units and axes."""
    vertex_colors: Float[np.ndarray, "v 3"] | None
    """As written after x y z, in [0, 1]; None unless every vertex has them."""
    faces: Int[np.ndarray, "f 3"]
    corner_uvs: Float[np.ndarray, "f 3 2"] | None
    """(0, 0) where a face has none; None if no face has any."""
    corner_normals: Float[np.ndarray, "f 3 3"] | None
    """Unit; the triangle's own where a corner has none; None if no corner has any."""
    face_objects: Int[np.ndarray, " f"]
    """Index into `object_names`."""
    face_groups: Int[np.ndarray, " f"]
    """Index into `group_names`."""
    face_materials: Int[np.ndarray, " f"]
    """Index into `material_names`."""
    object_names: tuple[str, ...]
    """In order of appearance; faces before the first `o` belong to ""."""
    group_names: tuple[str, ...]
    material_names: tuple[str, ...]
    """In order of use; "" where no `usemtl` came before."""
    mtllibs: tuple[str, ...]
    """References to MTL files, as written."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """The file cut into lines; `kinds` holds one code a line."""

    data: bytes
    code: UInt8[np.ndarray, " n"]
    starts: Int64[np.ndarray, " l"]
    ends: Int64[np.ndarray, " l"]
    kinds: UInt8[np.ndarray, " l"]
    name: str

    def number(self, offset: int) -> int:
        """Line number, from 1, of a place in the file."""
        return self.data.count(b"\n", 0, offset) + 1

    def fail(self, offset: int, fault: str) -> SceneError:
        return SceneError(f"{self.name}: line {self.number(offset)}: {fault}")


_OTHER, _V, _VT, _VN, _F, _IGNORED = range(6)


def _split_lines(data: bytes, *, name: str) -> _Lines:
    if not data.strip():
        raise SceneError(f"{name}: the file is empty")
    if b"\0" in data[:4096]:
        raise SceneError(f"{name}: not an OBJ file: it holds zero bytes")
    original = data
    if b"\r" in data:
        data = data.replace(b"\r\n", b" \n").replace(b"\r", b"\n")
        original = data
    if b"\\" in data:
        data = data.replace(b"\\ \n", b"   ").replace(b"\\\n", b"  ")
    code = np.frombuffer(data.replace(b"\t", b" ") + b"\n    ", np.uint8)
    ends = np.flatnonzero(code == _NEWLINE)
    starts = np.concatenate(([0], ends[:-1] + 1))
    for _ in range(64):
        indented = (code[starts] == _SPACE) & (starts < ends)
        if not indented.any():
            break
        starts = starts + indented
    first, second, third = code[starts], code[starts + 1], code[starts + 2]
    kinds = np.full(len(starts), _OTHER, np.uint8)
    kinds[(first == ord("v")) & (second == _SPACE)] = _V
    kinds[(first == ord("v")) & (second == ord("t")) & (third == _SPACE)] = _VT
    kinds[(first == ord("v")) & (second == ord("n")) & (third == _SPACE)] = _VN
    kinds[(first == ord("f")) & (second == _SPACE)] = _F
    kinds[(first == ord("#")) | (starts == ends)] = _IGNORED
    return _Lines(original, code, starts, ends, kinds, name)


def _gather(
    lines: _Lines, kind: int, *, skip: int
) -> tuple[UInt8[np.ndarray, " n"], Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Copy all lines of one kind, without keyword and comment, one after the other.

    Returns:
        The bytes; where in the file each line starts; where in the bytes each line starts.
    """
    at = np.flatnonzero(lines.kinds == kind)
    starts, ends = lines.starts[at] + skip, lines.ends[at] + 1
    edges = np.zeros(len(lines.code) + 1, np.int8)
    edges[starts] += 1
    edges[ends] -= 1
    text = lines.code[np.cumsum(edges[:-1], dtype=np.int8).view(bool)]
    offsets = np.concatenate(([0], np.cumsum(ends - starts)))[:-1]
    if (text == ord("#")).any():
        text = _without_comments(text)
    return text, starts, offsets


def _without_comments(text: UInt8[np.ndarray, " n"]) -> UInt8[np.ndarray, " n"]:
    """Blank what follows a `#` on each line."""
    text = text.copy()
    ends = np.flatnonzero(text == _NEWLINE)
    for place in np.flatnonzero(text == ord("#")):
        if text[place] == ord("#"):
            text[place : ends[np.searchsorted(ends, place)]] = _SPACE
    return text


def _numbers(lines: _Lines, kind: int, *, skip: int, wanted: int) -> Float[np.ndarray, "k c"]:
    """Read the numbers of all lines of one kind.

    Returns:
        One row a line, as many columns as every line has, at least `wanted` (0 where a line lacks those after the first).
    """
    text, starts, offsets = _gather(lines, kind, skip=skip)
    if not len(starts):
        return np.zeros((0, wanted))
    tokens = text.tobytes().split()
    try:
        values = np.fromiter(map(float, tokens), np.float64, len(tokens))
    except ValueError as error:
        raise _bad_number(lines, starts, float) from error
    blank = text <= _SPACE
    heads = np.flatnonzero(~blank & np.concatenate(([True], blank[:-1])))
    first = np.searchsorted(heads, offsets)
    counts = np.diff(np.concatenate((first, [len(heads)])))
    least = 1 if kind == _VT else wanted
    if counts.min() < least:
        row = int(np.argmax(counts < least))
        raise lines.fail(
            int(starts[row]), f"{counts[row]} numbers where {least} are needed, or cut off"
        )
    columns = max(wanted, int(counts.min()))
    if (counts == columns).all():
        return values.reshape(-1, columns)
    table = np.zeros((len(starts), columns))
    for column in range(columns):
        has = counts > column
        table[has, column] = values[first[has] + column]
    return table


def _bad_number(lines: _Lines, starts: Int64[np.ndarray, " k"], kind: type) -> SceneError:
    for start in starts:
        stop = lines.ends[np.searchsorted(lines.ends, start)]
        text = lines.code[start:stop].tobytes().split(b"#")[0].replace(b"/", b" ")
        for token in text.split():
            try:
                np.array(kind(token), np.int64 if kind is int else np.float64)
            except (ValueError, OverflowError):
                shown = token[:40].decode("utf-8", "replace")
                return lines.fail(int(start), f"{shown!r} is not a number")
    return SceneError(f"{lines.name}: a number cannot be read")


@dataclass(frozen=True, slots=True, eq=False)
class _Corners:
    """All corners of all polygons, with indices as in the file; 0 where a corner has none."""

    face_starts: Int64[np.ndarray, " k"]
    counts: Int64[np.ndarray, " k"]
    vertex: Int64[np.ndarray, " c"]
    uv: Int64[np.ndarray, " c"]
    normal: Int64[np.ndarray, " c"]


def _corners(lines: _Lines) -> _Corners:
    text, starts, offsets = _gather(lines, _F, skip=1)
    slash = text == _SLASH
    blank = text <= _SPACE
    before = np.concatenate(([True], blank[:-1]))
    corner_heads = np.flatnonzero(~blank & before)
    number_heads = np.flatnonzero(~blank & ~slash & (before | np.concatenate(([True], slash[:-1]))))
    tokens = np.where(slash, np.uint8(_SPACE), text).tobytes().split()
    try:
        values = np.fromiter(map(int, tokens), np.int64, len(tokens))
    except (ValueError, OverflowError) as error:
        raise _bad_number(lines, starts, int) from error
    corner = np.searchsorted(corner_heads, number_heads, side="right") - 1
    slashes = np.concatenate(([0], np.cumsum(slash)))
    field = slashes[number_heads] - slashes[corner_heads[corner]]
    first = np.searchsorted(corner_heads, offsets)
    counts = np.diff(np.concatenate((first, [len(corner_heads)])))
    columns = []
    for index in range(3):
        column = np.zeros(len(corner_heads), np.int64)
        chosen = field == index
        column[corner[chosen]] = values[chosen]
        if index and chosen.any() and (values[chosen] == 0).any():
            column[corner[chosen & (values == 0)]] = np.iinfo(np.int64).max
        columns.append(column)
    return _Corners(starts, counts, *columns)


def _absolute(
    lines: _Lines,
    corners: _Corners,
    index: Int64[np.ndarray, " c"],
    *,
    kind: int,
    what: str,
    needed: bool,
) -> Int64[np.ndarray, " c"]:
    """Turn indices of the file into indices from 0; -1 where a corner has none."""
    at = lines.starts[lines.kinds == kind]
    seen = np.repeat(np.searchsorted(at, corners.face_starts), corners.counts)
    absent = (index == 0) & (not needed)
    result = np.where(index > 0, index - 1, index + seen)
    bad = ((result < 0) | (result >= len(at)) | ((index == 0) & needed)) & ~absent
    if bad.any():
        place = int(np.argmax(bad))
        face = int(np.searchsorted(np.cumsum(corners.counts), place, side="right"))
        value = 0 if index[place] == np.iinfo(np.int64).max else index[place]
        raise lines.fail(
            int(corners.face_starts[face]),
            f"a face names {what} {value}, but there are {len(at)}; the file may be cut off",
        )
    return np.where(absent, -1, result)


@dataclass(frozen=True, slots=True)
class _States:
    """Which object, group and material are in force from which place of the file on."""

    offsets: list[int]
    rows: list[tuple[int, int, int]]
    objects: tuple[str, ...]
    groups: tuple[str, ...]
    materials: tuple[str, ...]
    mtllibs: tuple[str, ...]


def _states(lines: _Lines) -> _States:
    """Read all lines that are neither numbers nor comments."""
    objects: dict[str, int] = {"": 0}
    groups: dict[str, int] = {"": 0}
    materials: dict[str, int] = {"": 0}
    libraries: dict[str, None] = {}
    now = [0, 0, 0]
    offsets, rows = [0], [(0, 0, 0)]
    for at in np.flatnonzero(lines.kinds == _OTHER):
        start, end = int(lines.starts[at]), int(lines.ends[at])
        text = lines.code[start : min(end, start + 4096)].tobytes().decode("utf-8", "replace")
        keyword, _, rest = text.partition(" ")
        rest = rest.strip()
        if keyword == "o":
            now[0] = objects.setdefault(rest, len(objects))
        elif keyword == "g":
            now[1] = groups.setdefault(rest, len(groups))
        elif keyword == "usemtl":
            now[2] = materials.setdefault(rest, len(materials))
        elif keyword == "mtllib":
            libraries.setdefault(rest)
            continue
        else:
            continue
        offsets.append(start)
        rows.append((now[0], now[1], now[2]))
    return _States(offsets, rows, tuple(objects), tuple(groups), tuple(materials), tuple(libraries))


def parse_obj(data: bytes, *, name: str) -> ObjModel:
    r"""Read an OBJ file.

    Lines, points, curves, smoothing groups and unknown keywords are passed over; faces with fewer than three corners
    are left out with a warning. Polygons become triangles: fans where they are convex, else by ear clipping.

    Args:
        data: The file.
        name: Of the file, for messages.

    Raises:
        SceneError: if it has no face, a number that cannot be read, NaN, or an index out of range; with the line.

    >>> cube = parse_obj(b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\no top\nf 1 2 3 4\n", name="quad.obj")
    >>> cube.faces.tolist(), cube.object_names
    ([[0, 1, 2], [0, 2, 3]], ('', 'top'))
    """
    lines = _split_lines(data, name=name)
    positions = _numbers(lines, _V, skip=1, wanted=3)
    uvs = _numbers(lines, _VT, skip=2, wanted=2)[:, :2]
    normals = _numbers(lines, _VN, skip=2, wanted=3)[:, :3]
    _check_finite(lines, positions[:, :3], kind=_V)
    _check_finite(lines, uvs, kind=_VT)
    uvs = bounded_uvs(uvs)
    corners = _corners(lines)
    if not len(corners.counts):
        raise SceneError(f"{name}: no faces")
    vertex = _absolute(lines, corners, corners.vertex, kind=_V, what="vertex", needed=True)
    uv = _absolute(lines, corners, corners.uv, kind=_VT, what="texture coordinate", needed=False)
    normal = _absolute(lines, corners, corners.normal, kind=_VN, what="normal", needed=False)
    vertices = np.ascontiguousarray(positions[:, :3])
    triangles, face_of = triangulate(vertices, vertex, counts=corners.counts)
    if not len(triangles):
        raise SceneError(f"{name}: no face has three corners")
    states = _states(lines)
    place = np.searchsorted(states.offsets, corners.face_starts[face_of], side="right") - 1
    state = np.array(states.rows)[place]
    faces = vertex[triangles]
    thin = int((corners.counts < 3).sum())
    return ObjModel(
        vertices=vertices,
        vertex_colors=_vertex_colors(positions),
        faces=faces,
        corner_uvs=_corner_uvs(uvs, uv[triangles]),
        corner_normals=_corner_normals(normals, normal[triangles], vertices=vertices, faces=faces),
        face_objects=state[:, 0],
        face_groups=state[:, 1],
        face_materials=state[:, 2],
        object_names=states.objects,
        group_names=states.groups,
        material_names=states.materials,
        mtllibs=states.mtllibs,
        warnings=(f"{name}: {thin} faces with fewer than three corners left out",) if thin else (),
    )


def load_obj(
    path: Path, *, root: DataRoot
) -> tuple[ObjModel, tuple[MtlMaterial, ...], tuple[str, ...]]:
    """Read an OBJ file and the material libraries it names.

    Returns:
        The model; its materials in the order of the libraries; warnings, such as for a missing library.

    Raises:
        SceneError: if a file cannot be used or a reference leaves the root.
    """
    path = root.resolve(path.parent, path.name)
    obj = parse_obj(read_bytes(path), name=str(path))
    materials: list[MtlMaterial] = []
    warnings = list(obj.warnings)
    for reference in obj.mtllibs:
        for library in _libraries(path, reference, root=root, warnings=warnings):
            materials.extend(parse_mtl(read_bytes(library), name=str(library)))
    return obj, tuple(materials), tuple(warnings)


def _libraries(
    path: Path, reference: str, *, root: DataRoot, warnings: list[str]
) -> tuple[Path, ...]:
    """Find the files of one `mtllib` line: one name with blanks, or several names."""
    try:
        return (root.resolve(path.parent, reference),)
    except MissingFileError:
        found = []
        for word in reference.split():
            try:
                found.append(root.resolve(path.parent, word))
            except MissingFileError:
                warnings.append(f"{path}: material library {word!r} is missing")
        return tuple(found)


def _check_finite(lines: _Lines, table: Float[np.ndarray, "k c"], *, kind: int) -> None:
    most = MAX_COORDINATE if kind == _V else np.inf
    bad = ~(np.isfinite(table) & (np.abs(table) <= most)).all(axis=1)
    if bad.any():
        start = lines.starts[lines.kinds == kind][int(np.argmax(bad))]
        raise lines.fail(
            int(start),
            f"NaN, infinite or immense coordinates ({int(bad.sum())} of {len(table)} lines)",
        )


def _vertex_colors(positions: Float[np.ndarray, "v c"]) -> Float[np.ndarray, "v 3"] | None:
    """Take the colours of lines `v x y z r g b`; `v x y z w` has none."""
    if positions.shape[1] < 6:
        return None
    colors = np.nan_to_num(positions[:, 3:6])
    if colors.max(initial=0) > 1:
        colors = colors / 255
    return np.asarray(colors.clip(0, 1))


def _corner_uvs(
    uvs: Float[np.ndarray, "t 2"], index: Int[np.ndarray, "f 3"]
) -> Float[np.ndarray, "f 3 2"] | None:
    if (index < 0).all():
        return None
    return np.asarray(np.concatenate((uvs, [[0.0, 0.0]]))[index])


def _corner_normals(
    normals: Float[np.ndarray, "n 3"],
    index: Int[np.ndarray, "f 3"],
    *,
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
) -> Float[np.ndarray, "f 3 3"] | None:
    if (index < 0).all():
        return None
    return unit_or_geometric(
        np.concatenate((normals, [[0.0, 0.0, 0.0]]))[index], vertices=vertices, faces=faces
    )


def unit_or_geometric(
    corner_normals: Float[np.ndarray, "f 3 3"],
    *,
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
) -> Float[np.ndarray, "f 3 3"]:
    """Bring shading normals to unit length; zero and NaN become the triangle's own normal."""
    clean = np.nan_to_num(corner_normals, nan=0.0, posinf=0.0, neginf=0.0)
    largest = np.abs(clean).max(axis=2, keepdims=True)
    clean = clean / np.where(largest > 0, largest, 1.0)
    length = np.linalg.norm(clean, axis=2, keepdims=True)
    good = length > 0
    result = clean / np.where(good, length, 1.0)
    lacking = ~good[..., 0]
    if lacking.any():
        rows = np.flatnonzero(lacking.any(axis=1))
        a, b, c = (vertices[faces[rows, corner]] for corner in range(3))
        own = np.cross(b - a, c - a)
        size = np.linalg.norm(own, axis=1, keepdims=True)
        own = np.where(size > 0, own / np.where(size > 0, size, 1.0), (0.0, 1.0, 0.0))
        result[rows] = np.where(lacking[rows][..., None], own[:, None], result[rows])
    return np.asarray(result)


def bounded_uvs(uvs: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Make texture coordinates finite and at most `MAX_UV`."""
    return np.asarray(np.nan_to_num(uvs).clip(-MAX_UV, MAX_UV))


def check_points(points: Float[np.ndarray, "v 3"], *, where: str) -> None:
    """Refuse vertices that are NaN, infinite or immense.

    Raises:
        SceneError: with their number.
    """
    with np.errstate(invalid="ignore"):
        bad = int((~(np.abs(points) <= MAX_COORDINATE)).any(axis=1).sum())
    if bad:
        raise SceneError(f"{where}: {bad} of {len(points)} vertices are NaN, infinite or immense")


def mesh_from_obj(
    obj: ObjModel,
    *,
    materials: Mapping[str, Material],
    select: Bool[np.ndarray, " f"] | Int[np.ndarray, " n"] | None = None,
) -> Mesh:
    """Make a mesh of some faces of an OBJ file; unused vertices and materials are left out.

    Args:
        obj: The file.
        materials: By name; a name that is not there becomes a plain grey material of that name.
        select: Which faces, as a mask or as indices; all by default.

    Raises:
        SceneError: if no face is selected.
    """
    if select is None:
        chosen = np.arange(len(obj.faces))
    else:
        chosen = np.flatnonzero(select) if select.dtype == bool else select
    if not len(chosen):
        raise SceneError("no faces are selected")
    used, faces = np.unique(obj.faces[chosen], return_inverse=True)
    names, face_materials = np.unique(obj.face_materials[chosen], return_inverse=True)
    return Mesh(
        vertices=obj.vertices[used],
        faces=faces.reshape(-1, 3),
        materials=tuple(_material(materials, obj.material_names[index]) for index in names),
        face_materials=face_materials,
        corner_uvs=None if obj.corner_uvs is None else obj.corner_uvs[chosen],
        corner_normals=None if obj.corner_normals is None else obj.corner_normals[chosen],
        vertex_colors=None if obj.vertex_colors is None else obj.vertex_colors[used],
    )


def _material(materials: Mapping[str, Material], name: str) -> Material:
    return materials.get(name) or Material(name=name or "default")


def split_by_label(
    labels: Int[np.ndarray, " f"],
) -> tuple[tuple[int, Int[np.ndarray, " n"]], ...]:
    """List each label with the places where it stands, both in order.

    >>> [(label, places.tolist()) for label, places in split_by_label(np.array([7, 2, 7]))]
    [(2, [1]), (7, [0, 2])]
    """
    order = np.argsort(labels, kind="stable")
    found, starts = np.unique(labels[order], return_index=True)
    return tuple(zip(found.tolist(), np.split(order, starts[1:]), strict=True))


def obj_to_meshes(
    obj: ObjModel, *, materials: Mapping[str, Material]
) -> Sequence[tuple[str, Mesh]]:
    """Make one mesh an object, in the order of the file; by group where the file has no objects.

    Returns:
        Names and meshes; a name is "" for faces before the first `o` or `g`.
    """
    by_object = len(obj.object_names) > 1
    labels = obj.face_objects if by_object else obj.face_groups
    names = obj.object_names if by_object else obj.group_names
    return tuple(
        (names[index], mesh_from_obj(obj, materials=materials, select=chosen))
        for index, chosen in split_by_label(labels)
    )
