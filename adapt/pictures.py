"""Drawing what networks answer: edges, depth, normals and their errors as 8-bit pictures.

Everything stays on the tensors' device until a file is written. Pictures are n h w 3, sRGB.
"""

import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

Pictures = UInt8[Tensor, "n h w 3"]

_INVALID = (0, 0, 0)
_HATCH = (58, 58, 66)
_NEAR_TO_FAR = (
    (253, 231, 160), (250, 176, 96), (226, 106, 92), (160, 60, 118), (86, 40, 120), (30, 22, 70),
)  # fmt: skip
_LITTLE_TO_MUCH = ((16, 18, 26), (38, 70, 130), (60, 150, 170), (238, 214, 110), (255, 90, 70))
_CAPTION_PX, _GAP_PX, _LINE_PX = 18, 4, 15
_PAPER, _INK = (255, 255, 255), (70, 70, 74)


def draw_image(image: UInt8[Tensor, "n 3 h w"]) -> Pictures:
    """Draw images as they are."""
    return image.permute(0, 2, 3, 1).contiguous()


def draw_edge(probability: Float[Tensor, "n 1 h w"]) -> Pictures:
    """Draw how sure an edge is: black none, white certain. Values that are not finite are hatched.

    >>> draw_edge(torch.tensor([[[[0.0, 0.5, 1.0]]]]))[0, 0, :, 0].tolist()
    [0, 128, 255]
    """
    grey = (_tame(probability).clamp(0, 1) * 255).round()
    colours = grey.permute(0, 2, 3, 1).expand(-1, -1, -1, 3)
    return _hatch(colours, where=~probability.isfinite()[:, 0])


def draw_depth(
    z_depth_m: Float[Tensor, "n 1 h w"], *, near_m: float = 0.5, far_m: float = 10.0
) -> Pictures:
    """Draw depth: light is near, dark is far, by the logarithm of metres; beyond the ends it stays at the end.

    Args:
        z_depth_m: Depth in metres; 0, negative or not finite is hatched.
        near_m: The lightest.
        far_m: The darkest.
    """
    if not 0 < near_m < far_m:
        raise ValueError(f"near_m must lie between 0 and far_m, got {near_m} and {far_m}")
    valid = z_depth_m.isfinite() & (z_depth_m > 0)
    safe = torch.where(valid, z_depth_m, near_m)
    share = (safe / near_m).log() / math.log(far_m / near_m)
    return _hatch(_ramp(share[:, 0], knots=_NEAR_TO_FAR), where=~valid[:, 0])


def draw_normal(
    normal: Float[Tensor, "n 3 h w"], *, valid: Bool[Tensor, "n 1 h w"] | None = None
) -> Pictures:
    """Draw normals: red, green and blue are (n + 1) / 2 of the unit normal; black where there is none.

    Args:
        normal: Normals of any length, camera frame; (0, 0, 0) or not finite is black.
        valid: Where to draw; None: everywhere.

    >>> draw_normal(torch.tensor([0.0, 0.0, 5.0]).reshape(1, 3, 1, 1)).flatten().tolist()
    [128, 128, 255]
    """
    length = normal.norm(dim=1, keepdim=True)
    known = length.isfinite() & (length > 0)
    if valid is not None:
        known = known & valid
    unit = torch.where(known, normal, 0) / torch.where(known, length, 1)
    colours = torch.where(known, ((unit + 1) * 127.5).round(), 0)
    return colours.permute(0, 2, 3, 1).to(torch.uint8)


def draw_error(
    error: Float[Tensor, "n 1 h w"],
    *,
    worst: float,
    valid: Bool[Tensor, "n 1 h w"] | None = None,
) -> Pictures:
    """Draw an error: dark is none, red is `worst` or more; hatched where it is not known or not finite."""
    if not worst > 0:
        raise ValueError(f"worst must be positive, got {worst}")
    known = error.isfinite() if valid is None else error.isfinite() & valid
    share = torch.where(known, error, 0) / worst
    return _hatch(_ramp(share[:, 0], knots=_LITTLE_TO_MUCH), where=~known[:, 0])


def depth_error(
    predicted_m: Float[Tensor, "n 1 h w"], true_m: Float[Tensor, "n 1 h w"]
) -> Float[Tensor, "n 1 h w"]:
    """Return |log predicted - log true|, so that 0.1 is about ten per cent; NaN where either is not positive."""
    both = (predicted_m > 0) & (true_m > 0)
    ratio = torch.where(both, predicted_m, 1) / torch.where(both, true_m, 1)
    return torch.where(both, ratio.log().abs(), torch.nan)


def normal_error_deg(
    predicted: Float[Tensor, "n 3 h w"], true: Float[Tensor, "n 3 h w"]
) -> Float[Tensor, "n 1 h w"]:
    """Return the angle between normals in degrees, from 0 to 180; NaN where either is (0, 0, 0).

    >>> right = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    >>> round(normal_error_deg(right, -3 * right).item())
    180
    """
    # atan2 keeps small angles, which the arc cosine loses in float32.
    cross = torch.linalg.cross(predicted, true, dim=1).norm(dim=1, keepdim=True)
    dot = (predicted * true).sum(dim=1, keepdim=True)
    known = (predicted != 0).any(dim=1, keepdim=True) & (true != 0).any(dim=1, keepdim=True)
    return torch.where(known, torch.atan2(cross, dot).rad2deg(), torch.nan)


def side_by_side(*columns: UInt8[Tensor, "_n _h _w 3"]) -> Pictures:
    """Set pictures of one batch next to each other, with a gap: the input, the truth, the answer, the error.

    Raises:
        ValueError: if they differ in number or height.
    """
    counts = {(len(column), column.shape[1]) for column in columns}
    if len(counts) != 1:
        raise ValueError(f"pictures differ in number or height: {sorted(counts)}")
    ((count, height),) = counts
    gap = torch.full((count, height, _GAP_PX, 3), 255, dtype=torch.uint8, device=columns[0].device)
    parts = [part for column in columns for part in (gap, column)]
    return torch.cat(parts[1:], dim=2)


def draw_text(texts: Sequence[Sequence[str]], *, height: int, width: int) -> Pictures:
    """Write the lines of each text on paper of one size; lines that do not fit are left out."""
    pages = []
    font = ImageFont.load_default(12)
    for lines in texts:
        page = Image.new("RGB", (width, height), _PAPER)
        draw = ImageDraw.Draw(page)
        for number, line in enumerate(lines[: height // _LINE_PX]):
            draw.text((2, 1 + number * _LINE_PX), line, _INK, font=font)
        pages.append(torch.from_numpy(np.array(page)))
    return torch.stack(pages)


def draw_grid(
    rows: Pictures, *, captions: Sequence[str] = ()
) -> UInt8[np.ndarray, "height width 3"]:
    """Set rows of pictures below each other, with captions above evenly divided columns.

    Args:
        rows: As `side_by_side` makes them.
        captions: One a column; none leaves the strip out.
    """
    count, height, width, _ = rows.shape
    top = _CAPTION_PX if captions else 0
    sheet = np.full((top + count * (height + _GAP_PX) - min(count, 1) * _GAP_PX, width, 3), _PAPER)
    sheet = sheet.astype(np.uint8)
    for index, row in enumerate(rows.cpu().numpy()):
        start = top + index * (height + _GAP_PX)
        sheet[start : start + height] = row
    if not captions:
        return sheet
    drawn = Image.fromarray(sheet)
    draw = ImageDraw.Draw(drawn)
    font = ImageFont.load_default(12)
    for column, caption in enumerate(captions):
        draw.text((column * (width + _GAP_PX) / len(captions) + 1, 1), caption, _INK, font=font)
    return np.array(drawn)


def write_pictures(
    folder: Path,
    pictures: Mapping[str, Pictures],
    *,
    step: int,
    captions: Mapping[str, Sequence[str]] | None = None,
) -> list[Path]:
    """Write pictures as `FOLDER/STEP/NAME.png`.

    Args:
        folder: `pictures/` of the run folder.
        pictures: Rows by name, such as `real/depth`.
        step: Steps done.
        captions: Captions of the columns by name.

    Raises:
        ValueError: if a name would lie outside the folder.
        OSError: if a file cannot be written.
    """
    written = []
    for name, rows in pictures.items():
        if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", name, re.ASCII):
            raise ValueError(
                f"picture name {name!r} must be words, digits and dashes between slashes"
            )
        path = folder / str(step) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, draw_grid(rows, captions=(captions or {}).get(name, ())))
        written.append(path)
    return written


def write_png(path: Path, picture: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write a PNG in one rename.

    Raises:
        OSError: if the file cannot be written.
    """
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "PNG")
    part = path.with_name(path.name + ".part")
    part.write_bytes(encoded.getvalue())
    part.replace(path)


def _tame(numbers: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    return torch.where(numbers.isfinite(), numbers, 0)


def _ramp(
    share: Float[Tensor, "n h w"], *, knots: Sequence[tuple[int, int, int]]
) -> Float[Tensor, "n h w 3"]:
    """Return the colour at a share of the way along the knots, by straight lines between them."""
    table = torch.tensor(knots, dtype=torch.float32, device=share.device)
    place = share.float().clamp(0, 1) * (len(knots) - 1)
    below = place.floor().clamp(max=len(knots) - 2).long()
    part = (place - below)[..., None]
    return table[below] * (1 - part) + table[below + 1] * part


def _hatch(colours: Float[Tensor, "n h w 3"], *, where: Bool[Tensor, "n h w"]) -> Pictures:
    """Draw diagonal stripes, which no ramp has, where nothing is known."""
    height, width = where.shape[1:]
    diagonal = torch.arange(height, device=where.device)[:, None] + torch.arange(
        width, device=where.device
    )
    stripe = (diagonal % 6 < 2)[..., None]
    light, dark = (torch.tensor(c, device=where.device) for c in (_HATCH, _INVALID))
    marked = torch.where(stripe, light, dark).to(colours.dtype)
    return torch.where(where[..., None], marked, colours.round()).to(torch.uint8)
