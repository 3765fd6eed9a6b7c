"""The container of glTF 2.0: JSON, buffers and accessors, every number checked against the bytes that are there."""

import base64
import binascii
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import numpy as np
from jaxtyping import Float, Int64

from scenelift.render.formats.files import DataRoot, MissingFileError, load_json, read_bytes
from scenelift.render.scene import SceneError

MAX_DECODED_BYTES = 1 << 30
"""Of all accessors of a file together: many may lie over the same bytes."""
MAX_SPARSE = 20_000_000

_COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}

Json = Mapping[str, object]


class GltfFile:
    """A glTF or GLB file with its buffers."""

    def __init__(self, path: Path, *, root: DataRoot) -> None:
        """Read the container; buffers are read when they are needed.

        Raises:
            SceneError: if it is no glTF 2.0 or cut off.
        """
        self.path, self.root = path, root
        data = read_bytes(path)
        if data.startswith(b"glTF"):
            text, self._binary = _chunks(data, name=str(path))
        else:
            text, self._binary = data, None
        document = load_json(text, name=str(path))
        if not isinstance(document, dict):
            raise SceneError(f"{path}: not a glTF file: its JSON is no object")
        self.document: Json = document
        version = self.table(document.get("asset"), "asset").get("version")
        if not (isinstance(version, str) and version.startswith("2.")):
            raise SceneError(f"{path}: glTF version {version!r}; only 2.x is read")
        self._tops: dict[str, Sequence[Json]] = {}
        self._buffers: dict[int, bytes] = {}
        self._accessors: dict[int, np.ndarray] = {}
        self._decoded_bytes = 0

    def fail(self, fault: str) -> SceneError:
        """Make an error that names the file."""
        return SceneError(f"{self.path}: {fault}")

    def table(self, value: object, where: str) -> Json:
        """Take a JSON object; nothing stands for an empty one.

        Raises:
            SceneError: if it is something else.
        """
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.fail(f"{where} is no object")
        return value

    def tables(self, value: object, where: str) -> Sequence[Json]:
        """Take an array of JSON objects; nothing stands for an empty one.

        Raises:
            SceneError: if it is something else.
        """
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.fail(f"{where} is no array of objects")
        return value

    def top(self, key: str) -> Sequence[Json]:
        """Take one of the arrays at the top: nodes, meshes, ..."""
        if key not in self._tops:
            self._tops[key] = self.tables(self.document.get(key), key)
        return self._tops[key]

    def whole(self, table: Json, key: str, where: str, *, default: int | None = None) -> int:
        """Take a whole number that is not negative.

        Raises:
            SceneError: if it is missing without a default, or something else.
        """
        value = table.get(key, default)
        if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 48:
            raise self.fail(f"{where}.{key} is {_shown(value)}, not a count")
        return value

    def index(self, table: Json, key: str, where: str, *, of: str) -> int | None:
        """Take an index into one of the arrays at the top; None if there is none.

        Raises:
            SceneError: if it points outside.
        """
        if key not in table:
            return None
        value = self.whole(table, key, where)
        count = len(self.top(of))
        if value >= count:
            raise self.fail(f"{where}.{key} is {value}, but there are {count} {of}")
        return value

    def numbers(
        self, table: Json, key: str, where: str, *, default: Sequence[int | float]
    ) -> Float[np.ndarray, " n"]:
        """Take as many finite numbers as the default has; a single one stands alone.

        Raises:
            SceneError: if it is something else.
        """
        value = table.get(key, list(default))
        items = value if isinstance(value, list) else [value]
        good = len(items) == len(default) and all(
            isinstance(item, (int, float)) and not isinstance(item, bool) and abs(item) < 1e30
            for item in items
        )
        if not good:
            raise self.fail(f"{where}.{key} is {_shown(value)}, not {len(default)} numbers")
        return np.array(items, np.float64)

    def number(self, table: Json, key: str, where: str, *, default: float) -> float:
        """Take one finite number."""
        return float(self.numbers(table, key, where, default=(default,))[0])

    def text(self, table: Json, key: str) -> str:
        """Take a text; anything else is none."""
        value = table.get(key)
        return value[:200] if isinstance(value, str) else ""

    def fetch(self, uri: object, where: str) -> bytes:
        """Read what a URI names: a data URI or a file below the root.

        Raises:
            MissingFileError: if there is no such file.
            SceneError: if it leaves the root or cannot be decoded.
        """
        if not isinstance(uri, str):
            raise self.fail(f"{where}.uri is no text")
        if uri.startswith("data:"):
            head, comma, payload = uri.partition(",")
            if not comma or not head.endswith(";base64"):
                raise self.fail(f"{where}: a data URI without base64")
            try:
                return base64.b64decode(payload, validate=True)
            except (binascii.Error, ValueError) as error:
                raise self.fail(f"{where}: a damaged data URI: {error}") from error
        if "://" in uri[:12]:
            raise MissingFileError(f"{self.path}: {where} lies at {uri[:80]!r}; nothing is fetched")
        return read_bytes(self.root.resolve(self.path.parent, unquote(uri)))

    def view(self, index: int) -> memoryview:
        """Return the bytes of a buffer view.

        Raises:
            SceneError: if it reaches beyond its buffer.
        """
        where = f"bufferViews[{index}]"
        table = self.top("bufferViews")[index]
        buffer = self.index(table, "buffer", where, of="buffers")
        if buffer is None:
            raise self.fail(f"{where} has no buffer")
        data = self._buffer(buffer)
        start = self.whole(table, "byteOffset", where, default=0)
        length = self.whole(table, "byteLength", where)
        if start + length > len(data):
            raise self.fail(
                f"{where} ends at byte {start + length} of a buffer of {len(data)}; the file may be cut off"
            )
        return memoryview(data)[start : start + length]

    def _buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            table = self.top("buffers")[index]
            where = f"buffers[{index}]"
            if "uri" in table:
                data = self.fetch(table["uri"], where)
            elif index == 0 and self._binary is not None:
                data = self._binary
            else:
                raise self.fail(f"{where} has neither a URI nor a binary chunk")
            length = self.whole(table, "byteLength", where)
            if length > len(data):
                raise self.fail(f"{where} has {len(data)} of {length} bytes: it is cut off")
            self._buffers[index] = data
        return self._buffers[index]

    def values(self, index: int) -> Float[np.ndarray, "n c"]:
        """Decode an accessor as numbers; normalised integers become [0, 1] or [-1, 1].

        Raises:
            SceneError: if it reaches beyond its bytes.
        """
        raw = self._raw(index)
        table = self.top("accessors")[index]
        if raw.dtype.kind == "f" or table.get("normalized") is not True:
            with np.errstate(invalid="ignore"):  # signalling NaN, when widened
                return raw.astype(np.float64)
        return np.maximum(raw.astype(np.float64) / np.iinfo(raw.dtype).max, -1.0)

    def whole_values(self, index: int) -> Int64[np.ndarray, " n"]:
        """Decode an accessor of indices.

        Raises:
            SceneError: if it is none.
        """
        raw = self._raw(index)
        if raw.dtype.kind != "u" or raw.shape[1] != 1:
            raise self.fail(f"accessors[{index}] does not hold indices")
        return raw[:, 0].astype(np.int64)

    def _raw(self, index: int) -> np.ndarray:
        if index not in self._accessors:
            self._accessors[index] = self._decode(index)
        return self._accessors[index]

    def _decode(self, index: int) -> np.ndarray:
        where = f"accessors[{index}]"
        table = self.top("accessors")[index]
        code, kind = table.get("componentType"), table.get("type")
        if not isinstance(code, int) or code not in _COMPONENTS:
            raise self.fail(f"{where}.componentType is {_shown(code)}")
        if not isinstance(kind, str) or kind not in _WIDTHS:
            raise self.fail(f"{where}.type is {_shown(kind)}, which no mesh needs")
        dtype, width = np.dtype(_COMPONENTS[code]), _WIDTHS[kind]
        count = self.whole(table, "count", where)
        sparse = self.table(table.get("sparse"), f"{where}.sparse")
        view = self.index(table, "bufferView", where, of="bufferViews")
        if view is None:
            if not sparse or count > MAX_SPARSE:
                raise self.fail(f"{where} has {count} elements and no bytes")
            self._account(count * width * 8)
            values = np.zeros((count, width), dtype)
        else:
            offset = self.whole(table, "byteOffset", where, default=0)
            values = self._strided(view, offset=offset, count=count, dtype=dtype, width=width)
        if sparse:
            values = self._with_sparse(values, sparse, where=f"{where}.sparse")
        return values

    def _strided(
        self, view: int, *, offset: int, count: int, dtype: np.dtype, width: int
    ) -> np.ndarray:
        data = self.view(view)
        item = dtype.itemsize * width
        where = f"bufferViews[{view}]"
        stride = self.whole(self.top("bufferViews")[view], "byteStride", where, default=item)
        if stride < item:
            raise self.fail(f"{where}.byteStride is {stride}, its elements have {item} bytes")
        end = offset + stride * max(count - 1, 0) + item * min(count, 1)
        if end > len(data):
            raise self.fail(
                f"an accessor of {count} elements ends at byte {end} of {where}, which has {len(data)}"
            )
        self._account(count * width * 8)
        strides = (stride, dtype.itemsize)
        return np.ndarray((count, width), dtype, data, offset, strides).copy()

    def _with_sparse(self, values: np.ndarray, sparse: Json, *, where: str) -> np.ndarray:
        count = self.whole(sparse, "count", where)
        tables = [self.table(sparse.get(key), f"{where}.{key}") for key in ("indices", "values")]
        views = [self.index(table, "bufferView", where, of="bufferViews") for table in tables]
        code = tables[0].get("componentType")
        if views[0] is None or views[1] is None or code not in (5121, 5123, 5125):
            raise self.fail(f"{where} is not complete")
        offsets = [self.whole(table, "byteOffset", where, default=0) for table in tables]
        places = self._strided(
            views[0], offset=offsets[0], count=count, dtype=np.dtype(_COMPONENTS[code]), width=1
        )[:, 0]
        items = self._strided(
            views[1], offset=offsets[1], count=count, dtype=values.dtype, width=values.shape[1]
        )
        if count and int(places.max()) >= len(values):
            raise self.fail(f"{where} names element {int(places.max())} of {len(values)}")
        values[places] = items
        return values

    def _account(self, num_bytes: int) -> None:
        self._decoded_bytes += num_bytes
        if self._decoded_bytes > MAX_DECODED_BYTES:
            raise self.fail(f"its accessors decode to more than {MAX_DECODED_BYTES} bytes")


def _shown(value: object) -> str:
    return "missing" if value is None else repr(value)[:60]


def _chunks(data: bytes, *, name: str) -> tuple[bytes, bytes | None]:
    """Cut a GLB file into its JSON and its binary chunk."""
    if len(data) < 20:
        raise SceneError(f"{name}: {len(data)} bytes are no GLB file: it is cut off")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise SceneError(f"{name}: GLB version {version}; only 2 is read")
    if length > len(data):
        raise SceneError(f"{name}: it has {len(data)} of {length} bytes: it is cut off")
    chunks: list[tuple[int, bytes]] = []
    place = 12
    while place + 8 <= length and len(chunks) < 2:
        size, kind = struct.unpack_from("<II", data, place)
        if place + 8 + size > length:
            raise SceneError(f"{name}: a chunk at byte {place} ends beyond the file")
        chunks.append((kind, data[place + 8 : place + 8 + size]))
        place += 8 + size
    if not chunks or chunks[0][0] != 0x4E4F534A:
        raise SceneError(f"{name}: its first chunk is not JSON")
    binary = chunks[1][1] if len(chunks) > 1 and chunks[1][0] == 0x004E4942 else None
    return chunks[0][1].rstrip(b"\0 "), binary
