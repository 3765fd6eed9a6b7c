"""A kit of shapes from which furniture is put together.

Every shape has its lowest point at y = 0 unless its arguments say otherwise, texture coordinates in metres with the
grain of wood along v, and shading normals that make bevels and curved parts look round. `pieces.assemble` turns shapes
with finishes into a `Furniture`.

>>> cup = lathe([(0.0, 0.0), (0.04, 0.0), (0.04, 0.09), (0.037, 0.09), (0.037, 0.005), (0.0, 0.005)])
>>> cup.moved((0.0, 0.72, 0.0)).vertices[:, 1].min()
np.float64(0.72)
"""

from scenelift.render.furniture.shapes.boxes import box, boxes, hexahedron
from scenelift.render.furniture.shapes.flat import ellipse, extrude, plate, rounded_rectangle
from scenelift.render.furniture.shapes.shape import (
    CREASE_COS,
    Outline,
    Shape,
    Vec3,
    flat_normals,
    joined,
    rotation,
    smooth_normals,
)
from scenelift.render.furniture.shapes.soft import pillow, sheet, soft_box
from scenelift.render.furniture.shapes.swept import rod, rods, tube
from scenelift.render.furniture.shapes.turned import ball, cylinder, lathe

__all__ = [
    "CREASE_COS", "Outline", "Shape", "Vec3", "ball", "box", "boxes", "cylinder", "ellipse", "extrude", "flat_normals",
    "hexahedron", "joined", "lathe", "pillow", "plate", "rod", "rods", "rotation", "rounded_rectangle", "sheet",
    "smooth_normals", "soft_box", "tube",
]  # fmt: skip
