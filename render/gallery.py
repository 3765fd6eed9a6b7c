"""A contact sheet: some frames of a file, all channels side by side, with the keys to their colours."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageDraw, ImageFont

from scenelift.datasets.nyu40 import NYU40_NAMES
from scenelift.datasets.store import Channel, Reader, StoreError
from scenelift.render import palette

_BACKGROUND, _INK, _FAINT = (15, 16, 20), (232, 232, 228), (142, 144, 154)
_MARGIN, _GAP = 28, 6
_ROW_LABEL = 22
_MAX_TILE_PX, _MIN_TILE_PX = 288, 160

_TITLES: dict[Channel, str] = {
    "image": "image",
    "depth": "depth",
    "normal": "normal",
    "edge": "edge",
    "instance": "instance",
    "semantic": "semantic",
}

Frame = Mapping[Channel, Shaped[np.ndarray, "..."]]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """Where things stand on the sheet, in pixels."""

    tile_width: int
    tile_height: int
    rows: int

    def left(self, column: int) -> int:
        return _MARGIN + column * (self.tile_width + _GAP)

    def top(self, row: int) -> int:
        return 118 + row * (self.tile_height + _ROW_LABEL + _GAP)

    @property
    def width(self) -> int:
        return self.left(len(_TITLES)) - _GAP + _MARGIN


def contact_sheet(
    path: Path, *, out: Path, rows: int = 8, frames: Sequence[int] | None = None
) -> None:
    """Draw frames of a file as a PNG.

    Args:
        path: The file.
        out: The PNG to write.
        rows: How many frames, spread evenly over the file.
        frames: Which frames instead.

    Raises:
        StoreError: if the file is not sound, has no frames, or not the ones asked for.
        OSError: if the picture cannot be written.
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1, got {rows}")
    reader = Reader(path)
    try:
        indices = spread(len(reader), count=rows) if frames is None else tuple(frames)
        if not indices:
            raise StoreError(f"{path}: has no frames to show")
        wrong = [index for index in indices if not 0 <= index < len(reader)]
        if wrong:
            raise StoreError(f"{path}: has frames 0 to {len(reader) - 1}, not {wrong[0]}")
        sheet = draw_sheet(reader, indices)
    finally:
        reader.close()
    encoded = io.BytesIO()
    Image.fromarray(sheet).save(encoded, "PNG")
    out.write_bytes(encoded.getvalue())


def spread(total: int, *, count: int) -> tuple[int, ...]:
    """Choose `count` of `total` positions, evenly and without the ends' neglect; all if there are fewer.

    >>> spread(100, count=4), spread(2, count=4)
    ((12, 37, 62, 87), (0, 1))
    """
    count = min(count, total)
    return tuple(int((index + 0.5) * total / count) for index in range(count))


def draw_sheet(reader: Reader, indices: Sequence[int]) -> UInt8[np.ndarray, "h w 3"]:
    """Draw the frames of these indices, a row each."""
    frames = [reader.read(index) for index in indices]
    near_m, far_m = _depth_range(frames)
    layout = _make_layout(width=reader.header.width, height=reader.header.height, rows=len(frames))
    classes = _classes_seen(frames)
    legend_lines = -(-len(classes) // _legend_columns(layout))
    height = layout.top(layout.rows) + 96 + 22 * legend_lines
    sheet = Image.new("RGB", (layout.width, height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    _draw_head(draw, reader, layout=layout)
    painters = _painters(near_m=near_m, far_m=far_m)
    captions = _captions(reader, indices)
    for row, frame in enumerate(frames):
        for column, (channel, paint) in enumerate(painters.items()):
            tile = _fit(paint(frame[channel]), layout=layout, smooth=channel == "image")
            sheet.paste(tile, (layout.left(column), layout.top(row)))
        caption_top = layout.top(row) + layout.tile_height + 3
        draw.text((layout.left(0) + 1, caption_top), captions[row], _FAINT, font=_font(12))
    _draw_keys(sheet, layout=layout, near_m=near_m, far_m=far_m)
    _draw_classes(draw, classes, layout=layout)
    return np.asarray(sheet)


def _painters(
    *, near_m: float, far_m: float
) -> dict[Channel, Callable[[Shaped[np.ndarray, "..."]], UInt8[np.ndarray, "h w 3"]]]:
    return {
        "image": lambda image: image,
        "depth": lambda depth: palette.colour_depth(depth, near_m=near_m, far_m=far_m),
        "normal": palette.colour_normal,
        "edge": palette.colour_edges,
        "instance": palette.colour_instance,
        "semantic": palette.colour_semantic,
    }


def _make_layout(*, width: int, height: int, rows: int) -> _Layout:
    """Fit a tile: small frames are enlarged by a whole factor, large ones reduced."""
    longest = max(width, height)
    if longest <= _MAX_TILE_PX:
        scale = float(max(1, -(-_MIN_TILE_PX // longest)))
    else:
        scale = _MAX_TILE_PX / longest
    return _Layout(
        tile_width=max(_MIN_TILE_PX * 3 // 4, round(width * scale)),
        tile_height=max(1, round(height * scale)),
        rows=rows,
    )


def _fit(colours: UInt8[np.ndarray, "h w 3"], *, layout: _Layout, smooth: bool) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(colours))
    size = (layout.tile_width, layout.tile_height)
    shrinks = image.width > layout.tile_width
    how = Image.Resampling.LANCZOS if smooth and shrinks else Image.Resampling.NEAREST
    return image if image.size == size else image.resize(size, how)


def _depth_range(frames: Sequence[Frame]) -> tuple[float, float]:
    """Return the 1st and 99th percentile over the frames, rounded outwards to a tenth of a metre."""
    depth = np.concatenate([frame["depth"][frame["depth"] > 0] for frame in frames])
    if not len(depth):
        return 0.1, 10.0
    low, high = np.percentile(depth, (1, 99))
    near_m = max(0.1, float(np.floor(low * 10) / 10))
    return near_m, max(near_m * 1.5, float(np.ceil(high * 10) / 10))


def _classes_seen(frames: Sequence[Frame]) -> list[tuple[int, float]]:
    """List the classes of the frames with their share of the pixels, the commonest first."""
    counts = sum(
        (np.bincount(frame["semantic"].ravel(), minlength=256) for frame in frames),
        np.zeros(256, np.int64),
    )
    order = np.argsort(-counts, kind="stable")
    return [(int(index), float(counts[index] / counts.sum())) for index in order if counts[index]]


def _captions(reader: Reader, indices: Sequence[int]) -> list[str]:
    scene, split = reader.views("scene"), reader.views("split")
    rooms = reader.views("room") if "room" in reader.columns else np.full(len(reader), -1)
    captions = []
    for index in indices:
        record = reader.scene(int(scene[index]))
        room = int(rooms[index])
        kind = record.rooms[room] if 0 <= room < len(record.rooms) else ""
        parts = (f"frame {index}", record.name, kind, ("train", "val", "test")[int(split[index])])
        captions.append("  ·  ".join(part for part in parts if part))
    return captions


def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _draw_head(draw: ImageDraw.ImageDraw, reader: Reader, *, layout: _Layout) -> None:
    header = reader.header
    draw.text((_MARGIN, 20), reader.paths[0].name, _INK, font=_font(26))
    draw.text(
        (_MARGIN, 56),
        f"{len(reader):,} frames of {header.width} x {header.height}  ·  "
        f"{len(set(reader.texts('scenes/name'))):,} scenes  ·  {header.created_by}  ·  seed {header.seed}",
        _FAINT,
        font=_font(14),
    )
    for column, title in enumerate(_TITLES.values()):
        draw.text((layout.left(column) + 1, 92), title, _INK, font=_font(16))


def _draw_keys(sheet: Image.Image, *, layout: _Layout, near_m: float, far_m: float) -> None:
    """Draw the scale of depth, the ball of normals and the names of the edges under their columns."""
    draw = ImageDraw.Draw(sheet)
    top = layout.top(layout.rows) + 8
    left, width = layout.left(1), layout.tile_width
    bar = np.tile(palette.ramp(np.linspace(0, 1, width))[None], (12, 1, 1))
    sheet.paste(Image.fromarray(bar), (left, top))
    for share, anchor in ((0.0, "la"), (0.5, "ma"), (1.0, "ra")):
        metres = near_m * (far_m / near_m) ** share
        place = (left + share * width, top + 17)
        draw.text(place, f"{metres:.1f} m", _FAINT, font=_font(12), anchor=anchor)
    ball = _normal_ball(52)
    sheet.paste(ball, (layout.left(2), top))
    for line, text in enumerate(("red: to the right", "green: up", "blue: to the viewer")):
        draw.text((layout.left(2) + 62, top + 2 + 17 * line), text, _FAINT, font=_font(12))
    for line, (name, colour) in enumerate(reversed(list(palette.EDGE_COLOURS.values()))):
        y = top + 1 + 16 * line
        draw.rectangle((layout.left(3), y + 2, layout.left(3) + 10, y + 12), fill=colour)
        draw.text((layout.left(3) + 18, y), name, _FAINT, font=_font(12))
    draw.text((layout.left(4), top), "a colour an instance", _FAINT, font=_font(12))
    draw.text((layout.left(5), top), "NYU40, below", _FAINT, font=_font(12))


def _normal_ball(size: int) -> Image.Image:
    """A ball in the colours of its normals, drawn fourfold and reduced."""
    large = 4 * size
    x, y = np.meshgrid(*[(np.arange(large) + 0.5) / large * 2 - 1] * 2)
    inside = x**2 + y**2 <= 1
    normal = np.stack([x, -y, np.sqrt(np.maximum(0, 1 - x**2 - y**2))], axis=-1)
    colours = palette.colour_normal(normal.astype(np.float32))
    colours[~inside] = _BACKGROUND
    return Image.fromarray(colours).resize((size, size), Image.Resampling.BOX)


def _legend_columns(layout: _Layout) -> int:
    return max(1, (layout.width - 2 * _MARGIN) // 170)


def _draw_classes(
    draw: ImageDraw.ImageDraw, classes: Sequence[tuple[int, float]], *, layout: _Layout
) -> None:
    top = layout.top(layout.rows) + 84
    columns = _legend_columns(layout)
    for place, (index, share) in enumerate(classes):
        x = _MARGIN + place % columns * 170
        y = top + place // columns * 22
        known = index < len(NYU40_NAMES)
        colour = tuple(int(c) for c in palette.NYU40_COLOURS[index]) if known else (255, 255, 255)
        draw.rectangle((x, y + 2, x + 12, y + 14), fill=colour, outline=_FAINT)
        name = NYU40_NAMES[index].replace("_", " ") if known else f"class {index}"
        draw.text((x + 20, y), f"{name}  {share:.1%}", _FAINT, font=_font(13))
