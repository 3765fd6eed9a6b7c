"""The figure of nearest neighbours: a query a row, and a group of columns a network."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from scenelift.datasets.geometry import resize_frame

_GAP_PX, _GROUP_PX, _CAPTION_PX, _FRAME_PX = 3, 16, 20, 2
_PAPER, _INK = (255, 255, 255), (50, 50, 54)
_RIGHT, _WRONG = (46, 125, 72), (190, 70, 60)


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """What one network finds."""

    label: str
    """Its name above the group."""
    neighbours: tuple[tuple[UInt8[np.ndarray, "_ _ 3"], ...], ...]
    """For each query its neighbours, nearest first."""
    hits: tuple[tuple[bool, ...], ...] = ()
    """Whether a neighbour is of the query's class: a green or a red frame. Empty: no classes, no frames."""


def draw_retrieval(
    queries: Sequence[UInt8[np.ndarray, "_ _ 3"]], columns: Sequence[Column], *, tile_px: int = 80
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw queries at the left and, for each network, their nearest neighbours beside them.

    Args:
        queries: Pictures of any size; squares are cut from their middles.
        columns: A network each.
        tile_px: Side of a square.

    Raises:
        ValueError: if there is nothing to draw, or a network found neighbours of another number of queries.
    """
    if not queries or not columns:
        raise ValueError(f"{len(queries)} queries and {len(columns)} networks: nothing to draw")
    for column in columns:
        if len(column.neighbours) != len(queries) or len(column.hits) not in (0, len(queries)):
            raise ValueError(
                f"{column.label}: neighbours of {len(column.neighbours)} queries, where there are {len(queries)}"
            )
    step = tile_px + _GAP_PX
    starts, left = [], step + _GROUP_PX
    for column in columns:
        starts.append(left)
        left += max(map(len, column.neighbours)) * step + _GROUP_PX
    sheet = np.full((_CAPTION_PX + len(queries) * step, left - _GROUP_PX - _GAP_PX, 3), _PAPER)
    sheet = sheet.astype(np.uint8)
    for row, query in enumerate(queries):
        top = _CAPTION_PX + row * step
        _place(sheet, _tile(query, tile_px=tile_px), top=top, left=0)
        for column, start in zip(columns, starts, strict=True):
            for place, image in enumerate(column.neighbours[row]):
                tile = _tile(image, tile_px=tile_px)
                if column.hits:
                    _frame(tile, _RIGHT if column.hits[row][place] else _WRONG)
                _place(sheet, tile, top=top, left=start + place * step)
    captions = [("query", 0, step + _GROUP_PX)] + [
        (column.label, start, max(map(len, column.neighbours)) * step)
        for column, start in zip(columns, starts, strict=True)
    ]
    return _captioned(sheet, captions)


def _tile(image: UInt8[np.ndarray, "h w 3"], *, tile_px: int) -> UInt8[np.ndarray, "t t 3"]:
    small = resize_frame({"image": image}, resize_px=tile_px)["image"]
    top, left = (small.shape[0] - tile_px) // 2, (small.shape[1] - tile_px) // 2
    return np.array(small[top : top + tile_px, left : left + tile_px])


def _frame(tile: UInt8[np.ndarray, "t t 3"], colour: tuple[int, int, int]) -> None:
    side = len(tile) - 1
    cv2.rectangle(tile, (0, 0), (side, side), colour, 2 * _FRAME_PX - 1)


def _place(
    sheet: UInt8[np.ndarray, "height width 3"],
    tile: UInt8[np.ndarray, "t t 3"],
    *,
    top: int,
    left: int,
) -> None:
    sheet[top : top + len(tile), left : left + len(tile)] = tile


def _captioned(
    sheet: UInt8[np.ndarray, "height width 3"], captions: Sequence[tuple[str, int, int]]
) -> UInt8[np.ndarray, "height width 3"]:
    """Write captions at the top, shortened to their widths in pixels."""
    drawn = Image.fromarray(sheet)
    draw = ImageDraw.Draw(drawn)
    font = ImageFont.load_default(13)
    for text, left, width in captions:
        shown = text
        while len(shown) > 1 and draw.textlength(shown, font=font) > width:
            shown = shown.removesuffix("…")[:-1] + "…"
        draw.text((left + 1, 1), shown, _INK, font=font)
    return np.array(drawn)
