"""Puts shapes and finishes together into one object."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.furniture.shapes import Shape
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Furniture, Material, Mesh

Piece: TypeAlias = tuple[Shape, Finish]
Mount: TypeAlias = Literal["floor", "wall", "ceiling", "surface"]


def assemble(
    pieces: Sequence[Piece], *, kind: str, semantic: str, mount: Mount = "floor"
) -> Furniture:
    """Merge pieces into one object that rests on y = 0 and is centred in x and z.

    Args:
        pieces: Shapes in one common frame, each with its finish.
        kind: What it is.
        semantic: Name of its NYU40 class.
        mount: Where it goes.
    """
    materials: list[Material] = []
    places: dict[int, int] = {}
    index: list[int] = []
    for _, finish in pieces:
        place = places.setdefault(id(finish.material), len(materials))
        if place == len(materials):
            materials.append(finish.material)
        index.append(place)
    shapes = [shape for shape, _ in pieces]
    bases = np.cumsum([0] + [len(shape.vertices) for shape in shapes[:-1]])
    vertices = np.concatenate([shape.vertices for shape in shapes])
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    vertices -= ((low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2)
    mesh = Mesh(
        vertices=vertices,
        faces=np.concatenate(
            [shape.faces + base for shape, base in zip(shapes, bases.tolist(), strict=True)]
        ),
        materials=tuple(materials),
        face_materials=np.repeat(np.array(index), [len(shape.faces) for shape in shapes]),
        corner_uvs=np.concatenate([shape.uvs / finish.period_m for shape, finish in pieces]),
        corner_normals=np.concatenate([shape.normals for shape in shapes]),
    )
    return Furniture(name=kind, kind=kind, semantic=nyu40_id(semantic), mesh=mesh, mount=mount)
