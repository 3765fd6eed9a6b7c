"""One compressed frame: how it may be compressed, and how much it will unpack to before anyone unpacks it."""

from typing import Any

import numpy as np
from jaxtyping import Shaped

from scenelift.datasets.store_schema import StoreError

SHUFFLE_FILTER, ZSTD_FILTER = 2, 32_015
"""Registered HDF5 filter numbers; others are refused, since their chunks do not say what they unpack to."""


def require_known_filters(dataset: Any, *, framewise: bool) -> None:
    """Refuse filters that could unpack without bound.

    Args:
        dataset: An HDF5 dataset.
        framewise: Whether it holds one frame a chunk; all others must lie plain in the file.

    Raises:
        StoreError: naming the filter.
    """
    plist = dataset.id.get_create_plist()
    allowed = [[], [ZSTD_FILTER], [SHUFFLE_FILTER, ZSTD_FILTER]] if framewise else [[]]
    filters = [int(plist.get_filter(index)[0]) for index in range(plist.get_nfilters())]
    if filters not in allowed:
        raise StoreError(
            f"{dataset.name} is packed by the HDF5 filters {filters}, readable are "
            f"{' or '.join(map(str, allowed))}; render or merge the file again"
        )


class Frames:
    """A dataset of one frame a chunk, open for reading."""

    def __init__(self, dataset: Any) -> None:
        """Check how the frames are packed.

        Raises:
            StoreError: if they are packed in a way that does not say what they unpack to.
        """
        require_known_filters(dataset, framewise=True)
        self._dataset = dataset
        self._name = str(dataset.name)[1:]
        self._frame_bytes = int(np.prod(dataset.shape[1:])) * int(dataset.dtype.itemsize)
        self._rest = (0,) * (len(dataset.shape) - 1)
        self._packed = dataset.id.get_create_plist().get_nfilters() > 0

    def read(self, index: int) -> Shaped[np.ndarray, "..."]:
        """Read one frame.

        Raises:
            StoreError: if it is missing, cut off, or would unpack to another size than a frame.
        """
        try:
            mask, chunk = self._dataset.id.read_direct_chunk((index, *self._rest))
            declared = zstd_content_bytes(chunk) if self._packed and not mask else len(chunk)
            if declared != self._frame_bytes:
                raise StoreError(
                    f"{self._name} unpacks to {declared} bytes, a frame has {self._frame_bytes}"
                )
            return np.asarray(self._dataset[index])
        except (OSError, RuntimeError) as error:
            raise StoreError(f"{self._name} is missing or damaged") from error


def zstd_content_bytes(chunk: bytes) -> int | None:
    """Return the unpacked size that a Zstandard frame declares (RFC 8878, 3.1.1), None if it does not.

    >>> zstd_content_bytes(bytes.fromhex("28b52ffd200501000061"))
    5
    """
    if len(chunk) < 6 or chunk[:4] != b"\x28\xb5\x2f\xfd":
        return None
    descriptor = chunk[4]
    single_segment = descriptor >> 5 & 1
    start = 5 + (0 if single_segment else 1) + (0, 1, 2, 4)[descriptor & 3]
    length = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    field = chunk[start : start + length]
    if length == 0 or len(field) < length:
        return None
    return int.from_bytes(field, "little") + (256 if length == 2 else 0)
