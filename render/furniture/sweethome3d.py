"""Read furniture from Sweet Home 3D libraries (`.sh3f`): a zip with a catalogue and a model for each object.

The catalogue is a Java properties file; `modelRotation` is a row-major matrix that is applied first, then the model's
box is stretched to the catalogue's centimetres. Models are OBJ, plain or in a zip of their own; y up, front to +z.
"""

import itertools
import logging
import math
import posixpath
import re
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.formats.files import MissingFileError, SafeZip
from scenelift.render.formats.mtl import MtlMaterial, material_from_mtl, parse_mtl
from scenelift.render.formats.obj import mesh_from_obj, parse_obj
from scenelift.render.formats.textures import decode_texture
from scenelift.render.furniture.builders import Palette
from scenelift.render.furniture.sweethome3d_classes import Mount, classify
from scenelift.render.rooms.source import ParametricSource
from scenelift.render.scene import Furniture, Material, Mesh, SceneError, Texture

_log = logging.getLogger(__name__)

CATALOGUE = "PluginFurnitureCatalog.properties"
MAX_CATALOGUE_BYTES = 16 << 20
MAX_ENTRIES = 20_000
MAX_MODEL_BYTES = 64 << 20
MAX_TRIANGLES = 60_000
TEXTURE_SIDE_PX = 512
CACHE_BYTES = 256 << 20
"""Most that a source keeps of loaded models."""

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
_NUMBERED = re.compile(r"([A-Za-z]+)#(\d{1,9})")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Entry:
    """One object of a catalogue; its model is not read yet."""

    library: Path
    name: str
    category: str
    kind: str
    """In the words of the layout; "" if no room asks for it."""
    semantic: int
    """NYU40 id."""
    mount: Mount
    size_m: tuple[float, float, float]
    """Width (x), height (y), depth (z) in metres."""
    elevation_m: float
    rotation: Float[np.ndarray, "3 3"]
    """Applied to the model first."""
    model: str
    """Path in the library."""
    creator: str
    licence: str


def read_catalogue(path: Path) -> tuple[Entry, ...]:
    """Read the catalogue of one library, or of all in a folder, in the order of their names.

    People, exteriors, doors, windows, stairs and vehicles are left out. Entries without a usable size or model, and in
    a folder also whole libraries, are left out with a line in the log.

    Raises:
        SceneError: if the library, or all of a folder, cannot be used.
    """
    if not path.is_dir():
        return _read_library(path)
    libraries = sorted(p for p in path.iterdir() if p.suffix.lower() == ".sh3f" and p.is_file())
    if not libraries:
        raise SceneError(f"{path}: no Sweet Home 3D library (*.sh3f) in this folder")
    entries: list[Entry] = []
    faults: list[str] = []
    for library in libraries:
        try:
            entries.extend(_read_library(library))
        except SceneError as error:
            faults.append(str(error))
    if not entries:
        raise SceneError(faults[0] if faults else f"{path}: the libraries here hold no furniture")
    for fault in faults:
        _log.warning("skipped a library: %s", fault)
    return tuple(entries)


def _read_library(path: Path) -> tuple[Entry, ...]:
    with SafeZip(path) as archive:
        try:
            data = archive.read(CATALOGUE, limit=MAX_CATALOGUE_BYTES)
        except MissingFileError as error:
            raise SceneError(
                f"{path}: no {CATALOGUE}, so this is no Sweet Home 3D furniture library"
            ) from error
    table = parse_properties(data)
    rows: dict[int, dict[str, str]] = {}
    for key, value in table.items():
        match = _NUMBERED.fullmatch(key)
        if match:
            rows.setdefault(int(match[2]), {})[match[1]] = value
    if len(rows) > MAX_ENTRIES:
        raise SceneError(f"{path}: {len(rows)} catalogue entries, at most {MAX_ENTRIES} are read")
    entries = []
    for number in sorted(rows):
        try:
            entry = _entry(path, rows[number], licence=table.get("license", ""), number=number)
        except SceneError as error:
            _log.warning("skipped an entry: %s", error)
            continue
        if entry is not None:
            entries.append(entry)
    if not entries:
        raise SceneError(f"{path}: the catalogue names no furniture that can be used")
    return tuple(entries)


def parse_properties(data: bytes) -> dict[str, str]:
    r"""Read a Java properties file: `key=value` or `key: value`, comments, continued lines, `\uXXXX`.

    Latin-1 as Java has it, unless the bytes are UTF-8.

    >>> parse_properties(b"# a comment\nname\\#1 = Caf\\u00e9 \\\n   table\n")
    {'name#1': 'Café table'}
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    table: dict[str, str] = {}
    pending = ""
    for raw in re.split(r"\r\n|\r|\n", text):
        line = pending + raw.lstrip(" \t\f")
        pending = ""
        if not line or line[0] in "#!":
            continue
        if (len(line) - len(line.rstrip("\\"))) % 2:
            pending = line[:-1]
            if len(pending) < 1 << 16:
                continue
        match = re.match(r"((?:\\.|[^\\=:\s])*)[ \t\f]*[=:]?[ \t\f]*", line)
        if match:
            key, value = match[1], line[match.end() :]
            plain = "\\" not in line
            table[key if plain else _unescaped(key)] = value if plain else _unescaped(value)
    return table


def _unescaped(text: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) == 5 else _ESCAPES.get(code, code)

    joined = re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", replaced, text)
    return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _entry(path: Path, row: dict[str, str], *, licence: str, number: int) -> Entry | None:
    name = row.get("name", "")
    where = f"{path}: entry {number} ({name[:60]!r})"
    if row.get("doorOrWindow", "false").strip().lower() == "true":
        return None
    width, height, depth = (
        _centimetres(row, key, where=where) for key in ("width", "height", "depth")
    )
    size_m = (width / 100, height / 100, depth / 100)
    elevation_m = _centimetres(row, "elevation", where=where, default=0.0) / 100
    category = row.get("category", "")
    meaning = classify(name, category=category, size_m=size_m, elevation_m=elevation_m)
    if meaning is None:
        return None
    model = row.get("model", "").strip()
    if not model:
        raise SceneError(f"{where} names no model (key 'model#{number}')")
    return Entry(
        library=path,
        name=name,
        category=category,
        kind=meaning.kind,
        semantic=nyu40_id(meaning.semantic),
        mount=meaning.mount,
        size_m=size_m,
        elevation_m=elevation_m,
        rotation=_rotation(row.get("modelRotation", ""), where=where),
        model=model,
        creator=row.get("creator", ""),
        licence=row.get("license", licence),
    )


def _centimetres(
    row: dict[str, str], key: str, *, where: str, default: float | None = None
) -> float:
    text = row.get(key, "" if default is None else str(default)).strip().replace(",", ".")
    try:
        value = float(text)
    except ValueError as error:
        raise SceneError(f"{where}: {key} is {text[:40]!r}, not a number of centimetres") from error
    least = 0.01 if default is None else -1000.0
    if not (math.isfinite(value) and least <= value <= 10_000):
        raise SceneError(f"{where}: {key} is {value} cm, beyond {least} to 10000")
    return value


def _rotation(text: str, *, where: str) -> Float[np.ndarray, "3 3"]:
    if not text.strip():
        return np.eye(3)
    try:
        values = [float(word) for word in text.split()]
    except ValueError as error:
        raise SceneError(f"{where}: modelRotation {text[:60]!r} holds no numbers") from error
    matrix = np.array(values) if len(values) == 9 else np.zeros(9)
    matrix = matrix.reshape(3, 3)
    if not (np.abs(matrix).max() < 2 and np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-3)):
        raise SceneError(f"{where}: modelRotation {text[:60]!r} is no rotation of 9 numbers")
    return matrix


def load_entry(entry: Entry, *, max_triangles: int = MAX_TRIANGLES) -> Furniture:
    """Read one object's model.

    Args:
        entry: From `read_catalogue`.
        max_triangles: Models with more are refused.

    Raises:
        SceneError: if the model is missing, broken, empty or too large.
    """
    where = f"{entry.library}: {entry.name[:60]!r}"
    with SafeZip(entry.library) as archive:
        name, _, inner = entry.model.replace("\\", "/").partition("!/")
        name = _normal(name, where=where)
        if not name.lower().endswith(".zip"):
            return _furniture(entry, archive, name, max_triangles=max_triangles)
        data = archive.read(name, limit=MAX_MODEL_BYTES)
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(data)
        file.flush()
        try:
            with SafeZip(Path(file.name), max_bytes=4 * MAX_MODEL_BYTES) as nested:
                inside = _inner_model(nested, inner, where=where)
                return _furniture(entry, nested, inside, max_triangles=max_triangles)
        except SceneError as error:
            raise SceneError(f"{where}: {str(error).replace(file.name, name)}") from error


def _normal(name: str, *, where: str) -> str:
    path = posixpath.normpath(name.lstrip("/"))
    if path.startswith("..") or path == ".":
        raise SceneError(
            f"{where}: model {name[:120]!r} leads out of the library, which is refused"
        )
    return path


def _inner_model(archive: SafeZip, inner: str, *, where: str) -> str:
    if inner:
        return _normal(inner, where=where)
    models = [name for name in archive.names if name.lower().endswith(".obj")]
    if not models:
        raise SceneError(f"{where}: the model's archive holds no OBJ file")
    return models[0]


def _furniture(entry: Entry, archive: SafeZip, name: str, *, max_triangles: int) -> Furniture:
    where = f"{entry.library}: {entry.name[:60]!r}"
    if not name.lower().endswith(".obj"):
        raise SceneError(f"{where}: model {name[:120]!r} is no OBJ file; other forms are not read")
    obj = parse_obj(archive.read(name, limit=MAX_MODEL_BYTES), name=f"{entry.library}:{name}")
    if len(obj.faces) > max_triangles:
        raise SceneError(f"{where}: {len(obj.faces)} triangles, at most {max_triangles} are used")
    mesh = mesh_from_obj(obj, materials=_materials(archive, name, obj.mtllibs))
    return Furniture(
        name=entry.name,
        kind=entry.kind or entry.name.lower(),
        semantic=entry.semantic,
        mesh=_fitted(mesh, entry, where=where),
        mount=entry.mount,
        licence=entry.licence,
        creator=entry.creator,
    )


def _materials(archive: SafeZip, model: str, mtllibs: tuple[str, ...]) -> dict[str, Material]:
    """Read the materials that a model names; what is missing is left out."""
    folder = posixpath.dirname(model)
    names = {name.lower(): name for name in archive.names}
    known: dict[str, Texture | None] = {}

    def found(reference: str) -> str | None:
        text = reference.strip().strip('"').replace("\\", "/")
        plain = posixpath.normpath(posixpath.join(folder, text)).lower()
        beside = posixpath.join(folder, posixpath.basename(text)).lower()
        return names.get(plain) or names.get(beside)

    def texture(reference: str) -> Texture | None:
        if reference not in known:
            known[reference] = None
            path = found(reference)
            if path is not None:
                try:
                    known[reference] = decode_texture(
                        archive.read(path, limit=MAX_MODEL_BYTES),
                        name=f"{archive.path}:{path}",
                        max_side_px=TEXTURE_SIDE_PX,
                    )
                except SceneError as error:
                    _log.warning("a texture is left out: %s", error)
        return known[reference]

    blocks: list[MtlMaterial] = []
    for reference in mtllibs:
        path = found(reference)
        if path is None:
            _log.info("%s: material library %r is missing", archive.path, reference[:120])
            continue
        blocks += parse_mtl(
            archive.read(path, limit=MAX_CATALOGUE_BYTES), name=f"{archive.path}:{path}"
        )
    return {
        block.name: material_from_mtl(block, texture=texture, display_colors=True)
        for block in blocks
    }


def _fitted(mesh: Mesh, entry: Entry, *, where: str) -> Mesh:
    """Turn the model, stretch its box to the catalogue's size, and set it on y = 0."""
    points = mesh.vertices @ entry.rotation.T
    low, high = points.min(axis=0), points.max(axis=0)
    extent = high - low
    if not extent.max() > 1e-9:
        raise SceneError(f"{where}: the model has no extent")
    thin = extent < 1e-6 * extent.max()
    scale = np.where(thin, 1.0, np.array(entry.size_m) / np.where(thin, 1.0, extent))
    base = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
    normals = mesh.corner_normals
    if normals is not None:
        turned = (normals @ entry.rotation.T) / scale
        length = np.linalg.norm(turned, axis=-1, keepdims=True)
        normals = np.where(length > 1e-12, turned / np.maximum(length, 1e-12), (0.0, 1.0, 0.0))
    return Mesh(
        vertices=(points - base) * scale,
        faces=mesh.faces,
        materials=mesh.materials,
        face_materials=mesh.face_materials,
        corner_uvs=mesh.corner_uvs,
        corner_normals=normals,
        vertex_colors=mesh.vertex_colors,
    )


class SweetHome3DSource:
    """Objects from Sweet Home 3D libraries, and from the parametric builders for kinds that these lack.

    Models are read when first asked for and kept up to `CACHE_BYTES`. A model that cannot be used is skipped, counted
    in `skipped`, and another of its kind takes its place.
    """

    def __init__(self, *paths: Path, max_triangles: int = 30_000) -> None:
        """Read the catalogues of libraries or of folders of libraries.

        Raises:
            SceneError: if there is none that can be used.
        """
        self._entries: dict[str, tuple[Entry, ...]] = {}
        grouped: dict[str, list[Entry]] = {}
        for entry in itertools.chain.from_iterable(read_catalogue(path) for path in paths):
            if entry.kind:
                grouped.setdefault(entry.kind, []).append(entry)
        self._entries = {kind: tuple(entries) for kind, entries in sorted(grouped.items())}
        self._builders = ParametricSource()
        self._max_triangles = max_triangles
        self._cache: OrderedDict[int, Furniture] = OrderedDict()
        self._cached_bytes = 0
        self.skipped: dict[str, str] = {}
        """Why a model is not used, by library and name."""

    def __getstate__(self) -> dict[str, object]:
        """Leave loaded models behind when sent to another process."""
        return {
            "_entries": self._entries,
            "_builders": self._builders,
            "_max_triangles": self._max_triangles,
            "_cache": OrderedDict(),
            "_cached_bytes": 0,
            "skipped": {},
        }

    def __setstate__(self, state: dict[str, object]) -> None:
        """Take what `__getstate__` gave."""
        self.__dict__.update(state)

    @property
    def kinds(self) -> frozenset[str]:
        """What the libraries hold and the builders make."""
        return frozenset(self._entries) | self._builders.kinds

    def make(self, kind: str, *, rng: np.random.Generator, palette: Palette) -> Furniture | None:
        """Load one object of a kind, or build one where the libraries have none that can be used."""
        entries = self._entries.get(kind, ())
        for index in rng.permutation(len(entries)):
            furniture = self._load(entries[int(index)])
            if furniture is not None:
                return furniture
        if kind not in self._builders.kinds:
            return None
        return self._builders.make(kind, rng=rng, palette=palette)

    def _load(self, entry: Entry) -> Furniture | None:
        key = id(entry)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        label = f"{entry.library.name}:{entry.model}"
        if label in self.skipped:
            return None
        try:
            furniture = load_entry(entry, max_triangles=self._max_triangles)
        except SceneError as error:
            self.skipped[label] = str(error)
            _log.info("skipped a model: %s", error)
            return None
        self._cache[key] = furniture
        self._cached_bytes += _size_bytes(furniture.mesh)
        while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
            _, old = self._cache.popitem(last=False)
            self._cached_bytes -= _size_bytes(old.mesh)
        return furniture


def _size_bytes(mesh: Mesh) -> int:
    arrays = (
        mesh.vertices,
        mesh.faces,
        mesh.face_materials,
        mesh.corner_uvs,
        mesh.corner_normals,
        mesh.vertex_colors,
        *(m.texture.pixels for m in mesh.materials if m.texture is not None),
    )
    return sum(array.nbytes for array in arrays if array is not None)
