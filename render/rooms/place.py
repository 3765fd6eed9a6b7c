"""The state of a room while it is being furnished, and the questions that a new object must pass."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Float64

from scenelift.render.rooms.contact import (
    REST_GAP_M,
    AnyTriangles,
    Triangles,
    bounds,
    cross,
    gap_m,
    resting_points,
    world_triangles,
)
from scenelift.render.rooms.footprints import (
    Rectangle,
    component_of,
    inside_outline,
    near_rectangle,
    overlapping,
    rectangle,
)
from scenelift.render.rooms.outline import distance_to_walls_m, inside
from scenelift.render.rooms.shell import RoomPlan
from scenelift.render.scene import Furniture

CELL_M = 0.1
WALKER_RADIUS_M = 0.25
HEAD_M = 1.9
"""What hangs higher is in nobody's way."""
FLUSH_M = 0.06
"""What hangs on a wall and is thinner, one passes by."""
LEAST_SHARE = 0.75
"""Of all places where one could stand, those that one can walk to."""
STEP_M = 0.06
"""What is lower, one steps over: rugs, cables."""


FLOOR_ERROR_M = 1.5e-3
"""Of floors that others modelled."""
CEILING_ERROR_M = 0.02


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pose:
    """Where an object's base centre goes and where its front looks."""

    x_m: float
    z_m: float
    yaw_rad: float
    """0 looks along +z, a quarter turn along +x."""
    y_m: float = REST_GAP_M

    def matrix(self) -> Float[np.ndarray, "4 4"]:
        """Return `T_world_object`."""
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        return np.array(
            [
                [cos, 0.0, sin, self.x_m],
                [0.0, 1.0, 0.0, self.y_m],
                [-sin, 0.0, cos, self.z_m],
                [0.0, 0.0, 0.0, 1.0],
            ]
        )

    def ahead(self, right_m: float, front_m: float, *, turn_rad: float = 0.0) -> "Pose":
        """Return the pose at an offset in this one's frame (x to `right_m`, z to `front_m`), turned."""
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        return Pose(
            x_m=float(self.x_m + cos * right_m + sin * front_m),
            z_m=float(self.z_m - sin * right_m + cos * front_m),
            yaw_rad=self.yaw_rad + turn_rad,
            y_m=self.y_m,
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Placed:
    """An object in its place."""

    furniture: Furniture
    pose: Pose
    group: int
    """Objects of one group may share boxes, as a chair does with its table."""
    corners_xz: Rectangle
    low_y_m: float
    high_y_m: float
    triangles: Triangles
    bounds: Float64[np.ndarray, "2 3"]


def placed_at(furniture: Furniture, pose: Pose, *, group: int) -> Placed:
    """Return an object in its place, with what is asked of it again and again."""
    triangles = world_triangles(furniture.mesh, pose.matrix())
    box = bounds(triangles)
    size = furniture.size_m
    return Placed(
        furniture=furniture,
        pose=pose,
        group=group,
        corners_xz=rectangle(
            centre_xz=(pose.x_m, pose.z_m),
            width_m=float(size[0]),
            depth_m=float(size[2]),
            yaw_rad=pose.yaw_rad,
        ),
        low_y_m=float(box[0, 1]),
        high_y_m=float(box[1, 1]),
        triangles=triangles,
        bounds=box,
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Zone:
    """A region that objects of other groups stay out of."""

    corners_xz: Rectangle
    low_y_m: float
    high_y_m: float
    group: int = -1
    for_rugs: bool = True
    """Whether flat things are kept out too."""


@dataclass(kw_only=True, slots=True, eq=False)
class Layout:
    """A room being furnished. The one mutable thing here: `put` adds to it, all else only asks."""

    plan: RoomPlan
    shell: list[AnyTriangles]
    """Triangles of walls, doors and windows, the last judge of contact."""
    exact: bool = True
    """Whether walls, floor and ceiling are where the plan says; else each object is fitted to the meshes."""
    wall_gap_m: float = 0.02
    """Least distance of furniture from a wall: the thickness of the skirting and a little."""
    placed: list[Placed] = field(default_factory=list)
    zones: list[Zone] = field(default_factory=list)
    _cells_xz: Float64[np.ndarray, "r c 2"] = field(init=False)
    _blocked: Bool[np.ndarray, "r c"] = field(init=False)
    _doors: list[tuple[float, float]] = field(init=False)
    _shell_bounds: list[Float64[np.ndarray, "2 3"]] = field(init=False)

    def __post_init__(self) -> None:
        """Lay the grid of places where one may stand."""
        outline = self.plan.outline_xz
        low, high = outline.min(axis=0), outline.max(axis=0)
        xs = np.arange(low[0] + CELL_M / 2, high[0], CELL_M)
        zs = np.arange(low[1] + CELL_M / 2, high[1], CELL_M)
        self._cells_xz = np.stack(np.meshgrid(xs, zs, indexing="ij"), axis=-1)
        self._blocked = self._standing_room()
        self._doors = []
        for hole in self.plan.openings:
            if hole.kind != "window":
                wall = self.plan.walls[hole.wall]
                middle = (hole.x0_m + hole.x1_m) / 2
                spot = wall.start_xz + middle * wall.along_xz + 0.4 * wall.inward_xz
                self._doors.append((float(spot[0]), float(spot[1])))
        self._shell_bounds = [bounds(part) for part in self.shell]

    def corners(self, furniture: Furniture, pose: Pose, *, margin_m: float = 0.0) -> Rectangle:
        """Return the footprint of an object at a pose."""
        size = furniture.size_m
        return rectangle(
            centre_xz=(pose.x_m, pose.z_m),
            width_m=float(size[0]),
            depth_m=float(size[2]),
            yaw_rad=pose.yaw_rad,
            margin_m=margin_m,
        )

    def fits(
        self,
        furniture: Furniture,
        pose: Pose,
        *,
        group: int,
        margin_m: float = 0.005,
        share_boxes: bool = False,
        keep_way: bool = True,
        zones: bool = True,
    ) -> bool:
        """Ask the cheap questions: inside the outline, clear of boxes and zones of others, a way left free.

        Args:
            furniture: The object.
            pose: Its place.
            group: Its group.
            margin_m: Distance from other boxes.
            share_boxes: Whether its box may overlap those of its own group; the exact test judges later.
            keep_way: Whether to check that doors and the room's middle stay connected.
            zones: Whether to stay out of zones; curtains belong before windows.
        """
        corners = self.corners(furniture, pose, margin_m=margin_m)
        low, high = pose.y_m, pose.y_m + float(furniture.size_m[1])
        headroom = self.plan.height_m - 0.002 + (0.0 if self.exact else CEILING_ERROR_M)
        if high > headroom or not inside_outline(corners, self.plan.outline_xz):
            return False
        flat = high < STEP_M
        if not self.exact and low < 2 * REST_GAP_M and not self.has_floor(corners):
            return False
        if zones and self._meets_zone(corners, low, high, group=group, flat=flat):
            return False
        if self._meets_box(corners, low, high, group=group, share_boxes=share_boxes):
            return False
        return not (keep_way and low < HEAD_M and not flat) or self.way_stays_free(corners)

    def fits_on(self, furniture: Furniture, pose: Pose, *, host: "Placed") -> bool:
        """Ask whether a small thing on another object is inside the room and clear of all boxes but its host's."""
        corners = self.corners(furniture, pose, margin_m=0.004)
        low, high = pose.y_m, pose.y_m + float(furniture.size_m[1])
        sill = host.furniture.kind == "window"
        if high > self.plan.height_m - 0.002:
            return False
        if not (sill or inside_outline(corners, self.plan.outline_xz)):
            return False
        rivals = [
            other.corners_xz
            for other in self.placed
            if other is not host and low < other.high_y_m and high > other.low_y_m
        ]
        return not rivals or not overlapping(corners, np.stack(rivals)).any()

    def _meets_zone(
        self, corners: Rectangle, low: float, high: float, *, group: int, flat: bool
    ) -> bool:
        rivals = [
            zone.corners_xz
            for zone in self.zones
            if zone.group != group
            and low < zone.high_y_m
            and high > zone.low_y_m
            and (zone.for_rugs or not flat)
        ]
        return bool(rivals) and bool(overlapping(corners, np.stack(rivals)).any())

    def _meets_box(
        self, corners: Rectangle, low: float, high: float, *, group: int, share_boxes: bool
    ) -> bool:
        rivals = [
            other.corners_xz
            for other in self.placed
            if low < other.high_y_m
            and high > other.low_y_m
            and not (share_boxes and other.group == group)
        ]
        return bool(rivals) and bool(overlapping(corners, np.stack(rivals)).any())

    def zone_is_free(self, zone: Zone) -> bool:
        """Ask whether no object of another group stands in a zone."""
        return not self._meets_box(
            zone.corners_xz, zone.low_y_m, zone.high_y_m, group=zone.group, share_boxes=True
        )

    def way_stays_free(self, corners: Rectangle) -> bool:
        """Ask whether doors, middle and most of the floor stay connected if something stood on these corners."""
        flat = self._cells_xz.reshape(-1, 2)
        extra = near_rectangle(flat, corners, reach_m=WALKER_RADIUS_M)
        return self._connected(~(self._blocked | extra.reshape(self._blocked.shape)))

    def _connected(self, free: Bool[np.ndarray, "r c"]) -> bool:
        if not free.any():
            return False
        flat = self._cells_xz.reshape(-1, 2)
        open_cells = np.flatnonzero(free)

        def nearest(point: tuple[float, float]) -> tuple[int, float]:
            away = np.hypot(*(flat[open_cells] - point).T)
            best = int(np.argmin(away))
            return int(open_cells[best]), float(away[best])

        centre = self.plan.outline_xz.mean(axis=0)
        start, _ = nearest((float(centre[0]), float(centre[1])))
        row, column = divmod(start, free.shape[1])
        reached = component_of(free, start=(row, column)).ravel()
        if reached.sum() < LEAST_SHARE * len(open_cells):
            return False
        for door in self._doors:
            cell, away = nearest(door)
            if away > 0.3 or not reached[cell]:
                return False
        return True

    def near_something(self, corners: Rectangle) -> bool:
        """Tell whether a wall or furniture that stands on the floor reaches into a rectangle."""
        if not inside_outline(corners, self.plan.outline_xz):
            return True
        return self._meets_box(corners, STEP_M, 0.3, group=-2, share_boxes=False)

    def base_y_m(self, corners: Rectangle) -> float | None:
        """Return the height on which something with these corners would stand: the floor or a rug wholly below it.

        Returns:
            Metres, or None if it would stand half on a rug.
        """
        for other in self.placed:
            if other.low_y_m > STEP_M or other.high_y_m > STEP_M:
                continue
            if overlapping(corners, other.corners_xz[None])[0]:
                if not near_rectangle(corners, other.corners_xz, reach_m=0.0).all():
                    return None
                return other.high_y_m + REST_GAP_M
        return REST_GAP_M

    def settled(self, furniture: Furniture, pose: Pose) -> Pose:
        """Return a pose lowered until a first point touches the rug below, whose pile may lie under its border."""
        triangles = world_triangles(furniture.mesh, pose.matrix())
        points = resting_points(triangles, direction=(0.0, -1.0, 0.0))
        low, high = bounds(triangles)
        gaps = [
            gap_m(points, other.triangles, direction=(0.0, -1.0, 0.0), reach_m=STEP_M)
            for other in self.placed
            if other.high_y_m <= STEP_M
            and (other.bounds[0] <= high).all()
            and (other.bounds[1, [0, 2]] >= low[[0, 2]]).all()
        ]
        drop = min(gaps, default=0.0)
        return replace(pose, y_m=pose.y_m - drop + REST_GAP_M) if drop < STEP_M else pose

    def take_back(self, count: int) -> None:
        """Remove all but the first `count` objects."""
        if count == len(self.placed):
            return
        kept = self.placed[:count]
        self.placed = []
        self._blocked = self._standing_room()
        for item in kept:
            self.take_in(item)

    def crosses_nothing(self, triangles: Triangles) -> bool:
        """Ask the exact question: whether these triangles cross none of the room or of what stands in it."""
        box = bounds(triangles)
        rivals = [
            *zip(self.shell, self._shell_bounds, strict=True),
            *((other.triangles, other.bounds) for other in self.placed),
        ]
        return not any(
            (box[0] <= rival_box[1]).all()
            and (box[1] >= rival_box[0]).all()
            and cross(triangles, rival, first_bounds=box, second_bounds=rival_box)
            for rival, rival_box in rivals
        )

    def pressed(self, furniture: Furniture, pose: Pose, *, reach_m: float = 0.25) -> Pose | None:
        """Return a pose moved back until the object touches a wall of which only the mesh is known.

        Returns:
            None if no wall is near, or only a corner of the object would touch it.
        """
        front = (float(np.sin(pose.yaw_rad)), 0.0, float(np.cos(pose.yaw_rad)))
        back = (-front[0], 0.0, -front[2])
        width, height, depth = (float(size) for size in furniture.size_m)
        gaps = []
        for side in (-0.4, 0.4):
            for level in (0.1, 0.9):
                at = pose.ahead(side * width, -depth / 2)
                point = np.array([[at.x_m, pose.y_m + level * height, at.z_m]])
                gaps.append(self._shell_gap(point, direction=back, reach_m=reach_m))
        if not max(gaps) - min(gaps) < 2e-3:
            return None
        return pose.ahead(0.0, REST_GAP_M - min(gaps))

    def lifted(self, furniture: Furniture, pose: Pose) -> Pose | None:
        """Return a pose moved up or down until the object touches a ceiling of which only the mesh is known."""
        triangles = world_triangles(furniture.mesh, pose.matrix())
        top = resting_points(triangles, direction=(0.0, 1.0, 0.0))
        gap = self._shell_gap(top, direction=(0.0, 1.0, 0.0), reach_m=0.6)
        return replace(pose, y_m=pose.y_m + gap - REST_GAP_M) if np.isfinite(gap) else None

    def _shell_gap(
        self,
        points: Float64[np.ndarray, "p 3"],
        *,
        direction: tuple[float, float, float],
        reach_m: float,
    ) -> float:
        return min(
            gap_m(points, part, direction=direction, reach_m=reach_m, behind_m=reach_m)
            for part in self.shell
        )

    def has_floor(self, corners: Rectangle) -> bool:
        """Tell whether the floor's mesh lies below all corners of a footprint."""
        return all(
            abs(
                self._shell_gap(
                    np.array([[x, 0.0, z]]), direction=(0.0, -1.0, 0.0), reach_m=FLOOR_ERROR_M
                )
            )
            <= FLOOR_ERROR_M
            for x, z in corners
        )

    def _standing_room(self) -> Bool[np.ndarray, "r c"]:
        """Return the cells where nobody can stand in the empty room."""
        outline, flat = self.plan.outline_xz, self._cells_xz.reshape(-1, 2)
        free = inside(outline, flat) & (distance_to_walls_m(outline, flat) >= WALKER_RADIUS_M)
        return np.asarray(~free.reshape(self._cells_xz.shape[:2]))

    def put(self, furniture: Furniture, pose: Pose, *, group: int) -> bool:
        """Place an object if the exact test allows it; return whether it did."""
        item = placed_at(furniture, pose, group=group)
        if not self.crosses_nothing(item.triangles):
            return False
        self.take_in(item)
        return True

    def take_in(self, item: Placed) -> None:
        """Add an object that is in its place already."""
        self.placed.append(item)
        flush = item.low_y_m > 0.3 and float(item.furniture.size_m[2]) < FLUSH_M
        if item.low_y_m < HEAD_M and item.high_y_m > STEP_M and not flush:
            flat = self._cells_xz.reshape(-1, 2)
            near = near_rectangle(flat, item.corners_xz, reach_m=WALKER_RADIUS_M)
            self._blocked = self._blocked | near.reshape(self._blocked.shape)
