"""The headers of a tar archive, read in one pass without its contents: ustar, GNU long names and pax.

Python's `tarfile` keeps an object for every member and runs recursively through chains of extended headers; an archive of
1.8 million photos, or a hostile one, asks for less.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_BLOCK = 512
_MAX_EXTENSION_BYTES = 2**16
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"(\xb5": "zstd", b"PK": "zip"}
_PAX_RECORD = re.compile(rb"(\d{1,6}) ([^=\n]+)=")


class TarError(ValueError):
    """A file that is no sound tar archive."""


class TarMember(NamedTuple):
    """A plain file in an archive."""

    name: str
    """Path with single slashes, without `.` at its start; never absolute, never through `..`."""
    offset: int
    """Where its bytes start in the archive."""
    size: int
    """Number of bytes."""


def tar_members(path: Path) -> Iterator[TarMember]:
    """Yield the plain files of an archive; links, devices, folders and names that lead outside are left out.

    Raises:
        TarError: if it cannot be read, is compressed, damaged or cut off.
    """
    try:
        with path.open("rb", buffering=0) as file:
            yield from _walk(file, path=path)
    except OSError as error:
        raise TarError(f"{path}: cannot be read: {error.strerror or error}") from error


def _walk(file: BinaryIO, *, path: Path) -> Iterator[TarMember]:
    total, position = os.fstat(file.fileno()).st_size, 0
    long_name: str | None = None
    pax: dict[bytes, bytes] = {}
    while position + _BLOCK <= total:
        header = os.pread(file.fileno(), _BLOCK, position)
        if not header.strip(b"\0"):
            return
        kind, size = _check(header, path=path, position=position)
        start = position + _BLOCK
        if kind not in b"LKxgX" and b"size" in pax:
            size = _decimal(pax[b"size"], path=path, position=position)
        if start + size > total:
            raise TarError(
                f"{path}: cut off: its last member ends {start + size - total} bytes later"
            )
        position = start + -(-size // _BLOCK) * _BLOCK
        if kind in b"LKxgX":
            if size > _MAX_EXTENSION_BYTES:
                raise TarError(f"{path}: a header of {size} bytes at {start}; no archive needs it")
            data = os.pread(file.fileno(), size, start)
            if kind == b"L":
                long_name = os.fsdecode(data.rstrip(b"\0"))
            elif kind in b"xX":
                pax = _pax(data)
            continue
        name = os.fsdecode(pax[b"path"]) if b"path" in pax else long_name or _name(header)
        sparse = any(key.startswith(b"GNU.sparse") for key in pax)
        long_name, pax = None, {}
        inside = _inside(name)
        if kind in b"0\x007" and inside and not sparse and not name.endswith("/"):
            yield TarMember(inside, start, size)
    if position < total:
        if not position:
            raise TarError(f"{path}: no tar archive")
        raise TarError(f"{path}: cut off: {total - position} bytes follow its last member")


def _check(header: bytes, *, path: Path, position: int) -> tuple[bytes, int]:
    """Return the kind and size that a header states, if its checksum holds."""
    # The sum counts its own field as blanks.
    expected = sum(header) - sum(header[148:156]) + 8 * 32
    if _octal(header[148:156]) != expected:
        if position:
            raise TarError(f"{path}: damaged at byte {position}: a header's checksum is wrong")
        packed = _COMPRESSED.get(header[:2])
        cure = f"{packed}-compressed; unpack it to a plain tar" if packed else "no tar archive"
        raise TarError(f"{path}: {cure}")
    size = _octal(header[124:136])
    if size is None or size < 0:
        raise TarError(f"{path}: damaged at byte {position}: a header states no size")
    return header[156:157], size


def _octal(field: bytes) -> int | None:
    """Read a number: octal digits, or GNU's binary form for large ones."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not digits:
        return 0
    return int(digits, 8) if all(digit in b"01234567" for digit in digits) else None


def _decimal(field: bytes, *, path: Path, position: int) -> int:
    if not field.isdigit() or len(field) > 18:
        raise TarError(f"{path}: damaged at byte {position}: a size of {field[:20]!r}")
    return int(field)


def _pax(data: bytes) -> dict[bytes, bytes]:
    """Read the records of an extended header, `length key=value` each, up to the first that is damaged."""
    records: dict[bytes, bytes] = {}
    position = 0
    while match := _PAX_RECORD.match(data, position):
        end = position + int(match[1])
        if not match.end() < end <= len(data):
            break
        records[match[2]] = data[match.end() : end - 1]
        position = end
    return records


def _name(header: bytes) -> str:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return os.fsdecode(prefix + b"/" + name if prefix else name)


def _inside(name: str) -> str:
    """Return the name in its plain form; empty if it leads outside."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "" if name.startswith("/") or ".." in parts or "\0" in name else "/".join(parts)
