"""Put small things on tables, shelves, sills and counters, as people leave them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float64

from scenelift.render.rooms.arrange import Decor
from scenelift.render.rooms.contact import REST_GAP_M
from scenelift.render.rooms.footprints import rectangle
from scenelift.render.rooms.place import Placed, Pose
from scenelift.render.rooms.supports import CELL_M, Support, find_supports
from scenelift.render.scene import Furniture


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """Something that is found on a kind of furniture."""

    kinds: tuple[str, ...]
    chance: float = 1.0
    count: tuple[int, int] = (1, 1)
    spread: Literal["anywhere", "back", "middle", "front", "row"] = "anywhere"
    """Where on the surface; "row": beside each other, as books and bottles stand."""
    turn_rad: float = math.pi
    """Most that it is turned from the direction of the furniture."""
    top: bool = False
    """Only on the highest surface."""
    unless: str = ""
    """Left out where the group has a thing of this kind."""


def scatter(decor: Decor, things: Sequence[Thing], host: Placed, *, density: float) -> int:
    """Put things on an object that stands in its place; return how many found room.

    Args:
        decor: Room, source and random numbers.
        things: What may lie there.
        host: What carries them.
        density: Scales chances and numbers; 1 is an ordinary household.
    """
    supports = [s for s in find_supports(host.furniture.mesh) if host.pose.y_m + s.y_m < 2.2]
    if not supports:
        return 0
    done = 0
    rng = decor.rng
    for thing in things:
        chance = thing.chance if thing.chance > 0.9 else min(1.0, thing.chance * density)
        if rng.random() >= chance or _has(decor, thing.unless, group=host.group):
            continue
        low, high = thing.count
        wanted = max(1, round(int(rng.integers(low, high + 1)) * density)) if high > 1 else 1
        model: Furniture | None = None
        near: np.ndarray | None = None
        for _ in range(wanted):
            kind = decor.choose(thing.kinds)
            if kind is None:
                break
            if model is None or thing.spread != "row" or rng.random() < 0.4:
                model = decor.make(kind)
            if model is None:
                continue
            support = supports[-1] if thing.top else supports[int(rng.integers(len(supports)))]
            spot = _put_on(decor, thing, model, host, support, near=near)
            if spot is not None:
                done += 1
                near = spot
    return done


def _has(decor: Decor, kind: str, *, group: int) -> bool:
    return bool(kind) and any(
        item.group == group and item.furniture.kind == kind for item in decor.layout.placed
    )


def _put_on(
    decor: Decor,
    thing: Thing,
    model: Furniture,
    host: Placed,
    support: Support,
    *,
    near: Float64[np.ndarray, "2"] | None,
) -> Float64[np.ndarray, "2"] | None:
    """Try some spots; return the one taken, in the host's frame."""
    rng = decor.rng
    height = float(model.size_m[1])
    usable = np.argwhere(support.solid & (support.clear_m > height + 0.01))
    if len(usable) < 4:
        return None
    spots = (usable + 0.5) * CELL_M + support.low_xz
    for _ in range(8):
        spot = _draw_spot(thing, spots, near=near, rng=rng) + rng.uniform(-0.01, 0.01, 2)
        turn = float(rng.uniform(-thing.turn_rad, thing.turn_rad))
        corners = rectangle(
            centre_xz=(float(spot[0]), float(spot[1])),
            width_m=float(model.size_m[0]),
            depth_m=float(model.size_m[2]),
            yaw_rad=turn,
        )
        if not support.carries(corners, height_m=height):
            continue
        pose = replace(
            host.pose.ahead(float(spot[0]), float(spot[1]), turn_rad=turn),
            y_m=host.pose.y_m + support.y_m + REST_GAP_M,
        )
        if decor.layout.fits_on(model, pose, host=host) and decor.layout.put(
            model, pose, group=host.group
        ):
            return np.asarray(spot)
    return None


def leave_on_floor(decor: Decor, kinds: Sequence[str], *, count: int, number: int) -> int:
    """Leave small things on the floor, mostly along walls and beside furniture; return how many."""
    layout, rng = decor.layout, decor.rng
    outline = layout.plan.outline_xz
    low, high = outline.min(axis=0), outline.max(axis=0)
    done = 0
    for _ in range(count):
        kind = decor.choose(tuple(kinds))
        model = None if kind is None else decor.make(kind)
        if model is None:
            continue
        for _ in range(12):
            spot = rng.uniform(low, high)
            pose = Pose(
                x_m=float(spot[0]), z_m=float(spot[1]), yaw_rad=float(rng.uniform(0, 2 * math.pi))
            )
            beside = layout.corners(model, pose, margin_m=0.15)
            base = layout.base_y_m(layout.corners(model, pose))
            if base is None or (rng.random() < 0.7 and not layout.near_something(beside)):
                continue
            pose = replace(pose, y_m=base)
            if base > REST_GAP_M:
                pose = layout.settled(model, pose)
            if layout.fits(model, pose, group=number) and layout.put(model, pose, group=number):
                done += 1
                break
    return done


def _draw_spot(
    thing: Thing,
    spots: Float64[np.ndarray, "n 2"],
    *,
    near: Float64[np.ndarray, "2"] | None,
    rng: np.random.Generator,
) -> Float64[np.ndarray, "2"]:
    """Draw a spot: people put like beside like, and screens and lamps to the back."""
    if near is not None and rng.random() < (0.9 if thing.spread == "row" else 0.5):
        away = np.hypot(*(spots - near).T)
        close = spots[away < 0.3]
        if len(close):
            return np.asarray(close[int(rng.integers(len(close)))])
    if thing.spread == "middle":
        centre = (spots.min(axis=0) + spots.max(axis=0)) / 2
        away = np.hypot(*(spots - centre).T)
        spots = spots[np.argsort(away, kind="stable")[: max(1, len(spots) // 6)]]
    if thing.spread in ("back", "front", "row"):
        depth = spots[:, 1] if thing.spread != "front" else -spots[:, 1]
        spots = spots[depth <= np.quantile(depth, 0.45)]
    return np.asarray(spots[int(rng.integers(len(spots)))])
