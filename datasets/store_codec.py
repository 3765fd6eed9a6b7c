"""Between the arrays of a `Row` and those of the file, and the compression of each channel."""

from collections.abc import Mapping

import hdf5plugin
import numpy as np
from jaxtyping import Float32, Int16, Shaped, UInt32

from scenelift.datasets.store_schema import (
    DEPTH_MANTISSA_BITS,
    NORMAL_SCALE,
    Channel,
    Row,
    StoreError,
)


def round_depth(z_depth_m: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Round to 13 mantissa bits, to nearest and ties to even, so that depth compresses; 0 stays 0.

    >>> round_depth(np.float32([[0.0, 1.0, 1.0001]])).tolist()
    [[0.0, 1.0, 1.0001220703125]]
    """
    dropped = 23 - DEPTH_MANTISSA_BITS
    bits: UInt32[np.ndarray, "h w"] = np.ascontiguousarray(z_depth_m).view(np.uint32)
    even = (bits >> np.uint32(dropped)) & np.uint32(1)
    half = np.uint32((1 << (dropped - 1)) - 1)
    mask = np.uint32(0xFFFFFFFF ^ ((1 << dropped) - 1))
    return np.asarray(((bits + half + even) & mask).view(np.float32))


def quantise_normal(normal: Float32[np.ndarray, "h w 3"]) -> Int16[np.ndarray, "h w 3"]:
    """Scale to int16; (0, 0, 0) stays.

    >>> quantise_normal(np.float32([[[0.0, 0.6, 0.8]]])).tolist()
    [[[0, 19660, 26214]]]
    """
    scaled = np.clip(normal, -1, 1)
    scaled *= np.float32(NORMAL_SCALE)
    return np.asarray(np.rint(scaled, out=scaled).astype(np.int16))


def dequantise_normal(stored: Int16[np.ndarray, "*n"]) -> Float32[np.ndarray, "*n"]:
    """Scale back to length 1, within 2.6e-5; (0, 0, 0) stays."""
    return np.asarray(np.multiply(stored, np.float32(1 / NORMAL_SCALE), dtype=np.float32))


def encode(row: Row) -> dict[Channel, Shaped[np.ndarray, "h w *c"]]:
    """Turn a row into the arrays that the file holds.

    Raises:
        StoreError: if depth or normals cannot be stored: NaN, infinite, negative or longer than one.
    """
    # NaN fails every comparison.
    if not (row.z_depth_m.min() >= 0 and row.z_depth_m.max() < np.inf):
        raise StoreError("depth has NaN, infinite or negative values; invalid depth is 0")
    if not (row.normal.min() >= -1.0001 and row.normal.max() <= 1.0001):
        raise StoreError("a normal is NaN or longer than 1; an invalid normal is (0, 0, 0)")
    return {
        "image": row.image,
        "depth": round_depth(row.z_depth_m),
        "normal": quantise_normal(row.normal),
        "edge": row.edge,
        "instance": row.instance,
        "semantic": row.semantic,
    }


def compression(channel: Channel) -> Mapping[str, object]:
    """Return h5py's creation arguments for a channel: zstd 3, the bytes of depth shuffled.

    Measured against gzip, lzf, Blosc, Blosc 2 and bitshuffle (docs/store.md): shuffling nearly halves
    depth, and makes normals, which repeat as whole triples, larger.
    """
    return {"shuffle": channel == "depth", **hdf5plugin.Zstd(clevel=3)}
