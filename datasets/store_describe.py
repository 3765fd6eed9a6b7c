"""How the bytes of a file are laid out: for those who look into it, not for those who read it."""

from dataclasses import dataclass
from pathlib import Path

from scenelift.datasets.store_chunk import SHUFFLE_FILTER, ZSTD_FILTER
from scenelift.datasets.store_open import opened, translating
from scenelift.datasets.store_schema import CHANNELS, Channel

_FILTER_NAMES = {
    1: "gzip",
    SHUFFLE_FILTER: "shuffle",
    32_000: "lzf",
    32_001: "blosc",
    ZSTD_FILTER: "zstd",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelStorage:
    """How one channel is stored."""

    channel: Channel
    dtype: str
    shape: tuple[int, ...]
    """Of one frame."""
    compression: str
    stored_bytes: int
    """Of all frames, compressed."""
    raw_bytes: int


def describe_channels(path: Path) -> tuple[ChannelStorage, ...]:
    """Measure each channel of a file.

    Raises:
        StoreError: if the file is not sound.
    """
    found = []
    with opened(path) as (file, _), translating(path):
        for channel in CHANNELS:
            dataset = file[channel]
            plist = dataset.id.get_create_plist()
            codes = [int(plist.get_filter(index)[0]) for index in range(plist.get_nfilters())]
            found.append(
                ChannelStorage(
                    channel=channel,
                    dtype=str(dataset.dtype),
                    shape=tuple(dataset.shape[1:]),
                    compression=" + ".join(_FILTER_NAMES.get(code, str(code)) for code in codes)
                    or "none",
                    stored_bytes=int(dataset.id.get_storage_size()),
                    raw_bytes=int(dataset.nbytes),
                )
            )
    return tuple(found)
