"""Training samples from `synth.h5`: a map-style data set over one file or several."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict, cast

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int32, Int64, Shaped, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from scenelift.datasets.geometry import Frame
from scenelift.datasets.store import CHANNELS, SPLITS, Channel, Header, Reader, StoreError
from scenelift.datasets.store_codec import dequantise_normal

PAPER_MIN_EDGE_PIXELS = 350
"""Frames of 256 x 256 pixels with fewer edge pixels were left out in training (Ren and Lee, CVPR 2018, released code)."""


class SyntheticSample(TypedDict):
    """One view as a plain dict of tensors, which torch's own collate stacks; only what was asked for is in it."""

    index: int
    """Position of the view in the files, before any filter."""
    image: UInt8[Tensor, "3 h w"]
    """sRGB."""
    z_depth_m: Float32[Tensor, "1 h w"]
    """Along the optical axis; 0 where invalid."""
    normal: Float32[Tensor, "3 h w"]
    """Unit within 3e-5, camera frame (x right, y up, z to the viewer); 0 where invalid."""
    edge: Bool[Tensor, "1 h w"]
    """Whether any of the edge kinds asked for is there."""
    instance: Int32[Tensor, "h w"]
    """Row of the scene's table plus one; 0 nothing."""
    semantic: Int64[Tensor, "h w"]
    """NYU40; 0 unknown."""
    valid: Bool[Tensor, "1 h w"]
    """Where a surface is seen; there with depth, normal or instance."""


class SyntheticDataset(Dataset[SyntheticSample]):
    """The views of one or several files, filtered by columns without decoding a frame.

    Nothing is open between the constructor and the first sample of each process: safe under fork, spawn and pickle.
    """

    def __init__(
        self,
        paths: Path | Sequence[Path],
        *,
        channels: Collection[Channel] = CHANNELS,
        split: Literal["train", "val", "test"] | None = None,
        limits: Mapping[str, tuple[float | int, float | int]] | None = None,
        edge_bits: int = 1,
    ) -> None:
        """Read the columns that filter, and nothing else.

        Args:
            paths: Files that `render-scenes` wrote, of one image size.
            channels: What a sample holds.
            split: Keep the views of this split; None keeps all.
            limits: Least and greatest value to keep by column of `view/`, both included. The paper's gate is
                `{"edge_pixels": (min_edge_pixels(width=..., height=...), math.inf)}`.
            edge_bits: Edge kinds that count, added up: 1 instance boundary (the paper's), 2 occlusion, 4 crease,
                8 texture.

        Raises:
            StoreError: if a file is not sound, a column is missing, or no view is left.
            ValueError: if `edge_bits` names no kind.
        """
        if not 1 <= edge_bits <= 15:
            raise ValueError(f"edge_bits must be a sum of 1, 2, 4 and 8, got {edge_bits}")
        self._channels = tuple(channels)
        self._edge_bits = edge_bits
        self._reader = Reader(paths)
        keep = np.ones(len(self._reader), bool)
        if split is not None:
            keep &= self._reader.views("split") == SPLITS.index(split)
        for column, (least, greatest) in (limits or {}).items():
            values = self._reader.views(column)
            keep &= (values >= least) & (values <= greatest)
        self._indices = np.flatnonzero(keep)
        self._reader.close()
        if not len(self._indices):
            raise StoreError(
                f"{self._reader.paths[0]}: none of {len(keep)} views is in split {split or 'any'} "
                f"within {dict(limits or {})}; loosen the filter"
            )

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def header(self) -> Header:
        """What the first file says of itself."""
        return self._reader.header

    @property
    def indices(self) -> Int64[np.ndarray, " n"]:
        """Positions in the files of the views kept."""
        return self._indices

    def frame(self, index: int) -> Frame:
        """Read one view as arrays, normals as stored, `edge` as whether any of the kinds asked for is there.

        Raises:
            IndexError: if there are not so many.
            StoreError: if the view is damaged.
        """
        return self._reader.read(
            int(self._indices[index]),
            channels=self._channels,
            raw_normals=True,
            edge_bits=self._edge_bits,
        )

    def __getitem__(self, index: int) -> SyntheticSample:
        """Read one view.

        Raises:
            IndexError: if there are not so many.
            StoreError: if the view is damaged.
        """
        arrays = self.frame(index)
        position = int(self._indices[index])
        sample: dict[str, Tensor | int] = {"index": position}
        if "image" in arrays:
            sample["image"] = torch.from_numpy(_planes(arrays["image"]))
        if "normal" in arrays:
            sample["normal"] = torch.from_numpy(dequantise_normal(_planes(arrays["normal"])))
        if "edge" in arrays:
            sample["edge"] = torch.from_numpy(arrays["edge"])[None]
        if "instance" in arrays:
            sample["instance"] = torch.from_numpy(arrays["instance"].astype(np.int32))
        if "semantic" in arrays:
            sample["semantic"] = torch.from_numpy(arrays["semantic"].astype(np.int64))
        if "depth" in arrays:
            sample["z_depth_m"] = torch.from_numpy(arrays["depth"])[None]
        valid = _valid(arrays)
        if valid is not None:
            sample["valid"] = torch.from_numpy(valid)[None]
        return cast("SyntheticSample", sample)


def _planes(pixels: Shaped[np.ndarray, "h w 3"]) -> Shaped[np.ndarray, "3 h w"]:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _valid(arrays: Mapping[Channel, np.ndarray]) -> Bool[np.ndarray, "h w"] | None:
    """Tell where a surface is seen, from the cheapest label at hand; they agree."""
    if "depth" in arrays:
        return np.asarray(arrays["depth"] > 0)
    if "instance" in arrays:
        return np.asarray(arrays["instance"] > 0)
    if "normal" in arrays:
        return np.asarray((arrays["normal"] != 0).any(axis=-1))
    return None


def min_edge_pixels(*, width: int, height: int) -> int:
    """Scale the paper's least number of edge pixels to an image size.

    >>> min_edge_pixels(width=256, height=256), min_edge_pixels(width=128, height=96)
    (350, 66)
    """
    return math.ceil(PAPER_MIN_EDGE_PIXELS * width * height / 256**2)
