"""Dress windows: radiators below, curtains beside, blinds before."""

from dataclasses import replace

import numpy as np

from scenelift.render.rooms.arrange import Decor, wall_pose
from scenelift.render.rooms.openings import Opening
from scenelift.render.scene import Furniture


def dress_windows(decor: Decor, *, number: int) -> None:
    """Put radiators, curtains or blinds at the windows, the same at all windows of a room."""
    rng = decor.rng
    windows = [hole for hole in decor.layout.plan.openings if hole.kind == "window"]
    if not windows:
        return
    radiator = decor.make("radiator") if rng.random() < 0.55 else None
    style = rng.choice(["curtain", "blinds", "none"], p=_shares(decor))
    cover = decor.make(str(style)) if style != "none" and style in decor.source.kinds else None
    share = float(rng.uniform(0.25, 1.0))
    long = radiator is None and rng.random() < 0.7
    side = float(rng.uniform(0.16, 0.3))
    for hole in windows:
        if radiator is not None and hole.y0_m > 0.7:
            _place_radiator(decor, hole, radiator, number=number)
        if cover is not None and style == "blinds":
            _place_blinds(decor, hole, cover, share=share, number=number)
        elif cover is not None and not _place_curtain(
            decor, hole, cover, side_m=side, long=long or hole.y0_m < 0.3, number=number
        ):
            _place_curtain(decor, hole, cover, side_m=side, long=False, number=number)


def _shares(decor: Decor) -> list[float]:
    if not decor.curtains:
        return [0.0, 0.35, 0.65]
    return [0.75, 0.1, 0.15]


def _place_radiator(decor: Decor, hole: Opening, radiator: Furniture, *, number: int) -> None:
    layout = decor.layout
    wall = layout.plan.walls[hole.wall]
    if float(radiator.size_m[1]) > hole.y0_m - 0.06:
        return
    out = float(radiator.size_m[2]) / 2 + layout.wall_gap_m
    pose = wall_pose(wall, (hole.x0_m + hole.x1_m) / 2, out)
    if layout.fits(radiator, pose, group=number, keep_way=False):
        layout.put(radiator, pose, group=number)


def _place_curtain(
    decor: Decor, hole: Opening, curtain: Furniture, *, side_m: float, long: bool, number: int
) -> bool:
    """Hang a pair of curtains: down to the floor, or to below the sill."""
    layout = decor.layout
    wall = layout.plan.walls[hole.wall]
    top = min(hole.y1_m + 0.12, layout.plan.height_m - 0.01)
    low = 0.012 if long else max(0.02, hole.y0_m - 0.12)
    room_m = 2 * min(hole.x0_m, wall.length_m - hole.x1_m) - 0.04
    width = hole.width_m + min(2 * side_m, room_m)
    if room_m < 0.1:
        return False
    thing = stretched(curtain, width_m=width, height_m=top - low)
    pose = wall_pose(wall, (hole.x0_m + hole.x1_m) / 2, float(thing.size_m[2]) / 2 + 0.001, y_m=low)
    return layout.fits(
        thing, pose, group=number, margin_m=0.0, share_boxes=True, keep_way=False, zones=False
    ) and layout.put(thing, pose, group=number)


def _place_blinds(
    decor: Decor, hole: Opening, blinds: Furniture, *, share: float, number: int
) -> None:
    layout = decor.layout
    wall = layout.plan.walls[hole.wall]
    height = max(0.25, share * (hole.y1_m - hole.y0_m - 0.03))
    thing = stretched(blinds, width_m=hole.width_m + 0.06, height_m=height)
    pose = wall_pose(
        wall,
        (hole.x0_m + hole.x1_m) / 2,
        float(thing.size_m[2]) / 2 + 0.001,
        y_m=hole.y1_m + 0.03 - height,
    )
    if layout.fits(
        thing, pose, group=number, margin_m=0.0, share_boxes=True, keep_way=False, zones=False
    ):
        layout.put(thing, pose, group=number)


def stretched(furniture: Furniture, *, width_m: float, height_m: float) -> Furniture:
    """Return a thing stretched along its width and height."""
    mesh = furniture.mesh
    size = furniture.size_m
    scale = np.array([width_m / size[0], height_m / size[1], 1.0])
    return replace(furniture, mesh=replace(mesh, vertices=mesh.vertices * scale))
