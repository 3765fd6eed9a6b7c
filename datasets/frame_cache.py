"""Resized frames, kept after their first read where all processes of a run can see them.

They lie in a temporary file without a name, mapped into memory: it outlives no process, needs no `/dev/shm` (64 MB in many
containers), and the system may write its pages out when memory is short.
"""

import logging
import mmap
import os
import tempfile
from multiprocessing.context import get_spawning_popen
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np

from scenelift.datasets.geometry import Frame
from scenelift.datasets.store_schema import Channel

_HEADER_BYTES = 16
_CHANNELS: tuple[tuple[Channel, type[np.generic], int], ...] = (
    ("image", np.uint8, 3), ("depth", np.float32, 1), ("normal", np.int16, 3), ("edge", np.bool_, 1),
    ("instance", np.uint16, 1), ("semantic", np.uint8, 1),
)  # fmt: skip
_logger = logging.getLogger(__name__)


class FrameCache:
    """Slots of one size, one a frame; a frame that is larger than a slot is not kept."""

    def __init__(self, count: int, *, like: Frame, slot_px: int) -> None:
        """Reserve addresses, not memory.

        Args:
            count: Number of frames.
            like: A frame with the channels that all have.
            slot_px: Pixels of the largest frame that is kept.
        """
        self._handle = -1
        self._slot_bytes = slot_bytes(like, slot_px=slot_px)
        self._full = False
        with tempfile.TemporaryFile(prefix="scenelift-frames-") as file:
            file.truncate(count * self._slot_bytes)
            self._handle = os.dup(file.fileno())
        self._map: mmap.mmap | None = _mapped(self._handle)

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_map": None, "_handle": None}
        # Outside a start of a process there is nobody to hand the file to.
        if self._map is not None and get_spawning_popen() is not None:
            state["_handle"] = DupFd(self._handle)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "_handle": -1})
        if state["_handle"] is not None:
            self._handle = handle = state["_handle"].detach()
            self._map = _mapped(handle)

    def __del__(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)

    def get(self, index: int) -> Frame | None:
        """Return a frame that was put, as views of the file; None if none was."""
        if self._map is None:
            return None
        start = index * self._slot_bytes
        height, width, mask, _ = np.frombuffer(self._map, np.int32, 4, start).tolist()
        if not height:
            return None
        start += _HEADER_BYTES
        frame: Frame = {}
        for bit, (name, kind, depth) in enumerate(_CHANNELS):
            if mask >> bit & 1:
                count = height * width * depth
                shape = (height, width, depth) if depth > 1 else (height, width)
                frame[name] = np.frombuffer(self._map, kind, count, start).reshape(shape)
                start += count * np.dtype(kind).itemsize
        return frame

    def put(self, index: int, frame: Frame) -> None:
        """Keep a frame if it fits; two processes may put the same one at once."""
        height, width = frame["image"].shape[:2]
        if (
            self._full
            or self._map is None
            or slot_bytes(frame, slot_px=height * width) > self._slot_bytes
        ):
            return
        mask = sum(1 << bit for bit, (name, _, _) in enumerate(_CHANNELS) if name in frame)
        body = b"".join(frame[name].tobytes() for name, _, _ in _CHANNELS if name in frame)
        start = index * self._slot_bytes
        try:
            # The header comes last: who sees it sees the whole frame. A write says where a mapping would crash that the
            # disk is full.
            written = os.pwrite(self._handle, body, start + _HEADER_BYTES)
            if written == len(body):
                header = np.array([height, width, mask, 0], np.int32)
                os.pwrite(self._handle, header.tobytes(), start)
        except OSError as error:
            _logger.warning("frames are no longer kept in memory: %s", error)
            self._full = True


def _mapped(handle: int) -> mmap.mmap:
    return mmap.mmap(handle, 0, prot=mmap.PROT_READ)


def slot_bytes(like: Frame, *, slot_px: int) -> int:
    """Return the bytes that a frame of some pixels takes up, with the channels of another."""
    a_pixel = sum(
        depth * np.dtype(kind).itemsize for name, kind, depth in _CHANNELS if name in like
    )
    return -(-(_HEADER_BYTES + a_pixel * slot_px) // 64) * 64
