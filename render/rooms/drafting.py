"""A mesh under construction: quads, boxes, prisms and lathed shapes, with texture coordinates in metres."""

import numpy as np
from jaxtyping import Float

from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Material, Mesh

Point = tuple[float, float, float]

_BOX_SIDES = (
    ("x-", (0, 4, 7, 3)),
    ("x+", (5, 1, 2, 6)),
    ("y-", (0, 1, 5, 4)),
    ("y+", (7, 6, 2, 3)),
    ("z-", (1, 0, 3, 2)),
    ("z+", (4, 5, 6, 7)),
)


class MeshDraft:
    """Collects flat polygons; each keeps vertices of its own, so that creases stay sharp."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._corners: list[Float[np.ndarray, "f 3 3"]] = []
        self._uvs: list[Float[np.ndarray, "f 3 2"]] = []
        self._owners: list[tuple[Material, int]] = []

    def triangles(
        self,
        corners: Float[np.ndarray, "f 3 3"],
        uvs: Float[np.ndarray, "f 3 2"],
        *,
        finish: Finish,
    ) -> None:
        """Add triangles with texture coordinates in metres."""
        self._corners.append(corners)
        self._uvs.append(uvs / finish.period_m)
        self._owners.append((finish.material, len(corners)))

    def quad(
        self,
        corners: Float[np.ndarray, "4 3"],
        *,
        finish: Finish,
        uv_m: Float[np.ndarray, "4 2"] | None = None,
    ) -> None:
        """Add a flat quad, counter-clockwise from its lower left corner.

        Args:
            corners: Positions in metres.
            finish: Its surface.
            uv_m: Texture coordinates in metres; by default measured along the first side from the first corner.
        """
        if uv_m is None:
            right = corners[1] - corners[0]
            right = right / max(float(np.linalg.norm(right)), 1e-12)
            offset = corners - corners[0]
            u = offset @ right
            rest = offset - u[:, None] * right
            uv_m = np.stack([u, np.linalg.norm(rest, axis=1)], axis=1)
        order = np.array([[0, 1, 2], [0, 2, 3]])
        self.triangles(corners[order], uv_m[order], finish=finish)

    def box(self, low: Point, high: Point, *, finish: Finish, without: str = "") -> None:
        """Add an axis-parallel box.

        Args:
            low: Least corner.
            high: Greatest corner.
            finish: Its surface.
            without: Sides to leave out, such as "y- z-".
        """
        (x0, y0, z0), (x1, y1, z1) = low, high
        points = np.array(
            [
                (x0, y0, z0),
                (x1, y0, z0),
                (x1, y1, z0),
                (x0, y1, z0),
                (x0, y0, z1),
                (x1, y0, z1),
                (x1, y1, z1),
                (x0, y1, z1),
            ]
        )
        for name, corners in _BOX_SIDES:
            if name not in without:
                self.quad(points[list(corners)], finish=finish)

    def tube(
        self, start: Point, end: Point, *, radius_m: float, finish: Finish, sides: int = 10
    ) -> None:
        """Add a closed cylinder between two points."""
        a, b = np.array(start), np.array(end)
        axis = (b - a) / np.linalg.norm(b - a)
        helper = np.array([1.0, 0.0, 0.0]) if abs(axis[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
        u = np.cross(axis, helper)
        u = u / np.linalg.norm(u)
        v = np.cross(axis, u)
        angle = np.arange(sides + 1) * (2 * np.pi / sides)
        ring = radius_m * (np.cos(angle)[:, None] * u + np.sin(angle)[:, None] * v)
        for i in range(sides):
            self.quad(
                np.stack([a + ring[i], a + ring[i + 1], b + ring[i + 1], b + ring[i]]),
                finish=finish,
            )
        for centre in (a, b):
            corners = np.stack(
                [np.broadcast_to(centre, (sides, 3)), centre + ring[:-1], centre + ring[1:]], axis=1
            )
            self.triangles(corners, np.zeros((sides, 3, 2)), finish=finish)

    def mesh(self) -> Mesh:
        """Return what was collected."""
        corners = np.concatenate(self._corners)
        materials: list[Material] = []
        owner = []
        for material, count in self._owners:
            index = next((i for i, known in enumerate(materials) if known is material), -1)
            if index < 0:
                index = len(materials)
                materials.append(material)
            owner.append(np.full(count, index))
        return Mesh(
            vertices=corners.reshape(-1, 3),
            faces=np.arange(3 * len(corners)).reshape(-1, 3),
            materials=tuple(materials),
            face_materials=np.concatenate(owner),
            corner_uvs=np.concatenate(self._uvs),
        )
