"""MATLAB's files of version 5: numbers, cells and structs, which is all that annotations need.

Files are hostile, hence a reader of its own: nothing is allocated or entered because a header says so. What is unpacked, how deep
cells nest and how many values there are is bounded; text, objects, functions and sparse matrices are refused. The format is
MathWorks' "MAT-File Format", level 5. Files of version 7.3 are HDF5 and another matter.
"""

import math
import struct
import zlib
from dataclasses import dataclass

import numpy as np

MAX_BYTES = 2**28
"""Unpacked, in all."""

_HEADER_BYTES = 128
_MAX_DEPTH = 6
_MAX_VALUES = 100_000
_MAX_FIELDS = 64
_UINT32, _MATRIX, _COMPRESSED = 6, 14, 15
_CELL, _STRUCT, _DOUBLE = 1, 2, 6
_LOGICAL, _COMPLEX = 0x0200, 0x0800
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
_STORED |= {13: "u8"}
_CLASSES = ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
"""Of numbers, from `_DOUBLE` on."""


class MatError(ValueError):
    """A file that is not MATLAB's of version 5, or holds what is not read here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """What a cell array or an array of structs holds."""

    shape: tuple[int, ...]
    items: tuple["MatValue", ...]
    """Column by column."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Struct:
    """An array of structs."""

    shape: tuple[int, ...]
    fields: dict[str, tuple["MatValue", ...]]
    """Values by name, column by column."""


MatValue = np.ndarray | Cell | Struct


def read_mat(data: bytes, *, name: str, variable: str) -> MatValue:
    """Return a variable.

    Args:
        data: The file.
        name: What messages call it.
        variable: Which; others are unpacked, but not read.

    Returns:
        Numbers as an array of two dimensions or more, logical ones as bool; cells and structs as such.

    Raises:
        MatError: if the file is damaged, too large, or does not hold the variable.
    """
    try:
        return _Reader(data).find(variable)
    except MatError as error:
        raise MatError(f"{name}: {error}") from error
    except (struct.error, zlib.error) as error:
        raise MatError(f"{name}: damaged or cut off") from error


class _Reader:
    """One file; counts what it has unpacked and entered."""

    def __init__(self, data: bytes) -> None:
        if data[:8] == b"\x89HDF\r\n\x1a\n" or data[:10] == b"MATLAB 7.3":
            raise MatError("is a file of version 7.3; save it with -v7")
        if len(data) < _HEADER_BYTES or data[126:128] not in (b"IM", b"MI"):
            raise MatError("is no MATLAB file of version 5")
        self._order = "<" if data[126:128] == b"IM" else ">"
        self._data = memoryview(data)
        self._bytes_left = MAX_BYTES
        self._values_left = _MAX_VALUES

    def find(self, variable: str) -> MatValue:
        """Look through the variables."""
        at = _HEADER_BYTES
        while at < len(self._data):
            kind, content, at = self._element(self._data, at)
            if kind == _COMPRESSED:
                kind, content, _ = self._element(self._unpack(content), 0)
            if kind == _MATRIX and self._name(content) == variable:
                return self._matrix(content, depth=0)
        raise MatError(f"holds no variable {variable}")

    def _unpack(self, content: memoryview) -> memoryview:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(content, self._bytes_left)
        if not unpacker.eof and len(data) >= self._bytes_left:
            raise MatError(f"unpacks to more than {MAX_BYTES} bytes")
        self._bytes_left -= len(data)
        return memoryview(data)

    def _element(self, data: memoryview, at: int) -> tuple[int, memoryview, int]:
        """Return the kind and content of an element, and where the next one begins."""
        kind, size = struct.unpack_from(f"{self._order}II", data, at)
        if kind >> 16:
            # A small element: both numbers in the first word, the content in the second.
            kind, size = kind & 0xFFFF, kind >> 16
            if size > 4:
                raise MatError("damaged: an element of more than it can hold")
            return kind, data[at + 4 : at + 4 + size], at + 8
        start = at + 8
        if start + size > len(data):
            raise MatError(f"cut off: {len(data) - start} of {size} bytes of an element")
        padding = 0 if kind == _COMPRESSED else -size % 8
        return kind, data[start : start + size], start + size + padding

    def _head(self, data: memoryview) -> tuple[int, tuple[int, ...], str, int]:
        """Return a matrix's flags, shape and name, and where its values begin."""
        kind, content, at = self._element(data, 0)
        if kind != _UINT32 or len(content) != 8:
            raise MatError("damaged: an array without flags")
        flags = struct.unpack_from(f"{self._order}I", content)[0]
        _, content, at = self._element(data, at)
        shape = struct.unpack(
            f"{self._order}{len(content) // 4}i", content[: len(content) // 4 * 4]
        )
        if not 2 <= len(shape) <= 8 or min(shape) < 0:
            raise MatError(f"damaged: an array of shape {shape[:8]}")
        _, content, at = self._element(data, at)
        return flags, shape, bytes(content).decode("latin-1"), at

    def _name(self, data: memoryview) -> str:
        return self._head(data)[2]

    def _matrix(self, data: memoryview, *, depth: int) -> MatValue:
        if depth > _MAX_DEPTH:
            raise MatError(f"cells and structs nest more than {_MAX_DEPTH} deep")
        if not len(data):
            return np.zeros((0, 0))
        flags, shape, _, at = self._head(data)
        kind = flags & 0xFF
        if kind == _CELL:
            return Cell(
                shape=shape, items=self._items(data, at, count=math.prod(shape), depth=depth)
            )
        if kind == _STRUCT:
            return self._struct(data, at, shape=shape, depth=depth)
        if not _DOUBLE <= kind < _DOUBLE + len(_CLASSES):
            raise MatError(
                f"holds an array of class {kind}, where numbers, cells and structs are read"
            )
        if flags & _COMPLEX:
            raise MatError("holds complex numbers")
        return self._numbers(data, at, shape=shape, flags=flags)

    def _numbers(
        self, data: memoryview, at: int, *, shape: tuple[int, ...], flags: int
    ) -> np.ndarray:
        stored, content, _ = self._element(data, at)
        code = _STORED.get(stored)
        if code is None:
            raise MatError(f"damaged: numbers stored as type {stored}")
        dtype = np.dtype(self._order + code)
        if math.prod(shape) * dtype.itemsize != len(content):
            raise MatError(f"damaged: {len(content)} bytes of {code} for an array of shape {shape}")
        values = np.frombuffer(content, dtype).reshape(shape, order="F")
        wanted = "?" if flags & _LOGICAL else _CLASSES[(flags & 0xFF) - _DOUBLE]
        return values.astype(wanted)

    def _struct(self, data: memoryview, at: int, *, shape: tuple[int, ...], depth: int) -> Struct:
        _, content, at = self._element(data, at)
        if len(content) != 4:
            raise MatError("damaged: a struct without the length of its names")
        length = struct.unpack(f"{self._order}i", content)[0]
        _, content, at = self._element(data, at)
        if not 1 <= length <= 64 or len(content) % length or len(content) > length * _MAX_FIELDS:
            raise MatError("damaged: names of a struct")
        text = bytes(content).decode("latin-1")
        names = [text[i : i + length].partition("\0")[0] for i in range(0, len(text), length)]
        count = math.prod(shape)
        values = self._items(data, at, count=count * len(names), depth=depth)
        step = max(len(names), 1)
        return Struct(shape=shape, fields={n: values[i::step] for i, n in enumerate(names)})

    def _items(self, data: memoryview, at: int, *, count: int, depth: int) -> tuple[MatValue, ...]:
        self._values_left -= count
        if self._values_left < 0:
            raise MatError(f"holds more than {_MAX_VALUES} values")
        items = []
        for _ in range(count):
            kind, content, at = self._element(data, at)
            if kind != _MATRIX:
                raise MatError(f"damaged: an element of kind {kind} in a cell or struct")
            items.append(self._matrix(content, depth=depth + 1))
        return tuple(items)
