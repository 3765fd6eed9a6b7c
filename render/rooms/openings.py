"""Doors, windows and passages: where they go in the walls, and how they look."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scenelift.render.rooms.drafting import MeshDraft
from scenelift.render.rooms.outline import Outline, WallLine, overlaps, wall_lines
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Mesh


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """A rectangular hole in a wall, in the wall's frame (metres)."""

    kind: Literal["door", "window", "passage"]
    wall: int
    """Index of the wall."""
    x0_m: float
    x1_m: float
    y0_m: float
    y1_m: float
    depth_m: float
    """Thickness of the wall here."""
    swing_rad: float = 0.0
    """How far a door stands open, into the room."""
    hinge_right: bool = False
    """Whether the hinge is at x1 instead of x0."""
    beyond_m: tuple[float, float] = (0.0, 0.0)
    """Of the corridor behind it: how far it reaches to both sides, and how deep it is."""

    @property
    def width_m(self) -> float:
        """Clear width."""
        return self.x1_m - self.x0_m

    @property
    def leads_on(self) -> bool:
        """Whether one can see through into a neighbouring room."""
        return self.kind == "passage" or (self.kind == "door" and self.swing_rad > 0)


WINDOWS_BY_KIND = {
    "living room": (1, 3),
    "bedroom": (1, 2),
    "kitchen": (1, 1),
    "bathroom": (0, 1),
    "dining room": (1, 3),
    "office": (1, 2),
    "child room": (1, 2),
    "hallway": (0, 1),
}


def sample_openings(
    outline_xz: Outline, *, kind: str, height_m: float, rng: np.random.Generator
) -> tuple[Opening, ...]:
    """Draw doors and windows for a room: doors near corners, windows on one or two outer sides."""
    walls = wall_lines(outline_xz)
    lengths = np.array([wall.length_m for wall in walls])
    depth = float(rng.uniform(0.16, 0.34))
    long = [int(i) for i in np.argsort(-lengths, kind="stable") if lengths[i] >= 1.25]
    outer = _outer_walls(walls, long=long, rng=rng)
    inner = [i for i in long if i not in outer] or long
    doors = 1
    if kind == "hallway":
        doors = int(rng.integers(2, 5))
    elif kind in ("living room", "dining room", "kitchen"):
        doors = int(rng.integers(1, 3))
    taken: list[Opening] = []
    for number in range(doors):
        door = _sample_door(walls, inner, taken, height_m=height_m, first=number == 0, rng=rng)
        taken += [_with_corridor(door, walls[door.wall], outline_xz)] if door else []
    low, high = WINDOWS_BY_KIND[kind]
    style = _window_style(kind, height_m=height_m, rng=rng)
    for _ in range(int(rng.integers(low, high + 1))):
        window = _sample_window(walls, outer, taken, style=style, depth_m=depth, rng=rng)
        taken += [window] if window else []
    return tuple(taken)


def _outer_walls(
    walls: tuple[WallLine, ...], *, long: list[int], rng: np.random.Generator
) -> list[int]:
    """Pick the walls that look outside: those that face one or two compass directions."""
    first = long[int(rng.integers(min(3, len(long))))]
    facing = [walls[first].inward_xz]
    if rng.random() < 0.4:
        facing.append(np.array([-facing[0][1], facing[0][0]]))
    slanted = [max(float(f @ wall.inward_xz) for f in facing) for wall in walls]
    return [i for i, wall in enumerate(walls) if slanted[i] > 0.6 and wall.length_m > 0.75]


def _free(taken: list[Opening], *, wall: int, x0: float, x1: float, gap: float) -> bool:
    return all(o.wall != wall or x1 + gap < o.x0_m or x0 - gap > o.x1_m for o in taken)


def _sample_door(
    walls: tuple[WallLine, ...],
    choices: list[int],
    taken: list[Opening],
    *,
    height_m: float,
    first: bool,
    rng: np.random.Generator,
) -> Opening | None:
    for _ in range(20):
        wall = choices[int(rng.integers(len(choices)))]
        length = walls[wall].length_m
        passage = not first and length > 2.4 and rng.random() < 0.3
        width = float(rng.uniform(1.0, 1.5) if passage else rng.choice([0.76, 0.8, 0.86, 0.9]))
        spare = length - width - 0.24
        if spare < 0:
            continue
        side = rng.random()
        near = min(0.12, spare)
        x0 = 0.12 + (near if side < 0.4 else spare if side < 0.8 else rng.uniform(0, spare))
        if not _free(taken, wall=wall, x0=x0, x1=x0 + width, gap=0.3):
            continue
        swing = 0.0 if passage or rng.random() < 0.6 else float(rng.uniform(0.25, 1.75))
        return Opening(
            kind="passage" if passage else "door",
            wall=wall,
            x0_m=x0,
            x1_m=x0 + width,
            y0_m=0.0,
            y1_m=min(float(rng.uniform(1.98, 2.12)), height_m - 0.15),
            depth_m=float(rng.uniform(0.1, 0.15)),
            swing_rad=swing,
            hinge_right=bool(x0 > length - x0 - width),
        )
    return None


def _with_corridor(door: Opening, wall: WallLine, outline_xz: Outline) -> Opening:
    """Find room for a corridor behind an opening; shut the door where an arm of the room itself is in the way."""
    if not door.leads_on:
        return door
    for side in (0.9, 0.5, 0.12):
        for deep in (1.5, 1.05):
            x = (door.x0_m - side, door.x1_m + side)
            z = (-door.depth_m - deep, -door.depth_m)
            corners = np.array([(x[0], z[0]), (x[1], z[0]), (x[1], z[1]), (x[0], z[1])])
            world = wall.start_xz + corners[:, :1] * wall.along_xz + corners[:, 1:] * wall.inward_xz
            if not overlaps(outline_xz, world):
                return replace(door, beyond_m=(side, deep))
    return replace(door, kind="door", swing_rad=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class _WindowStyle:
    width_m: float
    y0_m: float
    y1_m: float


def _window_style(kind: str, *, height_m: float, rng: np.random.Generator) -> _WindowStyle:
    top = min(height_m - 0.2, float(rng.uniform(2.05, 2.4)))
    if kind == "bathroom":
        return _WindowStyle(width_m=rng.uniform(0.5, 0.9), y0_m=rng.uniform(1.2, 1.45), y1_m=top)
    if kind == "kitchen":
        return _WindowStyle(width_m=rng.uniform(0.9, 1.5), y0_m=rng.uniform(1.05, 1.2), y1_m=top)
    if kind == "living room" and rng.random() < 0.3:
        return _WindowStyle(width_m=rng.uniform(1.4, 2.4), y0_m=0.06, y1_m=top)
    return _WindowStyle(width_m=rng.uniform(0.8, 1.9), y0_m=rng.uniform(0.72, 1.0), y1_m=top)


def _sample_window(
    walls: tuple[WallLine, ...],
    choices: list[int],
    taken: list[Opening],
    *,
    style: _WindowStyle,
    depth_m: float,
    rng: np.random.Generator,
) -> Opening | None:
    for _ in range(20 if choices else 0):
        wall = choices[int(rng.integers(len(choices)))]
        length = walls[wall].length_m
        width = min(style.width_m, length - 0.3)
        if width < 0.4:
            continue
        x0 = float(rng.uniform(0.15, max(0.15, length - 0.15 - width)))
        if rng.random() < 0.5:
            x0 = (length - width) / 2
        if _free(taken, wall=wall, x0=x0, x1=x0 + width, gap=0.35):
            return Opening(
                kind="window",
                wall=wall,
                x0_m=x0,
                x1_m=x0 + width,
                y0_m=style.y0_m,
                y1_m=style.y1_m,
                depth_m=depth_m,
            )
    return None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Joinery:
    """What all doors and windows of a home share."""

    frame: Finish
    leaf: Finish
    metal: Finish
    glass: Finish
    sill: Finish
    panels: int
    """Recessed panels of a door leaf, 0 to 3."""
    sill_out_m: float
    """How far a window sill reaches into the room."""


def build_door(opening: Opening, *, joinery: Joinery) -> Mesh:
    """Make casing, jambs and, unless it is a passage, leaf and handles, in the wall's frame."""
    draft = MeshDraft()
    x0, x1, y1, depth = opening.x0_m, opening.x1_m, opening.y1_m, opening.depth_m
    trim, thick = 0.07, 0.015
    frame = joinery.frame
    for z0, z1 in ((0.0, thick), (-depth - thick, -depth)):
        draft.box((x0 - trim, 0.0, z0), (x0, y1 + trim, z1), finish=frame)
        draft.box((x1, 0.0, z0), (x1 + trim, y1 + trim, z1), finish=frame)
        draft.box((x0, y1, z0), (x1, y1 + trim, z1), finish=frame)
    jamb = 0.02
    draft.box((x0, 0.0, -depth), (x0 + jamb, y1, 0.0), finish=frame)
    draft.box((x1 - jamb, 0.0, -depth), (x1, y1, 0.0), finish=frame)
    draft.box((x0 + jamb, y1 - jamb, -depth), (x1 - jamb, y1, 0.0), finish=frame)
    if opening.kind == "passage":
        return draft.mesh()
    _stops(draft, opening, jamb_m=jamb, joinery=joinery)
    leaf = _leaf(opening.width_m - 2 * jamb - 0.006, y1 - jamb - 0.013, joinery=joinery)
    return _joined(draft.mesh(), leaf, opening, jamb_m=jamb)


def _stops(draft: MeshDraft, opening: Opening, *, jamb_m: float, joinery: Joinery) -> None:
    """Add the strips that a shut leaf rests on, so that no light passes beside it, and a low threshold."""
    x0, x1, y1 = opening.x0_m + jamb_m, opening.x1_m - jamb_m, opening.y1_m - jamb_m
    far, near, out = -0.056, -0.042, 0.014
    draft.box((x0, 0.0, far), (x0 + out, y1, near), finish=joinery.frame)
    draft.box((x1 - out, 0.0, far), (x1, y1, near), finish=joinery.frame)
    draft.box((x0 + out, y1 - out, far), (x1 - out, y1, near), finish=joinery.frame)
    if opening.swing_rad == 0:
        draft.box((x0 + out, 0.0, far), (x1 - out, 0.015, near), finish=joinery.frame)


def _leaf(width: float, height: float, *, joinery: Joinery) -> Mesh:
    """Make a leaf that spans x from 0 (its hinge) to `width`, y from 0, z from -0.04 to 0, with its handle."""
    draft = MeshDraft()
    thick, recess, stile = 0.04, 0.008, 0.11
    rows = joinery.panels
    if rows == 0:
        draft.box((0.0, 0.0, -thick), (width, height, 0.0), finish=joinery.leaf)
    else:
        draft.box(
            (stile, stile, -thick + recess),
            (width - stile, height - stile, -recess),
            finish=joinery.leaf,
        )
        for left in (0.0, width - stile):
            draft.box((left, 0.0, -thick), (left + stile, height, 0.0), finish=joinery.leaf)
        step = (height - stile) / rows
        for row in range(rows + 1):
            low = row * step
            draft.box((stile, low, -thick), (width - stile, low + stile, 0.0), finish=joinery.leaf)
    at, high = width - 0.06, 1.02
    for face in (0.0, -thick):
        out = 1.0 if face == 0.0 else -1.0
        draft.box(
            (at - 0.018, high - 0.1, min(face, face + out * 0.006)),
            (at + 0.018, high + 0.08, max(face, face + out * 0.006)),
            finish=joinery.metal,
        )
        draft.tube(
            (at, high, face), (at, high, face + out * 0.05), radius_m=0.009, finish=joinery.metal
        )
        draft.tube(
            (at + 0.008, high, face + out * 0.05),
            (at - 0.12, high, face + out * 0.05),
            radius_m=0.009,
            finish=joinery.metal,
        )
    return draft.mesh()


def _joined(frame: Mesh, leaf: Mesh, opening: Opening, *, jamb_m: float) -> Mesh:
    """Hang the leaf on its hinge, in the plane of the room's side, and merge the meshes."""
    points = leaf.vertices.copy()
    cos, sin = math.cos(opening.swing_rad), math.sin(opening.swing_rad)
    x, z = points[:, 0].copy(), points[:, 2].copy()
    points[:, 0] = cos * x - sin * z
    points[:, 2] = sin * x + cos * z
    if opening.hinge_right:
        points[:, 0] = opening.x1_m - jamb_m - 0.003 - points[:, 0]
    else:
        points[:, 0] += opening.x0_m + jamb_m + 0.003
    points[:, 1] += 0.008
    return merge_meshes(
        frame,
        Mesh(
            vertices=points,
            faces=leaf.faces,
            materials=leaf.materials,
            face_materials=leaf.face_materials,
            corner_uvs=leaf.corner_uvs,
        ),
    )


def merge_meshes(first: Mesh, second: Mesh) -> Mesh:
    """Put two meshes with texture coordinates and without shading normals into one."""
    if first.corner_uvs is None or second.corner_uvs is None:
        raise ValueError("both meshes need texture coordinates")
    return Mesh(
        vertices=np.concatenate([first.vertices, second.vertices]),
        faces=np.concatenate([first.faces, second.faces + len(first.vertices)]),
        materials=first.materials + second.materials,
        face_materials=np.concatenate(
            [first.face_materials, second.face_materials + len(first.materials)]
        ),
        corner_uvs=np.concatenate([first.corner_uvs, second.corner_uvs]),
    )


def build_window(opening: Opening, *, joinery: Joinery, rng: np.random.Generator) -> Mesh:
    """Make frame, sashes, bars, panes, handle and sill, in the wall's frame."""
    draft = MeshDraft()
    x0, x1, y0, y1 = opening.x0_m, opening.x1_m, opening.y0_m, opening.y1_m
    plane = -0.62 * opening.depth_m
    outer = 0.05
    _ring(draft, (x0, x1, y0, y1), border=outer, z=(plane - 0.03, plane + 0.03), joinery=joinery)
    width, height = x1 - x0 - 2 * outer, y1 - y0 - 2 * outer
    sashes = max(1, round(width / rng.uniform(0.6, 1.1)))
    rows = int(rng.choice([1, 1, 1, 2, 3])) if y0 > 0.3 else 1
    step = width / sashes
    for i in range(sashes):
        left = x0 + outer + i * step
        rect = (left - 0.001, left + step + 0.001, y0 + outer - 0.002, y1 - outer + 0.002)
        front = plane + 0.042 + 0.001 * (i % 2)
        _ring(draft, rect, border=0.045, z=(plane - 0.02, front), joinery=joinery)
        inner = (rect[0] + 0.045, rect[1] - 0.045, rect[2] + 0.045, rect[3] - 0.045)
        for row in range(1, rows):
            level = inner[2] + (inner[3] - inner[2]) * row / rows
            draft.box(
                (inner[0], level - 0.012, plane - 0.01),
                (inner[1], level + 0.012, plane + 0.02),
                finish=joinery.frame,
            )
        pane = plane + 0.004
        draft.quad(
            np.array(
                [
                    (inner[0], inner[2], pane),
                    (inner[1], inner[2], pane),
                    (inner[1], inner[3], pane),
                    (inner[0], inner[3], pane),
                ]
            ),
            finish=joinery.glass,
        )
        grip = rect[1] - 0.022
        mid = y0 + 0.45 * height
        draft.box(
            (grip - 0.01, mid, front),
            (grip + 0.01, mid + 0.1, plane + 0.06),
            finish=joinery.metal,
        )
    if y0 > 0.3:
        out = joinery.sill_out_m
        draft.box(
            (x0 + 0.001, y0, plane + 0.03), (x1 - 0.001, y0 + 0.012, 0.0), finish=joinery.sill
        )
        draft.box((x0 - 0.04, y0 - 0.02, 0.0), (x1 + 0.04, y0 + 0.012, out), finish=joinery.sill)
    return draft.mesh()


def _ring(
    draft: MeshDraft,
    rect: tuple[float, float, float, float],
    *,
    border: float,
    z: tuple[float, float],
    joinery: Joinery,
) -> None:
    """Add four bars round a rectangle (x0, x1, y0, y1)."""
    x0, x1, y0, y1 = rect
    frame = joinery.frame
    draft.box((x0, y0, z[0]), (x0 + border, y1, z[1]), finish=frame)
    draft.box((x1 - border, y0, z[0]), (x1, y1, z[1]), finish=frame)
    draft.box((x0 + border, y0, z[0]), (x1 - border, y0 + border, z[1]), finish=frame)
    draft.box((x0 + border, y1 - border, z[0]), (x1 - border, y1, z[1]), finish=frame)
